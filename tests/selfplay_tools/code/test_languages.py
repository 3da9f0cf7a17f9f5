import re
from pathlib import Path

import pytest

from selfplay_tools.code.languages import (
    LANGUAGES,
    Language,
    language_of,
    load_definitions_query,
    load_grammar,
    make_non_code_query,
    may_have_language,
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.py", "python"),
        ("stubs/b.pyi", "python"),
        ("SConstruct", "python"),
        ("web/app.jsx", "javascript"),
        ("web/app.MJS", "javascript"),
        ("web/app.ts", "typescript"),
        ("web/app.tsx", "tsx"),
        ("main.go", "go"),
        ("lib.rs", "rust"),
        ("A.java", "java"),
        ("a.c", "c"),
        ("a.cc", "cpp"),
        ("a.hpp", "cpp"),
        ("Gemfile", "ruby"),
        ("tasks/x.rake", "ruby"),
    ],
)
def test_a_suffix_or_a_name_tells_the_language(path: str, name: str) -> None:
    language = language_of(path, b"")
    assert language is LANGUAGES[name]
    assert may_have_language(path)


@pytest.mark.parametrize("path", ["a.css", "README.md", "a.py.orig", ".gitignore.txt", "a.json"])
def test_other_suffixes_have_no_language_and_need_not_be_read(path: str) -> None:
    assert language_of(path, b"#!/usr/bin/python\n") is None
    assert not may_have_language(path)


@pytest.mark.parametrize(
    ("first_line", "name"),
    [
        (b"#!/usr/bin/env python3\n", "python"),
        (b"#!/usr/bin/python3.11 -u\n", "python"),
        (b"#! /usr/bin/ruby\n", "ruby"),
        (b"#!/usr/bin/env node\r\n", "javascript"),
        (b"#!/usr/bin/env -S deno run\n", None),
        (b"#!/bin/sh\npython\n", None),
        (b"print('#!/usr/bin/python')\n", None),
        (b"", None),
    ],
)
def test_a_file_without_suffix_has_the_language_of_its_interpreter(first_line: bytes, name: str | None) -> None:
    language = language_of("bin/run", first_line)
    assert (language.name if language else None) == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"", "c"),
        (b"struct a { int x; };\nint f(void);\n", "c"),
        (b'#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n', "c"),
        (b"/* a class of\n * things */\nstruct a;\n", "c"),
        (b"class A {\n};\n", "cpp"),
        (b"class A;\n", "cpp"),
        (b"namespace a {\n}\n", "cpp"),
        (b"  template <typename T> T f();\n", "cpp"),
        (b"std::string f();\n", "cpp"),
        (b"struct A {\n private:\n  int x;\n};\n", "cpp"),
    ],
)
def test_a_header_is_cpp_where_something_in_it_cannot_be_c(header: bytes, name: str) -> None:
    language = language_of("include/a.h", header)
    assert language is LANGUAGES[name]


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=lambda language: language.name)
def test_every_grammar_loads_and_fits_its_queries(language: Language) -> None:
    assert load_grammar(language).abi_version >= 13
    assert load_definitions_query(language).pattern_count > 5
    assert make_non_code_query(language).pattern_count == len(language.non_code_nodes)


def test_the_page_on_languages_names_each_language_and_suffix() -> None:
    page = (Path(__file__).parents[3] / "docs" / "languages.md").read_text(encoding="utf-8")
    for language in LANGUAGES.values():
        assert f"| {language.title} |" in page
    suffixes = set(re.findall(r"`(\.\w+)`", page))
    assert len(suffixes) > 35
    assert all(may_have_language(f"a{suffix}") for suffix in suffixes)
