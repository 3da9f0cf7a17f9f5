"""Is a file's stem, or a folder's name, used as a name, given the task and what the player was shown?"""

from selfplay.gate.forbidden_names import ForbiddenName
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.words import CODE_EXTENSIONS, FILE_NOUNS, FOLDER_NOUNS, is_english, may_be_english
from selfplay.gate.usage.mention import Enclosure, NameMention, NameShape
from selfplay.gate.usage.ordinary_words import (
    has_folder_noun,
    is_destination,
    is_introduced,
    is_ordinary_compound,
    is_phrase_name,
    is_quoted,
    is_single_word_name,
)

_INIT_WORDS = frozenset("__init__ init initializer initialiser index entry mod".split())
_USUAL_NAMES = frozenset("init index mod package doc conftest readme license changelog".split())
"""Generic names of which a repository that nobody can look into surely has several."""
_SHARED = 2
"""So many other files that bear a name make it a kind of file, if a sentence begins with it."""
_LOADING = frozenset("mod include require_relative".split())


def is_stem_named(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
    """Whether the stem of a file is used as its name."""
    name = mention.name
    if mention.is_part_of_word or _is_shown_code(mention, shown) or _is_shown_code(mention, guard.task_text):
        return False
    if (
        mention.after[:1]
        and mention.after[0] in FOLDER_NOUNS - {"module", "namespace"}
        and guard.other_paths.has_folder(mention.raw)
    ):
        return False
    if name.parts and not _is_plain_word(name.written):
        return _is_compound_stem_named(mention, guard, shown)
    return _is_import_target(mention) or _is_one_word_stem_named(mention, guard, shown)


def _is_import_target(mention: NameMention) -> bool:
    """`./response`, `crate::response`, `mod response`, `from .response import`."""
    signs = mention.view.text[max(mention.at - 3, 0) : mention.at]
    is_imported = mention.before[:1] == ["from"] and mention.after[:1] == ["import"]
    return signs.endswith(("./", "::")) or is_imported or (bool(mention.before) and mention.before[0] in _LOADING)


def _is_one_word_stem_named(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
    def is_ordinary(text: str) -> bool:
        return is_known_word(text, guard, shown)

    if (
        mention.is_dotted
        and mention.enclosure is not Enclosure.QUOTES
        and mention.member.lower() not in CODE_EXTENSIONS
    ):
        return False
    return (
        _is_odd_word(mention, guard, shown) or _is_owned_by_folder(mention) or is_single_word_name(mention, is_ordinary)
    )


def _is_odd_word(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
    """Whether the stem is no English word, and the player does not know it as one.

    That other files mention the file or import it frees nothing, unless it may be the project's name, or a rare word.
    """
    word = mention.raw.lower()
    if is_english(word) or guard.is_known_phrase((word,), shown):
        return False
    is_telling = not may_be_english(word) and not any(_may_be_project_name(path, word) for path in mention.name.targets)
    return is_telling or not is_known_word(word, guard, shown)


def _may_be_project_name(path: str, word: str) -> bool:
    """Whether the file stands at the top, or in a folder of its name: the whole project may be called so."""
    return "/" not in path or word in path.lower().split("/")[:-1]


def _is_owned_by_folder(mention: NameMention) -> bool:
    """`the stock app's models`, where `stock` is the folder."""
    return (
        mention.before[:1] == ["s"]
        and mention.ends_clause
        and bool(_parent_folder_names(mention) & set(mention.before[1:3]))
    )


def _parent_folder_names(mention: NameMention) -> set[str]:
    """Names of the folders right above the targets."""
    return {path.rpartition("/")[0].rpartition("/")[2].lower() for path in mention.name.targets} - {""}


def _is_compound_stem_named(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
    """A stem of several words: joined in any way it is a name; side by side it may be an ordinary phrase."""
    name = mention.name
    if mention.shape is NameShape.ONE:
        return not is_english(name.compact) or any(c.isupper() for c in mention.raw[1:])
    if mention.shape is NameShape.TIED:
        return True
    if guard.is_known_phrase(name.words, shown):
        return mention.enclosure is Enclosure.QUOTES and mention.shape is NameShape.HYPHEN
    return (mention.shape is NameShape.HYPHEN and not is_ordinary_compound(mention)) or is_phrase_name(mention)


def _is_plain_word(written: str) -> bool:
    """Whether a stem is one word, digits in it disregarded: `oauth2`, `Sha256`."""
    return written.isalnum() and (written.islower() or written.isupper() or written.istitle())


def is_known_word(text: str, guard: Guard, shown: ShownText) -> bool:
    """Whether a word or phrase belongs to the task, to what was shown, or to the rest of the repository."""
    words = tuple(text.split(" "))
    if guard.is_known_phrase(words, shown):
        return True
    return guard.other_content.has_word(text) if len(words) == 1 else guard.other_content.has_word_run(words)


def _is_shown_code(mention: NameMention, shown: ShownText) -> bool:
    """Whether the player knows the word as an identifier, and the hint does not use it as a place."""
    raw = mention.raw
    is_compound = "_" in raw or not (raw.islower() or raw.istitle())
    if raw not in shown.code_words and not (is_compound and raw in shown.raw_words):
        return False
    is_file = mention.after[:1] and mention.after[0] in FILE_NOUNS | {"file"}
    return not (
        is_file or is_destination(mention) or is_introduced(mention) or mention.member.lower() in CODE_EXTENSIONS
    )


def is_file_meant(mention: NameMention, guard: Guard) -> bool:
    """Whether a file name means this file: always, if few bear it; `models.py exists in each app` means none."""
    is_shared = max(guard.other_paths.count_files_named(p.rpartition("/")[2]) for p in mention.name.targets) >= _SHARED
    return not is_shared or len(mention.name.words) > 2 or bool(mention.enclosure) or bool(mention.before)  # noqa: PLR2004  # stem and extension


def is_generic_named(mention: NameMention, guard: Guard) -> bool:
    """Whether a name that says nothing by itself is told with its folder, or is the only one of its kind."""
    name = mention.name
    is_known = guard.other_content.is_readable
    is_only = is_known and not any(guard.other_paths.count_files_named(p.rpartition("/")[2]) for p in name.targets)
    is_only = is_only or (not is_known and name.words[0] not in _USUAL_NAMES)
    if is_only and (name.kind == "file_name" or (mention.raw == name.written and not name.written.islower())):
        return True
    if not _parent_folder_names(mention) & mention.nearby_words:
        return False
    # `the http package's init`: the possessive ties the two.
    is_owned = mention.before[:1] == ["s"] and mention.ends_clause
    return (
        is_owned
        or mention.raw.lower() in _INIT_WORDS
        or name.kind == "file_name"
        or is_single_word_name(mention, lambda _: False)
    )


def is_folder_named(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
    """Whether a folder that holds only targets is named: its path, or its name used as one."""
    name = mention.name
    if mention.is_part_of_word or not _is_without_other_files(name, guard, shown):
        return False
    if name.cuts:
        return mention.is_path
    is_slashed = mention.char_at(0) in {"/", "\\"} and not mention.char_at(1).isalnum()
    is_joined = (
        len(name.words) > 1 and mention.shape in {NameShape.ONE, NameShape.TIED} and not is_english(name.compact)
    )
    return (
        is_slashed
        or is_joined
        or is_quoted(mention, lambda word: is_known_word(word, guard, shown))
        or has_folder_noun(mention)
        or is_introduced(mention)
    )


def _is_without_other_files(name: ForbiddenName, guard: Guard, shown: ShownText) -> bool:
    """Without the repository: whether no file beside the targets has been heard of in the folder."""
    if guard.other_content.is_readable:
        return True
    folders = {path[: path.index(name.written) + len(name.written)] for path in name.targets if name.written in path}
    others = (shown.paths | guard.task_text.paths) - guard.target_paths
    return not any(other.startswith(folder) and other != folder for other in others for folder in folders)
