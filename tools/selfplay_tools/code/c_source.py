r"""C and C++ made ready to be parsed: macros are blanked, and a text in C is cut between its definitions.

Macros stand where a grammar expects nothing. Two kinds are blanked: words in capitals, recognised by where they stand
(`class API Name {`, `API int name(`, `BEGIN_NAMESPACE`, `int name(void) ATTR;`), and attributes as Linux, BSD and the C
libraries write them, recognised by their names (`int __init f(void)`, `} __packed;`).

Of a text that is cut, a few lines can be parsed without the rest. A cut is where something ended at the left margin (a
line `}`, or one from `}` to `;`) and another thing begins there. Whatever a grammar fails at then spoils one part, and
a part reads the same however much is read of the others. A text that is not laid out like that is one part: with
statements at the left margin, or with `extern "C"`.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from selfplay_tools.code.lexer import find_directive_end, find_line_of_code, select_in_code
from selfplay_tools.text.regex import compile_regex

ATTRIBUTES = frozenset(
    "__always_inline __always_unused __attribute_const__ __attribute_pure__ __bitwise __bss_decrypted __cold __cpuidle "
    "__deprecated __designated_init __exit __exitdata __flatten __force __gnu_inline __hot __init "
    "__init_or_module __initconst __initdata __initdata_or_module __initdata_memblock __iomem __kprobes "
    "__latent_entropy __lockfunc __maybe_unused __meminit __meminitdata __must_check __net_exit __net_init "
    "__net_initdata __no_kmsan_checks __no_profile __no_randomize_layout __no_sanitize_address "
    "__no_sanitize_coverage __no_sanitize_thread __no_sanitize_undefined __noclone __noipa __nonstring "
    "__noreturn __noretpoline __nosavedata __noscs __packed __page_aligned_bss __page_aligned_data __percpu __pure "
    "__randomize_layout __rcu __read_mostly __ref __refconst __refdata __ro_after_init __sched __softirq_entry "
    "__unused __used __user __visible __weak __xipram "
    "____cacheline_aligned ____cacheline_aligned_in_smp ____cacheline_internodealigned_in_smp "
    "__cacheline_aligned __cacheline_aligned_in_smp".split()
)
"""Words that qualify what is declared, and are never its name."""
ATTRIBUTES_OF = frozenset(
    "__acquires __aligned __assume_aligned __compiletime_error __compiletime_warning __cond_acquires __counted_by "
    "__must_hold __printf __releases __scanf __section".split()
)
"""The same, with something in brackets."""
_LEADING = ("asmlinkage", "noinline", "nokprobe_inline", "notrace")
"""Attributes without underscores: taken for that only before another word."""

_MACRO = rb"[A-Z][A-Z0-9]*_[A-Z0-9_]*"
_AFTER_KEYWORD = re.compile(
    rb"\b(?:class|struct|union|enum)[ \t\n]+((?:" + _MACRO + rb"|[A-Z]{3,})(?:\([^()\n]*\))?)"
    rb"[ \t\n]+(?=\w[\w:]*[ \t\n]*(?:<[^;{}]{0,200}>)?[ \t\n]*(?:final\b[ \t\n]*)?[:{])"
)
_BEFORE_KEYWORD = re.compile(
    rb"(?m)^[ \t]*(" + _MACRO + rb")(?=[ \t]*$|[ \t]+(?:template|class|struct|union|enum|namespace|inline|static"
    rb"|constexpr|explicit|virtual|using|auto|void|friend|typedef|extern)\b"
    rb"|[ \t]+(?:[A-Za-z_][\w:]*(?:<[^;{}()\n]{0,200}>)?[ \t*&]+){1,3}(?:[\w:~]+|\(\*?[\w:~]+\))[ \t]*\()"
)
_AFTER_BRACKET = re.compile(rb"(?m)^[A-Za-z_][^\n;={}]*\)((?:[ \t]+" + _MACRO + rb"(?:\([^()\n]*\))?)+)[ \t]*;")
_BRACKETED = r"[ \t]*\((?:[^()\n]|\([^()\n]*\))*\)"
# Engines that let other threads run. The first three find where the ones above may begin; none looks across a line end.
_MAY_BE_AFTER_KEYWORD = compile_regex(r"(?m)\b(?:class|struct|union|enum)[ \t]*(?:[ \t][A-Z][A-Z0-9_]|$)")
_MAY_BE_BEFORE_KEYWORD = compile_regex(r"(?m)^[ \t]*[A-Z][A-Z0-9]*_[A-Z0-9_]*(?:[ \t]*$|[ \t]+[A-Za-z_])")
_MAY_BE_AFTER_BRACKET = compile_regex(r"(?m)^[A-Za-z_][^\n;={}]*\)[ \t]+[A-Z][A-Z0-9]*_[A-Z0-9_]*[^\n;]*;")
_FOUND_BY_PLACE = (
    (_MAY_BE_AFTER_KEYWORD, _AFTER_KEYWORD),
    (_MAY_BE_AFTER_BRACKET, _AFTER_BRACKET),
    (_MAY_BE_BEFORE_KEYWORD, _BEFORE_KEYWORD),
)
_ATTRIBUTE = compile_regex(
    rf"\b(?:(?:{'|'.join(sorted(ATTRIBUTES))})\b|(?:{'|'.join(sorted(ATTRIBUTES_OF))}){_BRACKETED}"
    rf"|(?:{'|'.join(_LEADING)})[ \t]+\w)"
)


def blank_macros(source: bytes) -> bytes:
    """The text with blanks, of the same length, for macros that a grammar can't place."""
    source = _blank_ranges(source, list(_find_attributes(source)))
    for hint, pattern in _FOUND_BY_PLACE:
        found = (pattern.match(source, start) for start, _ in hint.find_spans(source))
        source = _blank_ranges(source, [match.span(1) for match in found if match])
    return source


