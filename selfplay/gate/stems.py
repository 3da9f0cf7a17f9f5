"""Is a file's stem, or a folder's name, used as a name, given the task and what the player was shown?"""

from selfplay.gate.naming import (
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
from selfplay.gate.words import CODE_EXTENSIONS, FILE_NOUNS, FOLDER_NOUNS, is_english, may_be_english

_INIT_WORDS = frozenset("__init__ init initializer initialiser index entry mod".split())
_EVERYWHERE = frozenset("init index mod package doc conftest readme license changelog".split())
"""Generic names of which a repository that nobody can look into surely has several."""
_SHARED = 2
"""So many other files that bear a name make it a kind of file, if a sentence begins with it."""
_LOADING = frozenset("mod include require_relative".split())


def is_stem_named(place: Place, secret: Secret, shown: Seen) -> bool:
    """Whether the stem of a file is used as its name."""
    one = place.needle
    if place.is_part or _is_shown_code(place, shown) or _is_shown_code(place, secret.told):
        return False
    if (
        place.after[:1]
        and place.after[0] in FOLDER_NOUNS - {"module", "namespace"}
        and secret.others.has_folder(place.raw)
    ):
        return False
    if one.parts and not _is_plain_word(one.written):
        return _is_compound_named(place, secret, shown)
    return _is_loaded(place) or _is_word_named(place, secret, shown)


def _is_loaded(place: Place) -> bool:
    """`./response`, `crate::response`, `mod response`, `from .response import`."""
    signs = place.view.text[max(place.at - 3, 0) : place.at]
    is_imported = place.before[:1] == ["from"] and place.after[:1] == ["import"]
    return signs.endswith(("./", "::")) or is_imported or (bool(place.before) and place.before[0] in _LOADING)


def _is_word_named(place: Place, secret: Secret, shown: Seen) -> bool:
    def is_ordinary(text: str) -> bool:
        return is_known_word(text, secret, shown)

    if place.is_dotted and place.mark is not Mark.QUOTES and place.member.lower() not in CODE_EXTENSIONS:
        return False
    return _is_odd_word(place, secret, shown) or _is_owned(place) or is_named(place, is_ordinary)


def _is_odd_word(place: Place, secret: Secret, shown: Seen) -> bool:
    """Whether the stem is no English word, and the player does not know it as one.

    That other files mention the file or import it frees nothing, unless it may be the project's name, or a rare word.
    """
    word = place.raw.lower()
    if is_english(word) or any(seen.has_phrase((word,)) for seen in (shown, secret.told)):
        return False
    is_telling = not may_be_english(word) and not any(_is_of_project(path, word) for path in place.needle.targets)
    return is_telling or not is_known_word(word, secret, shown)


def _is_of_project(path: str, word: str) -> bool:
    """Whether the file stands at the top, or in a folder of its name: the whole project may be called so."""
    return "/" not in path or word in path.lower().split("/")[:-1]


def _is_owned(place: Place) -> bool:
    """`the stock app's models`, where `stock` is the folder."""
    return place.before[:1] == ["s"] and place.ends_clause and bool(_folders(place) & set(place.before[1:3]))


def _folders(place: Place) -> set[str]:
    """Names of the folders right above the targets."""
    return {path.rpartition("/")[0].rpartition("/")[2].lower() for path in place.needle.targets} - {""}


def _is_compound_named(place: Place, secret: Secret, shown: Seen) -> bool:
    """A stem of several words: joined in any way it is a name; side by side it may be an ordinary phrase."""
    one = place.needle
    if place.shape is Shape.ONE:
        return not is_english(one.compact) or any(c.isupper() for c in place.raw[1:])
    if place.shape is Shape.TIED:
        return True
    if shown.has_phrase(one.words) or secret.told.has_phrase(one.words):
        return place.mark is Mark.QUOTES and place.shape is Shape.HYPHEN
    return (place.shape is Shape.HYPHEN and not is_ordinary_compound(place)) or is_phrase_named(place)


def _is_plain_word(written: str) -> bool:
    """Whether a stem is one word, digits in it disregarded: `oauth2`, `Sha256`."""
    return written.isalnum() and (written.islower() or written.isupper() or written.istitle())


def is_known_word(text: str, secret: Secret, shown: Seen) -> bool:
    """Whether a word or phrase belongs to the task, to what was shown, or to the rest of the repository."""
    words = tuple(text.split(" "))
    if shown.has_phrase(words) or secret.told.has_phrase(words):
        return True
    return secret.elsewhere.has_word(text) if len(words) == 1 else secret.elsewhere.has_words(words)


def _is_shown_code(place: Place, shown: Seen) -> bool:
    """Whether the player knows the word as an identifier, and the hint does not use it as a place."""
    raw = place.raw
    is_compound = "_" in raw or not (raw.islower() or raw.istitle())
    if raw not in shown.code and not (is_compound and raw in shown.raw):
        return False
    is_file = place.after[:1] and place.after[0] in FILE_NOUNS | {"file"}
    return not (is_file or leads_there(place) or is_introduced(place) or place.member.lower() in CODE_EXTENSIONS)


def is_file_meant(place: Place, secret: Secret) -> bool:
    """Whether a file name means this file: always, if few bear it; `models.py exists in each app` means none."""
    is_shared = max(secret.others.count(p.rpartition("/")[2]) for p in place.needle.targets) >= _SHARED
    return not is_shared or len(place.needle.words) > 2 or bool(place.mark) or bool(place.before)  # noqa: PLR2004  # stem and extension


def is_generic_named(place: Place, secret: Secret) -> bool:
    """Whether a name that says nothing by itself is told with its folder, or is the only one of its kind."""
    one = place.needle
    is_known = secret.elsewhere.is_known
    is_only = is_known and not any(secret.others.count(p.rpartition("/")[2]) for p in one.targets)
    is_only = is_only or (not is_known and one.words[0] not in _EVERYWHERE)
    if is_only and (one.kind == "file_name" or (place.raw == one.written and not one.written.islower())):
        return True
    if not _folders(place) & place.near:
        return False
    # `the http package's init`: the possessive ties the two.
    is_owned = place.before[:1] == ["s"] and place.ends_clause
    return is_owned or place.raw.lower() in _INIT_WORDS or one.kind == "file_name" or is_named(place, lambda _: False)


def is_folder_named(place: Place, secret: Secret, shown: Seen) -> bool:
    """Whether a folder that holds only targets is named: its path, or its name used as one."""
    one = place.needle
    if place.is_part or not _is_alone(one, secret, shown):
        return False
    if one.cuts:
        return place.is_path
    is_slashed = place.char(0) in {"/", "\\"} and not place.char(1).isalnum()
    is_joined = len(one.words) > 1 and place.shape in {Shape.ONE, Shape.TIED} and not is_english(one.compact)
    return (
        is_slashed
        or is_joined
        or is_quoted(place, lambda word: is_known_word(word, secret, shown))
        or has_folder_noun(place)
        or is_introduced(place)
    )


def _is_alone(one: Needle, secret: Secret, shown: Seen) -> bool:
    """Without the repository: whether no file beside the targets has been heard of in the folder."""
    if secret.elsewhere.is_known:
        return True
    folders = {path[: path.index(one.written) + len(one.written)] for path in one.targets if one.written in path}
    others = (shown.paths | secret.told.paths) - secret.paths
    return not any(other.startswith(folder) and other != folder for other in others for folder in folders)
