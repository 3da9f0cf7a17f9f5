from collections.abc import Callable, Mapping

import pytest

from selfplay_tools.code import code_file as code
from selfplay_tools.code.code_file import find_symbol_lines
from selfplay_tools.errors import BadArgument, NoSuchPath, NotReadable
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.find_symbol import FindSymbol, find_symbol
from selfplay_tools.tools.tool import CallResult, ShownRange
from selfplay_tools.tools.toolbox import Toolbox

Opened = Callable[[Mapping[str, str | bytes]], Snapshot]

MODELS = '''"""Words: def save(self) in a text."""

class Base:
    def save(self):
        return 1


class Model(Base):
    @property
    def name(self):
        return "save"

    def save(self):
        # def save(): pass
        return super().save()


def save(model):
    model.save()
'''


@pytest.fixture
def opened(toolbox_on: Callable[[Mapping[str, str | bytes]], Toolbox]) -> Opened:
    return lambda files: toolbox_on(files).snapshot


def find(snapshot: Snapshot, name: str, path: str = "", limit: int = 20) -> CallResult:
    return find_symbol(snapshot, FindSymbol(name=name, path=path, limit=limit))


def places(result: CallResult) -> list[str]:
    rows = result.text.splitlines()[1:]
    return [row for row in rows if row[:1] not in {" ", "["}]


def test_definitions_come_in_full_name_first_then_in_path_order(opened: Opened) -> None:
    snapshot = opened({"b/models.py": MODELS, "a.js": "const x = { save() {} };\n"})
    assert places(find(snapshot, "save")) == [
        "b/models.py:18-19 function save",
        "a.js:1-1 method x.save",
        "b/models.py:4-5 method Base.save",
        "b/models.py:13-15 method Model.save",
    ]


@pytest.mark.parametrize("name", ["Model.save", "Model::save", "Model#save", "`Model.save()`", "Model->save"])
def test_a_qualified_name_may_be_written_in_any_language_s_way(opened: Opened, name: str) -> None:
    assert places(find(opened({"m.py": MODELS}), name)) == ["m.py:13-15 method Model.save"]


def test_a_whole_definition_counts_as_read_and_a_part_as_outline(opened: Opened) -> None:
    long = "def long():\n" + "    x = 1\n" * 30
    snapshot = opened({"m.py": MODELS, "long.py": long})
    assert find(snapshot, "Model.save").shown == (ShownRange(path="m.py", first=13, last=15, how="read"),)
    result = find(snapshot, "long")
    assert result.shown == (ShownRange(path="long.py", first=1, last=12, how="outline"),)
    assert "… 19 more lines" in result.text


def test_the_lines_shown_are_those_of_the_file(opened: Opened) -> None:
    result = find(opened({"m.py": MODELS.replace("\n", "\r\n")}), "Model.name")
    assert result.text == (
        '1 definition of "Model.name" in the root folder\n'
        "m.py:9-11 method Model.name\n"
        "     9\t    @property\n"
        "    10\t    def name(self):\n"
        '    11\t        return "save"'
    )


def test_a_declaration_comes_after_the_definition(opened: Opened) -> None:
    snapshot = opened({"a.h": "int area(int);\n", "z.c": '#include "a.h"\nint area(int x) { return x; }\n'})
    assert places(find(snapshot, "area")) == ["z.c:2-2 function area", "a.h:1-1 declaration area"]


def test_an_unknown_owner_gives_the_definitions_of_the_name_and_says_so(opened: Opened) -> None:
    result = find(opened({"m.py": MODELS}), "Other.save")
    assert len(places(result)) == 3
    assert "nothing is defined as Other.save" in result.text


def test_a_path_narrows_the_search(opened: Opened) -> None:
    snapshot = opened({"a/m.py": MODELS, "b/m.py": MODELS})
    assert places(find(snapshot, "Base", "b")) == ["b/m.py:3-5 class Base"]
    assert places(find(snapshot, "Base", "a/m.py")) == ["a/m.py:3-5 class Base"]
    with pytest.raises(NoSuchPath):
        find(snapshot, "Base", "c")


def test_more_than_the_limit_is_counted(opened: Opened) -> None:
    result = find(opened({f"{number}.py": "def run(): pass\n" for number in range(9)}), "run", limit=4)
    assert len(places(result)) == 4
    assert len(result.shown) == 4
    assert "[5 more definitions: narrow it with path or Outer.name, or raise limit]" in result.text


def test_a_name_that_differs_in_case_or_spelling_is_suggested(opened: Opened) -> None:
    snapshot = opened({"m.py": MODELS, "n.py": "def get_query_set(): pass\ndef get_rows(): pass\n"})
    assert "did you mean Model (m.py:8)?" in find(snapshot, "model").text
    assert "did you mean get_query_set (n.py:1)" in find(snapshot, "get_query_sets").text
    assert "no defined name looks like it" in find(snapshot, "zebra").text


def test_a_name_only_in_comments_and_strings_is_not_defined(opened: Opened) -> None:
    result = find(opened({"m.py": '# def ghost(): pass\nx = """\ndef ghost(): pass\n"""\n'}), "ghost")
    assert result.text.startswith('No definition of "ghost" in the root folder.')
    assert result.shown == ()


