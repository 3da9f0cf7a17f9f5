"""Comments and strings found by reading a text from its beginning, for languages in which that is all it takes.

Twenty times as fast as a syntax tree, and right also where a grammar fails. In C and C++ a macro's body is code, its
strings included; so is the text of other orders to the preprocessor, but for what `#include` and `#if` hold.
"""

import re
from collections.abc import Iterator, Mapping

from selfplay_tools.spans import Spans

_COMMENT = rb"/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)|//(?:[^\n\\]|\\.)*+"
# A quote that is not closed on its line is code, and so is the rest of the line: nothing is read twice.
_STRING = rb'"(?:[^"\\\n]|\\.)*+(?:"|(?P<open>))'
_CHARACTER = rb"'(?:[^'\\\n]|\\.)*+(?:'|(?P<lone>))"
_INCLUDE = rb"(?<=include)[ \t]*<[^>\n]*>"
_ORDER = rb"(?P<order>^[ \t]*#[ \t]*(?!(?:if|elif|include)\b)[a-z]+)"
_RAW = rb'\bR"(?P<mark>[^()\\\s"]{0,16})\(.*?(?:\)(?P=mark)"|\Z)'
_NUMBER = rb"(?P<code>\b[0-9](?:'?[0-9A-Za-z_.])*+)"
_C = rb"%s|%s|%s|%s|%s" % (_COMMENT, _STRING, _CHARACTER, _INCLUDE, _ORDER)

_TOKENS: Mapping[str, re.Pattern[bytes]] = {
    name: re.compile(pattern, re.DOTALL | re.MULTILINE)
    for name, pattern in {
        "c": _C,
        "cpp": rb"%s|%s|%s" % (_RAW, _NUMBER, _C),
        "go": rb"/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)|//[^\n]*+|%s|`[^`]*+(?:`|\Z)|(?P<code>%s)" % (_STRING, _CHARACTER),
        "java": rb'/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)|//[^\n]*+|"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\Z)|%s|(?P<code>%s)'
        % (_STRING, _CHARACTER),
    }.items()
}
_CODE = ("code", "open", "lone")
_ORDER_END = re.compile(rb"(?:[^\n\\/]|\\.|/(?!\*)|/\*(?:[^*]|\*(?!/))*+\*/)*+", re.DOTALL)


def is_lexed(language: str) -> bool:
    """Whether `quiet_text` knows the language."""
    return language in _TOKENS


def quiet_text(language: str, source: bytes, end: int) -> Spans:
    """Where the text up to `end` is not code: comments, and strings with their quotes."""
    return Spans.of(_quiet(_TOKENS[language], source, end))


def _quiet(tokens: re.Pattern[bytes], source: bytes, end: int) -> Iterator[tuple[int, int]]:
    order_end = 0
    for token in tokens.finditer(source):
        start, stop = token.span()
        if start >= end:
            return
        if token.lastgroup == "order":
            order_end = order_end if start < order_end else _end_of_order(source, stop)
        elif token.lastgroup not in _CODE and (start >= order_end or source[start : start + 1] == b"/"):
            yield start, stop


def _end_of_order(source: bytes, start: int) -> int:
    """Where an order to the preprocessor ends: at a line end that no backslash stands before, outside of a comment."""
    match = _ORDER_END.match(source, start)
    return match.end() if match else start
