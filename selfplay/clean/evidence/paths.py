"""What explains a path, in the texts of one side: what the player can see, or the hints."""

import re
from collections.abc import Iterator
from functools import lru_cache
from posixpath import normpath, split, splitext

from selfplay.clean.evidence.common import common
from selfplay.clean.evidence.links import Source
from selfplay.clean.evidence.names import Finding, name_in
from selfplay.clean.evidence.units import Unit
from selfplay.clean.evidence.visible import Hit, Visible, as_part, compact, other_form, parts_of, whole_name
from selfplay.gate.words import CODE_EXTENSIONS

GENERIC = frozenset("__init__ index mod main __main__ lib doc package conftest".split())
"""Stems of files that many folders have: with a folder that was seen, such a file is common knowledge."""
_EXTENSIONS = "|".join(sorted(CODE_EXTENSIONS, key=len, reverse=True))
TEST_MARKS = frozenset("test tests spec".split())


def path_in(unit: Unit, seen: Visible) -> Finding | None:
    """The best explanation of a path by texts: as it is, in a listing, as a module, put together."""
    path = _clean(unit.text)
    if not path:
        return Finding(Source.COMMON, None, "the list: the folder that one is in")
    return next(_explained(path, seen), None)


def _clean(path: str) -> str:
    """The path without `./` before it and `/` after it; empty for the folder itself."""
    cleaned = normpath(path.replace("\\", "/"))
    return "" if cleaned in {".", "/"} else cleaned.removeprefix("./")


def _explained(path: str, seen: Visible) -> Iterator[Finding]:
    yield from _whole(path, seen)
    bare = _below_root(path)
    if bare != path:
        if not bare:
            yield Finding(Source.COMMON, None, f"the list: {path} (where checkouts are)")
            return
        yield from (Finding(f.source, f.hit, f"{f.how}, below the checkout's root") for f in _whole(bare, seen))
    yield from _listed(bare, seen)
    yield from _as_module(bare, seen)
    yield from _in_folder(bare, seen)


def _whole(path: str, seen: Visible) -> Iterator[Finding]:
    hit = seen.first(set(parts_of(path)) or {compact(path)}, _path_pattern(path))
    if hit is not None:
        yield Finding(Source.TASK if hit.text.is_task else Source.RESULT, hit, "exact")


@lru_cache(maxsize=1 << 12)
def _path_pattern(path: str) -> re.Pattern[str]:
    """The path with whole names, perhaps below more folders; a folder's may go on."""
    return re.compile(rf"(?<![\w.-]){re.escape(path)}(?![\w-])(?!\.\w)")


def _below_root(path: str) -> str:
    """An absolute path without a usual root and the folder of the checkout below it."""
    if not path.startswith("/"):
        return path
    for root in sorted(common().roots, key=len, reverse=True):
        if path == root:
            return ""
        if path.startswith(f"{root}/"):
            return path[len(root) + 1 :]
    return path


def _listed(path: str, seen: Visible) -> Iterator[Finding]:
    """A name in the listing of a folder above it: `io.py` where `src/app` was listed."""
    for text in seen.holding(set(parts_of(split(path)[1])) or {compact(path)}):
        if text.folder and path.startswith(f"{text.folder}/"):
            below = path[len(text.folder) + 1 :]
            match = _path_pattern(below).search(text.content)
            if match:
                yield Finding(Source.RESULT, Hit(text, *match.span()), f"listed in {text.folder}")


