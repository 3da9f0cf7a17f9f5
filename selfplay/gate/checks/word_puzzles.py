"""Does a text give a name as a puzzle: its beginning, its length, a pattern, first letters, a scrambled form?"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import translate

from selfplay.core.trace import HintFinding
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.forbidden_names import ForbiddenName
from selfplay.gate.text.view import TextToken, TextView, compact
from selfplay.gate.text.words import CODE_EXTENSIONS, is_english

_NAME_WORDS = r"(?:file\s?names?|filenames?|names?|named|called|titled?|files?|modules?|scripts?|class|package|folder|directory|stem|letters?|spell\w*|word)"
_NAMED = re.compile(rf"\b{_NAME_WORDS}\b", re.IGNORECASE)
_FRAGMENT = r"(?:the\s+)?(?:letters?\s+|prefix\s+|suffix\s+|syllables?\s+)?(?P<mark>[\"'`“‘*-]*)(?P<it>[A-Za-z_][\w.]*)(?P<end>[\"'`”’*-]*)(?P<rest>\s*\w*)"
_BEGINS = re.compile(
    rf"\b(?:start(?:s|ing)?|begin(?:s|ning)?|prefix(?:ed)?|opens|first\s+(?:few\s+|two\s+|three\s+|four\s+)?letters?)\s+(?:with|by|is|are|in|of)?\s*{_FRAGMENT}",
    re.IGNORECASE,  # one pattern
)
_ENDS = re.compile(
    rf"\b(?:end(?:s|ing)?|finish(?:es|ing)?|suffix(?:ed)?|last\s+(?:few\s+|two\s+|three\s+|four\s+)?letters?)\s+(?:with|in|on|by|is|are|of)?\s*{_FRAGMENT}",
    re.IGNORECASE,
)  # one pattern
_HOLDS = re.compile(
    rf"\b(?:contain(?:s|ing)?|includ(?:es|ing)|has|have|having|with|holds)\s+{_FRAGMENT}", re.IGNORECASE
)
_GAMES = re.compile(
    r"\b(?:rhym(?:es?|ing)\s+with|anagrams?\s+of|sounds\s+(?:just\s+)?like\s+[\"'`“]|homophone|unscrambl\w+|scrambled|jumbled|rearrang\w+\s+the\s+letters|letters\s+rearranged|letters\s+shuffled|acrostic|(?:first|initial)\s+letters?\s+of\s+(?:each|every|these|the\s+(?:next|following|words))|(?:first|second|third|fourth|fifth|sixth|seventh|eighth|next|final|last|middle|\d{1,2}(?:st|nd|rd|th))\s+letter(?:\s+of\s+(?:the|its)\s+(?:\w+\s+)?\w+)?\s*(?:is|:|=)\s*(?:an?\s+)?[\"'`“]?[A-Za-z](?=[\"'`”]?\s*(?:$|[.,;!?)]|and\b))|crossword|hangman|charade|(?:nam(?:e|ed)|called)\s+(?:\w+\s+){0,4}?(?:first|second|third|fourth|fifth|last|\d{1,2}(?:st|nd|rd|th))\s+word)\b",
    re.IGNORECASE,
)  # one pattern
_SYNONYM_GAMES = re.compile(
    r"\b(?:synonyms?\s+(?:of|for)|opposite\s+of|antonym\s+of|another\s+word\s+for|plural\s+of|singular\s+of|abbreviation\s+(?:of|for)|(?:German|French|Spanish|Italian|Dutch|Russian|Chinese|Japanese|Latin|English|Portuguese|Polish)\s+(?:word\s+)?(?:for|translation))\b",
    re.IGNORECASE,
)  # one pattern
_NUMBERS = {
    w: i
    for i, w in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
    )
}  # a list of words
_COUNT = re.compile(rf"\b(?P<n>\d{{1,2}}|{'|'.join(_NUMBERS)})[\s-](?:letters?|characters?)\b", re.IGNORECASE)
_GLOB = re.compile(
    r"(?<![\w*?./^-])[\w./*?\[\]\\^$+-]*(?:\*|\.\+|\?(?=[\w.*?]))[\w./*?\[\]\\$+-]*|(?<![\w.])[A-Za-z_]{3,}(?:…|\.\.\.)(?!\w)|(?:…|\.\.\.)[A-Za-z_]{3,}\b"
)
_MASK = re.compile(r"(?<!\w)[A-Za-z](?:[\w]|[*?·•.\-](?=[\w*?·•.\-])){3,}(?!\w)")
_FILE = re.compile(
    rf"(?<![\w.-])([A-Za-z][\w-]{{3,}})\.({'|'.join(sorted(CODE_EXTENSIONS, key=len, reverse=True))})(?!\w)"
)
_ENDING = re.compile(
    r"(?<![\w*])\.(?P<dot>\w{1,10})\s+(?:file|one|script|source|module)\b|"
    r"\b(?:the|that)\s+(?:only\s+|single\s+|one\s+)?(?P<word>[A-Za-z+#]{1,12})\s+(?:file|script|schema|sheet|stylesheet)\b",
    re.IGNORECASE,
)
_LANGUAGES = {
    "python": ("py",), "ruby": ("rb",), "shell": ("sh", "bash"), "bash": ("sh",), "javascript": ("js", "mjs"), "sql": ("sql",),
    "typescript": ("ts", "tsx"), "go": ("go",), "golang": ("go",), "rust": ("rs",), "java": ("java",), "kotlin": ("kt",),
    "lua": ("lua",), "perl": ("pl",), "protobuf": ("proto",), "markdown": ("md",), "yaml": ("yml", "yaml"), "css": ("css",),
    "style": ("css", "scss"), "html": ("html",), "c": ("c",), "batch": ("bat",), "powershell": ("ps1",), "graphql": ("graphql",),
}  # fmt: skip
_NAME_BEFORE = re.compile(r"\bnames?\s+(?:that\s+|which\s+)?$", re.IGNORECASE)
_NEAR = 90
_FEW = 3
_MIN_INITIALS = 5
_MIN_HEADS = 4
_MAX_TYPOS = 2
_WHY = "gives the name of a target away as a riddle ({written!r}); say what the code there does instead"
_WHY_GAME = "makes a riddle of a name; say what the code does instead"


def find_word_puzzles(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every puzzle whose answer is a target's name."""
    names = [n for n in guard.names if not guard.is_permitted(n, shown)]
    stems = [n for n in names if n.kind in {"stem", "directory"} and not n.is_generic and len(n.compact) > 1]
    yield from _find_fragments(view, stems)
    yield from _find_word_games(view, stems)
    yield from _find_globs(view, guard, names)
    yield from _find_masked_names(view, stems)
    yield from _find_typos(view, guard, names)
    yield from _find_acrostics(view, names)
    yield from _find_unique_extensions(view, guard, names)


