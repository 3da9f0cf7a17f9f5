from collections.abc import Callable, Mapping

import pytest

from selfplay_tools.code.languages import LANGUAGES
from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.tools.outline import Outline, outline
from selfplay_tools.tools.tool import CallResult, ShownRange
from selfplay_tools.tools.toolbox import Toolbox

ToolboxOn = Callable[[Mapping[str, str | bytes]], Toolbox]


def run_outline(toolbox_on: ToolboxOn, path: str, content: str | bytes, start: int = 1) -> CallResult:
    return outline(toolbox_on({path: content}).snapshot, Outline(path=path, start=start))


def test_definitions_are_nested_as_in_the_file(toolbox_on: ToolboxOn) -> None:
    text = "LIMIT = 3\n\n\n@final\nclass A(B):\n    def m(self, x: int) -> str:\n        return ''\n\ndef f(): pass\n"
    assert run_outline(toolbox_on, "a.py", text) == CallResult(
        text=(
            "a.py: 9 lines, 4 definitions\n"
            "1-1  LIMIT = 3\n"
            "4-7  class A(B)\n"
            "6-7    def m(self, x: int) -> str\n"
            "9-9  def f()"
        ),
        shown=tuple(ShownRange(path="a.py", first=line, last=line, how="outline") for line in (1, 5, 6, 9)),
    )


def test_what_stands_apart_from_its_owner_names_it(toolbox_on: ToolboxOn) -> None:
    rust = "struct A;\nstruct B;\nimpl A {\n    fn new() -> Self { A }\n}\n"
    assert "4-4  fn new() -> Self  [A.new]" in run_outline(toolbox_on, "a.rs", rust).text
    go = "package p\ntype A struct{}\ntype B struct{}\nfunc (a *A) Do() {}\n"
    assert "4-4  func (a *A) Do()" in run_outline(toolbox_on, "a.go", go).text.splitlines()


@pytest.mark.parametrize(
    ("path", "text", "row"),
    [
        ("a.py", "class A:\n    def f(self): pass\n", "2-2    def f(self)"),
        ("a.js", "class A {\n  f() {}\n}\n", "2-2    f()"),
        ("a.ts", "interface A {\n  f(): void;\n}\n", "2-2    f(): void"),
        ("a.tsx", "class A {\n  f() { return <b/>; }\n}\n", "2-2    f()"),
        ("a.go", "package p\n\nfunc F() {}\n", "3-3  func F()"),
        ("a.rs", "trait A {\n    fn f(&self);\n}\n", "2-2    fn f(&self);"),
        ("A.java", "class A {\n  void f() {}\n}\n", "2-2    void f()"),
        ("a.c", "static int\nf(void)\n{\n}\n", "1-4  static int f(void)"),
        ("a.cc", "struct A {\n  int f() { return 1; }\n};\n", "2-2    int f()"),
        ("a.rb", "class A\n  def f\n  end\nend\n", "2-3    def f"),
    ],
)
def test_every_grammar_has_an_outline(toolbox_on: ToolboxOn, path: str, text: str, row: str) -> None:
    assert row in run_outline(toolbox_on, path, text).text.splitlines()


def test_no_grammar_is_missing_above() -> None:
    assert len(LANGUAGES) == 10


def test_markdown_gives_its_headings_outside_of_code(toolbox_on: ToolboxOn) -> None:
    text = "# Top #\n\ntext\n```sh\n# no heading\n```\n## Part *one*\nOther\n=====\n~~~\n## none\n```\n~~~\n### Deep\n"
    assert run_outline(toolbox_on, "docs/a.md", text).text == (
        "docs/a.md: 14 lines, 4 headings\n1  Top\n7    Part *one*\n8  Other\n14      Deep"
    )


def test_a_long_outline_goes_on_from_a_line(toolbox_on: ToolboxOn) -> None:
    text = "".join(f"def f{number}(): pass\n" for number in range(500))
    first = run_outline(toolbox_on, "a.py", text)
    assert "[200 more definitions: outline with start=301]" in first.text
    assert len(first.shown) == 300
    rest = run_outline(toolbox_on, "a.py", text, start=301)
    assert [rest.shown[0].first, rest.shown[-1].last] == [301, 500]
    assert "none from line 501 on; the last is at line 500" in run_outline(toolbox_on, "a.py", text, start=501).text


def test_long_signatures_do_not_make_a_long_result(toolbox_on: ToolboxOn) -> None:
    text = "".join(f"def f{number}({'argument, ' * 100}): pass\n" for number in range(300))
    result = run_outline(toolbox_on, "a.py", text)
    assert len(result.text) <= 16_000
    assert f"outline with start={len(result.shown) + 1}" in result.text


def test_a_folder_is_for_list_dir_and_a_plain_text_for_read_file(toolbox_on: ToolboxOn) -> None:
    snapshot = toolbox_on({"src/a.css": "a { }\n"}).snapshot
    with pytest.raises(BadArgument, match="list_dir"):
        outline(snapshot, Outline(path="src", start=1))
    with pytest.raises(NotReadable, match="read_file"):
        outline(snapshot, Outline(path="src/a.css", start=1))


def test_a_link_leads_to_the_real_file(toolbox_on: ToolboxOn) -> None:
    snapshot = toolbox_on({"real.py": "def f(): pass\n", "link.py": "->real.py"}).snapshot
    result = outline(snapshot, Outline(path="link.py", start=1))
    assert result.text.startswith("real.py: 1 line, 1 definition\n")
    assert "'link.py' is a link to 'real.py'" in result.text


def test_an_empty_file_has_an_empty_outline(toolbox_on: ToolboxOn) -> None:
    assert run_outline(toolbox_on, "a.py", b"") == CallResult(text="a.py: 0 lines, 0 definitions")
