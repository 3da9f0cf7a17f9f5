"""What a definition is called: names as they stand in the text, and the names of what they belong to."""

import re
from dataclasses import dataclass

from tree_sitter import Node

from selfplay_tools.code.languages import Language
from selfplay_tools.code.syntax import QueryMatch

MAX_NAME_CHARS = 200
"""Longer names are not names that anyone asks for: such a definition is left out."""
MAX_DECLARATOR_DEPTH = 50

_NAMES_IN_DECLARATORS = frozenset(
    {
        "identifier",
        "field_identifier",
        "type_identifier",
        "qualified_identifier",
        "destructor_name",
        "operator_name",
        "operator_cast",
        "template_function",
        "primitive_type",
    }
)
_SEPARATORS = {
    "member_expression": ".",
    "nested_identifier": ".",
    "scope_resolution": "::",
    "qualified_identifier": "::",
    "nested_namespace_specifier": "::",
}
_NOT_A_NAME = frozenset({"this", "self", "exports", "module", "prototype", ""})
"""Parts of a dotted name that are no names of their own: `module.exports.f` is `f`, `A.prototype.f` is `A.f`."""
_C_KEYWORDS = frozenset({"else", "for", "if", "namespace", "return", "sizeof", "struct", "switch", "unsigned", "while"})
_NEVER_A_NAME = {"c": _C_KEYWORDS, "cpp": _C_KEYWORDS, "go": frozenset({"_"})}
"""What a parser takes for a name in a text that it could not follow, and Go's blank."""
_OPERATOR = re.compile(r"^(?P<owner>.*?)\boperator(?![A-Za-z0-9_])(?P<rest>.*)$", re.DOTALL)
_BRACKETED = re.compile(r"<[^<>]*>")
_DOTTED = re.compile(r"[\w$#.\s]+")
_PLAIN = re.compile(r"~?\s*\w+")
_CAPITALS = re.compile(r"_*[A-Z][A-Z0-9_]*")
_CONST = re.compile(r"\bconst(?:expr|init)?\b")


@dataclass(frozen=True, slots=True)
class DefinitionName:
    """A name and where it stands."""

    parts: tuple[str, ...]
    """The last is the name; those before it are what it belongs to. Empty where it says nothing."""
    start: int
    """Byte at which it begins."""
    line: int
    """1-based."""
    is_function: bool = False
    """In C and C++: whether the declarator makes it a function."""


def read_name(language: Language, match: QueryMatch, source: bytes) -> DefinitionName | None:
    """The name in a match of a definitions query, or None where it has none that can be asked for."""
    node, is_function = _find_name_node(match)
    if node is None or node.end_byte - node.start_byte > MAX_NAME_CHARS:
        return None
    parts = _split_name(language, node, _text_of(node, source))
    if parts[-1:] and parts[-1] in _NEVER_A_NAME.get(language.name, ()):
        return None
    if owner := match.get("owner"):
        owner_text = _text_of(owner[0], source)
        parts = (*(() if owner_text in _NOT_A_NAME else (owner_text,)), *parts)
    return DefinitionName(parts, node.start_byte, node.start_point.row + 1, is_function)


def kind_of(language: Language, kind: str, match: QueryMatch, naming: DefinitionName, source: bytes) -> str | None:
    """The kind, more exactly than the query can say it; None for what is no definition after all."""
    if kind == "variable" and language.name in ("c", "cpp"):
        return _kind_in_c(match, naming, source)
    if kind == "variable" and language.name == "python" and _CAPITALS.fullmatch(naming.parts[-1]):
        return "constant"
    if kind in ("constant", "variable") and (value := match.get("value")):
        is_import = value[0].type == "call_expression" and source[value[0].start_byte :].startswith(b"require(")
        return None if is_import else kind
    return kind


def _kind_in_c(match: QueryMatch, naming: DefinitionName, source: bytes) -> str | None:
    if naming.is_function:
        is_macro_call = match["variable"][0].child_by_field_name("type") is None and _CAPITALS.fullmatch(
            naming.parts[-1]
        )
        return None if is_macro_call else "declaration"
    node, declarator = match["variable"][0], match["declarator"][0]
    if node.type == "field_declaration":
        return None
    head = source[node.start_byte : min(declarator.start_byte, node.start_byte + MAX_NAME_CHARS)].decode(
        errors="replace"
    )
    if head.startswith("extern") and declarator.type != "init_declarator":
        return "declaration"
    return "constant" if _CONST.search(head) else "variable"


def _text_of(node: Node, source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode(errors="replace")


def _find_name_node(match: QueryMatch) -> tuple[Node | None, bool]:
    if "declarator" in match:
        return _find_declared(match["declarator"][0])
    return match["name"][0], False


def _find_declared(node: Node) -> tuple[Node | None, bool]:
    """What a C declarator declares, and whether as a function: `(*f)(int)` is a pointer, `*f(int)` a function."""
    is_function = False
    for _ in range(MAX_DECLARATOR_DEPTH):
        if node.type in _NAMES_IN_DECLARATORS:
            return node, is_function or node.type == "operator_cast"
        if node.type not in ("parenthesized_declarator", "attributed_declarator"):
            is_function = node.type == "function_declarator"
        inner = node.child_by_field_name("declarator") or _find_declarator(node)
        if inner is None:
            return None, False
        node = inner
    return None, False


def _find_declarator(node: Node) -> Node | None:
    ends = ("_declarator", *_NAMES_IN_DECLARATORS)
    return next((child for child in node.named_children if child.type.endswith(ends)), None)


def _split_name(language: Language, node: Node, text: str) -> tuple[str, ...]:
    if language.name == "cpp":
        return _split_cpp_name(text)
    if node.type == "simple_symbol":
        return (text.lstrip(":"),)
    if node.type == "string":
        return (text.strip("'\"`"),)
    if node.type in _SEPARATORS:
        return _split_at(text, _SEPARATORS[node.type])
    return (text,)


def _split_at(text: str, separator: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(separator))
    if separator == "." and not _DOTTED.fullmatch(text):
        return parts[-1:]
    return tuple(part for part in parts if part not in _NOT_A_NAME)


def _split_cpp_name(text: str) -> tuple[str, ...]:
    """`A<T>::b` is A, b; `A::operator bool() const` is A, operator bool."""
    if operator := _OPERATOR.match(text):
        rest = operator["rest"].strip()
        symbol = "()" if rest.startswith("()") else " ".join(rest.split("(")[0].split())
        name = f"operator{' ' if symbol[:1].isalpha() else ''}{symbol}"
        return (*_split_cpp_name(operator["owner"]), name) if operator["owner"] else (name,)
    before = None
    while text != before:
        before, text = text, _BRACKETED.sub("", text)
    parts = tuple(part.strip() for part in text.split("::") if part.strip())
    return parts if all(map(_PLAIN.fullmatch, parts)) else ()
