"""What explains a path, in the texts of one side: what the player can see, or the hints."""

import re
from collections.abc import Iterator
from itertools import islice
from posixpath import normpath, split, splitext

from selfplay.clean.evidence.argument_units import ArgumentUnit
from selfplay.clean.evidence.links import EvidenceSource
from selfplay.clean.evidence.name_explanation import TEST_MARKS, Explanation, explain_name
from selfplay.clean.evidence.visible_texts import TextHit, VisibleTexts, find_whole_name, parts_of
from selfplay.clean.evidence.word_knowledge import common_knowledge
from selfplay.gate.text.words import CODE_EXTENSIONS

GENERIC = frozenset("__init__ index mod main __main__ lib doc package conftest".split())
"""Stems of files that many folders have: with a folder that was seen, such a file is common knowledge."""
_EXTENSION = re.compile(r"\.(\w{1,12})(?![\w(])")
_IMPORT = re.compile(r"\b(?:import|from|require|include|use|mod|using)\b")
MAX_PLACES = 50
"""Places of a name in one text that are looked at."""
MAX_IMPORT_CHARS = 300
"""Of a line before the name that it imports."""


def explain_path(unit: ArgumentUnit, texts: VisibleTexts) -> Explanation | None:
    """The best explanation of a path by texts: as it is, in a listing, as a module, put together."""
    path = _normalize(unit.text)
    if not path:
        return Explanation(EvidenceSource.COMMON, None, "the list: the folder that one is in")
    return next(_find_explanations(path, texts), None)


def _normalize(path: str) -> str:
    """The path without `./` before it and `/` after it; empty for the folder itself."""
    cleaned = normpath(path.replace("\\", "/"))
    return "" if cleaned in {".", "/"} else cleaned.removeprefix("./")


def _find_explanations(path: str, texts: VisibleTexts) -> Iterator[Explanation]:
    yield from _explain_whole(path, texts)
    bare = _strip_checkout_root(path)
    if bare != path:
        if not bare:
            yield Explanation(EvidenceSource.COMMON, None, f"the list: {path} (where checkouts are)")
            return
        yield from (
            Explanation(f.source, f.hit, f"{f.how}, below the checkout's root") for f in _explain_whole(bare, texts)
        )
    yield from _explain_listed(bare, texts)
    yield from _explain_as_module(bare, texts)
    yield from _explain_in_folder(bare, texts)


def _explain_whole(path: str, texts: VisibleTexts) -> Iterator[Explanation]:
    for text in texts.texts_containing(path):
        at = next(find_path(text.content, path), None)
        if at is not None:
            hit = TextHit(text, at, at + len(path))
            yield Explanation(EvidenceSource.TASK if text.is_task else EvidenceSource.RESULT, hit, "exact")


def find_path(content: str, path: str) -> Iterator[int]:
    """Where the path stands with whole names, perhaps below more folders; a folder's may go on."""
    at = content.find(path)
    while at >= 0:
        end = at + len(path)
        before, after = content[at - 1 : at], content[end : end + 2]
        goes_on = after[:1].isalnum() or after[:1] in {"_", "-"} or (after[:1] == "." and after[1:].isalnum())
        if not (before.isalnum() or before in {"_", "-", "."}) and not goes_on:
            yield at
        at = content.find(path, at + 1)


def _strip_checkout_root(path: str) -> str:
    """An absolute path without a usual root and the folder of the checkout below it."""
    if not path.startswith("/"):
        return path
    for root in sorted(common_knowledge().roots, key=len, reverse=True):
        if path == root:
            return ""
        if path.startswith(f"{root}/"):
            return path[len(root) + 1 :]
    return path


def _explain_listed(path: str, texts: VisibleTexts) -> Iterator[Explanation]:
    """A name in the listing of a folder above it: `io.py` where `src/app` was listed."""
    for text in texts.texts_containing(split(path)[1]):
        if text.folder and path.startswith(f"{text.folder}/"):
            below = path[len(text.folder) + 1 :]
            at = next(find_path(text.content, below), None)
            if at is not None:
                yield Explanation(EvidenceSource.RESULT, TextHit(text, at, at + len(below)), f"listed in {text.folder}")


def _explain_as_module(path: str, texts: VisibleTexts) -> Iterator[Explanation]:
    """The path as languages import it: `pump.tank`, `crate::pump::tank`, `./tank`, `tank.h`."""
    parts = splitext(path)[0].split("/")
    if parts[-1] in GENERIC and len(parts) > 1:
        parts = parts[:-1]
    if len(parts) > 1 and _is_seen_folder("/".join(parts[:-2]), texts):
        for sign in (".", "::", "/", "\\"):
            name = sign.join(parts[-2:])
            for text in texts.texts_containing(name):
                for at in islice(find_whole_name(text.content, name), 1):
                    yield Explanation(EvidenceSource.DERIVED, TextHit(text, at, at + len(name)), f"module '{name}'")
    if _is_seen_folder("/".join(parts[:-1]), texts):
        for hit in texts.find_names(parts[-1]):
            yield from _explain_import(hit)


