"""Does a text name an entry of a listing by its place?"""

import re
from collections.abc import Iterator

from selfplay.gate.secret import Secret
from selfplay.gate.text import View
from selfplay.trace import Finding

_SMALL = r"(?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|\d+(?:st|nd|rd|th)|penultimate|(?:second|third|next)[\s-](?:to|from)[\s-](?:the[\s-])?(?:last|end|bottom|top)|last[\s-]but[\s-]one|topmost|bottommost|lowermost|uppermost|middle|lowest|centre|center|central|bottom|top)"
_EDGE = r"(?:first|second|1st|2nd|last|final|very\s+first|very\s+last|initial|next|previous|opening|closing)"
_ENTRY = r"(?:ones?|results?|hits?|match(?:es)?|entry|entries|items?|files?|paths?|candidates?|links?|bullets?|suggestions?|names?|director(?:y|ies)|folders?|rows?|options?|listing|module|occurrence|reference)"
_LIST = r"(?:list(?:ing)?s?|results?|output|hits?|matches|search(?:\s+results?)?|grep(?:\s+(?:output|results?))?|directory|folder|overview|outline|index|tree|ranking|table|enumeration|file\s+list|above|them|those|these)"
_GO = r"(?:open|read|look\s+(?:\w+\s+)?(?:at|into|in|inside)|check|try|pick|take|choose|start\s+with|begin\s+with|go\s+(?:with|for|to|into)|click|select|see|visit|inspect|examine|follow|view|use|consider|study|return\s+to|want|prefer|it'?s|it\s+is|is|answer\s+is|expand|enter)"
_WHERE = rf"(?:in|of|on|from|among|within)\s+(?:(?:the|that|your|this|its|our|all)\s+)?(?:(?:last|latest|previous|first|search|directory|file|folder|grep|result|ranked|current|long|short|sorted)\s+)*{_LIST}"
_NUMERAL = r"(?:\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_DOWN = r"(?:above|below|beneath|underneath|under|over|following|preceding|after|before|next\s+to|beside|behind|past)"

