"""Does a text name a target by its part in a framework (`the user model`), or by the file of its tests?"""

import re
from collections.abc import Iterator

from selfplay.core.trace import HintFinding
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.forbidden_names import ForbiddenName
from selfplay.gate.text.view import TextView, compact, parts_of
from selfplay.gate.text.words import CODE_EXTENSIONS, FILE_NOUNS, ROLE_FOLDERS, TYPE_NOUNS, number_forms_of, singular_of

_FILE_NAME = re.compile(r"(?<![\w./\\-])[\w./\\-]*[A-Za-z][\w./\\-]*")
_TESTS = frozenset({"test", "tests", "spec", "specs"})
_WHY_TESTS = "names the tests of the target {written!r}, and so the target; say what they are about instead"


def find_test_file_names(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every name that is a target's with `test` or `spec` tied to it, of a file that the player did not open."""
    stems = [n for n in guard.names if n.kind == "stem" and not n.is_generic and not guard.is_permitted(n, shown)]
    for match in _FILE_NAME.finditer(view.text) if stems else ():
        written = match.group().strip("./\\-")
        stem = _find_tested_stem(written, stems)
        if stem is not None and not _is_known_test_file(written, guard, shown):
            at = match.start() + match.group().find(written)
            yield view.make_finding(at, at + len(written), "stem", _WHY_TESTS.format(written=stem.written))


def _find_tested_stem(written: str, stems: list[ForbiddenName]) -> ForbiddenName | None:
    words = parts_of(_strip_folders_and_extension(written))
    tested = compact("".join(word for word in words if word not in _TESTS))
    if not tested or len(words) < 2 or not _TESTS & {words[0], words[-1]}:  # noqa: PLR2004  the tests and what they test
        return None
    return next((stem for stem in stems if stem.compact == tested), None)


def _strip_folders_and_extension(written: str) -> str:
    """The last name of a path, without its extensions of code."""
    name = re.split(r"[/\\]", written)[-1]
    while "." in name and name.rpartition(".")[2].lower() in CODE_EXTENSIONS:
        name = name.rpartition(".")[0]
    return name


def _is_known_test_file(written: str, guard: Guard, shown: ShownText) -> bool:
    """Whether the player has read the file of tests, or the task names it."""
    tail = written.replace("\\", "/").lower()
    known = {path.lower() for path in shown.opened_paths} | {path.lower() for path in guard.task_text.paths}
    return any(
        path == tail or path.endswith(f"/{tail}") or _strip_folders_and_extension(path) == tail for path in known
    )


_MIN_LETTERS = 4
_WHY_ROLE = "names the target {paths} by its part in the framework; say what the code there does instead"


def find_framework_roles(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """`the user model` for `models/user.rb`; `orders#show` for `orders_controller.rb`."""
    for stem in guard.names:
        if stem.kind != "stem" or stem.is_generic:
            continue
        for pattern in _build_role_patterns(stem):
            for match in re.finditer(pattern, view.text, re.IGNORECASE):
                words = tuple(re.findall(r"[^\W_]+", match.group("name").lower()))
                if not guard.is_permitted(stem, shown) and not guard.is_known_phrase(words, shown):
                    why = _WHY_ROLE.format(paths=", ".join(sorted(stem.targets)))
                    yield view.make_finding(*match.span("name"), "stem", why)


def _build_role_patterns(stem: ForbiddenName) -> Iterator[str]:
    name = r"[\s_-]?".join(map(re.escape, stem.words))
    for path in sorted(stem.targets):
        role = path.rpartition("/")[0].rpartition("/")[2].lower()
        if role in ROLE_FOLDERS and singular_of(role) not in stem.words:
            yield rf"\b(?:the|that|this|its|your)\s+[`'\"*]?(?P<name>{name}[`'\"*]?\s+{re.escape(singular_of(role))})\b"
    if stem.words[-1] == "controller" and len(stem.words) > 1:
        yield rf"(?<!\w)(?P<name>{'_'.join(map(re.escape, stem.words[:-1]))}#\w+)"
    if len(stem.words) == 1 and len(stem.compact) >= _MIN_LETTERS:
        nouns = "|".join(sorted((FILE_NOUNS | TYPE_NOUNS) - {"one", "source", "init", "type", "unit"}))
        for form in sorted(number_forms_of(stem.words[0]) - {stem.words[0]}):
            yield rf"\bthe\s+[`'\"*]?(?P<name>{re.escape(form)}[`'\"*]?\s+(?:{nouns}|file))\b"
