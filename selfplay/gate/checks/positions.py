"""Does a text name a line by its number, or an entry of a listing by its place?"""

import re
from collections.abc import Iterator

from selfplay.core.trace import HintFinding
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.view import TextView

_UNITS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fourty fifty sixty seventy eighty ninety".split()
_SPELLED = rf"(?:(?:{'|'.join(_TENS)})(?:[\s-](?:{'|'.join(_UNITS[:9])}))?|{'|'.join(sorted(_UNITS, key=len, reverse=True))}|(?:a|one|two|three|four|five|six|seven|eight|nine)\s+hundred(?:\s+and)?(?:\s+[a-z]+(?:[\s-][a-z]+)?)?)"
_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth hundredth".split()
_TEEN_ORDINALS = rf"(?:(?:{'|'.join(_TENS)})[\s-](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|{'|'.join(_ORDINALS)})"
_LINE_NUMBER = r"(?:#|no\.?\s*|nr\.?\s*|number\s*|~|≈)?\s*(?:0x[0-9a-f]{1,8}|\d[\d,]{0,8})"
_ROMAN = r"[IVXLC]{1,9}"
_FOREIGN = "zeile zeilen ligne lignes línea líneas linea lineas riga righe linha linhas regel regels wiersz строка строке строки строку строкой".split()
_ABOUT = r"(?:\s*(?:at|near|around|about|roughly|approximately|number|numbers|is|are|=|:|past|after|before|from|between|just|somewhere))*"