def _find_attributes(source: bytes) -> Iterator[tuple[int, int]]:
    """Attributes, but for those that a line of the preprocessor is about."""
    for start, end in _ATTRIBUTE.find_spans(source):
        line = source.rfind(b"\n", 0, start) + 1
        if not source[line:start].lstrip().startswith(b"#"):
            yield start, end - 1 if source[start : start + 1] != b"_" else end


def _blank_ranges(source: bytes, ranges: Sequence[tuple[int, int]]) -> bytes:
    if not ranges:
        return source
    text = bytearray(source)
    for start, end in ranges:
        text[start:end] = b" " * (end - start)
    return bytes(text)


_CUT_LANGUAGES = frozenset({"c"})
_STATEMENT = compile_regex(r"(?m)^(?:if|else|for|while|do|switch|case|return|break|continue|goto)\b")
_CLOSED = b"\n}"
# No comment or string begins on the line. Blank lines belong to what is above them. A directive of the preprocessor
# belongs to what follows. No label is defined outside of functions.
_CUT = re.compile(
    rb"\n(\}(?:[^\n\"'/]*;)?)[ \t]*+\n(?:[ \t]*+\n)*+(?=(?:[ \t]*+\n|#[^\n]*+\n)*+(?:(?!\w+[ \t]*:)[A-Za-z_/]|\Z))",
    re.DOTALL,
)
_CONDITION = re.compile(rb"(?<!\\\n)^[ \t]*#[ \t]*(if|elif|else|endif)", re.MULTILINE)
_NOT_A_LINE_END = re.compile(rb"[^\n]")


def may_have_parts(language: str, source: bytes) -> bool:
    """Whether a text may have more than one part."""
    return language in _CUT_LANGUAGES and b'extern "C"' not in source and _STATEMENT.find(source, 0, len(source)) < 0


def split_parts(language: str, source: bytes) -> Iterator[tuple[int, int]]:
    """Where the parts of a text that `may_have_parts` begin and end, in order."""
    start = 0
    for end in (*_find_cuts(language, source, 0, len(source)), len(source)):
        if start < end:
            yield start, end
        start = end


def find_part_around(language: str, source: bytes, place: int) -> tuple[int, int]:
    """The one of `split_parts` that a place in code lies in."""
    start, until = 0, place
    while until and not start:
        begin = find_line_of_code(language, source, until)
        start = max((end for end in _find_cuts(language, source, begin, until) if end <= place), default=0)
        until = begin
    return start, next(_find_cuts(language, source, start, len(source)), len(source))


def _find_cuts(language: str, source: bytes, start: int, until: int) -> Iterator[int]:
    """The cuts behind lines that begin in that range; at its start a line of code begins."""
    ends: dict[int, int] = {}

    def find_closings() -> Iterator[int]:
        at = source.find(_CLOSED, max(start - 1, 0), until)
        while at >= 0:
            if source[at - 1 : at] != b"\\" and (cut := _CUT.match(source, at)) and not _is_nested(source, cut.end()):
                ends[cut.start(1)] = cut.end()
                yield cut.start(1)
            at = source.find(_CLOSED, at + 1, until)

    return (ends[place] for place in select_in_code(language, source, find_closings(), start))


def _is_nested(source: bytes, place: int) -> bool:
    """Whether what ends next at the left margin began before: bodies without indent are one in another."""
    closed = source.find(_CLOSED, place)
    return closed >= 0 and source.find(b"{", place, closed) < 0


def blank_unmatched_conditions(part: bytes) -> bytes:
    """The part with blanks, of the same length, for conditions of the preprocessor that end or begin elsewhere."""
    if b"#" not in part:
        return part
    opened: list[list[tuple[int, int]]] = []
    alone: list[tuple[int, int]] = []
    directives = {found.start(1): found for found in _CONDITION.finditer(part)}
    for directive in map(directives.__getitem__, select_in_code("c", part, directives)):
        if directive[1] == b"if":
            opened.append([])
        (opened[-1] if opened else alone).append((directive.start(), find_directive_end(part, directive.end())))
        if directive[1] == b"endif" and opened:
            opened.pop()
    text = bytearray(part)
    for start, end in chain(alone, *opened):
        text[start:end] = _NOT_A_LINE_END.sub(b" ", part[start:end])
    return bytes(text)
