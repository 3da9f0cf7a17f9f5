"""The texts that the player has been shown, in the forms that the checks need."""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeVar

from selfplay.gate.text.view import WORD, words_of
from selfplay.gate.text.words import CODE_EXTENSIONS

_EXTENSIONS = "|".join(sorted(CODE_EXTENSIONS, key=len, reverse=True))
PATH = re.compile(
    rf"(?<![\w@.+~-])[\w@.+~-]*[/\\][\w@.+~/\\-]*|(?<![\w@.+~-])[\w@+~-]+(?:\.[\w@+~-]+)*\.(?:{_EXTENSIONS})(?![\w(])",
    re.IGNORECASE,
)
"""A path, or a file name with an extension of code."""
_TOOL_PREFIX = re.compile(
    r"^\s{0,80}(?:[^\s:|]{1,300}:)?\s{0,20}\d{1,7}\s{0,4}[\t|:│→>-]\s?|^[^\s:|]{1,300}:\d{1,7}[:-]\s?"
)
"""What a tool puts before a line of a file: `   12<tab>`, `12:`, `src/a.py:12:`."""
_ENCLOSING_LINE = re.compile(r"^(\d{1,7})=", re.MULTILINE)
"""What stands before the first line of a definition that other lines lie in."""
_IMPORT = re.compile(
    r"^[ \t]{0,80}(?:[^\s:|]{0,300}:?\d{0,7}[\t|:-])?[ \t]{0,80}"
    r"(?:from\s+(?P<from>[\w.:]+)\s+import\b|(?:import|use|using|package|mod|require|require_relative|#?\s?include)\s*\(?\s*"
    r"[<\"']?(?P<chain>[\w.:/-]+))",
    re.MULTILINE,
)
_CODE_WORD = re.compile(
    r"(?:(?:\b(?:def|class|func|fn|type|struct|interface|new|let|var|const|enum|trait|module|impl|extends|implements)\s+"
    r"|[.@&`]|->|::|=\s?|\()(?P<after>[A-Za-z_]\w*))"
    r"|(?P<before>[A-Za-z_]\w*)(?=\s?[=(\[{]|\.\w|::|->|`|\s?:\s?\w+\s?[=,)]|<\w)"
)
"""A word that stands as code does: after a keyword or an operator, or before one."""
_IMPORTED = re.compile(r"\bimport\s*[({]?\s*([\w ,]+)")
_MANY_LINES = 5
_GAP = " \0 "


@dataclass(slots=True)
class _ShownLines:
    """Lines and paths of texts."""

    lines: dict[str, None] = field(default_factory=dict[str, None])
    paths: set[str] = field(default_factory=set[str])
    opened: set[str] = field(default_factory=set[str])

    def note(self, text: str) -> None:
        self.paths.update(m.group().strip("./\\").replace("\\", "/") for m in PATH.finditer(text))
        rows = text.split("\n")
        self.lines.update(dict.fromkeys(filter(None, _strip_tool_prefixes(rows))))
        head = PATH.search(rows[0])
        if head and sum(1 for row in rows[1:] if row.strip() and not PATH.match(row.strip())) >= _MANY_LINES:
            self.opened.add(head.group().strip("./"))


@dataclass(slots=True)
class _ShownWords:
    """Words of texts without their paths and imports."""

    raw: dict[str, None] = field(default_factory=dict[str, None])
    compacts: dict[str, None] = field(default_factory=dict[str, None])
    code: set[str] = field(default_factory=set[str])
    streams: list[str] = field(default_factory=list[str])

    def note(self, text: str) -> None:
        bare = PATH.sub(_GAP, _IMPORT.sub(_drop_imported_path, text))
        for match in re.finditer(r"\w+", bare):
            self._note_word(match.group())
        self.code.update(m.group("after") or m.group("before") for m in _CODE_WORD.finditer(bare))
        self.code.update(name for m in _IMPORTED.finditer(bare) for name in re.findall(r"\w+", m.group(1)))
        self.streams.append(_join_words(bare))

    def _note_word(self, word: str) -> None:
        if word not in self.raw:
            self.raw[word] = None
            compact = word.lower().replace("_", "")
            self.compacts[word if compact == word else compact] = None