def _make_puzzle_finding(view: TextView, at: int, to: int, name: ForbiddenName | None) -> HintFinding:
    why = _WHY.format(written=name.written) if name else _WHY_GAME
    return view.make_finding(at, to, "disguised", why)


def _is_about_a_name(view: TextView, match: re.Match[str]) -> bool:
    around = view.text[max(match.start() - _NEAR, 0) : match.end() + _NEAR]
    return _NAMED.search(around) is not None


def _find_fragments(view: TextView, stems: Sequence[ForbiddenName]) -> Iterator[HintFinding]:
    for pattern, fits in ((_BEGINS, str.startswith), (_ENDS, str.endswith), (_HOLDS, str.__contains__)):
        for match in pattern.finditer(view.text):
            fragment = compact(match.group("it"))
            is_marked = bool(match.group("mark") and match.group("end")) or match.group("mark").endswith("-")
            is_marked = (
                is_marked
                or match.group("it").startswith("_")
                or _NAME_BEFORE.search(view.text, 0, match.start()) is not None
            )
            if not _is_fragment(fragment, match, is_marked=is_marked, is_inside=pattern is _HOLDS):
                continue
            name = next((s for s in stems if fits(s.compact, fragment) and s.compact != fragment), None)
            is_initial = len(fragment) == 1 and match.group("it").isupper()
            is_it = (is_initial or (is_marked and len(fragment) > 1)) and re.search(
                r"(?i)\b(?:it|that|which|one)\s$", view.text[: match.start()]
            )
            if name and (is_it or _is_about_a_name(view, match)):
                yield _make_puzzle_finding(view, *match.span(), name)


