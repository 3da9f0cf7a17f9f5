"""Which language a file is written in, and the grammar and queries to read it with.

A grammar is loaded when the first file of its language is read. Nothing is downloaded: each comes from its own wheel.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources

from tree_sitter import Language as Grammar
from tree_sitter import Query

from selfplay_tools.text.regex import compile_regex


@dataclass(frozen=True, slots=True)
class Language:
    """One language whose definitions can be read."""

    name: str
    title: str
    wheel: str
    """The package that holds its grammar."""
    loader: str = "language"
    """The function of that package which gives it."""
    queries: tuple[str, ...] = ()
    """Names of the query files, from the most general."""
    non_code_nodes: tuple[str, ...] = ()
    """Kinds of syntax nodes that hold text, not code: comments, and what strings consist of."""


_C_NON_CODE = ("comment", "string_content", "system_lib_string", "character")
_SCRIPT_NON_CODE = ("comment", "html_comment", "hash_bang_line", "string_fragment", "regex_pattern", "jsx_text")

LANGUAGES: Mapping[str, Language] = {
    language.name: language
    for language in (
        Language("c", "C", "tree_sitter_c", queries=("c",), non_code_nodes=_C_NON_CODE),
        Language(
            "cpp", "C++", "tree_sitter_cpp", queries=("c", "cpp"), non_code_nodes=(*_C_NON_CODE, "raw_string_content")
        ),
        Language(
            "go",
            "Go",
            "tree_sitter_go",
            queries=("go",),
            non_code_nodes=("comment", "interpreted_string_literal_content", "raw_string_literal_content"),
        ),
        Language(
            "java",
            "Java",
            "tree_sitter_java",
            queries=("java",),
            non_code_nodes=("line_comment", "block_comment", "string_fragment", "multiline_string_fragment"),
        ),
        Language(
            "javascript",
            "JavaScript",
            "tree_sitter_javascript",
            queries=("ecmascript", "javascript"),
            non_code_nodes=_SCRIPT_NON_CODE,
        ),
        Language(
            "python", "Python", "tree_sitter_python", queries=("python",), non_code_nodes=("comment", "string_content")
        ),
        Language(
            "ruby",
            "Ruby",
            "tree_sitter_ruby",
            queries=("ruby",),
            non_code_nodes=("comment", "string_content", "heredoc_content", "uninterpreted"),
        ),
        Language(
            "rust",
            "Rust",
            "tree_sitter_rust",
            queries=("rust",),
            non_code_nodes=("line_comment", "block_comment", "string_content", "char_literal"),
        ),
        Language(
            "tsx",
            "TypeScript with JSX",
            "tree_sitter_typescript",
            "language_tsx",
            queries=("ecmascript", "typescript"),
            non_code_nodes=_SCRIPT_NON_CODE,
        ),
        Language(
            "typescript",
            "TypeScript",
            "tree_sitter_typescript",
            "language_typescript",
            queries=("ecmascript", "typescript"),
            non_code_nodes=tuple(kind for kind in _SCRIPT_NON_CODE if kind != "jsx_text"),
        ),
    )
}

_SUFFIXES: Mapping[str, str] = {
    suffix: name
    for name, suffixes in {
        "c": ".c",
        "cpp": ".cc .cpp .cxx .c++ .hh .hpp .hxx .h++ .ipp .inl .tpp .txx .cu .cuh .ino",
        "go": ".go",
        "java": ".java",
        "javascript": ".js .jsx .mjs .cjs .es6",
        "python": ".py .pyi .pyw .wsgi .bzl",
        "ruby": ".rb .rake .gemspec .ru .podspec .rbi .jbuilder",
        "rust": ".rs",
        "tsx": ".tsx",
        "typescript": ".ts .mts .cts",
    }.items()
    for suffix in suffixes.split()
}
_FILE_NAMES: Mapping[str, str] = {
    "BUILD": "python",
    "SConscript": "python",
    "SConstruct": "python",
    "wscript": "python",
    "Gemfile": "ruby",
    "Rakefile": "ruby",
    "Guardfile": "ruby",
    "Podfile": "ruby",
    "Vagrantfile": "ruby",
    "Jakefile": "javascript",
}
_INTERPRETERS: Mapping[str, str] = {
    "python": "python",
    "pypy": "python",
    "ruby": "ruby",
    "jruby": "ruby",
    "node": "javascript",
    "nodejs": "javascript",
    "bun": "javascript",
    "deno": "typescript",
    "ts-node": "typescript",
}
_SHEBANG = re.compile(rb"#![^\n]*?[/ ]([a-z][a-z-]*)[0-9.]*(?: +-[^\n]*)?\s*?(?:\n|$)")
_CPP_IN_HEADER = compile_regex(
    r"(?m)^[ \t]*(?:class[ \t]+\w[\w \t]*[:;{]|(?:inline )?namespace\b[\w:]*|template\s*<|using[ \t]+[\w:]+"
    r"|(?:public|private|protected)[ \t]*:|enum class\b)|\bstd::|\bconstexpr\b|\w::\w"
)


def may_have_language(path: str) -> bool:
    """Whether `language_of` could name a language for this path: false means that its text need not be read."""
    name, suffix = name_and_suffix(path)
    return suffix in _SUFFIXES or suffix in ("", ".h") or name in _FILE_NAMES


def name_and_suffix(path: str) -> tuple[str, str]:
    """The last part of a path, and its suffix in lower case (`.py`), empty for names such as `.profile`."""
    name = path.rpartition("/")[2]
    stem, _, suffix = name.rpartition(".")
    return name, f".{suffix.lower()}" if stem and suffix else ""


def has_suffix_of_code(path: str) -> bool:
    """Whether the file's suffix alone says that it is code."""
    suffix = name_and_suffix(path)[1]
    return suffix == ".h" or suffix in _SUFFIXES