def _explain_import(first: TextHit) -> Iterator[Explanation]:
    """A line that imports the name."""
    text, stem = first.text, first.matched_text
    for at in islice(find_whole_name(text.content, stem, first.start), MAX_PLACES):
        line = text.content[max(text.content.rfind("\n", 0, at) + 1, at - MAX_IMPORT_CHARS) : at]
        if _IMPORT.search(line):
            yield Explanation(EvidenceSource.DERIVED, TextHit(text, at, at + len(stem)), f"imported as '{stem}'")
            return


def _is_seen_folder(folder: str, texts: VisibleTexts) -> bool:
    """Whether a folder was seen, is at the top, or is one of a standard layout, alone or below one that was seen."""
    if not folder or folder in common_knowledge().paths:
        return True
    if next(_explain_whole(folder, texts), None) is not None or next(_explain_listed(folder, texts), None) is not None:
        return True
    above, name = split(folder)
    return bool(above) and name in common_knowledge().paths and _is_seen_folder(above, texts)


def _explain_in_folder(path: str, texts: VisibleTexts) -> Iterator[Explanation]:
    """A folder that is known, and a name in it that was read apart from it or made of what was read."""
    folder, name = split(path)
    entry = common_knowledge().paths.get(path) or (
        common_knowledge().paths.get(name) if _is_seen_folder(folder, texts) else None
    )
    if not _is_seen_folder(folder, texts):
        return
    stem, extension = splitext(name)
    if entry or (stem in GENERIC and folder):
        yield Explanation(EvidenceSource.COMMON, None, f"the list: {name} ({entry or 'any folder has one'})")
    if extension and stem == split(folder)[1]:
        yield Explanation(EvidenceSource.COMMON, None, f"the list: {name} (a file named as its folder)")
    if folder and (extension or name.startswith(".")):
        for finding in _explain_whole(name, texts):
            yield Explanation(EvidenceSource.DERIVED, finding.hit, f"folder '{folder}' and name '{name}'")
    yield from _explain_file_name(stem, extension, texts)


def _explain_file_name(stem: str, extension: str, texts: VisibleTexts) -> Iterator[Explanation]:
    """A file name that is a seen name in another writing, with another ending, or with a mark of tests."""
    if not extension:
        return
    yield from _explain_as_test(stem, texts)
    hit = _find_file(stem, texts)
    if hit is not None:
        yield Explanation(EvidenceSource.DERIVED, hit, f"other ending of file '{hit.matched_text}'")
    for hit in texts.find_other_forms(stem):
        if hit.text.is_task or not hit.matched_text.islower() or "_" in hit.matched_text:
            yield Explanation(EvidenceSource.DERIVED, hit, f"file for '{hit.matched_text}'")
    yield from _explain_by_words(stem, texts)


def _explain_as_test(stem: str, texts: VisibleTexts) -> Iterator[Explanation]:
    parts = parts_of(stem)
    bare = "_".join(part for part in parts if part not in TEST_MARKS)
    if bare and bare != "_".join(parts):
        hit = texts.find_other_form(bare) or _find_file(bare, texts)
        if hit is not None:
            yield Explanation(EvidenceSource.DERIVED, hit, f"test of '{hit.matched_text}'")


def _explain_by_words(stem: str, texts: VisibleTexts) -> Iterator[Explanation]:
    """A name put together of words that were read, or of a word of the task."""
    parts = parts_of(stem)
    if len(parts) > 1:
        finding = explain_name(ArgumentUnit("", "symbol", stem, 0), texts)
        if finding is not None:
            yield Explanation(EvidenceSource.DERIVED, finding.hit, f"file, {finding.how}")
    elif parts:
        hit = texts.find_part(parts[0], is_task=True)
        if hit is not None:
            yield Explanation(EvidenceSource.DERIVED, hit, f"file for the task's '{hit.matched_text}'")


def _find_file(stem: str, texts: VisibleTexts) -> TextHit | None:
    """A file of that stem with any extension of code."""
    for first in texts.find_names(stem):
        content = first.text.content
        for at in islice(find_whole_name(content, stem, first.start), MAX_PLACES):
            extension = _EXTENSION.match(content, at + len(stem))
            if extension and extension[1].lower() in CODE_EXTENSIONS:
                return TextHit(first.text, at, extension.end())
    return None