def _is_fragment(fragment: str, match: re.Match[str], *, is_marked: bool, is_inside: bool) -> bool:
    if is_inside:
        return len(fragment) > 2 and (is_marked or not is_english(fragment))  # noqa: PLR2004  # two letters are in any name
    if is_marked:
        return True
    ends = match.group("rest").strip().lower() in {"", "and", "in", "but", "with"}
    return ends and (len(fragment) == 1 or not is_english(fragment))


def _find_word_games(view: TextView, stems: Sequence[ForbiddenName]) -> Iterator[HintFinding]:
    for match in _GAMES.finditer(view.text):
        yield _make_puzzle_finding(view, *match.span(), None)
    for match in _SYNONYM_GAMES.finditer(view.text):
        around = view.text[max(match.start() - _NEAR, 0) : match.end() + _NEAR]
        if re.search(r"\b(?:file\s?name|name|named|called|titled|entitled)\b", around, re.IGNORECASE):
            yield _make_puzzle_finding(view, *match.span(), None)
    for match in _COUNT.finditer(view.text):
        text = match.group("n").lower()
        count = _NUMBERS.get(text) if text in _NUMBERS else int(text)
        name = next((s for s in stems if len(s.compact) == count), None)
        if name and _is_about_a_name(view, match):
            yield _make_puzzle_finding(view, *match.span(), name)


def _find_globs(view: TextView, guard: Guard, names: Sequence[ForbiddenName]) -> Iterator[HintFinding]:
    """A pattern that a target's name fits, and hardly another's."""
    targets = {path for n in names for path in n.targets}
    for match in _GLOB.finditer(view.text):
        text = _convert_to_glob(match.group())
        literal = re.sub(r"\[[^\]]*\]|[^a-z0-9]", "", re.sub(r"\.\w+$", "", text))
        if len(text) > _NEAR or len(literal) < 2 or text.count("*") > _FEW + 1:  # noqa: PLR2004  # `*.py` is no name
            continue
        fits = re.compile(translate(text if "/" in text else f"*/{text}" if "." in text else f"*/{text}*"))
        hits = [path for path in targets if fits.match(f"/{path.lower()}") or fits.match(path.lower())]
        others = sum(1 for p in guard.repository_paths if p not in guard.target_paths and fits.match(f"/{p.lower()}"))
        if hits and others < _FEW:
            name = next(n for n in names if hits[0] in n.targets)
            yield _make_puzzle_finding(view, *match.span(), name)


def _convert_to_glob(text: str) -> str:
    """A pattern as a glob; one that is a regular expression (`^resp.*[.]py$`) nearly so."""
    for sign, glob in (("...", "*"), ("…", "*"), (".*", "*"), (".+", "*"), ("\\w", "?"), ("\\", "")):
        text = text.replace(sign, glob)
    return text.strip("./^$+").rstrip("?").lower()


def _find_masked_names(view: TextView, stems: Sequence[ForbiddenName]) -> Iterator[HintFinding]:
    """`r_sp_ns_`, `rspns`."""
    by_consonants = {_consonants_of(s.compact): s for s in stems if len(_consonants_of(s.compact)) >= _MIN_HEADS}
    for match in _MASK.finditer(view.text):
        text = match.group().lower()
        word = compact(text)
        name = by_consonants.get(word) if not is_english(word) else None
        name = name or next((s for s in stems if _is_masked(text, s.compact)), None)
        if name and name.compact != word:
            yield _make_puzzle_finding(view, *match.span(), name)


