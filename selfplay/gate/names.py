"""Does a text name a target: its path, file name, stem, module, or a folder that holds only targets?"""

import re
from collections.abc import Iterator

from selfplay.gate.naming import (
    are_all_words,
    has_folder_noun,
    is_introduced,
    is_named,
    is_ordinary_compound,
    is_phrase_named,
    is_quoted,
    leads_there,
)
from selfplay.gate.needles import Needle
from selfplay.gate.place import Mark, Place, Shape
from selfplay.gate.secret import Secret
from selfplay.gate.seen import Seen
from selfplay.gate.text import View
from selfplay.gate.words import (
    CODE_EXTENSIONS,
    FILE_NOUNS,
    FOLDER_NOUNS,
    ROLE_FOLDERS,
    TYPE_NOUNS,
    WORDLIKE_EXTENSIONS,
    is_english,
    number_forms,
    singular,
)
from selfplay.trace import Finding, FindingKind

_RUN = re.compile(r"(?<![\w@+~-])[\w@+~-]+(?:(?:[./\\#]|::)+[\w@+~-]+)+|(?<![\w@+~-])[\w@+~-]+(?=[/\\])")
_IMPORT = re.compile(r"\bfrom\s+([\w.]{1,200})\s+import\s+(\w{1,100})")
_MIN_SPLIT = 4
_INIT_WORDS = frozenset("__init__ init initializer initialiser index main entry mod".split())
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
    yield from _roles(view, secret, shown)


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
    if one.kind == "path":
        return "path" if place.is_path else None
    if one.kind == "module":
        return _module(place)
    if one.kind == "directory":
        return "directory" if _is_folder_named(place, secret, shown) else None
    if one.is_generic and not _folder_is_near(place, secret):
        return None
    if one.kind == "file_name":
        return "file_name" if _is_file_name(place) else None
    return "stem" if _is_stem_named(place, secret, shown) else None


def _is_split(place: Place) -> bool:
    if place.is_part or are_all_words(place) or place.needle.is_generic:
        return False
    # Folder and stem of a path stand side by side in ordinary text; only a joined or split one is a disguise.
    return not place.needle.cuts or place.is_path or _is_spelled(place)


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
    """`response.py`, `response py`; a name without extension only where it can't be an ordinary word."""
    if place.is_part:
        return False
    if not place.needle.cuts:
        return place.raw == place.needle.written or not is_english(place.raw.lower()) or place.mark is Mark.QUOTES
    if place.is_path:
        return True
    gap = dict(place.gaps).get(max(place.needle.cuts))
    return gap is not None and gap.strip() in {"", "-", "_"} and place.needle.extension not in WORDLIKE_EXTENSIONS


def _is_folder_named(place: Place, secret: Secret, shown: Seen) -> bool:
    one = place.needle
    if place.is_part or not _is_known_to_be_alone(one, secret, shown):
        return False
    if one.cuts:
        return place.is_path
    if place.char(0) in {"/", "\\"} and not place.char(1).isalnum():
        return True
    return (
        is_quoted(place, lambda word: _is_ordinary(word, secret, shown))
        or has_folder_noun(place)
        or is_introduced(place)
        or (len(one.words) > 1 and place.shape in {Shape.ONE, Shape.TIED} and not is_english(one.compact))
    )


def _is_known_to_be_alone(one: Needle, secret: Secret, shown: Seen) -> bool:
    """Without the repository: no file beside the targets has been heard of in the folder."""
    if secret.elsewhere.is_known:
        return True
    folders = {
        path[: path.index(f"/{one.written}".lstrip("/")) + len(one.written)]
        for path in one.targets
        if one.written in path
    }
    others = (shown.paths | secret.told.paths) - secret.paths
    return not any(other.startswith(folder) and other != folder for other in others for folder in folders)


def _is_stem_named(place: Place, secret: Secret, shown: Seen) -> bool:
    if place.is_part or _is_shown_code(place, shown) or _is_shown_code(place, secret.told):
        return False
    one = place.needle

    def is_ordinary(word: str) -> bool:
        return _is_ordinary(word, secret, shown)

    if place.after[:1] and place.after[0] in FOLDER_NOUNS and secret.others.has_folder(place.raw):
        return False
    if len(one.parts) and not _is_plain_word(one.written):
        return _is_compound_named(place, secret, shown)
    word = place.raw.lower()
    if not is_english(word) and not is_ordinary(word) and not place.is_dotted:
        return True
    if view_before(place).endswith(("./", "::")) or place.before[:1] in (["mod"], ["include"], ["require_relative"]):
        return True
    if place.is_dotted and place.mark is not Mark.QUOTES and place.member.lower() not in CODE_EXTENSIONS:
        return False
    return is_named(place, is_ordinary)


