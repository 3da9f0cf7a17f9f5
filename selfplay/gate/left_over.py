"""Does a text tell where a target lies by ruling out the other files of its folder?"""

import re
from collections.abc import Iterator
from itertools import islice

from selfplay.gate.secret import Secret
from selfplay.gate.seen import PATH, Seen
from selfplay.gate.text import View
from selfplay.trace import Finding

_RULED_OUT = re.compile(
    r"\b(?:not|neither|nor|none|never|except|excluding|besides|without|rul(?:e|ed|es|ing)\s+out|apart\s+from|aside\s+from|"
    r"other\s+than|anything\s+but|everything\s+but|all\s+but|instead\s+of|skip|ignore|leaves?|(?:is|are|was|do|does)n['’]?t)\b",
    re.IGNORECASE,
)
_MANY = 3
"""So many files that the player has not read are a search that it is spared."""
_MOST = 50
"""Names of a text that are looked at."""
_WHY = "rules out files that the player has not read, which leaves the target; say what the sought code does instead"


def left_over_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """The unread files beside a target that a text rules out: three, or all there are but the targets."""
    if not _RULED_OUT.search(view.text):
        return
    places = islice(PATH.finditer(view.text), _MOST)
    named = [(m, m.group().strip("./\\").replace("\\", "/").lower()) for m in places]
    for target in secret.paths if len(named) > 1 else ():
        if secret.is_found(target, shown):
            continue
        unread = _unread_beside(target, secret, shown)
        said = {path: m for m, name in named for path in unread if f"/{path}".endswith(f"/{name}")}
        if len(said) >= _MANY or (len(said) > 1 and len(said) == len(unread)):
            spans = sorted(m.span() for m in said.values())
            start, end = view.span(spans[0][0], spans[-1][1])
            yield Finding(kind="position", text=view.original[start:end], span=(start, end), why=_WHY)
            return


def _unread_beside(target: str, secret: Secret, shown: Seen) -> set[str]:
    """The other files of a target's folder of which the player has neither read anything nor been told."""
    known = {path.lower() for path in shown.opened | secret.told.paths}
    beside = {path.lower() for path in secret.beside(target.rpartition("/")[0]) if path not in secret.paths}
    return {path for path in beside if not any(f"/{path}".endswith(f"/{one}") for one in known)}