_FOREIGN_LINE = rf"(?:{'|'.join(_FOREIGN)})"
_LINES = (
    # line 42, lines 10-20, line no. 42, lines #3
    rf"(?i)\b(?:lines?|ln|lineno|line_?number|rows?\s+of\s+the\s+file){_ABOUT}[\s:=(\[`'\"*_]*{_LINE_NUMBER}(?:\s*(?:-|–|—|\.\.+|to|through|until|till|and|,|or)\s*{_LINE_NUMBER})*",
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
_WHY_LINE = "names a line by its number; describe what stands there instead"
_AROUND_LINE = 40


def find_line_numbers(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every number of a line that does not stand in the task."""
    del shown
    prompt = guard.prompt.lower()
    for pattern in _LINES:
        for match in re.finditer(pattern, view.text):
            text = match.group()
            if text.strip().lower() in prompt or _is_other_number(match):
                continue
            yield view.make_finding(*match.span(), "line_number", _WHY_LINE)


def _is_other_number(match: re.Match[str]) -> bool:
    """`L2 cache`, `:8080` of a port."""
    text = match.group()
    around = match.string[max(match.start() - _AROUND_LINE, 0) : match.end() + _AROUND_LINE]
    if re.fullmatch(r"L\d", text):
        return _CACHE_LEVEL.match(match.string[match.end() : match.end() + _AROUND_LINE]) is not None or "/L" in around
    return text[0] == ":" and _PORT.search(around) is not None


_NTH = r"(?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|\d{1,7}(?:st|nd|rd|th)|penultimate|(?:second|third|next)[\s-](?:to|from)[\s-](?:the[\s-])?(?:last|end|bottom|top)|last[\s-]but[\s-]one|topmost|bottommost|lowermost|uppermost)"
_EDGE = r"(?:first|second|last|final|very\s+first|very\s+last|next|previous)"
_ROW = (
    r"(?:ones?|results?|hits?|match(?:es)?|entry|entries|items?|rows?|candidates?|bullets?|suggestions?|occurrences?)"
)
_FILE = r"(?:files?|paths?|names?|director(?:y|ies)|folders?|modules?|options?|links?|references?)"
_LIST = r"(?:list(?:ing)?s?|results?|hits|matches|search\s+results?|grep\s+(?:output|results?)|file\s+list|ranking)"
_HOLDER = rf"(?:{_LIST}|search|output|directory|folder|tree|table|index|overview|outline)"
_THE = r"(?:(?:the|that|your|this|its|our|all)\s+)?(?:(?:last|latest|previous|first|search|directory|file|folder|grep|result|ranked|current|long|short|sorted)\s+)*"
_IN = r"(?:in|of|on|from|among|within)"
_GO = r"(?:open|read|look\s+(?:\w+\s+)?(?:at|into|in|inside)|check|try|pick|take|choose|start\s+with|begin\s+with|go\s+(?:with|for|to|into)|click|select|see|visit|inspect|examine|follow|view|use|consider|study|return\s+to|want|prefer|it'?s|it\s+is|answer\s+is|expand|enter)"
_NUMBER = r"(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_UNIT = (
    r"(?:files?|modules?|class(?:es)?|functions?|methods?|types?|structs?|definitions?|packages?|scripts?|constants?)"
)
_BESIDE = r"(?:above|below|beneath|underneath|under|over|next\s+to|beside)"
_NAMED = r"(?:(?:the\s+)?[`'\"]?[\w/-]+\.\w+|the\s+one\b|the\s+(?:\w+\s+)?(?:file|entry|result|folder)\b)"

_ALWAYS = (
    # the third one, fifth result, 4th from the top
    rf"\b{_NTH}[\s-]+(?:(?:search|listed|grep|ranked|such)\s+)?{_ROW}\b",
    rf"\b(?:the|that|your)\s+{_NTH}[\s-]+(?:listed\s+)?{_FILE}\b(?!\s+(?:is\s+)?(?:still\s+)?(?:missing|to\s+(?:find|change)|left|needs|has))",
    r"\b(?:top|bottom|middle|top[\s-]ranked|highest[\s-]ranked|best[\s-]ranked)\s+(?:search\s+)?(?:result|hit|match|entry|item|row)\b",
    rf"\b(?:{_NTH}|{_EDGE})\s+(?:{_ROW}\s+)?(?:counting\s+)?from\s+(?:the\s+)?(?:top|bottom|end|start|left|beginning)\b",
    rf"\b(?:{_NTH}|{_EDGE})\s+(?:(?:{_ROW}|{_FILE})\s+)?{_IN}\s+{_THE}{_LIST}\b",
    rf"\b(?:{_NTH}|{_EDGE})\s+(?:{_ROW}|{_FILE})\s+(?:listed\s+|shown\s+)?{_IN}\s+{_THE}{_HOLDER}\b",
    rf"\b(?:{_NTH}|first|second|last)\s+(?:of|among)\s+(?:them|those|these)\b",
    # the second one, second hit
    r"(?<!\ba )\b(?:second|2nd)\s+(?:search\s+|listed\s+)?(?:one|result|hit|match|entry|item|candidate|bullet|suggestion|row)\b",
    # #3, item 3, result no. 2, number three on the list
    r"(?<![\w#&])#\d{1,2}\b(?![\w-])",
    r"\b(?:item|entry|result|hit|match|candidate|file|bullet|position|rank|row|option|suggestion)\s+(?:number\s+|no\.?\s*|nr\.?\s*|#\s?)?\d{1,2}\b(?!\s*(?:\w*bytes?|times|files?|lines?|%|characters?|chars|or\b|things|bugs|modules|\.\d))",
    rf"\b(?:item|entry|result|hit|candidate|file|bullet|option|suggestion)\s+(?:number\s+|no\.?\s*|nr\.?\s*){_NUMBER}\b",
    rf"(?<!version )(?<!port )(?<!status )(?<!phone )(?<!magic )(?<!line )\b(?:number|no\.|nr\.|nº|n°)\s?{_NUMBER}\s+(?:on|in|of|from)\s+{_THE}{_HOLDER}\b",
    rf"\b(?:results|hits|matches|entries|candidates|listing|list|files|these|those)\b[^.!?\n]{{0,30}}\b(?:number|no\.|nr\.|nº|n°)\s?{_NUMBER}\b",
    # ranked highest, listed first, at the top of the list
    r"\b(?:listed|ranked|ranks)\s+(?:\w+\s+)?(?:first|second|third|fourth|fifth|last|highest|lowest|topmost)\b",
    rf"\b(?:at|near|towards?|in|close\s+to|down|half(?:way)?)\s+(?:the\s+)?(?:very\s+)?(?:top|bottom|end|start|beginning|foot|head|middle|cent(?:er|re)|quarter|tail|down|through|way)\s+(?:of\s+|in\s+|down\s+|up\s+|on\s+|through\s+)?(?:the|that|your|this)\s+{_THE}{_LIST}\b(?!\s+(?:index|object|set|type))",
    r"\b(?:alphabetically|lexically|lexicographically)\s+(?:the\s+)?(?:first|second|third|last|next|largest|smallest)\b",
    r"\b(?:first|second|third|last|next)\s+(?:one\s+|file\s+|entry\s+)?(?:alphabetically|in\s+(?:the\s+)?alphabet(?:ical\s+order)?)\b",
    # it is the third
    rf"\b(?:{_GO}|is|but)\s+(?:only\s+)?the\s+(?:{_NTH}|second|last)\b(?=\s*(?:$|[.!?]))",
    # the only result in it, the remaining one, the one that you have not opened, its neighbour
    rf"\b(?:only|single|sole|remaining|biggest|largest|smallest|longest|shortest|newest|oldest|other)\s+(?:{_ROW}|{_FILE})\s+{_IN}\s+{_THE}(?:{_HOLDER}\b|[`'\"]?[\w.-]+/)",
    r"\bthe\s+(?:remaining|leftover)\s+(?:one|entry|result|hit|file|match|candidate)\b",
    r"\b(?:the|that)\s+(?:only\s+|other\s+|last\s+|remaining\s+)?(?:one|file|entry|result|hit)\s+(?:that\s+|which\s+)?you\s+(?:have\s+not|haven't|did\s+not|didn't|skipped|left\s+out|passed\s+over|never)\b",
    rf"\b(?:its|the)\s+(?:next-door\s+)?(?:neighbou?r|sibling)(?:\s+file)?\b(?=\s*(?:$|[.,;:!?]|{_IN}\b))",
    # the one right below, the file after X, two entries further down
    rf"\b(?:one|file|entry|result|hit|match|item|path|name|module|folder|directory|neighbou?r)\s+(?:that\s+(?:is|comes|stands|sits)\s+|listed\s+|which\s+(?:is|comes)\s+)?(?:right|directly|just|immediately|straight|two|three|one|next|shown|standing)\s+(?:{_BESIDE}|after|before|following|preceding)\b",
    r"(?<!like )\b(?:the|that)\s+(?:one|entry|result|hit|match|item)\s+(?:listed\s+)?(?:above|below|beneath|underneath)\b",
    rf"\b(?:one|entry|result|hit|item|file)\s+(?:listed\s+)?(?:after|before|following|preceding|{_BESIDE})\s+{_NAMED}",
    rf"\b(?:one|entry|result|hit|item|file)\s+{_BESIDE}\s+(?:it|that|this)\b",
    rf"\bone\s+(?:{_BESIDE}|after|before)\s+{_NAMED}",
    rf"\b(?:{_NUMBER}|a\s+few|a\s+couple\s+of)\s+(?:entries|results|hits|matches|items|files|rows|positions|names|places)\s+(?:further|down|below|above|up|later|lower|higher|after|before|ahead|on)\b",
    rf"\b(?:{_NUMBER}|just|right|directly|immediately|straight)\s+(?:{_BESIDE}|after|before)\s+(?:it\s+|that\s+|this\s+|the\s+\S+\s+){{0,2}}?(?:in|on)\s+(?:the|that|your|this)\s+(?:\w+\s+)?(?:list(?:ing)?|results?|output|directory|folder)\b",
    r"\b(?:next|previous|following|preceding)\s+(?:one|entry|result|hit|item|file|match)\s+(?:down|up|along|over)\b",
    r"\bone\s+(?:further|place|step|row|position|entry)\s+(?:down|up|below|above|lower|higher|further)\b",
    # the second module in alphabetical order, sorted by size, the last function of the file, the largest module of the package
    rf"\b(?:{_NTH}|{_EDGE})\s+(?:\w+\s+)?{_UNIT}\b[^.!?\n]{{0,60}}\b(?:in|by)\s+(?:alphabetical|alphabetic|lexical|lexicographic|name|size|length|age)\b",
    rf"\b(?:sort(?:ed)?|order(?:ed)?|rank(?:ed)?|arrange[d]?)\s+(?:\w+\s+){{0,3}}?(?:by|alphabetically)\b[^.!?\n]{{0,60}}\bthe\s+(?:{_NTH}|{_EDGE}|largest|smallest|longest|shortest|newest|oldest|biggest)(?:\s+(?:{_ROW}|{_UNIT}))?(?=\s*(?:$|[.,;:!?)])|\s+(?:of|in|is)\b)",
    r"\b(?:in|by)\s+(?:reverse\s+)?alphabetical\s+order\b[^.!?\n]{0,40}\b(?:first|second|third|last|next|final)\b",
    rf"\b(?:{_NTH}|{_EDGE}|topmost|bottommost)\s+{_UNIT}\s+(?:of|in|from)\s+(?:the|that|this|its|your|a|another)\s+(?:\w+\s+){{0,2}}?(?:file|module|class|package|script|source|folder|directory|repository|project)\b",
    rf"\b(?:biggest|largest|smallest|longest|shortest|newest|oldest)\s+{_UNIT}\s+(?:of|in|under|among)\s+(?:all|the|that|this|its)\s+(?:\w+\s+){{0,2}}?(?:files|modules|classes|functions|module|class|package|folder|directory|repository|repo|project|code\s?base|tree)\b",
    # German, French, Spanish, Chinese, Japanese
    r"\b(?:erste|zweite|dritte|vierte|funfte|letzte)[rnsm]?\s+(?:eintrag|treffer|datei|ergebnis|zeile|element)\w*\b",
    r"\b(?:premier|premiere|deuxieme|troisieme|quatrieme|dernier|derniere)\s+(?:resultat|fichier|entree|ligne|element)\b",
    r"\b(?:primer|primera|segundo|segunda|tercer|tercera|cuart[oa]|ultim[oa])\s+(?:resultado|archivo|fichero|entrada|linea|elemento)\b",
    r"第\s*[\d一二三四五六七八九十]{1,6}\s*[个個条條项項]|[\d一二三四五六七八九十]{1,6}\s*(?:番目|つ目)",
)
_EDGES = (
    # open the first result; without a verb of going there it may be a past step
    rf"\b{_GO}\s+(?:only\s+|just\s+)?(?:the|that|its|your)\s+(?P<it>{_EDGE}\s+(?:(?:search|listed|grep|ranked)\s+)?(?:{_ROW}|{_FILE}))\b",
    rf"\b(?P<it>{_EDGE}\s+(?:{_ROW}|{_FILE})\s+(?:listed|shown))\b",
    r"\b(?P<it>(?:top|first)[\s-](?:hit|result|entry))\b(?=\s*(?:$|[.,;:!?)]|is|looks|seems|deserves))",
)
_OWN_STEP = re.compile(
    r"\s*(?:that\s+|which\s+)?(?:you(?:'ve|r)?|we|i)\b|\s+(?:again|opened|read|already)\b|\s*(?:of|in)\s+(?:the\s+)?(?:task|prompt|plan|chain|"
    r"pipeline|request|response|loop|stack|protocol|handshake|argument|message|life)",
    re.IGNORECASE,
)
_NOT_A_LISTING = re.compile(
    r"\b(?:issue|issues|pr|prs|pull\s+request|ticket|bug|step|steps|section|chapter|version|level|layer|phase|rfc|case|"
    r"python|http|port|error|status|type|mode|attempt|search|call|query|try|move)\s*$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\b(?:two|three|four|both|several|2|3|4)\s+(?:\w+\s+)?(?:things|parts|steps|questions|reasons|sides|halves|ways|stages|"
    r"aspects|concerns|ideas|problems|changes|places|conditions|cases|kinds|sorts|jobs|tasks|phases|moments|points)\b",
    re.IGNORECASE,
)
_LOOK_BACK = 16
_WHY_POSITION = "points at an entry of a listing by its place; say how to tell the right one from the others"


def find_list_positions(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every place in a listing; steps that the player itself took are none."""
    del shown
    text = view.text
    for pattern in (*_ALWAYS, *_EDGES):
        for match in re.finditer(pattern, text, re.IGNORECASE):
            group = "it" if "it" in match.groupdict() else 0
            if _is_outside_listing(text, match.start(group), match.end(group)):
                continue
            if match.group(group).lower() in guard.prompt.lower():
                continue
            yield view.make_finding(*match.span(group), "position", _WHY_POSITION)


def _is_outside_listing(text: str, start: int, end: int) -> bool:
    if _OWN_STEP.match(text, end) or _NOT_A_LISTING.search(text[max(start - _LOOK_BACK, 0) : start]):
        return True
    found = text[start:end].lower()
    counted = _COUNTED.search(text[:start])
    return counted is not None and found.endswith((" one", " ones")) and "list" not in found
