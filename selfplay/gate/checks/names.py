"""Does a text name a target: its path, file name, stem, module, or a folder that holds only targets?"""

import re
from collections.abc import Iterator

from selfplay.core.trace import FindingKind, HintFinding
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.forbidden_names import ForbiddenName
from selfplay.gate.text.mention import Enclosure, NameMention, NameShape
from selfplay.gate.text.ordinary_words import (
    are_pieces_ordinary_words,
    has_folder_noun,
    is_destination,
    is_introduced,
    is_ordinary_compound,
    is_phrase_name,
    is_quoted,
    is_single_word_name,
)
from selfplay.gate.text.view import TextView
from selfplay.gate.text.words import (
    CODE_EXTENSIONS,
    FILE_NOUNS,
    FOLDER_NOUNS,
    WORDLIKE_EXTENSIONS,
    is_common_phrase,
    is_english,
    may_be_english,
)

_INIT_WORDS = frozenset("__init__ init initializer initialiser index entry mod".split())
_USUAL_NAMES = frozenset("init index mod package doc conftest readme license changelog".split())
"""Generic names of which a repository that can't be read is taken to have several."""
_SHARED = 2
"""A name of so many other files is a kind of file, if a sentence begins with it."""
_LOADING = frozenset("mod include require_relative".split())
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


