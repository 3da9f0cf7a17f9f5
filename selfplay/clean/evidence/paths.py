"""What explains a path, in the texts of one side: what the player can see, or the hints."""

import re
from collections.abc import Iterator
from itertools import islice
from posixpath import normpath, split, splitext

from selfplay.clean.evidence.common import common
from selfplay.clean.evidence.links import Source
from selfplay.clean.evidence.names import TEST_MARKS, Finding, name_in
from selfplay.clean.evidence.units import Unit
from selfplay.clean.evidence.visible import Hit, Visible, parts_of, places_of
from selfplay.gate.words import CODE_EXTENSIONS

GENERIC = frozenset("__init__ index mod main __main__ lib doc package conftest".split())
"""Stems of files that many folders have: with a folder that was seen, such a file is common knowledge."""
_EXTENSION = re.compile(r"\.(\w{1,12})(?![\w(])")
_IMPORT = re.compile(r"\b(?:import|from|require|include|use|mod|using)\b")
MAX_PLACES = 50
"""Places of a name in one text that are looked at."""
MAX_IMPORT_CHARS = 300
"""Of a line before the name that it imports."""


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
    for text in seen.containing(path):
        at = next(path_places(text.content, path), None)
        if at is not None:
            hit = Hit(text, at, at + len(path))
            yield Finding(Source.TASK if text.is_task else Source.RESULT, hit, "exact")


def path_places(content: str, path: str) -> Iterator[int]:
    """Where the path stands with whole names, perhaps below more folders; a folder's may go on."""
    at = content.find(path)
    while at >= 0:
        end = at + len(path)
        before, after = content[at - 1 : at], content[end : end + 2]
        goes_on = after[:1].isalnum() or after[:1] in {"_", "-"} or (after[:1] == "." and after[1:].isalnum())
        if not (before.isalnum() or before in {"_", "-", "."}) and not goes_on:
            yield at
        at = content.find(path, at + 1)


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
    for text in seen.containing(split(path)[1]):
        if text.folder and path.startswith(f"{text.folder}/"):
            below = path[len(text.folder) + 1 :]
            at = next(path_places(text.content, below), None)
            if at is not None:
                yield Finding(Source.RESULT, Hit(text, at, at + len(below)), f"listed in {text.folder}")


def _as_module(path: str, seen: Visible) -> Iterator[Finding]:
    """The path as languages import it: `pump.tank`, `crate::pump::tank`, `./tank`, `tank.h`."""
    parts = splitext(path)[0].split("/")
    if parts[-1] in GENERIC and len(parts) > 1:
        parts = parts[:-1]
    if len(parts) > 1 and _is_seen_folder("/".join(parts[:-2]), seen):
        for sign in (".", "::", "/", "\\"):
            name = sign.join(parts[-2:])
            for text in seen.containing(name):
                for at in islice(places_of(text.content, name), 1):
                    yield Finding(Source.DERIVED, Hit(text, at, at + len(name)), f"module '{name}'")
    if _is_seen_folder("/".join(parts[:-1]), seen):
        for hit in seen.names(parts[-1]):
            yield from _imports(hit)


def _imports(first: Hit) -> Iterator[Finding]:
    """A line that imports the name."""
    text, stem = first.text, first.found
    for at in islice(places_of(text.content, stem, first.start), MAX_PLACES):
        line = text.content[max(text.content.rfind("\n", 0, at) + 1, at - MAX_IMPORT_CHARS) : at]
        if _IMPORT.search(line):
            yield Finding(Source.DERIVED, Hit(text, at, at + len(stem)), f"imported as '{stem}'")
            return


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
    for hit in seen.other_forms(stem):
        if hit.text.is_task or not hit.found.islower() or "_" in hit.found:
            yield Finding(Source.DERIVED, hit, f"file for '{hit.found}'")
    yield from _of_words(stem, seen)


def _as_test(stem: str, seen: Visible) -> Iterator[Finding]:
    parts = parts_of(stem)
    bare = "_".join(part for part in parts if part not in TEST_MARKS)
    if bare and bare != "_".join(parts):
        hit = seen.other_form(bare) or _as_file(bare, seen)
        if hit is not None:
            yield Finding(Source.DERIVED, hit, f"test of '{hit.found}'")


def _of_words(stem: str, seen: Visible) -> Iterator[Finding]:
    """A name put together of words that were read, or of a word of the task."""
    parts = parts_of(stem)
    if len(parts) > 1:
        finding = name_in(Unit("", "symbol", stem, 0), seen)
        if finding is not None:
            yield Finding(Source.DERIVED, finding.hit, f"file, {finding.how}")
    elif parts:
        hit = seen.part(parts[0], is_task=True)
        if hit is not None:
            yield Finding(Source.DERIVED, hit, f"file for the task's '{hit.found}'")


def _as_file(stem: str, seen: Visible) -> Hit | None:
    """A file of that stem with any extension of code."""
    for first in seen.names(stem):
        content = first.text.content
        for at in islice(places_of(content, stem, first.start), MAX_PLACES):
            extension = _EXTENSION.match(content, at + len(stem))
            if extension and extension[1].lower() in CODE_EXTENSIONS:
                return Hit(first.text, at, extension.end())
    return None
