"""Syntax trees: parsed within bounds, in a way that lets other threads run."""

from tree_sitter import Node, Parser, Query, QueryCursor, Tree

from selfplay_tools.errors import NotReadable
from selfplay_tools.languages import Language, grammar, quiet_query
from selfplay_tools.output import sized

MAX_PARSED_BYTES = 1 << 20
"""Larger files are not parsed: they are generated or data."""
MAX_PARSER_WORK = 25_000
"""Reports of progress after which a parser is stopped, one per hundred of its operations. Real code makes up to 20 per
KiB; a text made to tangle the parser far more. Counted, not timed: an answer must not depend on the machine."""
_CHUNK_BYTES = 1 << 14

Match = dict[str, list[Node]]
"""Captured nodes of one match, by the captures' names."""


def parse(language: Language, source: bytes) -> Tree:
    """The syntax tree of a file. Raises NotReadable where the text is too large or too tangled for that."""
    if len(source) > MAX_PARSED_BYTES:
        raise NotReadable(f"{sized(len(source))} of text; files over {sized(MAX_PARSED_BYTES)} are not parsed")
    work = 0

    def is_too_much(_offset: int, _has_error: bool, /) -> bool:  # noqa: FBT001  # the parser calls it so
        nonlocal work
        work += 1
        return work > MAX_PARSER_WORK

    def read(offset: int, _point: object) -> bytes:
        return source[offset : offset + _CHUNK_BYTES]

    try:
        # By callback, because the parser holds the interpreter's lock in between.
        return Parser(grammar(language)).parse(read, progress_callback=is_too_much)
    except ValueError as error:
        raise NotReadable("its text is too tangled to be parsed") from error


def matches(query: Query, tree: Tree) -> list[tuple[int, Match]]:
    """The number of the pattern and the captured nodes of each match."""
    # No progress callback here: with one, tree-sitter 0.26.1 crashes the process.
    return QueryCursor(query).matches(tree.root_node)


def quiet_spans(language: Language, source: bytes) -> tuple[tuple[int, int], ...]:
    """Byte ranges of comments and of the text in strings, in order. Raises NotReadable as `parse` does."""
    tree = parse(language, source)
    nodes = QueryCursor(quiet_query(language)).captures(tree.root_node).get("quiet", [])
    return tuple(sorted((node.start_byte, node.end_byte) for node in nodes))