def find_names(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every name of a target in a text that is read as it stands."""
    tokens = view.tokens
    covered = list(find_other_paths(view, guard))
    for match in guard.names.find_matches(tokens):
        mention = NameMention(view, tokens, match)
        if any(at <= mention.at and mention.to <= to for at, to in covered):
            continue
        kind = _classify_use(mention, guard, shown)
        if kind is not None and not guard.is_permitted(match.name, shown):
            yield make_name_finding(mention, kind)


def find_imports(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every module that an import in the text names: `from http import response`."""
    for match in _IMPORT.finditer(view.text):
        pieces = [*range(*match.span(1)), *range(*match.span(2))]
        dot = match.end(1)
        characters = (
            (("." if i < 0 else view.text[i]), view.starts[abs(i)], view.ends[abs(i)])
            for i in [p for p in pieces if p < dot] + [-dot] + [p for p in pieces if p > dot]
        )
        for found in find_names(TextView(view.original, characters), guard, shown):
            yield found.model_copy(update={"kind": "module"})


def make_name_finding(mention: NameMention, kind: FindingKind) -> HintFinding:
    """The finding for a name that a hint uses."""
    shown_kind: FindingKind = "disguised" if mention.is_rewritten else kind
    why = _WHY[shown_kind].format(paths=", ".join(sorted(mention.name.targets)), written=mention.name.written)
    return mention.view.make_finding(mention.at, mention.to, shown_kind, why)


def _classify_use(mention: NameMention, guard: Guard, shown: ShownText) -> FindingKind | None:
    """The kind of name that it is used as, if any."""
    name = mention.name
    if mention.shape is NameShape.SPLIT:
        return "disguised" if len(name.compact) >= _MIN_SPLIT and _is_split_name(mention) else None
    if mention.is_disguised and len(name.compact) >= _MIN_SPLIT and not name.is_generic and not mention.is_part_of_word:
        return name.kind
    return _classify_plain_use(mention, guard, shown)


def _classify_plain_use(mention: NameMention, guard: Guard, shown: ShownText) -> FindingKind | None:
    match mention.name.kind:
        case "path":
            return "path" if mention.is_path else None
        case "module":
            return _classify_module(mention)
        case "directory":
            return "directory" if _is_folder_named(mention, guard, shown) else None
        case "file_name":
            is_meant = _is_generic_named(mention, guard) if mention.name.is_generic else _is_file_meant(mention, guard)
            return "file_name" if is_meant and _is_file_name(mention) else None
        case _:
            is_named = (
                _is_generic_named(mention, guard) if mention.name.is_generic else _is_stem_named(mention, guard, shown)
            )
            return "stem" if is_named and not mention.is_part_of_word else None


def _is_stem_named(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
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
    if (
        mention.is_dotted
        and mention.enclosure is not Enclosure.QUOTES
        and mention.member.lower() not in CODE_EXTENSIONS
    ):
        return False
    return (
        _is_odd_word(mention, guard, shown)
        or _is_owned_by_folder(mention)
        or is_single_word_name(mention, lambda text: guard.is_ordinary(text, shown))
    )


def _is_odd_word(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
    """Whether the stem is no English word, and the player does not know it as one.

    That other files mention the file or import it does not permit the name, unless it may be the
    project's name, or a rare word.
    """
    word = mention.raw.lower()
    if is_english(word) or guard.is_known_phrase((word,), shown):
        return False
    is_distinctive = not may_be_english(word) and not any(
        _may_be_project_name(path, word) for path in mention.name.targets
    )
    return is_distinctive or not guard.is_ordinary(word, shown)


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


def _is_file_meant(mention: NameMention, guard: Guard) -> bool:
    """Whether a file name means this file: always, if few have it; `models.py exists in each app` means none."""
    is_shared = max(guard.other_paths.count_files_named(p.rpartition("/")[2]) for p in mention.name.targets) >= _SHARED
    return not is_shared or len(mention.name.words) > 2 or bool(mention.enclosure) or bool(mention.before)  # noqa: PLR2004  # stem and extension


def _is_generic_named(mention: NameMention, guard: Guard) -> bool:
    """Whether a name that identifies nothing by itself stands with its folder, or is the only one of its kind."""
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


def _is_folder_named(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
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
        or is_quoted(mention, lambda text: guard.is_ordinary(text, shown))
        or has_folder_noun(mention)
        or is_introduced(mention)
    )


def _is_without_other_files(name: ForbiddenName, guard: Guard, shown: ShownText) -> bool:
    """Without the repository: whether neither the task nor a shown text names another file of the folder."""
    if guard.other_content.is_readable:
        return True
    folders = {path[: path.index(name.written) + len(name.written)] for path in name.targets if name.written in path}
    others = (shown.paths | guard.task_text.paths) - guard.target_paths
    return not any(other.startswith(folder) and other != folder for other in others for folder in folders)


def _is_split_name(mention: NameMention) -> bool:
    if mention.is_part_of_word or mention.name.is_generic:
        return False
    if are_pieces_ordinary_words(mention):
        return _is_cut_word(mention)
    # Folder and stem of a path stand side by side in ordinary text; only a joined or split one is a disguise.
    return not mention.name.cuts or mention.is_path or _is_spelled_out(mention)


def _is_cut_word(mention: NameMention) -> bool:
    """`term-ui`, `term_ui` for `termui`: a word that is none in English, cut into two that are."""
    pieces = [t.text for t in mention.tokens[mention.match.first : mention.match.last + 1]]
    is_tied = all(gap in {"-", "_"} for _, gap in mention.gaps)
    is_one_word = mention.name.kind == "stem" and len(mention.name.words) == 1
    if not is_tied or not is_one_word or is_english(mention.name.compact):
        return False
    return "_" in mention.raw or not is_common_phrase(tuple(pieces))


def _is_spelled_out(mention: NameMention) -> bool:
    tokens = mention.tokens[mention.match.first : mention.match.last + 1]
    return sum(len(t.text) == 1 for t in tokens) * 2 >= len(tokens)


def _classify_module(mention: NameMention) -> FindingKind | None:
    if not mention.is_path or mention.is_part_of_word:
        return None
    if mention.is_slashed:
        # A folder's own module is the folder's name, which is judged as such.
        return None if "." in mention.name.written else "path"
    return "module"


def _is_file_name(mention: NameMention) -> bool:
    """`response.py`, `response py`, `responsepy`; a name without extension only where it can't be an ordinary word."""
    if mention.is_part_of_word:
        return False
    written = mention.name.written
    if not mention.name.cuts:
        is_word = is_english(mention.raw.lower())
        return (
            not is_word or mention.enclosure is Enclosure.QUOTES or (mention.raw == written and not written.islower())
        )
    gap = dict(mention.gaps).get(max(mention.name.cuts), "")
    is_parted = gap.startswith(" ") and gap.strip() == "."
    is_aside = gap.strip() in {"(", "["} and mention.char_at(0) in {")", "]"}
    if is_parted or (is_aside and mention.name.extension not in WORDLIKE_EXTENSIONS):
        return True
    return mention.is_path or (gap.strip() in {"", "-", "_"} and mention.name.extension not in WORDLIKE_EXTENSIONS)


def find_other_paths(view: TextView, guard: Guard) -> Iterator[tuple[int, int]]:
    """Parts of the text that name a file or folder that is no target, and none that is."""
    if not guard.other_content.is_readable:
        return
    for match in _RUN.finditer(view.text):
        run = match.group().replace("\\", "/").strip("./#")
        if not run:
            continue
        is_other = guard.other_paths.has_path(run)
        if not is_other and "/" not in run:
            is_other = guard.other_paths.has_module(re.split(r"\.|::|#", run))
        if is_other and not any(
            _path_ends_with(path, run) for path in (*guard.target_paths, *guard.target_only_folders)
        ):
            yield match.span()


def _path_ends_with(path: str, run: str) -> bool:
    lower, tail = path.lower(), run.lower()
    bare = lower.rpartition(".")[0]
    return any(one == tail or one.endswith(f"/{tail}") for one in (lower, bare, bare.replace("/", ".")))