def likely_languages(path: str) -> Sequence[str]:
    """Names of languages that `language_of` can give for this path, one of each that is told apart by other words."""
    name, suffix = name_and_suffix(path)
    if suffix == ".h":
        return ("c",)
    found = _SUFFIXES.get(suffix) or _FILE_NAMES.get(name)
    if found:
        return (found,)
    return () if suffix else tuple(dict.fromkeys(_INTERPRETERS.values()))


def language_of(path: str, source: bytes) -> Language | None:
    """The language of a file, or None.

    By its suffix, else by its name, else, where it has no suffix, by the interpreter in its first line. A `.h` is C++
    where something in it can't be C (a class, a namespace, a template, `::`), else C.
    """
    name, suffix = name_and_suffix(path)
    if suffix == ".h":
        return LANGUAGES["cpp" if _CPP_IN_HEADER.find(source, 0, len(source)) >= 0 else "c"]
    found = _SUFFIXES.get(suffix) or _FILE_NAMES.get(name) or (None if suffix else _find_in_shebang(source))
    return LANGUAGES[found] if found else None


def _find_in_shebang(source: bytes) -> str | None:
    match = _SHEBANG.match(source[:256])
    return _INTERPRETERS.get(match.group(1).decode()) if match else None


@cache
def load_grammar(language: Language) -> Grammar:
    """The grammar, from its wheel."""
    load: Callable[[], object] = getattr(import_module(language.wheel), language.loader)
    return Grammar(load())


@cache
def load_definitions_query(language: Language) -> Query:
    """Finds definitions: `docs/languages.md` says what its captures mean."""
    folder = resources.files("selfplay_tools.code") / "queries"
    texts = [(folder / f"{name}.scm").read_text(encoding="utf-8") for name in language.queries]
    return Query(load_grammar(language), "\n".join(texts))


@cache
def make_non_code_query(language: Language) -> Query:
    """Finds what is not code: comments, and the text of strings (what is interpolated into one is code)."""
    return Query(load_grammar(language), "\n".join(f"({kind}) @quiet" for kind in language.non_code_nodes))
