"""Does a text name a target: its path, file name, stem, module, or a folder that holds only targets?"""

import re
from collections.abc import Iterator

from selfplay.gate.naming import are_all_words
from selfplay.gate.place import Mark, Place, Shape
from selfplay.gate.secret import Secret
from selfplay.gate.seen import Seen
from selfplay.gate.stems import is_file_meant, is_folder_named, is_generic_named, is_stem_named
from selfplay.gate.text import View
from selfplay.gate.words import WORDLIKE_EXTENSIONS, is_common_phrase, is_english
from selfplay.trace import Finding, FindingKind

_RUN = re.compile(r"(?<![\w@+~-])[\w@+~-]+(?:(?:[./\\#]|::)+[\w@+~-]+)+|(?<![\w@+~-])[\w@+~-]+(?=[/\\])")
_IMPORT = re.compile(r"\bfrom\s+([\w.]{1,200})\s+import\s+(\w{1,100})")
_MIN_SPLIT = 4
_WHY: dict[FindingKind, str] = {
    "path": "names the path of the target {paths}; say what the code there does instead",
    "file_name": "names the file of the target {paths}; say what the code there does instead",
    "stem": "uses the name of the target {paths} as a name; say what the code there does instead",
    "module": "names the module of the target {paths}; say what the code there does instead",
    "directory": "names a folder that holds only targets ({paths}); describe the part of the system instead",
    "disguised": "spells the name {written!r} of the target {paths} in another way; say what the code there does",
}


def names_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """Every name of a target in a text that is read as it stands."""
    tokens = view.tokens
    covered = list(others_named(view, secret))
    for match in secret.names.matches(tokens):
        place = Place(view, tokens, match)
        if any(at <= place.at and place.to <= to for at, to in covered):
            continue
        kind = _judged(place, secret, shown)
        if kind is not None and not secret.is_free(match.needle, shown):
            yield name_finding(place, kind)


def imports_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """Every module that an import in the text names: `from http import response`."""
    for match in _IMPORT.finditer(view.text):
        pieces = [*range(*match.span(1)), *range(*match.span(2))]
        dot = match.end(1)
        characters = (
            (("." if i < 0 else view.text[i]), view.starts[abs(i)], view.ends[abs(i)])
            for i in [p for p in pieces if p < dot] + [-dot] + [p for p in pieces if p > dot]
        )
        for found in names_in(View(view.original, characters), secret, shown):
            yield found.model_copy(update={"kind": "module"})


def name_finding(place: Place, kind: FindingKind) -> Finding:
    """The finding for a name that was met."""
    shown_kind: FindingKind = "disguised" if place.is_rewritten else kind
    start, end = place.span
    why = _WHY[shown_kind].format(paths=", ".join(sorted(place.needle.targets)), written=place.needle.written)
    return Finding(kind=shown_kind, text=place.view.original[start:end], span=(start, end), why=why)


def _judged(place: Place, secret: Secret, shown: Seen) -> FindingKind | None:
    """The kind of name that it is used as, if any."""
    one = place.needle
    if place.shape is Shape.SPLIT:
        return "disguised" if len(one.compact) >= _MIN_SPLIT and _is_split(place) else None
    if place.is_disguised and len(one.compact) >= _MIN_SPLIT and not one.is_generic and not place.is_part:
        return one.kind
    return _judged_as_written(place, secret, shown)


def _judged_as_written(place: Place, secret: Secret, shown: Seen) -> FindingKind | None:
    match place.needle.kind:
        case "path":
            return "path" if place.is_path else None
        case "module":
            return _module(place)
        case "directory":
            return "directory" if is_folder_named(place, secret, shown) else None
        case "file_name":
            is_said = is_generic_named(place, secret) if place.needle.is_generic else is_file_meant(place, secret)
            return "file_name" if is_said and _is_file_name(place) else None
        case _:
            is_named = (
                is_generic_named(place, secret) if place.needle.is_generic else is_stem_named(place, secret, shown)
            )
            return "stem" if is_named and not place.is_part else None


def _is_split(place: Place) -> bool:
    if place.is_part or place.needle.is_generic:
        return False
    if are_all_words(place):
        return _is_cut_word(place)
    # Folder and stem of a path stand side by side in ordinary text; only a joined or split one is a disguise.
    return not place.needle.cuts or place.is_path or _is_spelled(place)


def _is_cut_word(place: Place) -> bool:
    """`term-ui`, `term_ui` for `termui`: a word that is none in English, cut into two that are."""
    pieces = [t.text for t in place.tokens[place.match.first : place.match.last + 1]]
    is_tied = all(gap in {"-", "_"} for _, gap in place.gaps)
    is_one_word = place.needle.kind == "stem" and len(place.needle.words) == 1
    if not is_tied or not is_one_word or is_english(place.needle.compact):
        return False
    return "_" in place.raw or not is_common_phrase(tuple(pieces))


def _is_spelled(place: Place) -> bool:
    tokens = place.tokens[place.match.first : place.match.last + 1]
    return sum(len(t.text) == 1 for t in tokens) * 2 >= len(tokens)


def _module(place: Place) -> FindingKind | None:
    if not place.is_path or place.is_part:
        return None
    if place.is_slashed:
        # A folder's own module is the folder's name, which is judged as such.
        return None if "." in place.needle.written else "path"
    return "module"


def _is_file_name(place: Place) -> bool:
    """`response.py`, `response py`, `responsepy`; a name without extension only where it can't be an ordinary word."""
    if place.is_part:
        return False
    written = place.needle.written
    if not place.needle.cuts:
        is_word = is_english(place.raw.lower())
        return not is_word or place.mark is Mark.QUOTES or (place.raw == written and not written.islower())
    gap = dict(place.gaps).get(max(place.needle.cuts), "")
    is_parted = gap.startswith(" ") and gap.strip() == "."
    is_aside = gap.strip() in {"(", "["} and place.char(0) in {")", "]"}
    if is_parted or (is_aside and place.needle.extension not in WORDLIKE_EXTENSIONS):
        return True
    return place.is_path or (gap.strip() in {"", "-", "_"} and place.needle.extension not in WORDLIKE_EXTENSIONS)


def others_named(view: View, secret: Secret) -> Iterator[tuple[int, int]]:
    """Parts of the text that name a file or folder that is no target, and none that is."""
    if not secret.elsewhere.is_known:
        return
    for match in _RUN.finditer(view.text):
        run = match.group().replace("\\", "/").strip("./#")
        if not run:
            continue
        is_other = secret.others.has(run)
        if not is_other and "/" not in run:
            is_other = secret.others.has_module(re.split(r"\.|::|#", run))
        if is_other and not any(_ends_with(path, run) for path in (*secret.paths, *secret.folders)):
            yield match.span()


def _ends_with(path: str, run: str) -> bool:
    lower, tail = path.lower(), run.lower()
    bare = lower.rpartition(".")[0]
    return any(one == tail or one.endswith(f"/{tail}") for one in (lower, bare, bare.replace("/", ".")))
