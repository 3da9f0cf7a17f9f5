"""Syntax trees: parsed within bounds, in a way that lets other threads run."""

import re

from tree_sitter import Node, Parser, Query, QueryCursor, Tree

from selfplay_tools.errors import NotReadable
from selfplay_tools.languages import Language, grammar, quiet_query
from selfplay_tools.output import sized
from selfplay_tools.spans import Spans

MAX_PARSED_BYTES = 1 << 20
"""Larger files are not parsed: they are generated or data."""
MAX_PARSER_WORK = 25_000
"""Reports of progress after which a parser is stopped, one per hundred of its operations. Real code makes up to 20 per
KiB; a text made to tangle the parser far more. Counted, not timed: an answer must not depend on the machine."""
_CHUNK_BYTES = 1 << 14

# Macros that stand where a C or C++ grammar expects nothing: `class API Name {`, `API int name(`, `BEGIN_NAMESPACE`.
_MACRO = rb"[A-Z][A-Z0-9]*_[A-Z0-9_]*"
_AFTER_KEYWORD = re.compile(
    rb"\b(?:class|struct|union|enum)[ \t\n]+((?:" + _MACRO + rb"|[A-Z]{3,})(?:\([^()\n]*\))?)"
    rb"[ \t\n]+(?=\w[\w:]*[ \t\n]*(?:<[^;{}]{0,200}>)?[ \t\n]*(?:final\b[ \t\n]*)?[:{])"
)
_BEFORE_KEYWORD = re.compile(
    rb"(?m)^[ \t]*(" + _MACRO + rb")(?=[ \t]*$|[ \t]+(?:template|class|struct|union|enum|namespace|inline|static"
    rb"|constexpr|explicit|virtual|using|auto|void|friend|typedef|extern)\b"
    rb"|[ \t]+[A-Za-z_][\w:]*(?:<[^;{}()\n]{0,200}>)?[ \t*&]+[\w:~]+[ \t]*\()"
)

Match = dict[str, list[Node]]
"""Captured nodes of one match, by the captures' names."""


def parse(language: Language, source: bytes) -> Tree:
    """The syntax tree of a file. Raises NotReadable where the text is too large or too tangled for that."""
    if len(source) > MAX_PARSED_BYTES:
        raise NotReadable(f"{sized(len(source))} of text; files over {sized(MAX_PARSED_BYTES)} are not parsed")
    text = _without_macros(source) if language.name in ("c", "cpp") else source
    work = 0

    def is_too_much(_offset: int, _has_error: bool, /) -> bool:  # noqa: FBT001  # the parser calls it so
        nonlocal work
        work += 1
        return work > MAX_PARSER_WORK

    def read(offset: int, _point: object) -> bytes:
        return text[offset : offset + _CHUNK_BYTES]

    try:
        # By callback, because the parser holds the interpreter's lock in between.
        return Parser(grammar(language)).parse(read, progress_callback=is_too_much)
    except ValueError as error:
        raise NotReadable("its text is too tangled to be parsed") from error


def matches(query: Query, tree: Tree) -> list[tuple[int, Match]]:
    """The number of the pattern and the captured nodes of each match."""
    # No progress callback here: with one, tree-sitter 0.26.1 crashes the process.
    return QueryCursor(query).matches(tree.root_node)


def quiet_spans(language: Language, tree: Tree) -> Spans:
    """Where the text is not code: comments, and the text in strings."""
    nodes = QueryCursor(quiet_query(language)).captures(tree.root_node).get("quiet", [])
    return Spans.of((node.start_byte, node.end_byte) for node in nodes)


def _without_macros(source: bytes) -> bytes:
    """The text with blanks, of the same length, for macros that a grammar can't place."""
    for pattern in (_AFTER_KEYWORD, _BEFORE_KEYWORD):
        source = pattern.sub(_blanked, source)
    return source


def _blanked(match: re.Match[bytes]) -> bytes:
    start, end = match.start(1) - match.start(), match.end(1) - match.start()
    return match[0][:start] + b" " * (end - start) + match[0][end:]
