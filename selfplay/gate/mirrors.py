"""Does a text name a target by the file of its tests: `tests/test_response.py`, `response_spec.rb`?"""

import re
from collections.abc import Iterator

from selfplay.gate.needles import Needle
from selfplay.gate.secret import Secret
from selfplay.gate.seen import Seen
from selfplay.gate.text import View, compact, parts_of
from selfplay.gate.words import CODE_EXTENSIONS
from selfplay.trace import Finding

_RUN = re.compile(r"(?<![\w./\\-])[\w./\\-]*[A-Za-z][\w./\\-]*")
_TESTS = frozenset({"test", "tests", "spec", "specs"})
_WHY = "names the tests of the target {written!r}, and so the target; say what they are about instead"


def mirrors_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """Every name that is a target's with `test` or `spec` tied to it, of a file that the player did not open."""
    stems = [n for n in secret.names if n.kind == "stem" and not n.is_generic and not secret.is_free(n, shown)]
    for match in _RUN.finditer(view.text) if stems else ():
        said = match.group().strip("./\\-")
        hit = _mirrored(said, stems)
        if hit is not None and not _is_open(said, secret, shown):
            at = match.start() + match.group().find(said)
            start, end = view.span(at, at + len(said))
            why = _WHY.format(written=hit.written)
            yield Finding(kind="stem", text=view.original[start:end], span=(start, end), why=why)


def _mirrored(said: str, stems: list[Needle]) -> Needle | None:
    words = parts_of(_bare(said))
    tested = compact("".join(word for word in words if word not in _TESTS))
    if not tested or len(words) < 2 or not _TESTS & {words[0], words[-1]}:  # noqa: PLR2004  the tests and what they test
        return None
    return next((one for one in stems if one.compact == tested), None)


def _bare(said: str) -> str:
    """The last name of a path, without what says that it is code."""
    name = re.split(r"[/\\]", said)[-1]
    while "." in name and name.rpartition(".")[2].lower() in CODE_EXTENSIONS:
        name = name.rpartition(".")[0]
    return name


def _is_open(said: str, secret: Secret, shown: Seen) -> bool:
    """Whether the player has read the file of tests, or the task names it."""
    tail = said.replace("\\", "/").lower()
    known = {path.lower() for path in shown.opened} | {path.lower() for path in secret.told.paths}
    return any(path == tail or path.endswith(f"/{tail}") or _bare(path) == tail for path in known)
