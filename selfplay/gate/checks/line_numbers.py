"""Does a text name a line by its number?"""

import re
from collections.abc import Iterator

from selfplay.core.trace import HintFinding
from selfplay.gate.guard import Guard
from selfplay.gate.text.view import TextView

_UNITS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fourty fifty sixty seventy eighty ninety".split()
_SPELLED = rf"(?:(?:{'|'.join(_TENS)})(?:[\s-](?:{'|'.join(_UNITS[:9])}))?|{'|'.join(sorted(_UNITS, key=len, reverse=True))}|(?:a|one|two|three|four|five|six|seven|eight|nine)\s+hundred(?:\s+and)?(?:\s+[a-z]+(?:[\s-][a-z]+)?)?)"
_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth hundredth".split()
_TEEN_ORDINALS = rf"(?:(?:{'|'.join(_TENS)})[\s-](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|{'|'.join(_ORDINALS)})"
_NUMBER = r"(?:#|no\.?\s*|nr\.?\s*|number\s*|~|≈)?\s*(?:0x[0-9a-f]{1,8}|\d[\d,]{0,8})"
_ROMAN = r"[IVXLC]{1,9}"
_FOREIGN = "zeile zeilen ligne lignes línea líneas linea lineas riga righe linha linhas regel regels wiersz строка строке строки строку строкой".split()
_ABOUT = r"(?:\s*(?:at|near|around|about|roughly|approximately|number|numbers|is|are|=|:|past|after|before|from|between|just|somewhere))*"

_FOREIGN_LINE = rf"(?:{'|'.join(_FOREIGN)})"
_PATTERNS = (
    # line 42, lines 10-20, line no. 42, lines #3
    rf"(?i)\b(?:lines?|ln|lineno|line_?number|rows?\s+of\s+the\s+file){_ABOUT}[\s:=(\[`'\"*_]*{_NUMBER}(?:\s*(?:-|–|—|\.\.+|to|through|until|till|and|,|or)\s*{_NUMBER})*",
    # line forty-two
    rf"(?i)\blines?{_ABOUT}[\s:`'\"*]+{_SPELLED}\b(?:\s*(?:to|through|and|-|–)\s*{_SPELLED}\b)?",
    rf"\b[Ll]ines?\s+{_ROMAN}\b",
    # the 42nd line, the forty-second line, the third line
    rf"(?i)\b(?:\d{{1,7}}(?:st|nd|rd|th)|{_TEEN_ORDINALS})(?:\s+(?:or\s+so|physical|source|code|numbered))?[\s-]+(?:lines?\b|row\s+of\s+the\s+file)",
    # L42, #L10-L20
    r"(?<![\w.])(?:#?L\d{1,7}(?:C\d{1,7})?(?:\s*[-–]\s*L?\d{1,7})?|l\.\s?\d{1,7}|ll\.\s?\d{1,7}(?:-\d{1,7})?)(?!\.?\w)",
    r"(?<=\.)[A-Za-z]{1,5}[`'\"*]?(?::|#|\(|@|\s:)\s?\d{1,6}(?:\s?[-–:]\s?\d{1,6})?\)?(?!\.?\w)",
    # the same without the file name, at the start of a word
    r"(?:(?<=\s)|(?<=^)|(?<=[(`'\"])):\d{1,6}(?:\s?[-–]\s?\d{1,6})?(?![\w:.%])",
    # jump to 120, scroll down to 80
    r"(?i)\b(?:jump|skip|scroll|page|seek)\s+(?:(?:down|up|ahead|forward|on|straight)\s+)?(?:to|past|until)\s+(?:about\s+|around\s+|roughly\s+)?\d{1,7}(?:\s?[-–]\s?\d{1,7})?(?!\.?\w)",
    # forty lines down, 40 lines into the file
    rf"(?i)\b(?:\d{{1,7}}|{_SPELLED})\s+lines?\s+(?:down|further|below|above|up|later|earlier|deeper|before|after|from\s+the\s+(?:top|bottom|start|end|beginning)|in(?:to)?\s+(?:the|that|this)\s+(?:file|module|script|class|source))\b",
    rf"(?i)\b(?:first|last|top|bottom)\s+(?:\d{{1,7}}|{_SPELLED})\s+lines?\b",
    # in other languages
    rf"(?i)\b{_FOREIGN_LINE}\s*(?:n[°ºro]\.?\s*)?\d{{1,7}}(?:\s?[-–]\s?\d{{1,7}})?",
    r"第\s*[\d一二三四五六七八九十百]{1,6}\s*行|[\d一二三四五六七八九十百]{1,6}\s*行目",
    rf"(?i)\b\d{{1,7}}(?:\.|-?(?:e|a|o|er|ere|eme|te|ste|de|я|ю|и))\s*{_FOREIGN_LINE}\b",
)
_CACHE_LEVEL = re.compile(
    r"(?i)[\s-](?:caches?|norm|regulari[sz]ation|layer|load|proxy|switch|penalty|distance|loss|support|routing)|/L\d"
)
_PORT = re.compile(r"\b(?:ports?|listen\w*|bind\w*|host|address\w*|socket|localhost|served?|tcp|udp)\b", re.IGNORECASE)
_WHY = "names a line by its number; describe what stands there instead"
_NEAR = 40


def find_line_numbers(view: TextView, guard: Guard) -> Iterator[HintFinding]:
    """Every number of a line that does not stand in the task."""
    prompt = guard.prompt.lower()
    for pattern in _PATTERNS:
        for match in re.finditer(pattern, view.text):
            text = match.group()
            if text.strip().lower() in prompt or _is_other_number(match):
                continue
            start, end = view.original_span(*match.span())
            yield HintFinding(kind="line_number", text=view.original[start:end], span=(start, end), why=_WHY)


def _is_other_number(match: re.Match[str]) -> bool:
    """`L2 cache`, `:8080` of a port."""
    text = match.group()
    around = match.string[max(match.start() - _NEAR, 0) : match.end() + _NEAR]
    if re.fullmatch(r"L\d", text):
        return _CACHE_LEVEL.match(match.string[match.end() : match.end() + _NEAR]) is not None or "/L" in around
    return text[0] == ":" and _PORT.search(around) is not None
