"""Results within smaller limits than the usual ones: for models with a small context."""

import json
import re
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfplay_tools.output import LEAST_CHARS, ResultLimits
from selfplay_tools.tools.schema import function_schema
from selfplay_tools.tools.tool import CallResult, Tool, ToolArguments, tool_within
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS, Toolbox, tools_expected

Make = Callable[[Mapping[str, str | bytes]], Toolbox]

SMALL = ResultLimits(max_chars=800, max_lines=50, max_rows=10)
CODE = "".join(
    f"class Part{n}:\n    def handle_message(self, message):\n        {'x = 1; ' * 40}\n"
    "        return handle(message)\n\n"
    for n in range(30)
)
TREE: dict[str, str | bytes] = {
    **{f"src/module_{n:02}.py": CODE for n in range(12)},
    **{f"src/{'deep/' * 12}file_{n}.txt": "a message\n" * 30 for n in range(20)},
    "data.bin": b"\0\1",
    "README.md": "".join(f"# Part {n}\n\nOne message.\n\n" for n in range(40)),
}
CALLS: list[tuple[str, dict[str, object]]] = [
    ("list_dir", {"path": "src", "depth": 4}),
    ("find_files", {"pattern": "*.py"}),
    ("find_files", {"pattern": "file_*"}),
    ("read_file", {"path": "src/module_00.py"}),
    ("grep", {"pattern": "message"}),
    ("grep", {"pattern": "return", "context": 10}),
    ("search", {"query": "handle message part"}),
    ("find_symbol", {"name": "handle_message"}),
    ("find_references", {"name": "message"}),
    ("outline", {"path": "src/module_00.py"}),
    ("outline", {"path": "README.md"}),
]


@pytest.fixture
def small(toolbox_on: Make) -> Toolbox:
    return Toolbox(toolbox_on(TREE).snapshot, limits=SMALL)


def test_with_the_usual_limits_a_tool_is_the_same_object() -> None:
    assert [tool_within(tool, ResultLimits()) for tool in DEFAULT_TOOLS] == list(DEFAULT_TOOLS)
    assert tool_within(DEFAULT_TOOLS[0], SMALL) is tool_within(DEFAULT_TOOLS[0], SMALL)


def test_the_schemas_say_what_the_limits_are() -> None:
    functions = {tool.name: function_schema(tool_within(tool, SMALL))["function"] for tool in DEFAULT_TOOLS}
    assert "10 rows per call" in functions["list_dir"]["description"]
    assert "At most 50 lines per call; lines are cut at 350 characters." in functions["read_file"]["description"]
    count = functions["read_file"]["parameters"]["properties"]["count"]
    assert (count["maximum"], count["default"]) == (50, 50)
    for name in ("find_files", "grep", "search", "find_symbol", "find_references"):
        limit = functions[name]["parameters"]["properties"]["limit"]
        assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 10, 10)


def test_but_for_its_bounds_a_schema_stays_as_it_is() -> None:
    for tool in DEFAULT_TOOLS:
        usual, small = (json.dumps(function_schema(tool_within(tool, limits))) for limits in (ResultLimits(), SMALL))
        assert re.sub(r"\d+", "", usual) == re.sub(r"\d+", "", small)


@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_a_result_keeps_to_its_limits_and_says_what_it_leaves_out(
    name: str, arguments: dict[str, object], small: Toolbox
) -> None:
    result = small.run(name, json.dumps(arguments))
    assert result.ok
    assert len(result.text) <= SMALL.max_chars
    assert re.search(r"[\[…].*\bmore (row|path|line|matching line|file|definition|heading)", result.text)
    assert not result.text.endswith("ask for less]")
    assert bool(result.shown) == (name not in {"list_dir", "find_files"})


def follow_pages(toolbox: Toolbox, name: str, arguments: Mapping[str, object], key: str) -> Iterator[CallResult]:
    """The pages that a result and those after it point to."""
    given = dict(arguments)
    while True:
        result = toolbox.run(name, json.dumps(given))
        assert result.ok, result.text
        yield result
        following = re.search(rf"{name} with {key}=(\d+)", result.text)
        if not following:
            return
        given[key] = int(following[1])


def test_page_after_page_a_file_is_read_whole(small: Toolbox) -> None:
    pages = list(follow_pages(small, "read_file", {"path": "src/module_00.py"}, "start"))
    read = [number for page in pages for part in page.shown for number in range(part.first, part.last + 1)]
    assert read == list(range(1, len(CODE.splitlines()) + 1))
    for page in pages:
        [part] = page.shown
        assert f"\n{part.last:6}\t" in page.text
        assert f"\n{part.last + 1:6}\t" not in page.text


def test_page_after_page_every_matching_line_is_shown(small: Toolbox) -> None:
    pages = list(follow_pages(small, "grep", {"pattern": "return handle"}, "offset"))
    lines = [(part.path, n) for page in pages for part in page.shown if part.how == "match"
             for n in range(part.first, part.last + 1)]  # fmt: skip
    assert len(lines) == len(set(lines)) == 12 * 30


def test_page_after_page_every_path_is_listed(small: Toolbox) -> None:
    pages = list(follow_pages(small, "find_files", {"pattern": "**/*"}, "offset"))
    paths = {line for page in pages for line in page.text.split("\n") if "/" in line and not line.startswith("[")}
    assert paths >= {path for path in TREE if "/" in path}


def test_a_match_whose_context_has_no_room_stands_alone(small: Toolbox) -> None:
    result = small.run("grep", '{"pattern": "return handle", "context": 10, "limit": 1}')
    assert "no room for the lines around the first match: read_file shows them" in result.text
    assert [(part.first, part.last) for part in result.shown] == [(4, 4)]


def test_more_lines_than_usual_can_be_allowed(toolbox_on: Make) -> None:
    toolbox = Toolbox(toolbox_on({"a": "x\n" * 900}).snapshot, limits=ResultLimits(max_lines=800))
    assert "lines 1-800 of 900" in toolbox.run("read_file", '{"path": "a", "count": 800}').text


class Nothing(ToolArguments):
    """No arguments."""


def test_a_tool_that_knows_of_no_limits_is_cut_all_the_same(toolbox_on: Make) -> None:
    rambling = Tool(name="r", description="", arguments=Nothing, run=lambda _s, _a: CallResult("a line\n" * 900))
    toolbox = Toolbox(toolbox_on({}).snapshot, [rambling], SMALL)
    assert toolbox.tools == (rambling,)
    assert len(toolbox.run("r", "{}").text) <= SMALL.max_chars
    assert len(toolbox.run("x" * 3_000, "{}").text) <= SMALL.max_chars


def test_the_tools_expected_come_in_that_order_and_unnamed_ones_of_a_configuration_last() -> None:
    extra = Tool(name="extra", description="", arguments=Nothing, run=lambda _s, _a: CallResult(""))
    names = [tool.name for tool in tools_expected((extra, *DEFAULT_TOOLS), ["finish", "grep", "gone"])]
    assert names == ["finish", "grep", "extra"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_limits_no_result_is_longer(small: Toolbox, data: st.DataObject) -> None:
    limits = ResultLimits(
        data.draw(st.integers(LEAST_CHARS, 4_000)), data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    )
    name, arguments = data.draw(st.sampled_from(CALLS))
    result = Toolbox(small.snapshot, limits=limits).run(name, json.dumps(arguments))
    assert result.ok
    assert len(result.text) <= limits.max_chars
    for part in result.shown:
        if part.how == "read" and name == "read_file":
            assert all(f"\n{number:6}\t" in result.text for number in range(part.first, part.last + 1))