def _as_module(path: str, seen: Visible) -> Iterator[Finding]:
    """The path as languages import it: `pump.tank`, `crate::pump::tank`, `./tank`, `tank.h`."""
    parts = splitext(path)[0].split("/")
    if parts[-1] in GENERIC and len(parts) > 1:
        parts = parts[:-1]
    if len(parts) > 1:
        last = r"(?:\.|::|/|\\)+".join(map(re.escape, parts[-2:]))
        hit = seen.first(set(parts_of(" ".join(parts[-2:]))), re.compile(rf"(?<!\w){last}(?!\w)"))
        if hit is not None and _is_seen_folder("/".join(parts[:-2]), seen):
            yield Finding(Source.DERIVED, hit, f"module '{hit.found}'")
    stem = parts[-1]
    imported = re.compile(
        rf"^[^\n]*?(?:\b(?:import|from|require|include|use|mod|using)\b)[^\n]*?(?<!\w){re.escape(stem)}(?!\w)",
        re.MULTILINE,
    )
    for hit in seen.all(set(parts_of(stem)), whole_name(stem, ignores_case=False)):
        match = imported.search(hit.text.content, hit.text.content.rfind("\n", 0, hit.start) + 1)
        if match and _is_seen_folder("/".join(parts[:-1]), seen):
            at = match.end() - len(stem)
            yield Finding(Source.DERIVED, Hit(hit.text, at, at + len(stem)), f"imported as '{stem}'")


def _is_seen_folder(folder: str, seen: Visible) -> bool:
    """Whether a folder was seen, is at the top, or is one of a standard layout, alone or below one that was seen."""
    if not folder or folder in common().paths:
        return True
    if next(_whole(folder, seen), None) is not None or next(_listed(folder, seen), None) is not None:
        return True
    above, name = split(folder)
    return bool(above) and name in common().paths and _is_seen_folder(above, seen)


def _in_folder(path: str, seen: Visible) -> Iterator[Finding]:
    """A folder that is known, and a name in it that was read apart from it or made of what was read."""
    folder, name = split(path)
    entry = common().paths.get(path) or (common().paths.get(name) if _is_seen_folder(folder, seen) else None)
    if not _is_seen_folder(folder, seen):
        return
    stem, extension = splitext(name)
    if entry or (stem in GENERIC and folder):
        yield Finding(Source.COMMON, None, f"the list: {name} ({entry or 'any folder has one'})")
    if extension and stem == split(folder)[1]:
        yield Finding(Source.COMMON, None, f"the list: {name} (a file named as its folder)")
    if folder and (extension or name.startswith(".")):
        for finding in _whole(name, seen):
            yield Finding(Source.DERIVED, finding.hit, f"folder '{folder}' and name '{name}'")
    yield from _made_of(stem, extension, seen)


def _made_of(stem: str, extension: str, seen: Visible) -> Iterator[Finding]:
    """A file name that is a seen name in another writing, with another ending, or with a mark of tests."""
    if not extension:
        return
    yield from _as_test(stem, seen)
    hit = _as_file(stem, seen)
    if hit is not None:
        yield Finding(Source.DERIVED, hit, f"other ending of file '{hit.found}'")
    for hit in seen.all([compact(stem)], other_form(stem)):
        if hit.text.is_task or not hit.found.islower() or "_" in hit.found:
            yield Finding(Source.DERIVED, hit, f"file for '{hit.found}'")
    yield from _of_words(stem, seen)


def _as_test(stem: str, seen: Visible) -> Iterator[Finding]:
    parts = parts_of(stem)
    bare = "_".join(part for part in parts if part not in TEST_MARKS)
    if bare and bare != "_".join(parts):
        hit = seen.first([compact(bare)], other_form(bare)) or _as_file(bare, seen)
        if hit is not None:
            yield Finding(Source.DERIVED, hit, f"test of '{hit.found}'")


def _of_words(stem: str, seen: Visible) -> Iterator[Finding]:
    """A name put together of words that were read, or of a word of the task."""
    parts = parts_of(stem)
    if len(parts) > 1:
        finding = name_in(Unit("", "symbol", stem, 0), seen)
        if finding is not None:
            yield Finding(Source.DERIVED, finding.hit, f"file, {finding.how}")
    elif parts and seen.is_in_task(parts[0]):
        hit = seen.first([parts[0]], as_part(parts[0]))
        if hit is not None and hit.text.is_task:
            yield Finding(Source.DERIVED, hit, f"file for the task's '{hit.found}'")


def _as_file(stem: str, seen: Visible) -> Hit | None:
    """A file of that stem with any extension."""
    return seen.first(
        set(parts_of(stem)) or {stem}, re.compile(rf"(?<!\w){re.escape(stem)}\.(?:{_EXTENSIONS})(?![\w(])")
    )
