"""Does a text tell where a target lies by ruling out the other files of its folder?"""

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
"""So many files that the player has not read are a search that it is spared."""
_MAX_NAMES = 50
"""Names of a text that are looked at."""
_WHY = "rules out files that the player has not read, which leaves the target; say what the sought code does instead"


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
        said = {path: m for m, name in named for path in unread if f"/{path}".endswith(f"/{name}")}
        if len(said) >= _MIN_RULED_OUT or (len(said) > 1 and len(said) == len(unread)):
            spans = sorted(m.span() for m in said.values())
            start, end = view.original_span(spans[0][0], spans[-1][1])
            yield HintFinding(kind="position", text=view.original[start:end], span=(start, end), why=_WHY)
            return


def _list_unread_siblings(target: str, guard: Guard, shown: ShownText) -> set[str]:
    """The other files of a target's folder of which the player has neither read anything nor been told."""
    known = {path.lower() for path in shown.opened_paths | guard.task_text.paths}
    beside = {path.lower() for path in guard.paths_in(target.rpartition("/")[0]) if path not in guard.target_paths}
    return {path for path in beside if not any(f"/{path}".endswith(f"/{one}") for one in known)}
