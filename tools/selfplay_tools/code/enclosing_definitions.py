r"""In which definitions a line lies, judged by indentation and by how definitions begin, without parsing.

From a line upwards, each line that is less indented than all below it either begins a definition (`class App:`,
`static int probe(struct pci_dev *pdev,`), which then encloses the line, or ends the search at its own depth. Comments,
labels, preprocessor lines and what closes a bracket stand wherever they like and are passed over. That is what
`git grep --show-function` does, for nested definitions too. It errs where text is not indented as code is: in long
strings, and in files without indentation.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from selfplay_tools.code.languages import likely_languages
from selfplay_tools.text.lines import Buffer
from selfplay_tools.text.regex import Regex, compile_regex

MOST_AROUND = 4
"""Definitions around one line that are reported, the innermost."""
_FIRST_BYTES, _MOST_BYTES = 2 << 10, 256 << 10
"""Of the text above a line that are looked at together: few at first, because functions are short."""
_HEAD_BYTES = 400
"""Of a line that say whether it begins a definition."""
_TAB = 8
_DEEP = 1 << 30
_NO_LINE = b"\n"
"""What no line begins with."""

_PYTHON = r"^\s*(?:async\s+)?(?:def|class)\s+\w"
_RUBY = r"^\s*(?:def|class|module)\s+[\w:.]"
_GO = r"^func\b|^(?:type|var|const)\b.*[({]\s*$"
_RUST = (
    r"^\s*(?:(?:pub(?:\([^)]*\))?|default|async|unsafe|const|extern(?:\s+\"[^\"]*\")?)\s+)*"
    r"(?:(?:fn|struct|enum|union|trait|mod|macro_rules!)\s+\w|impl\b)[^;]*$"
)
_TYPE = r"(?:[\w@]+\s+)*@?(?:class|interface|enum|record|struct|union|namespace)\b[^;=()]*[^;=(),\s]\s*$"
_METHOD = r"(?:(?:[\w@][\w:<>\[\],.?*&~]*|<\w[\w\s,<>?]*>)\s+)+[*&]*\s*[\w:~]+\s*\([^;=]*$"
_C = rf"^[A-Za-z_][\w:~*&<>,]*[ \t(][^;]*$|^#[ \t]*define[ \t].*\\$|^\s+(?:{_TYPE}|{_METHOD})"
_SCRIPT = (
    r"^\s*(?:(?:export|default|async|declare|abstract)\s+)*"
    r"(?:function\b|(?:class|interface|enum|namespace|module)\s+\w)"
    r"|^\s*(?:(?:static|async|get|set|public|private|protected|readonly|override|abstract)\s+)*\*?\s*[#\w$]+"
    r"\s*(?:<[^()]*>)?\([^;]*\{\s*$"
    r"|^\s*(?:(?:export|const|let|var)\s+)*[\w$.#]+\s*(?::[^=]*)?[=:]\s*(?:async\s*)?"
    r"(?:function\b|(?:\([^()]*\)|[\w$]+)\s*(?::[^=]*)?=>)"
)
_OPENINGS: Mapping[str, str] = {
    "c": _C,
    "cpp": _C,
    "go": _GO,
    "java": rf"^\s*(?:{_TYPE}|{_METHOD})",
    "javascript": _SCRIPT,
    "python": _PYTHON,
    "ruby": _RUBY,
    "rust": _RUST,
    "tsx": _SCRIPT,
    "typescript": _SCRIPT,
}
_NO_OPENING = re.compile(
    rb"(?:if|else|elif|for|foreach|while|do|switch|case|try|catch|except|finally|with|return|throw|raise|new|delete|await"
    rb"|yield|goto|assert|using|synchronized|co_return)\b"
)
"""What looks like a definition in some language and is none."""
_PASSED = (b"#", b"*", b'"""', b"'''")
"""With brackets that close something and comments: what says nothing by its indentation."""
_LABEL = re.compile(rb"[A-Za-z_]\w*\s*:\s*(?:/[/*].*)?$")
_BEFORE_NAME = compile_regex(r"^\s*(?:func\s*\([^)]*\)|pub\([^)]*\))")
"""Parentheses that stand before a name."""
_WITH_LABELS = frozenset({"c", "cpp"})


@dataclass(frozen=True, slots=True)
class OpeningLine:
    """A line that is less indented than the lines below it, up to some line."""

    width: int
    """Columns of its indentation."""
    number: int
    """From 0."""
    start: int
    """Where it begins in the buffer."""
    is_definition: bool


