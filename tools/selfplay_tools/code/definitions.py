"""The definitions of a text, or of a part of it: the same, whatever else of it is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import thread_time

from tree_sitter import Node, Tree

from selfplay_tools.code.c_source import blank_unmatched_conditions, may_have_parts, split_parts
from selfplay_tools.code.languages import Language, load_definitions_query
from selfplay_tools.code.lexer import can_lex, select_in_code
from selfplay_tools.code.names import DefinitionName, kind_of, read_name
from selfplay_tools.code.syntax import MAX_PARSER_S, MAX_PARSER_WORK, QueryMatch, find_matches, parse, require_parsable
from selfplay_tools.errors import NotReadable

MAX_DEPTH = 16
"""Definitions nested deeper than this are named as if they stood at this depth."""
SIGNATURE_CHARS = 240

CLASS_LIKE = frozenset({"class", "struct", "union", "enum", "interface", "trait", "module", "scope"})
FUNCTION_LIKE = frozenset({"function", "method"})
_OPENING = CLASS_LIKE | FUNCTION_LIKE | {"namespace"}
_ONE_LINERS = frozenset({"constant", "variable", "macro", "type"})
"""Kinds whose head is their first line."""
_NOT_A_KIND = frozenset({"name", "declarator", "owner", "body", "value", "verb"})
_LOOKED_INTO = frozenset({"formal_parameters", "modifiers", "parameters"})
_NOT_IN_SIGNATURE = frozenset(
    {
        "annotation",
        "attribute_item",
        "block_comment",
        "comment",
        "decorator",
        "field_initializer_list",
        "line_comment",
        "marker_annotation",
    }
)


@dataclass(frozen=True, slots=True)
class Definition:
    """One named thing that a file defines."""

    name: str
    qualified: str
    """With the names of what it belongs to, parted by dots in every language: `Outer.name`."""
    kind: str
    """class, function, method, constant, declaration, …: those in `docs/languages.md`."""
    first: int
    """1-based line where it begins: at its first decorator or attribute. Comments above it are not included."""
    last: int
    line: int
    """Where its name stands."""
    signature: str
    """Its head in one line, without decorators and comments."""


@dataclass(frozen=True, slots=True)
class _CapturedDefinition:
    """A definition before its place among the others is known."""

    pattern: int
    """The number of the query's pattern that found it: an earlier one knows better."""
    node: Node
    body: Node | None
    kind: str
    opens: bool
    """Whether what stands in it is named after it."""
    naming: DefinitionName


@dataclass(frozen=True, slots=True)
class _EnclosingScope:
    start: int
    end: int
    kind: str
    names: tuple[str, ...]

    def holds(self, node: Node) -> bool:
        """Whether the node lies inside; what has the same extent stands beside it."""
        return node.end_byte <= self.end and (node.start_byte, node.end_byte) != (self.start, self.end)


def find_definitions(language: Language, tree: Tree, source: bytes, *, row: int = 0) -> tuple[Definition, ...]:
    """All that a text defines, in its order. `tree` is `parse(language, source)`.

    The text begins at that row of its file, from 0.
    """
    found: dict[int, _CapturedDefinition] = {}
    wider: dict[int, Node] = {}
    for pattern, match in find_matches(load_definitions_query(language), tree):
        if "inner" in match:
            wider[match["inner"][0].id] = match["outer"][0]
        elif "led" in match:
            wider.setdefault(match["led"][0].id, match["lead"][0])
        elif one := _capture_definition(language, pattern, match, source):
            before = found.get(one.naming.start)
            if before is None or pattern < before.pattern:
                found[one.naming.start] = one
    places = sorted(found)
    real = [found[at] for at in (select_in_code(language.name, source, places) if can_lex(language.name) else places)]
    found.clear()  # what is in `real` goes as it is placed: a header may define 20,000 macros
    return tuple(_place_definitions(real, wider, source, row=row))


def _capture_definition(
    language: Language, pattern: int, match: QueryMatch, source: bytes
) -> _CapturedDefinition | None:
    capture = next(name for name in match if name not in _NOT_A_KIND)
    node = match[capture][0]
    kind, _, scope = capture.partition(".")
    naming = read_name(language, match, source)
    if naming is None or not (all(naming.parts) and (naming.parts or kind == "scope")):
        return None
    exact = kind_of(language, kind, match, naming, source)
    if exact is None:
        return None
    body = match["body"][0] if "body" in match else node.child_by_field_name("body")
    return _CapturedDefinition(pattern, node, body, exact, bool(scope) or exact in _OPENING, naming)


