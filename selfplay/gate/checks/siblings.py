"""Does a text tell where a target lies by the other files of its folder: next to one, or by ruling others out?"""

import re
from collections.abc import Iterator
from itertools import islice

from selfplay.core.trace import HintFinding
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import PATH, ShownText
from selfplay.gate.text.view import TextView

_RULED_OUT = re.compile(
    r"\b(?:not|neither|nor|none|never|except|excluding|besides|without|rul(?:e|ed|es|ing)\s+out|apart\s+from|aside\s+from|"
    r"other\s+than|anything\s+but|everything\s+but|all\s+but|instead\s+of|skip|ignore|leaves?|(?:is|are|was|do|does)n['’]?t)\b",
    re.IGNORECASE,
)
_MIN_RULED_OUT = 3
"""Ruling out so many files that the player has not read spares it a search."""
_MAX_NAMES = 50
"""Names of a text that are compared."""
_WHY_RULED_OUT = (
    "rules out files that the player has not read, which leaves the target; say what the sought code does instead"
)


def find_eliminations(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """The unread files beside a target that a text rules out: three, or all there are but the targets."""
    if not _RULED_OUT.search(view.text):
        return
    places = islice(PATH.finditer(view.text), _MAX_NAMES)
    named = [(m, m.group().strip("./\\").replace("\\", "/").lower()) for m in places]
    for target in guard.target_paths if len(named) > 1 else ():
        if guard.is_found(target, shown):
            continue
        unread = _list_unread_siblings(target, guard, shown)
        ruled_out = {path: m for m, name in named for path in unread if f"/{path}".endswith(f"/{name}")}
        if len(ruled_out) >= _MIN_RULED_OUT or (len(ruled_out) > 1 and len(ruled_out) == len(unread)):
            spans = sorted(m.span() for m in ruled_out.values())
            yield view.make_finding(spans[0][0], spans[-1][1], "position", _WHY_RULED_OUT)
            return


def _list_unread_siblings(target: str, guard: Guard, shown: ShownText) -> set[str]:
    """The other files of a target's folder of which the player has read nothing and the task names none."""
    known = {path.lower() for path in shown.opened_paths | guard.task_text.paths}
    beside = {path.lower() for path in guard.paths_in(target.rpartition("/")[0]) if path not in guard.target_paths}
    return {path for path in beside if not any(f"/{path}".endswith(f"/{known_path}") for known_path in known)}


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
                yield view.make_finding(*match.span(), "position", _WHY.format(name=name))


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
