"""Macros that stand where a C or C++ grammar expects nothing, as a text is made ready to be parsed.

Two kinds: words in capitals, told by where they stand (`class API Name {`, `API int name(`, `BEGIN_NAMESPACE`,
`int name(void) ATTR;`), and
attributes as Linux, BSD and the C libraries write them, told by their names (`int __init f(void)`, `} __packed;`).
"""

import re
from collections.abc import Iterator, Sequence

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
"""Words that say something of what is declared, and are never its name."""
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
# Engines that let other threads run. The first three tell where the ones above may begin; none looks across a line end.
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