_ALWAYS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # the third one, fifth result, 4th from the top
        rf"\b{_SMALL}[\s-]+(?:(?:search|listed|grep|ranked|file|such|of)\s+)?{_ENTRY}\b",
        rf"\b(?:{_SMALL}|{_EDGE})\s+(?:\w+\s+)?(?:from|counting\s+from)\s+(?:the\s+)?(?:top|bottom|end|start|left|beginning)\b",
        rf"\b(?:{_SMALL}|{_EDGE})\s+(?:\w+\s+){{0,2}}?{_WHERE}\b",
        rf"\b(?:{_SMALL}|second|2nd)\s+(?:of|among|in)\s+(?:them|those|these|the\s+(?:\w+\s+)?(?:{_ENTRY}|{_LIST}))\b",
        # the second one, second hit
        r"\b(?:the\s+)?(?:second|2nd)\s+(?:search\s+|listed\s+)?(?:one|result|hit|match|entry|item|candidate|bullet|option|suggestion|link)\b",
        # #3, item 3, result no. 2, number three
        rf"(?<![\w#&])#\s?{_NUMERAL}\b(?!\w)",
        rf"\b(?:item|entry|result|hit|match|candidate|file|bullet|position|rank|row|place|option|suggestion|path|link|choice|slot|index)\s+(?:number\s+|no\.?\s*|nr\.?\s*|#\s?)?{_NUMERAL}\b(?!\s*(?:bytes?|times|files?|lines?|%|characters?|chars|or|of\s+the\s+spec))",  # one pattern
        rf"(?<!version )(?<!port )(?<!status )(?<!phone )(?<!magic )(?<!line )\b(?:number|no\.|nr\.|nº|n°)\s?{_NUMERAL}\b(?=\s*(?:$|[.,;:!?)]|on|in|of|from|is|looks|seems))",
        # ranked highest, listed first
        r"\b(?:listed|ranked|ranks|comes|came|appears|appeared|shown|printed|sorted|placed|sits|stands)\s+(?:\w+\s+)?(?:first|second|third|fourth|fifth|last|highest|lowest|topmost|at\s+the\s+(?:top|bottom|end))\b(?!\s+(?:in\s+the\s+(?:middleware|chain|pipeline|request|response)))",
        r"\b(?:top|highest|best|lowest|worst)[\s-](?:ranked|ranking|scoring|placed|listed)\s+(?:one|result|hit|match|entry|file|candidate|path)?",
        r"\b(?:top|bottom|end|start|beginning|foot|head|middle|centre|center|half(?:way)?|quarter|tail)\s+(?:\w+\s+)?(?:of|in|down|up|on|through)\s+(?:the|that|your|this)\s+(?:(?:last|latest|previous|search|directory|file|folder|grep|result|ranked)\s+)*(?:list(?:ing)?s?|results?|output|hits|matches|search\s+results?|file\s+list|ranking)\b",
        r"\b(?:alphabetically|lexically|lexicographically|by\s+(?:name|size|alphabet))\s+(?:the\s+)?(?:first|second|third|last|next|largest|smallest|longest|shortest)\b",
        r"\b(?:first|second|third|last|next)\s+(?:one\s+|file\s+|entry\s+)?(?:alphabetically|in\s+(?:the\s+)?alphabet(?:ical\s+order)?|by\s+name)\b",
        # the one right below, the file after X, two entries further down
        rf"\b(?:one|file|entry|result|hit|match|item|path|name|module|folder|directory|neighbou?r)\s+(?:that\s+(?:is|comes|stands|sits)\s+|listed\s+|which\s+(?:is|comes)\s+)?(?:right|directly|just|immediately|straight|two|three|one|next|shown|standing)\s+{_DOWN}\b",
        r"\b(?:the|that)\s+(?:one|entry|result|hit|match|item)\s+(?:listed\s+)?(?:above|below|beneath|underneath|below\s+it|following\s+it)\b",
        r"\b(?:the\s+)?(?:one|entry|result|hit|item|file)\s+(?:listed\s+)?(?:after|before|next\s+to|beside|following|preceding|below|above)\s+(?:(?:the\s+)?[`'\"]?[\w/-]+\.\w+|that|it\b|this|the\s+one\b|the\s+(?:\w+\s+)?(?:file|entry|result|one|folder)\b)",
        rf"\b(?:{_NUMERAL}|a\s+few|a\s+couple\s+of)\s+(?:entries|results|hits|matches|items|files|places|rows|positions|names|places)\s+(?:further|down|below|above|up|later|lower|higher|after|before|ahead|on)\b",
        rf"\b(?:{_NUMERAL}|just|right|directly|immediately|straight)\s+(?:below|above|under|beneath|underneath|after|before)\s+(?:it\s+|that\s+|this\s+|the\s+\S+\s+){{0,2}}?(?:in|on)\s+(?:the|that|your|this)\s+(?:\w+\s+)?(?:list(?:ing)?|results?|output|directory|folder)\b",
        rf"\b(?:next|previous|following|preceding)\s+(?:one|entry|result|hit|item|file|match)\s+(?:down|up|along|over|{_WHERE})\b",
        r"\bone\s+(?:further|place|step|row|position|entry)\s+(?:down|up|below|above|lower|higher|further)\b",
        r"\b(?:odd|even)[\s-](?:one|numbered)\s+(?:out|entry|result|file|item)\b",
        # German, French, Spanish
        r"\b(?:erste[rnsm]?|zweite[rnsm]?|dritte[rnsm]?|vierte[rnsm]?|fünfte[rnsm]?|letzte[rnsm]?)\s+(?:eintrag|treffer|datei|ergebnis|zeile|element)\w*\b",
        r"\b(?:premi(?:er|ère)|deuxi[èe]me|troisi[èe]me|quatri[èe]me|derni(?:er|[èe]re))\s+(?:r[ée]sultat|fichier|entr[ée]e|ligne|[ée]l[ée]ment)\b",
        r"\b(?:primer|primera|segundo|segunda|tercer|tercera|cuart[oa]|[úu]ltim[oa])\s+(?:resultado|archivo|fichero|entrada|l[íi]nea|elemento)\b",
        r"第\s*[\d一二三四五六七八九十]+\s*[个個条條项項]|[\d一二三四五六七八九十]+\s*(?:番目|つ目)",
    )
)  # fmt: skip
_EDGES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # open the first result; the first hit in the list: without a verb of going there it may be a past step
        rf"\b{_GO}\s+(?:only\s+|just\s+)?(?:the|that|its|your)\s+(?P<it>{_EDGE}\s+(?:(?:search|listed|grep|ranked)\s+)?{_ENTRY})\b",
        rf"\b(?P<it>{_EDGE}\s+(?:(?:search|listed|grep|ranked)\s+)?{_ENTRY}\s+(?:listed|{_WHERE}|there|shown))\b",
        r"\b(?P<it>(?:top|first)[\s-](?:hit|result|match|entry))\b(?=\s*(?:$|[.,;:!?)]|is|looks|seems|deserves|was\s+(?:it|right)))",
    )
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
_BEFORE = 16
_WHY = "points at an entry of a listing by its place; say how to tell the right one from the others"


def positions_in(view: View, secret: Secret) -> Iterator[Finding]:
    """Every place in a listing; steps that the player itself took are none."""
    text = view.text
    for pattern in (*_ALWAYS, *_EDGES):
        for match in pattern.finditer(text):
            group = "it" if "it" in pattern.groupindex else 0
            if _is_something_else(text, match.start(group), match.end(group)):
                continue
            if match.group(group).lower() in secret.prompt.lower():
                continue
            start, end = view.span(match.start(group), match.end(group))
            yield Finding(kind="position", text=view.original[start:end], span=(start, end), why=_WHY)


def _is_something_else(text: str, start: int, end: int) -> bool:
    if _OWN_STEP.match(text, end) or _NOT_A_LISTING.search(text[max(start - _BEFORE, 0) : start]):
        return True
    found = text[start:end].lower()
    counted = _COUNTED.search(text[:start])
    return counted is not None and found.endswith((" one", " ones")) and "list" not in found
