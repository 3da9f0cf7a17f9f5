"""Names that are defined and look like one that is not."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from selfplay_tools.code import code_of, find_paths_with
from selfplay_tools.errors import NotReadable
from selfplay_tools.languages import may_have_language
from selfplay_tools.places import SearchScope
from selfplay_tools.snapshot import Snapshot

MAX_READ_BYTES = 1 << 20
"""Of files that are parsed for suggestions, in path order, per word."""
MAX_SUGGESTIONS = 5
MIN_PART_CHARS = 3
MIN_LIKENESS = 0.6

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def suggest_names(snapshot: Snapshot, scope: SearchScope, name: str) -> list[str]:
    """A remark with the nearest names that are defined and where, or with what else to try."""
    places = {**_find_names_with(snapshot, scope, name)}
    near = sorted(found for found in places if found.lower() == name.lower())
    for part in sorted(set(map(str.lower, _PART.findall(name))), key=lambda part: (-len(part), part))[:3]:
        if near or len(part) < MIN_PART_CHARS:
            break
        places.update(_find_names_with(snapshot, scope, part))
        near = _select_nearest(name, places)
    if not near:
        return ["no defined name looks like it; find_references lists its uses, search takes words"]
    return [f"did you mean {', '.join(f'{found} ({places[found]})' for found in near[:MAX_SUGGESTIONS])}?"]


def _find_names_with(snapshot: Snapshot, scope: SearchScope, word: str) -> dict[str, str]:
    """Defined names that hold the word, whatever its case, each with its first place."""
    places: dict[str, str] = {}
    for found, place in _find_definitions(snapshot, scope, word):
        if word.lower() in found.lower():
            places.setdefault(found, place)
    return places


def _find_definitions(snapshot: Snapshot, scope: SearchScope, word: str) -> Iterator[tuple[str, str]]:
    read = 0
    for path in find_paths_with(snapshot, scope, word, ignore_case=True):
        entry = snapshot.entry(path)
        if entry is None or not may_have_language(path):
            continue
        read += entry.size
        if read > MAX_READ_BYTES:
            return
        try:
            code = code_of(snapshot, path)
        except NotReadable:  # it changed on disk since the snapshot was taken
            continue
        yield from ((one.name, f"{path}:{one.line}") for one in code.definitions)


def _select_nearest(name: str, places: dict[str, str]) -> list[str]:
    likeness = {found: SequenceMatcher(None, name.lower(), found.lower()).ratio() for found in places}
    return sorted((found for found in places if likeness[found] >= MIN_LIKENESS), key=lambda f: (-likeness[f], f))