def _is_compound_named(place: Place, secret: Secret, shown: Seen) -> bool:
    one = place.needle
    if place.shape is Shape.ONE:
        return not is_english(one.compact) or any(c.isupper() for c in place.raw[1:])
    if place.shape is Shape.TIED:
        return True
    if shown.has_phrase(one.words) or secret.told.has_phrase(one.words):
        return place.mark is Mark.QUOTES and place.shape is Shape.HYPHEN
    if place.shape is Shape.HYPHEN and not is_ordinary_compound(place):
        return True
    return is_phrase_named(place)


def view_before(place: Place) -> str:
    """The few signs before a place."""
    return place.view.text[max(place.at - 3, 0) : place.at]


def _is_plain_word(written: str) -> bool:
    """Whether a stem is one word, digits in it disregarded: `oauth2`, `Sha256`."""
    return written.isalnum() and (written.islower() or written.isupper() or written.istitle())


def _is_ordinary(word: str, secret: Secret, shown: Seen) -> bool:
    """Whether the word belongs to the task, to what was shown, or to the rest of the repository."""
    return shown.has_phrase((word,)) or secret.told.has_phrase((word,)) or secret.elsewhere.has_word(word)


def _is_shown_code(place: Place, shown: Seen) -> bool:
    """Whether the player knows the word as an identifier, and the hint does not use it as a place."""
    raw = place.raw
    known = raw in shown.code or (not raw.islower() and "_" not in raw and raw in shown.raw and not raw.istitle())
    known = known or ("_" in raw and raw in shown.raw)
    if not known or leads_there(place) or is_introduced(place):
        return False
    return (
        not (place.after[:1] and place.after[0] in FILE_NOUNS | {"file"})
        and place.member.lower() not in CODE_EXTENSIONS
    )


def _folder_is_near(place: Place, secret: Secret) -> bool:
    """Whether a folder of the target is named close to a name that says nothing by itself."""
    one = place.needle
    if one.kind == "file_name" and secret.elsewhere.is_known and secret.others.count(one.written) == 0:
        return True
    near = place.near
    for path in one.targets:
        folder = path.rpartition("/")[0].rpartition("/")[2].lower()
        if folder and folder in near:
            # `http`'s init: the possessive or a noun for a package ties the two.
            is_owned = place.before[:1] == ["s"] and place.ends_clause
            return is_owned or place.raw.lower() in _INIT_WORDS or is_named(place, lambda _: False)
    return False


def _roles(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """`the user model` for `models/user.rb`; `orders#show` for `orders_controller.rb`."""
    for one in secret.names:
        if one.kind != "stem" or one.is_generic:
            continue
        for pattern in _role_patterns(one):
            for match in re.finditer(pattern, view.text, re.IGNORECASE):
                start, end = view.span(match.start("name"), match.end("name"))
                words = tuple(re.findall(r"[^\W_]+", match.group("name").lower()))
                if secret.is_free(one, shown) or shown.has_phrase(words) or secret.told.has_phrase(words):
                    continue
                why = _WHY["stem"].format(paths=", ".join(sorted(one.targets)))
                yield Finding(kind="stem", text=view.original[start:end], span=(start, end), why=why)


def _role_patterns(one: Needle) -> Iterator[str]:
    name = r"[\s_-]?".join(map(re.escape, one.words))
    for path in sorted(one.targets):
        role = path.rpartition("/")[0].rpartition("/")[2].lower()
        if role in ROLE_FOLDERS and singular(role) not in one.words:
            yield rf"\b(?:the|that|this|its|your)\s+[`'\"*]?(?P<name>{name}[`'\"*]?\s+{re.escape(singular(role))})\b"
    if one.words[-1] == "controller" and len(one.words) > 1:
        yield rf"(?<!\w)(?P<name>{'_'.join(map(re.escape, one.words[:-1]))}#\w+)"
    if len(one.words) == 1 and len(one.compact) >= _MIN_SPLIT:
        nouns = "|".join(sorted((FILE_NOUNS | TYPE_NOUNS) - {"one", "source", "init", "type", "unit"}))
        for form in sorted(number_forms(one.words[0]) - {one.words[0]}):
            yield rf"\bthe\s+[`'\"*]?(?P<name>{re.escape(form)}[`'\"*]?\s+(?:{nouns}|file))\b"


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