class EnclosingDefinitions:
    """The definitions around lines of one text. Lines are asked for in ascending order; the text is read once."""

    def __init__(self, path: str, buffer: Buffer, start: int) -> None:
        """The text of `path` begins at `start` of the buffer."""
        self._style = style_of(path)
        self._buffer = buffer
        self._read_to = start
        self._around: Sequence[OpeningLine] = ()
        """What is open above the line that was asked for last, the innermost first."""

    def find_around(self, number: int, start: int) -> Sequence[OpeningLine]:
        """The definitions around the line of that number (from 0) that begins at `start`, the outermost first."""
        style = self._style
        if style is None:
            return ()
        head = self._buffer[start : start + _HEAD_BYTES].partition(b"\n")[0]
        depth = _DEEP if style.is_loose(head) else _width_of(head)
        if not depth:
            return ()
        # A line that ends the search at its own depth need not know what is deeper; nor need those after it.
        self._around = self._find_above(style, number, start, head if style.is_opening(head) is not None else b"")
        self._read_to = start
        return [one for one in reversed(self._around) if one.is_definition and one.width < depth][-MOST_AROUND:]

    def _find_above(self, style: "DefinitionStyle", number: int, start: int, below: bytes) -> Sequence[OpeningLine]:
        """What is open above a line: lines from there upwards, each less indented than all between and than `below`."""
        found: list[OpeningLine] = []
        depth, prefix, size = _width_of(below), _indentation_of(below) or _NO_LINE, _FIRST_BYTES
        while start > self._read_to and depth:
            lines = self._read_lines_above(start, size)
            size = min(4 * size, _MOST_BYTES)
            for line in reversed(lines):
                number -= 1
                start -= len(line) + 1
                if not line or line.startswith(prefix) or (width := _width_of(line)) >= depth:
                    continue
                is_definition = style.is_opening(line[:_HEAD_BYTES])
                if is_definition is None:
                    continue
                found.append(OpeningLine(width, number, start, is_definition))
                depth, prefix = width, _indentation_of(line)
                if not depth:
                    break
        return [*found, *(one for one in self._around if one.width < depth)]

    def _read_lines_above(self, start: int, size: int) -> list[bytes]:
        """Whole lines of about that many bytes, up to the one above `start`."""
        first = max(self._read_to, start - size)
        if first > self._read_to:
            first = self._buffer.rfind(b"\n", self._read_to, first) + 1 or self._read_to
        return self._buffer[first : start - 1].split(b"\n")


@dataclass(frozen=True, slots=True)
class DefinitionStyle:
    """How definitions begin in a language."""

    opening: Regex
    has_labels: bool
    """Whether labels and preprocessor lines stand at the left end of a line, however deep the code around them is."""

    def is_opening(self, head: bytes) -> bool | None:
        """Whether a line, given by its first bytes, begins a definition; None if its indentation says nothing."""
        bare = head.lstrip()
        first = bare[:1]
        if first in b")]{/" or self._is_label(bare):
            return None
        if first == b"}" or _NO_OPENING.match(bare):
            return False
        if self.opening.find(head, 0, len(head)) >= 0:
            return True
        return None if bare.startswith(_PASSED) else False

    def is_loose(self, head: bytes) -> bool:
        """Whether a line's own indentation says nothing about where it lies."""
        bare = head.lstrip()
        return self.has_labels and (bare.startswith(b"#") or self._is_label(bare))

    def _is_label(self, bare: bytes) -> bool:
        return self.has_labels and b":" in bare and _LABEL.match(bare) is not None


@lru_cache(maxsize=1024)
def style_of(path: str) -> DefinitionStyle | None:
    """The style of the language that the path implies; None where it implies none, or several."""
    languages = likely_languages(path)
    return _make_style(languages[0]) if len(languages) == 1 else None


@cache
def _make_style(language: str) -> DefinitionStyle:
    return DefinitionStyle(compile_regex(_OPENINGS[language]), language in _WITH_LABELS)


def names_a_definition(path: str, line: str, column: int) -> bool:
    """Whether a line begins a definition, and a match at `column` of it begins before its parameters or its value."""
    style = style_of(path)
    head = line[:_HEAD_BYTES].encode()
    if style is None or not (style.is_opening(head) or (style.has_labels and line.startswith("#define"))):
        return False
    before = _BEFORE_NAME.search(head)
    rest = head[before.end() if before else 0 :]
    name_end = len(head) - len(rest) + min([at for sign in b"(=" if (at := rest.find(sign)) >= 0], default=len(rest))
    return len(line[:column].encode()) < name_end


def _indentation_of(line: bytes) -> bytes:
    return line[: len(line) - len(line.lstrip())]


def _width_of(line: bytes) -> int:
    """Columns of a line's indentation; a blank line has none that counts."""
    bare = line.lstrip()
    return len(line[: len(line) - len(bare)].expandtabs(_TAB)) if bare else _DEEP
