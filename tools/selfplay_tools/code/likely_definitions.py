r"""Whether a text may define a name: asked before a file is parsed, which takes a hundred times as long.

A pattern errs to the side of yes. It looks at the words around the name on one line, so a call that begins its line
can look like a definition, while a definition whose name is separated by a line end from all that marks it is missed;
`docs/languages.md` says how often that was seen.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from selfplay_tools.code.c_source import ATTRIBUTES, ATTRIBUTES_OF
from selfplay_tools.code.lexer import can_lex, select_in_code
from selfplay_tools.text.lines import Buffer, TextSpan
from selfplay_tools.text.regex import Regex, compile_regex, escape_regex

_NO_CONTEXT = (b"", b" ", b"\t", b"#", b"/", b"*", b"\f")
"""How lines begin that do not show what is around them: blank, indented, of the preprocessor, comments."""

_PYTHON = r"(?m)\b(?:def|class|type)\s+NAME|^[ \t]*(?:\(|\w+[ \t]*,[ \t]*)*NAME[ \t]*(?:$|[,:=)])"
_GO = r"(?m)\bfunc\b[^\n]*NAME[(\[ ]|\b(?:type|const|var)\b[^\n]*NAME|^[ \t]*(?:\w+[ \t]*,[ \t]*)*NAME"
_RUST = r"\b(?:fn|struct|enum|union|trait|type|mod|const|static|macro_rules!)\s+(?:mut\s+|ref\s+)*NAME"
_RUBY = r"(?m)\b(?:def|class|module|alias)\b[^\n]*NAME|:NAME|(?:^|[\s:;])NAME\s*="
_JAVA = (
    r"(?m)\b(?:class|interface|enum|record)\s+NAME|(?:^[ \t]*|[\w>\]/]\s+)NAME\s*(?:\([^;\n]*;?$|\(|\[)"
    r"|(?:^[ \t]*|[\w>\]]\s+)NAME\s*(?:[=;,]|$)"
)
_MACRO = r"#[ \t]*define[ \t]+NAME"
_CPP = (
    r"(?m)\b(?:struct|union|enum|class|namespace|concept|using|typedef|operator)\b[^\n]*NAME|#[ \t]*define[ \t]+NAME"
    r"|(?:^|[\w*&>)\]]\s+|[*&~>]|::\s*)NAME\s*(?:\(|$|<)|^[ \t]+NAME\s*\([^;\n]*$"
    r"|(?:^[ \t]*|\w\s+|[*&>}]\s*|,\s*|::)NAME\s*(?:=|;|\[|,|\{|$|__\w)"
    r"|\(\s*(?:\w+\s*::\s*)?[*^]+\s*(?:\w+\s+)?NAME|\(NAME\)"
)
# In C: what is reported wherever it stands, and what only outside of braces.
_C_ANYWHERE = (
    r"(?m)#[ \t]*define[ \t]+NAME|\b(?:struct|union|enum)\b(?:\s+\w+(?:\s*\([^\n]*\))?)*\s+NAME\s*(?:$|[{\\/]|__)"
    r"|\btypedef\b[^\n]*NAME"
)
_C_OUTSIDE = (
    r"(?m)(?:^|[\w*)\]]\s+|\*|/\s*)NAME\s*(?:\(|$)|^[ \t]+NAME\s*\([^;\n]*$"
    r"|(?:^[ \t]*|\w\s+|[*)}/]\s*|,\s*)NAME\s*(?:=|;|\[|,|\{|$|__\w)"
    r"|\(\s*[*^]+\s*(?:\w+\s+)?NAME|\(NAME\)|^[ \t]*\}[^;\n]*NAME\s*[;,\[]"
)
_SCRIPT = (
    r"(?m)\b(?:function|class|interface|enum|type|namespace|module|const|let|var|get|set|async|static|abstract)\b"
    r"[^\n]*NAME|(?:^[ \t]*|[{};,*]\s*|\w[ \t]+|\[)[\"'`]?NAME[\"'`]?\??\s*[(<]|NAME[\"'`]?\??!?\s*(?:[:=]|$)"
)
_PLAIN = re.compile(r"[A-Za-z0-9_]+")
_WORD = re.compile(rb"[A-Za-z0-9_]")
_PATTERNS = {
    "cpp": _CPP,
    "go": _GO,
    "java": _JAVA,
    "javascript": _SCRIPT,
    "python": _PYTHON,
    "ruby": _RUBY,
    "rust": _RUST,
    "tsx": _SCRIPT,
    "typescript": _SCRIPT,
}


@dataclass(frozen=True, slots=True)
class _DefinitionShape:
    """What a line looks like that defines a name."""

    literal: Regex
    """What every such line holds."""
    anywhere: Regex
    outside: Regex | None = None
    """Counts only for lines that are not inside of braces."""


def may_define(language: str, name: str, span: TextSpan) -> bool:
    """False where the (only) text surely has no definition of the name that `find_definitions` would report.

    No pattern reaches beyond a line: only lines that hold the name are looked at.
    """
    places = find_likely_definitions(language, name, span)
    if can_lex(language):
        start, end = span.starts[0], span.ends[0]
        first = next(places, None)
        if first is None:
            return False
        places = select_in_code(language, span.buffer[start:end], (place - start for place in chain((first,), places)))
    return next(places, None) is not None


def find_likely_definitions(language: str, name: str, span: TextSpan) -> Iterator[int]:
    """Where in the buffer the name stands, in lines of the (only) text that look like its definition."""
    shape, first, end = _make_shape(language, name), span.starts[0], span.ends[0]
    buffer, at = span.buffer, first
    while (at := shape.literal.find(buffer, at, end)) >= 0:
        line = buffer.rfind(b"\n", first, at) + 1 or first
        line_end = buffer.find(b"\n", at, end)
        line_end = end if line_end < 0 else line_end  # the last line of a text may have no end
        if _is_likely_definition(shape, buffer, first, line, line_end):
            yield at
            at += 1
        else:
            at = line_end + 1


def _is_likely_definition(shape: _DefinitionShape, buffer: Buffer, first: int, line: int, line_end: int) -> bool:
    """Whether a line looks like a definition where it stands."""
    if shape.anywhere.find(buffer, line, line_end) >= 0:
        return True
    is_like = shape.outside is not None and shape.outside.find(buffer, line, line_end) >= 0
    return is_like and not _is_in_braces(buffer, first, line)


def _is_in_braces(buffer: Buffer, first: int, line: int) -> bool:
    r"""Whether a line of C that begins with a blank stands in a function, struct or list, as code is commonly laid out.

    Braces count that open at the end of a line without indent, or alone at its beginning. `first` is where the text
    begins, `line` where the line does.
    """
    if buffer[line : line + 1] not in (b" ", b"\t"):
        return False
    closed = buffer.rfind(b"\n}", first, line)
    opened = buffer.rfind(b"\n{", first, line)
    if opened > closed:
        body = buffer[opened + 1 : buffer.find(b"\n", opened + 1, line)]
        before = buffer[buffer.rfind(b"\n", first, opened) + 1 : opened]
        return b"}" not in body and b"extern" not in before
    for row in reversed(buffer[max(closed, first) : line].split(b"\n")):
        if row[:1] not in _NO_CONTEXT and not row.rstrip().endswith(b":"):
            return row.rstrip().endswith(b"{") and b"extern" not in row
    return False


def literal_of(name: str) -> str:
    """What a line must hold to define the name: `operator==` may be written with a blank."""
    return "operator" if name.startswith("operator") else name.lstrip("~#")


def word_pattern(name: str) -> str:
    r"""A pattern that matches the name where it stands alone; `\b` only at ends that are letters."""
    before = r"\b" if name[:1].isalnum() or name[:1] == "_" else ""
    after = r"\b" if name[-1:].isalnum() or name[-1:] == "_" else ""
    return f"{before}{escape_regex(name)}{after}"


def find_whole_words(source: bytes, name: str) -> Iterator[int]:
    """Where the name stands alone: what `word` matches, found five times as fast for a plain name."""
    if not _PLAIN.fullmatch(name):
        yield from (start for start, _ in compile_regex(word_pattern(name)).find_spans(source))
        return
    needle = name.encode()
    at = source.find(needle)
    while at >= 0:
        end = at + len(needle)
        if not (_WORD.match(source, end) or (at and _WORD.match(source, at - 1))):
            yield at
        at = source.find(needle, end)


@lru_cache(maxsize=256)
def _make_shape(language: str, name: str) -> _DefinitionShape:
    literal = compile_regex(escape_regex(literal_of(name)))
    if name.startswith("operator"):
        return _DefinitionShape(literal, compile_regex(r"\boperator\b"))
    if name.startswith("~"):
        return _DefinitionShape(literal, compile_regex(rf"~\s*{word_pattern(name[1:])}"))
    if language in ("c", "cpp") and (name in ATTRIBUTES or name in ATTRIBUTES_OF):
        return _DefinitionShape(literal, _fill_pattern(_MACRO, name))
    if language == "c":
        return _DefinitionShape(literal, _fill_pattern(_C_ANYWHERE, name), _fill_pattern(_C_OUTSIDE, name))
    return _DefinitionShape(literal, _fill_pattern(_PATTERNS[language], name))


def _fill_pattern(pattern: str, name: str) -> Regex:
    return compile_regex(pattern.replace("NAME", word_pattern(name)))
