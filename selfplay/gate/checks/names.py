"""Does a text name a target: its path, file name, stem, module, or a folder that holds only targets?"""

import re
from collections.abc import Iterator

from selfplay.core.trace import FindingKind, HintFinding
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.view import TextView
from selfplay.gate.text.words import WORDLIKE_EXTENSIONS, is_common_phrase, is_english
from selfplay.gate.usage.file_stems import is_file_meant, is_folder_named, is_generic_named, is_stem_named
from selfplay.gate.usage.mention import Enclosure, NameMention, NameShape
from selfplay.gate.usage.ordinary_words import are_pieces_ordinary_words

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
    """The finding for a name that was met."""
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
            return "directory" if is_folder_named(mention, guard, shown) else None
        case "file_name":
            is_said = is_generic_named(mention, guard) if mention.name.is_generic else is_file_meant(mention, guard)
            return "file_name" if is_said and _is_file_name(mention) else None
        case _:
            is_named = (
                is_generic_named(mention, guard) if mention.name.is_generic else is_stem_named(mention, guard, shown)
            )
            return "stem" if is_named and not mention.is_part_of_word else None


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
