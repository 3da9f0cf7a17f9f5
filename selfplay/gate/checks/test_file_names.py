"""Does a text name a target by the file of its tests: `tests/test_response.py`, `response_spec.rb`?"""

import re
from collections.abc import Iterator

from selfplay.core.trace import HintFinding
from selfplay.gate.forbidden_names import ForbiddenName
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.view import TextView, compact, parts_of
from selfplay.gate.text.words import CODE_EXTENSIONS

_RUN = re.compile(r"(?<![\w./\\-])[\w./\\-]*[A-Za-z][\w./\\-]*")
_TESTS = frozenset({"test", "tests", "spec", "specs"})
_WHY = "names the tests of the target {written!r}, and so the target; say what they are about instead"


def find_test_file_names(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every name that is a target's with `test` or `spec` tied to it, of a file that the player did not open."""
    stems = [n for n in guard.names if n.kind == "stem" and not n.is_generic and not guard.is_permitted(n, shown)]
    for match in _RUN.finditer(view.text) if stems else ():
        said = match.group().strip("./\\-")
        hit = _find_tested_stem(said, stems)
        if hit is not None and not _is_known_test_file(said, guard, shown):
            at = match.start() + match.group().find(said)
            start, end = view.original_span(at, at + len(said))
            why = _WHY.format(written=hit.written)
            yield HintFinding(kind="stem", text=view.original[start:end], span=(start, end), why=why)


def _find_tested_stem(said: str, stems: list[ForbiddenName]) -> ForbiddenName | None:
    words = parts_of(_strip_folders_and_extension(said))
    tested = compact("".join(word for word in words if word not in _TESTS))
    if not tested or len(words) < 2 or not _TESTS & {words[0], words[-1]}:  # noqa: PLR2004  the tests and what they test
        return None
    return next((one for one in stems if one.compact == tested), None)


def _strip_folders_and_extension(said: str) -> str:
    """The last name of a path, without what says that it is code."""
    name = re.split(r"[/\\]", said)[-1]
    while "." in name and name.rpartition(".")[2].lower() in CODE_EXTENSIONS:
        name = name.rpartition(".")[0]
    return name


def _is_known_test_file(said: str, guard: Guard, shown: ShownText) -> bool:
    """Whether the player has read the file of tests, or the task names it."""
    tail = said.replace("\\", "/").lower()
    known = {path.lower() for path in shown.opened_paths} | {path.lower() for path in guard.task_text.paths}
    return any(
        path == tail or path.endswith(f"/{tail}") or _strip_folders_and_extension(path) == tail for path in known
    )