@pytest.mark.parametrize("name", ["def save", "   ", "()", "a b.c"])
def test_what_is_no_name_is_refused_with_advice(opened: Opened, name: str) -> None:
    with pytest.raises(BadArgument, match="use grep"):
        find(opened({"m.py": MODELS}), name)


def test_a_file_too_large_to_parse_is_named(opened: Opened) -> None:
    snapshot = opened({"big.py": "def huge(): pass\n" + "x = 1\n" * 200_000})
    assert "not parsed: big.py (1.1 MB of text; files over 1.0 MB are not parsed); use grep there" in (
        find(snapshot, "huge").text
    )


def test_the_answer_does_not_depend_on_what_was_read_before(opened: Opened) -> None:
    files = {"m.py": MODELS, "x.c": "#define SHOUT(x) x\nSHOUT(save)\nint save(int a)\n{\n return a;\n}\n"}
    first = [find(opened(files), name) for name in ("save", "a", "SHOUT", "Base")]
    snapshot = opened(files)
    for path in files:
        code.code_of(snapshot, path, with_non_code=True)
    assert [find(snapshot, name) for name in ("save", "a", "SHOUT", "Base")] == first


@pytest.mark.parametrize(
    ("path", "text", "name", "where"),
    [
        ("a.cc", "struct A { bool operator ==(int) { return 1; } };\n", "A::operator==", "method A.operator=="),
        ("a.cc", "struct A { ~A() {} };\n", "A::~A", "method A.~A"),
        ("a.rb", "class A\n  def ok?; end\n  def x=(v); end\nend\n", "ok?", "method A.ok?"),
        ("a.js", "class A { #secret() {} }\n", "#secret", "method A.#secret"),
        ("a.js", "$el = function () {};\n", "$el", "function $el"),
        ("a.go", "package p\nfunc (s *Set) Add() {}\n", "Set.Add", "method Set.Add"),
        ("a.rs", "impl a::Set { fn add() {} }\n", "Set::add", "method Set.add"),
    ],
)
def test_names_of_every_shape_are_found(opened: Opened, path: str, text: str, name: str, where: str) -> None:
    assert [row.split(" ", 1)[1] for row in places(find(opened({path: text}), name))] == [where]


def test_symbol_lines_are_those_of_the_definition(opened: Opened) -> None:
    snapshot = opened({"m.py": MODELS})
    assert find_symbol_lines(snapshot, "m.py", "Model") == (8, 15)
    assert find_symbol_lines(snapshot, "m.py", "Model.name") == (9, 11)
    assert find_symbol_lines(snapshot, "m.py", "Model.missing") is None


def test_symbol_lines_prefer_the_full_name_then_a_body_then_the_first(opened: Opened) -> None:
    snapshot = opened({"m.py": MODELS, "a.c": "int f(int);\nint f(int a) { return a; }\n", "b.py": "x = 1\nx = 2\n"})
    assert find_symbol_lines(snapshot, "m.py", "save") == (18, 19)
    assert find_symbol_lines(snapshot, "a.c", "f") == (2, 2)
    assert find_symbol_lines(snapshot, "b.py", "x") == (1, 1)


def test_symbol_lines_say_when_a_file_has_no_definitions_to_read(opened: Opened) -> None:
    snapshot = opened({"a.css": "a { }\n", "big.py": "x = 1\n" * 200_000})
    with pytest.raises(NotReadable, match="no language"):
        find_symbol_lines(snapshot, "a.css", "a")
    with pytest.raises(NotReadable, match="files over"):
        find_symbol_lines(snapshot, "big.py", "x")
    with pytest.raises(NoSuchPath):
        find_symbol_lines(snapshot, "none.py", "x")


def test_a_name_in_a_comment_costs_no_parsing(opened: Opened) -> None:
    """The second file could not be parsed, which would be said."""
    licence = "/* Permission to use, copy,\n * modify, merge, publish,\n */\n"
    snapshot = opened({"a.c": "int merge(int a)\n{\n\treturn a;\n}\n", "b.c": licence + "int x;\n" * 200_000})
    assert find(snapshot, "merge").text.splitlines()[1] == "a.c:1-4 function merge"
    assert "b.c" not in find(snapshot, "merge").text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("static int f(void)\n{\n\tint stat = 1;\n\treturn stat;\n}\n", 0),
        ("struct a {\n\tint stat;\n};\n", 0),
        ('extern "C" {\n  int stat(int);\n}\n', 1),
        ("#if X\n  static int stat = 1;\n#endif\n", 1),
        ("void f(void)\n{\n  struct stat {\n    int a;\n  };\n}\n", 1),
        ("int f(void)\n{ return 1; }\n  int stat;\n", 1),
    ],
)
def test_what_stands_inside_of_braces_in_c_is_local(opened: Opened, text: str, count: int) -> None:
    assert len(places(find(opened({"a.c": text}), "stat"))) == count


def test_the_answer_is_the_same_once_files_were_read(opened: Opened) -> None:
    files = {
        "a.c": "#define A(b) b\nint load(int);\n",
        "a.h": "struct load { int x; };\n",
        "b.py": "def load(): pass\n",
    }
    snapshot = opened(files)
    first = find(snapshot, "load")
    assert find(snapshot, "load") == first
    code.clear_cache()
    for path in files:
        code.code_of(snapshot, path)
    assert find(snapshot, "load") == first
