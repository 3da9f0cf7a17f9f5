"""Queries look at a text in pieces: what they find does not depend on where it is cut, and no piece is large."""

from itertools import pairwise

import pytest

from selfplay_tools.code.languages import LANGUAGES, language_of, load_definitions_query
from selfplay_tools.code.syntax import QUERIED_BYTES, QueryMatch, cut_pieces, find_matches, find_non_code, parse

TEXTS = {
    "a.py": "class A:\n    X = 1\n    @d\n    def f(self):\n        def g(): 'text'\n\nif a:\n    B, C = 1, 2  # why\n",
    "a.js": "export const a = () => { function b() {} };\nclass C { d() {} }\nmodule.exports.e = function () {};\n",
    "a.ts": "@d() export class A { f = () => 1; g(): void {} }\ndeclare const b: 'x';\ninterface I { m(): void }\n",
    "a.tsx": "export default function A() { return <b c='d'>text</b>; }\nconst e = 1, f = 2;\n",
    "a.go": "package p\nconst (\n\ta = 1\n\tb = `x`\n)\ntype S struct{ c int }\nfunc (s *S) M() {}\nvar d, e = 1, 2\n",
    "a.rs": '#[a]\n#[b]\npub struct S;\nimpl S { fn f() {} const C: &str = "x"; }\n/// d\nmod m { fn g() {} }\n',
    "A.java": "class A { static final int B = 1; void f() {} enum E { X { void g() {} } } }\ninterface I {}\n",
    "a.c": "#define A 1\nstruct s { int x; } v;\n#if A\nint f(void) { return 'c'; }\n#endif\nint g;\ntypedef int t;\n",
    "a.cc": "namespace n { template <class T> struct S { T f(); }; }\nint n::S<int>::f() { return 1; }\nint x;\n",
    "a.rb": "module M\n class A\n  attr :b\n  def d; end\n end\nend\nP = Struct.new(:a) do\n def e; end\nend\n",
}


def describe_matches(found: list[tuple[int, QueryMatch]]) -> list[tuple[object, ...]]:
    rows = [
        (number, *((name, node.start_byte, node.end_byte) for name, nodes in match.items() for node in nodes))
        for number, match in found
    ]
    return sorted(rows, key=repr)


@pytest.mark.parametrize("path", TEXTS)
@pytest.mark.parametrize("piece_bytes", [1, 2, 7, 30])
def test_each_match_is_found_once_wherever_a_text_is_cut(path: str, piece_bytes: int) -> None:
    source = TEXTS[path].encode() * 3
    language = language_of(path, source)
    assert language is not None
    tree, query = parse(language, source), load_definitions_query(language)
    whole = describe_matches(list(find_matches(query, tree, len(source) + 1)))
    assert len(whole) > 5
    assert describe_matches(list(find_matches(query, tree, piece_bytes))) == whole
    cut, uncut = find_non_code(language, tree, piece_bytes), find_non_code(language, tree, len(source) + 1)
    assert (cut.starts, cut.ends) == (uncut.starts, uncut.ends)


def test_there_is_a_text_for_every_grammar() -> None:
    named = {language.name for path in TEXTS if (language := language_of(path, TEXTS[path].encode()))}
    assert named == set(LANGUAGES)


@pytest.mark.parametrize("length", [0, 1, QUERIED_BYTES - 1, QUERIED_BYTES, QUERIED_BYTES + 1, 5 * QUERIED_BYTES + 3])
def test_pieces_cover_a_text_and_none_holds_the_interpreter_for_long(length: int) -> None:
    cuts = list(cut_pieces(length, QUERIED_BYTES))
    assert cuts[0][0] == 0
    assert cuts[-1][1] > length
    assert all(before[1] == after[0] for before, after in pairwise(cuts))
    assert max(end - start for start, end in cuts) <= QUERIED_BYTES + 1
