r"""Whether a text may define a name: asked before a file is parsed, which takes a hundred times as long.

A pattern errs to the side of yes. It looks at the words around the name on one line, so a call that begins its line
can look like a definition, while a definition whose name is parted from all that tells it by a line end is missed;
`docs/languages.md` says how often that was seen.
"""

from functools import lru_cache

from selfplay_tools.linear import Regex, compiled, escaped
from selfplay_tools.searched import Span

_PYTHON = r"(?m)\b(?:def|class|type)\s+NAME|^[ \t]*(?:\(|\w+[ \t]*,[ \t]*)*NAME[ \t]*(?:$|[,:=)])"
_GO = r"(?m)\bfunc\b[^\n]*NAME[(\[ ]|\b(?:type|const|var)\b[^\n]*NAME|^[ \t]*(?:\w+[ \t]*,[ \t]*)*NAME"
_RUST = r"\b(?:fn|struct|enum|union|trait|type|mod|const|static|macro_rules!)\s+(?:mut\s+|ref\s+)*NAME"
_RUBY = r"(?m)\b(?:def|class|module|alias)\b[^\n]*NAME|:NAME|(?:^|[\s:;])NAME\s*="
_JAVA = (
    r"(?m)\b(?:class|interface|enum|record)\s+NAME|(?:^[ \t]*|[\w>\]/]\s+)NAME\s*(?:\([^;\n]*;?$|\(|\[)"
    r"|(?:^[ \t]*|[\w>\]]\s+)NAME\s*(?:[=;,]|$)"
)
_C = (
    r"(?m)\b(?:struct|union|enum|class|namespace|concept|using|typedef|operator)\b[^\n]*NAME|#[ \t]*define[ \t]+NAME"
    r"|(?:^|[\w*&>)\]]\s+|[*&~>]|::\s*)NAME\s*(?:\(|$|<)|^[ \t]+NAME\s*\([^;\n]*$"
    r"|(?:^[ \t]*|\w\s+|[*&>}]\s*|,\s*|::)NAME\s*(?:=|;|\[|,|\{|$)"
    r"|\(\s*(?:\w+\s*::\s*)?[*^]+\s*(?:\w+\s+)?NAME|\(NAME\)"
)
_SCRIPT = (
    r"(?m)\b(?:function|class|interface|enum|type|namespace|module|const|let|var|get|set|async|static|abstract)\b"
    r"[^\n]*NAME|(?:^[ \t]*|[{};,*]\s*|\w[ \t]+|\[)[\"'`]?NAME[\"'`]?\??\s*[(<]|NAME[\"'`]?\??!?\s*(?:[:=]|$)"
)
_PATTERNS = {
    "c": _C,
    "cpp": _C,
    "go": _GO,
    "java": _JAVA,
    "javascript": _SCRIPT,
    "python": _PYTHON,
    "ruby": _RUBY,
    "rust": _RUST,
    "tsx": _SCRIPT,
    "typescript": _SCRIPT,
}


def may_define(language: str, name: str, span: Span) -> bool:
    """False where the (only) text surely has no definition of the name that `definitions` would report.

    No pattern reaches beyond a line: only lines that hold the name are looked at.
    """
    regex, (start, end) = _pattern(language, name), (span.starts[0], span.ends[0])
    literal = literal_of(name).encode()
    buffer = span.buffer
    while (at := buffer.find(literal, start, end)) >= 0:
        line = buffer.rfind(b"\n", span.starts[0], at) + 1 or span.starts[0]
        start = buffer.find(b"\n", at, end) + 1 or end
        if regex.search(buffer, line, start - 1):
            return True
    return False


def literal_of(name: str) -> str:
    """What a line must hold to define the name: `operator==` may be written with a blank."""
    return "operator" if name.startswith("operator") else name.lstrip("~#")


def word(name: str) -> str:
    r"""A pattern that matches the name where it stands alone; `\b` only at ends that are letters."""
    before = r"\b" if name[:1].isalnum() or name[:1] == "_" else ""
    after = r"\b" if name[-1:].isalnum() or name[-1:] == "_" else ""
    return f"{before}{escaped(name)}{after}"


@lru_cache(maxsize=256)
def _pattern(language: str, name: str) -> Regex:
    if name.startswith("operator"):
        return compiled(r"\boperator\b")
    if name.startswith("~"):
        return compiled(rf"~\s*{word(name[1:])}")
    return compiled(_PATTERNS[language].replace("NAME", word(name)))
