r"""The names that a text seems to define, told from its lines alone: what ranking counts apart from other words.

No syntax tree and no language: names must be found at many times a parser's speed, and depend on the text only,
whatever its path. A call at the beginning of a line can pass for a definition; ranking bears with that. For exact
definitions see `definitions`.
"""

import re

from selfplay_tools.text.regex import compile_regex

_MODIFIERS = (
    r"(?:(?:pub(?:\([^)]*\))?|export|default|async|static|public|private|protected|abstract|final|unsafe|inline|const"
    r"|extern(?:[ \t]+\"C\")?|virtual|override|declare|partial|internal|sealed|constexpr|open|typedef)[ \t]+)*"
)
_KEYWORDS = (
    r"(?:def|class|func|function\*?|fn|struct|enum(?:[ \t]+class)?|union|interface|trait|type|module|namespace"
    r"|macro_rules!|impl(?:<[^>]*>)?)"
)
_OF_MEMBERS = r"(?:public|private|protected|static|final|abstract|async|override|virtual|synchronized|get|set)"
# Each ends with the name.
_HEADS = (
    rf"^[ \t]*{_MODIFIERS}{_KEYWORDS}[ \t]+(?:\([^)]*\)[ \t]*)?(?:self\.)?\w+",  # def name, func (r *T) name
    r"^(?:export[ \t]+)?(?:const|let|var)[ \t]+\w+",
    r"^#[ \t]*define[ \t]+\w+",
)
# Each has its name before the first round bracket or equals sign.
_LINES = (
    r"^(?:[A-Za-z_][\w*&<>,: \t]*[ \t*&:])?[A-Za-z_]\w*[ \t]*\([^;]*$",  # static int name(int a)
    rf"^[ \t]+(?:{_OF_MEMBERS}[ \t]+)+(?:[\w<>\[\],.?]+[ \t]+)*\w+[ \t]*[(=]",
    r"^[ \t]+\w+[ \t]*\([^;()]*\)[ \t]*(?::[^;]*)?\{[ \t]*$",  # a method: name(a, b) {
    r"^[ \t]*(?:\w+\.)+\w+[ \t]*=[ \t]*(?:async[ \t]+)?(?:function|\()",  # exports.name = function
    r"^[A-Za-z_]\w*[ \t]*=[^=]",  # NAME = 1
)
_HEAD, _LINE = (compile_regex(f"(?m){'|'.join(forms)}") for forms in (_HEADS, _LINES))
_LAST = re.compile(rb"(?m)(\w+)$")
_BEFORE = re.compile(rb"(?m)^[^(=\n]*?(\w+)[ \t]*[(=]")
_NO_NAMES = frozenset(
    b"if for while switch catch return else with do elif struct enum union function func class import const var"
    b" pub".split()
)


def find_declared_names(text: bytes) -> list[bytes]:
    """The names in a text in UTF-8, each as often as it seems to be defined; only those of ASCII letters."""
    heads = b"\n".join([text[start:end] for start, end in _HEAD.find_spans(text)])
    lines = b"\n".join([text[start:end] for start, end in _LINE.find_spans(text)])
    return [name for name in (*_LAST.findall(heads), *_BEFORE.findall(lines)) if name not in _NO_NAMES]