def _consonants_of(word: str) -> str:
    return re.sub(r"[aeiou]", "", word)


def _is_masked(text: str, name: str) -> bool:
    """Whether some letters of the name stand in their places and signs in the others."""
    if len(text) != len(name) or text == name:
        return False
    known = [(a, b) for a, b in zip(text, name, strict=True) if a.isalnum()]
    return all(a == b for a, b in known) and len(known) >= _MIN_HEADS - 1 and 2 * len(known) >= len(name)


def _find_typos(view: TextView, guard: Guard, names: Sequence[ForbiddenName]) -> Iterator[HintFinding]:
    """A file name that is almost a target's and no other file's."""
    files = [n for n in names if n.kind == "file_name" and n.extension and not n.is_generic]
    for match in _FILE.finditer(view.text):
        word, extension = compact(match.group(1)), match.group(2).lower()
        if guard.other_paths.has_path(match.group()):
            continue
        for name in files:
            stem = name.compact.removesuffix(compact(name.extension))
            if (
                len(stem) > _MIN_INITIALS
                and extension == name.extension.lower()
                and 0 < _edit_distance(word, stem) <= _MAX_TYPOS
            ):
                yield _make_puzzle_finding(view, *match.span(), name)
                break


def _edit_distance(one: str, other: str) -> int:
    """Edits between two words; a swap of neighbours is one."""
    if abs(len(one) - len(other)) > _MAX_TYPOS:
        return _MAX_TYPOS + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, last[j - 2] + 1)
            row.append(best)
    return row[-1]


def _find_acrostics(view: TextView, names: Sequence[ForbiddenName]) -> Iterator[HintFinding]:
    """First letters of words, lines or sentences, and capitals, that spell a name."""
    tokens = [t for t in view.tokens if not t.text.isdigit()]
    wanted = [n for n in names if n.kind in {"stem", "file_name", "directory"} and not n.is_generic]
    heads = _first_words_of(view, tokens)
    capitals = [(c, t) for t in tokens if not t.raw.isupper() or len(t.raw) == 1 for c in t.raw if c.isupper()]
    rows = (
        ([(t.text[0], t) for t in tokens], _MIN_INITIALS),
        ([(t.text[-1], t) for t in tokens], _MIN_INITIALS + 1),
        ([(t.text[0], t) for t in heads], _MIN_HEADS),
        ([(c.lower(), t) for c, t in capitals], _MIN_INITIALS),
    )
    for row, minimum in rows:
        letters = "".join(c for c, _ in row)
        for name in wanted:
            at = letters.find(name.compact) if len(name.compact) >= minimum else -1
            if at >= 0:
                run = [t for _, t in row[at : at + len(name.compact)]]
                if len({t.at for t in run}) > 2 and any(len(t.text) > 1 for t in run):  # noqa: PLR2004  # spelled letters are not initials
                    yield _make_puzzle_finding(view, run[0].at, run[-1].to, name)


def _find_unique_extensions(view: TextView, guard: Guard, names: Sequence[ForbiddenName]) -> Iterator[HintFinding]:
    """`the .proto file`, `the only shell script`, where no other file has that ending."""
    files = {n.extension.lower(): n for n in names if n.kind == "file_name" and n.extension}
    for match in _ENDING.finditer(view.text):
        ending = (match.group("dot") or match.group("word")).lower()
        name = files.get(ending) or next((files[e] for e in _LANGUAGES.get(ending, ()) if e in files), None)
        if name is not None and guard.other_content.is_readable and not guard.other_paths.has_extension(name.extension):
            yield _make_puzzle_finding(view, *match.span(), name).model_copy(update={"kind": "file_name"})


def _first_words_of(view: TextView, tokens: Sequence[TextToken]) -> list[TextToken]:
    """The first words of sentences and lines."""
    return [
        token
        for previous, token in zip((None, *tokens), tokens, strict=False)
        if previous is None or re.search(r"[.!?:;]\s|\n|^\s*[-*]\s", view.text[previous.to : token.at])
    ]
