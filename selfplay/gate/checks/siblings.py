"""Does a text say where a target lies by naming the file next to it?"""

import re
from collections.abc import Iterator

from selfplay.core.trace import HintFinding
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.view import TextView

_BESIDE = (
    r"next\s+to|beside|besides|alongside|adjacent\s+to|below|above|beneath|underneath|(?:neighbou?r|sibling)s?\s+(?:of|to)|"
    r"(?:same|very)\s+(?:folder|directory|package)\s+(?:as|that\s+holds)"
)
"""A place, whatever stands before it."""
_ORDER = r"after|before|following|preceding|behind|under|between"
"""A place only where something stands there: else they may be about time."""
_THING = (
    r"(?:file|module|one|entry|script|source|class|neighbou?r|sibling|comes|is|sits|lies|lives|stands|right|just|directly|"
    r"immediately|listed|straight)"
)
_ARTICLE = r"(?:the\s+)?(?:file\s+|module\s+)?[`'\"*]*"
_NAME = r"(?P<name>[\w@+~-]+(?:[./\\][\w@+~-]+)*)"
_FULL = re.compile(
    rf"\b(?:(?:{_BESIDE})|{_THING}\s+(?:that\s+(?:is|comes)\s+)?(?:right\s+|just\s+|directly\s+)?(?:{_ORDER}))\s+{_ARTICLE}{_NAME}",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"\b(?:file|module|one|script|source)\s+(?:right\s+|just\s+|directly\s+|immediately\s+)?(?:{_BESIDE}|{_ORDER})\s+{_ARTICLE}{_NAME}"
    r"(?=[`'\"*]*(?:\s+(?:module|file|in|of)\b|\s*(?:$|[.,;:!?)])))",
    re.IGNORECASE,
)
_OWNED = re.compile(
    r"(?<![\w./-])(?P<name>[\w@+~/-]+\.\w+)[`'\"*]*(?:'s|s')\s+(?:next[\s-]door\s+)?(?:neighbou?r|sibling)s?\b|"
    r"(?<![\w./-])(?P<has>[\w@+~/-]+\.\w+)[`'\"*]*\s+has\s+(?:\w+\s+){1,2}(?:neighbou?r|sibling)s?\b",
    re.IGNORECASE,
)
_BETWEEN = re.compile(rf"\bbetween\s+{_ARTICLE}{_NAME}[`'\"*]*\s+and\s+{_ARTICLE}[\w@+~/-]+\.\w+", re.IGNORECASE)
_WHY = "says that a target lies by {name}, which is in the same folder; say what the code there does instead"


def find_siblings(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every relation to a file that lies in the folder of a target which the player has not found."""
    for pattern, needs_extension in ((_FULL, True), (_OWNED, True), (_BETWEEN, True), (_BARE, False)):
        for match in pattern.finditer(view.text):
            name = next(filter(None, (match.group(g) for g in ("name", "has") if g in pattern.groupindex)))
            if needs_extension and "." not in name:
                continue
            if _is_sibling(name, guard, shown, is_full=needs_extension):
                start, end = view.original_span(*match.span())
                why = _WHY.format(name=name)
                yield HintFinding(kind="position", text=view.original[start:end], span=(start, end), why=why)


def _is_sibling(name: str, guard: Guard, shown: ShownText, *, is_full: bool) -> bool:
    """Whether a file of that name lies beside a target; without its extension if not `is_full`."""
    wanted = name.replace("\\", "/").lower().strip("./")
    for target in guard.target_paths:
        folder = target.rpartition("/")[0]
        for path in guard.paths_in(folder):
            lower = path.lower()
            bare = lower if is_full else lower.rpartition(".")[0]
            if path != target and f"/{bare}".endswith(f"/{wanted}") and not guard.is_found(target, shown):
                return True
    return False