@dataclass(slots=True)
class _ShownStreams:
    """All words of texts in their order."""

    streams: list[str] = field(default_factory=list[str])

    def note(self, text: str) -> None:
        self.streams.append(_join_words(text))


FormT = TypeVar("FormT", _ShownLines, _ShownWords, _ShownStreams)


class ShownText:
    """Grows with each text that the player reads or writes. Adding only stores the text.

    A form of the texts is made of each text once, when that form is first needed: most hints need few of them.
    A path that a listing or an import names is not taken as shown: naming it still saves the player the search.
    """

    def __init__(self) -> None:
        self._texts: list[tuple[str, bool]] = []
        self._opened: set[str] = set()
        self._rows, self._words, self._whole = _ShownLines(), _ShownWords(), _ShownStreams()
        self._text_counts: dict[type, int] = {}
        """Of how many texts each form was made."""

    def add(self, text: str, *, has_head: bool = False) -> None:
        """Take note of a text: the task, a tool's result. With a head, only of what follows its first line."""
        if text:
            self._texts.append((text, has_head))

    def mark_opened(self, path: str) -> None:
        """Take note that this file was opened.

        It counts where a target's lines can't be recognised (it has none, or overlong ones), or are not known.
        """
        self._opened.add(path)

    @property
    def raw_words(self) -> AbstractSet[str]:
        """Every word exactly as written; words of paths and imports left out."""
        return self._update_form(self._words).raw.keys()

    @property
    def compact_words(self) -> AbstractSet[str]:
        """The same in lower case and without underscores."""
        return self._update_form(self._words).compacts.keys()

    @property
    def code_words(self) -> AbstractSet[str]:
        """Those words that stood where code stands, exactly as written."""
        return self._update_form(self._words).code

    @property
    def lines(self) -> AbstractSet[str]:
        """Every line without the white space around it and without what a tool put before it."""
        return self._update_form(self._rows).lines.keys()

    @property
    def paths(self) -> AbstractSet[str]:
        """Every path and file name."""
        return self._update_form(self._rows).paths

    @property
    def opened_paths(self) -> AbstractSet[str]:
        """Paths whose content was shown, as far as texts say so themselves, or as `mark_opened` noted."""
        return self._update_form(self._rows).opened | self._opened

    def has_phrase(self, parts: tuple[str, ...]) -> bool:
        """Whether the words stood side by side, in lower case and outside of paths and imports."""
        wanted = f" {' '.join(parts)} "
        return any(wanted in stream for stream in self._update_form(self._words).streams)

    def has_word_run(self, words: tuple[str, ...]) -> bool:
        """Whether the words stood side by side anywhere."""
        wanted = f" {' '.join(words)} "
        return any(wanted in stream for stream in self._update_form(self._whole).streams)

    def _update_form(self, form: FormT) -> FormT:
        """The form, with every text in it."""
        before, count = self._text_counts.get(type(form), 0), len(self._texts)
        for text, has_head in self._texts[before:count]:
            rest = text.partition("\n")[2] if has_head else text
            if rest:
                form.note(_ENCLOSING_LINE.sub(r"\1:", rest))
        self._text_counts[type(form)] = count
        return form


def _strip_tool_prefixes(rows: list[str]) -> Iterator[str]:
    for row in rows:
        yield row.strip()
        stripped = _TOOL_PREFIX.sub("", row, count=1)
        if len(stripped) != len(row):
            yield stripped.strip()


def _drop_imported_path(match: re.Match[str]) -> str:
    return f"{_GAP}import" if match.group("from") else _GAP


def _join_words(text: str) -> str:
    """The words of a text in lower case, identifiers taken apart, with blanks around each; gaps stay gaps."""
    return _GAP.join(f" {' '.join(words_of(part))} " for part in text.split("\0") if WORD.search(part))