def _place_definitions(
    found: list[_CapturedDefinition], wider: Mapping[int, Node], source: bytes, *, row: int
) -> Iterator[Definition]:
    """Name each after what it stands in, and leave out what is local to a function or a field of a class.

    Takes them out of the list.
    """
    stack: list[_EnclosingScope] = []
    found.sort(key=lambda one: (one.node.start_byte, -one.node.end_byte, one.naming.start), reverse=True)
    while found:
        one = found.pop()
        while stack and not stack[-1].holds(one.node):
            stack.pop()
        around = stack[-1] if stack else None
        parts = one.naming.parts
        if around and len(parts) > 1 and around.names[-1:] == parts[:1]:
            parts = parts[1:]
        names = (*(around.names if around else ()), *parts)
        kind = _kind_within(one, around)
        if one.opens and len(stack) < MAX_DEPTH:
            stack.append(_EnclosingScope(one.node.start_byte, one.node.end_byte, one.kind, names))
        if kind is not None:
            yield _make_definition(one, kind, names, wider, source, row=row)


def _kind_within(one: _CapturedDefinition, around: _EnclosingScope | None) -> str | None:
    """The kind of a definition that stands there; None for what is not reported."""
    where = around.kind if around else ""
    if one.kind == "scope":
        return None
    if one.kind in ("constant", "variable", "declaration") and where in FUNCTION_LIKE:
        return None
    if one.kind == "variable" and where in CLASS_LIKE:
        return None
    if one.kind == "function" and (where in CLASS_LIKE or len(one.naming.parts) > 1):
        return "method"
    return one.kind


def _make_definition(
    one: _CapturedDefinition, kind: str, names: tuple[str, ...], wider: Mapping[int, Node], source: bytes, *, row: int
) -> Definition:
    first, last, around = one.node, one.node, [one.node]
    while (outer := wider.get(first.id)) is not None:
        first = outer
        if outer.end_byte >= last.end_byte:
            last = outer
            around.append(outer)
    return Definition(
        name=names[-1],
        qualified=".".join(names),
        kind=kind,
        first=row + first.start_point.row + 1,
        last=row + max(_last_line_of(last), one.naming.line),
        line=row + one.naming.line,
        signature=_make_signature(around, one.body, kind, source),
    )


def _last_line_of(node: Node) -> int:
    """1-based; a node that ends with its line's end does not reach into the next line."""
    row, column = node.end_point
    return row + 1 if column else row


def _make_signature(around: list[Node], body: Node | None, kind: str, source: bytes) -> str:
    """The text from the widest of the nodes to the body, on one line; decorators and comments are cut out."""
    start = around[-1].start_byte
    end = min(around[-1].end_byte, start + 4 * SIGNATURE_CHARS)
    if kind in _ONE_LINERS:
        return _join_on_one_line(source[start:end].partition(b"\n")[0]).rstrip(" \\")
    if body is None or body.start_byte <= start:
        return _join_on_one_line(source[start:end]).rstrip(" {:").removesuffix("; end").removesuffix(" end")
    pieces: list[bytes] = []
    for cut_start, cut_end in sorted(_find_cuts(around, body)):
        pieces.append(source[start:cut_start])
        start = max(start, cut_end)
    return _join_on_one_line(b"".join((*pieces, source[start : body.start_byte]))).rstrip(" {:").removesuffix(" =")


def _find_cuts(around: list[Node], body: Node) -> Iterator[tuple[int, int]]:
    for node in around:
        for child in node.children:
            if child.start_byte >= body.start_byte:
                break
            if child.type in _LOOKED_INTO:
                yield from _find_cuts([child], body)
            elif child.type in _NOT_IN_SIGNATURE:
                yield child.start_byte, child.end_byte


def _join_on_one_line(text: bytes) -> str:
    line = " ".join(text.decode(errors="replace").split())
    return line if len(line) <= SIGNATURE_CHARS else line[: SIGNATURE_CHARS - 1] + "…"


_LEAST_WORK = 500
_WORK_PER_KB = 100
"""What a parser may do for a part, in the unit of `MAX_PARSER_WORK`: several times what real code makes."""


def read_definitions(language: Language, source: bytes) -> tuple[tuple[Definition, ...], str]:
    """All that the text defines, in its order, and if a part of it could not be read, why."""
    try:
        if not may_have_parts(language.name, source):
            return find_definitions(language, parse(language, source), source), ""
        require_parsable(source)
    except NotReadable as problem:
        return (), str(problem)
    found: list[Definition] = []
    problem = ""
    until = thread_time() + MAX_PARSER_S
    row = 0
    for start, end in split_parts(language.name, source):
        try:
            found += read_part_definitions(language, source[start:end], row, until)
        except NotReadable as refused:
            problem = problem or str(refused)
        row += source.count(b"\n", start, end)
    return tuple(found), problem


def read_part_definitions(
    language: Language, part: bytes, row: int, until: float | None = None
) -> Sequence[Definition]:
    """What a part defines that begins at that row of its text, from 0; `until` as in `parse`. Raises NotReadable."""
    text = blank_unmatched_conditions(part)
    work = min(_LEAST_WORK + _WORK_PER_KB * len(text) // 1024, MAX_PARSER_WORK)
    return find_definitions(language, parse(language, text, most_work=work, until=until), text, row=row)
