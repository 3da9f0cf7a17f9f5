import json
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfplay_tools.errors import GitFailed
from selfplay_tools.output import MAX_CHARS
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.tool import CallResult, ShownRange, Tool, ToolArguments
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS, Toolbox

Make = Callable[[Mapping[str, str | bytes]], Toolbox]

TREE: dict[str, str | bytes] = {
    "README.md": "The server sends headers.\n",
    "src/server.py": "import http\n\nclass Server:\n    def send_header(self):\n        return 'x' * 3\n",
    "src/é/odd name.py": "def f():\n\tpass\r\n",
    "src/latin.c": b"/* caf\xe9 */ int f(void) { return 0; }\n",
    "data.bin": b"\0\1\2",
    "long.txt": "a" * 5_000 + "\n",
    "empty.py": "",
    "alias": "->src/server.py",
    "away": "->../../outside",
}
CALLS = [
    ("list_dir", '{"depth": 3}'),
    ("list_dir", '{"path": "away"}'),
    ("find_files", '{"pattern": "*.{py,c}"}'),
    ("find_files", '{"pattern": "zzz"}'),
    ("read_file", '{"path": "alias"}'),
    ("read_file", '{"path": "data.bin"}'),
    ("read_file", '{"path": "src/latin.c"}'),
    ("read_file", '{"path": "src/sever.py"}'),
    ("grep", '{"pattern": "f|header", "context": 2}'),
    ("grep", '{"pattern": "a+", "ignore_case": true}'),
    ("search", '{"query": "server header"}'),
    ("find_symbol", '{"name": "Server"}'),
    ("find_references", '{"name": "f"}'),
    ("outline", '{"path": "src/server.py"}'),
    ("finish", '{"files": [{"path": "alias", "reason": "sends"}]}'),
    ("finish", '{"files": [{"path": "away", "reason": "sends"}]}'),
]


def test_the_default_tools_come_in_their_order() -> None:
    assert [tool.name for tool in DEFAULT_TOOLS] == [
        "list_dir",
        "find_files",
        "read_file",
        "grep",
        "search",
        "find_symbol",
        "find_references",
        "outline",
        "finish",
    ]


def test_schemas_come_in_the_order_of_the_tools(toolbox_on: Make) -> None:
    toolbox = toolbox_on({})
    assert [schema["function"]["name"] for schema in toolbox.schemas()] == [tool.name for tool in toolbox.tools]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("grepp", "{}", "there is no tool \"grepp\"; did you mean 'grep'?\nThe tools are: list_dir, find_files,"),
        ("", "{}", 'there is no tool ""\nThe tools are:'),
        ("grep", "", "the arguments of grep are empty; write an object with 'pattern'"),
        ("list_dir", " ", "the arguments of list_dir are empty; write {} for none"),
        ("grep", '{"pattern": "x",}', 'trailing comma, at character 17 of 17, near "{\\"pattern\\": \\"x\\",}"'),
        ("grep", '{"pattern": "é\n', "at character 15 of 15"),
        ("grep", '{"pattern": "\\ud800"}', "not valid JSON"),
        ("grep", '{"pattern": "\ud800"}', "a lone surrogate is no character, at character 14 of 16"),
        ("grep", "{'pattern': 'x'}", "key must be a string, at character 2"),
        ("grep", "[" * 3_000, "recursion limit exceeded"),
        ("grep", '["x"]', "must be one JSON object, not a list"),
        ("grep", "null", "must be one JSON object, not null"),
        ("grep", '"x"', "must be one JSON object, not the string"),
        ("grep", "{}", "- the argument 'pattern' is missing"),
        ("grep", '{"patern": "x"}', "- there is no argument \"patern\"; did you mean 'pattern'?"),
        ("grep", '{"pattern": 3}', "- 'pattern' must be a string, not the number 3"),
        ("grep", '{"pattern": null}', "- 'pattern' must be a string, not null"),
        ("grep", '{"pattern": ""}', "- 'pattern' must not be empty"),
        ("grep", '{"pattern": "x", "limit": "5"}', "- 'limit' must be an integer, not the string \"5\""),
        ("grep", '{"pattern": "x", "limit": 5.0}', "- 'limit' must be an integer, not the number 5.0"),
        ("grep", '{"pattern": "x", "limit": true}', "- 'limit' must be an integer, not the boolean true"),
        ("grep", '{"pattern": "x", "limit": 0}', "- 'limit' must be at least 1, not 0"),
        ("grep", '{"pattern": "x", "limit": 1e400}', "- 'limit'"),
        ("grep", '{"pattern": "x", "limit": NaN}', "- 'limit'"),
        ("grep", '{"pattern": "x", "limit": 999}', "- 'limit' must be at most 200, not 999"),
        ("grep", '{"pattern": "x", "limit": 99999999999999999999}', "- 'limit' must be at most 200"),
        ("grep", '{"pattern": "x", "ignore_case": "yes"}', "- 'ignore_case' must be true or false, not the string"),
        ("grep", "{}", 'grep takes pattern, path="", glob="", ignore_case=false, context=0, limit=50, offset=0'),
        ("finish", '{"files": ["a"]}', "- 'files[0]' must be an object, not the string \"a\""),
        ("finish", '{"files": "a"}', "- 'files' must be a list, not the string \"a\""),
        ("finish", '{"files": []}', "- 'files' must have at least 1 in it"),
        ("finish", '{"files": [{"path": "a", "reson": "b"}]}', "did you mean 'reason'?"),
        ("finish", "{}", "finish takes files=[{path, reason}, ...]"),
        ("list_dir", json.dumps(dict.fromkeys(map(str, range(9)), 1)), "\n- and 4 more"),
        ("read_file", '{"path": "src/sever.py"}', "did you mean 'src/server.py'"),
        ("read_file", '{"path": "../x"}', "no file or folder '../x'"),
        ("read_file", json.dumps({"path": "x" * 60_000}), "at most 50,000 are read"),
        ("grep", '{"pattern": "(?=x)"}', "Look-ahead"),
        ("grep", '{"pattern": "x", "glob": "[x"}', "has a [ without its ]"),
    ],
)
def test_what_a_model_gets_wrong_is_told_in_words(toolbox_on: Make, name: str, arguments: str, said: str) -> None:
    result = toolbox_on(TREE).run(name, arguments)
    assert not result.ok
    assert said in result.text
    assert result.shown == ()
    assert result.answer is None


def test_a_key_that_is_given_twice_counts_as_the_last(toolbox_on: Make) -> None:
    assert toolbox_on(TREE).run("read_file", '{"path": "nowhere", "path": "empty.py"}').ok


class Nothing(ToolArguments):
    """No arguments."""


def fails(_snapshot: Snapshot, _arguments: Nothing) -> CallResult:
    raise GitFailed("cat-file ended")


def test_a_fault_of_git_is_raised_not_told_to_the_player(toolbox_on: Make) -> None:
    snapshot = toolbox_on({}).snapshot
    toolbox = Toolbox(snapshot, [Tool(name="broken", description="", arguments=Nothing, run=fails)])
    with pytest.raises(GitFailed):
        toolbox.run("broken", "{}")


def rambles(_snapshot: Snapshot, _arguments: Nothing) -> CallResult:
    return CallResult("a\0b\ud800\n" * 9_000, shown=(ShownRange(path="a", first=1, last=9_000, how="read"),))


def test_a_tool_that_says_too_much_is_cut_and_has_shown_nothing(toolbox_on: Make) -> None:
    snapshot = toolbox_on({}).snapshot
    result = Toolbox(snapshot, [Tool(name="long", description="", arguments=Nothing, run=rambles)]).run("long", "{}")
    assert len(result.text) <= MAX_CHARS
    assert result.text.startswith("a\ufffdb\ufffd\na\ufffdb\ufffd\n")
    assert result.text.endswith("a\ufffdb\ufffd\n[the rest is left out: the result was too long; ask for less]")
    assert result.shown == ()


WORDS = st.sampled_from(
    ["src", "server", "**/*.py", "a*", "(", "f", "\0", "é", "away", "alias", "..", "x" * 3_000, "\\"]
)
VALUES = (
    WORDS | st.integers(-1, 300) | st.booleans() | st.lists(st.fixed_dictionaries({"path": WORDS, "reason": WORDS}))
)
NAMES = sorted({name for tool in DEFAULT_TOOLS for name in tool.arguments.model_fields})
ARGUMENTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4).map(json.dumps) | st.text(max_size=30)


@pytest.fixture
def tree_toolbox(toolbox_on: Make) -> Toolbox:
    return toolbox_on(TREE)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_call_gives_a_bounded_clean_text(tree_toolbox: Toolbox, data: st.DataObject) -> None:
    tool = data.draw(st.sampled_from(DEFAULT_TOOLS))
    fields = tool.arguments.model_fields
    required = {name: VALUES for name, field in fields.items() if field.is_required()}
    optional = {name: VALUES for name in fields if name not in required}
    fitting = st.fixed_dictionaries(required, optional=optional).map(json.dumps)
    result = tree_toolbox.run(tool.name, data.draw(fitting | ARGUMENTS))
    assert 0 < len(result.text) <= MAX_CHARS
    assert result.text == result.text.encode().decode().replace("\0", "")
    assert not result.text.endswith("\n")
    assert result.ok or not result.shown


@pytest.fixture
def commit_toolbox(tree_toolbox: Toolbox, tmp_path: Path) -> Toolbox:
    """The same files, committed."""
    root = tmp_path / "tree-0"
    git = ["git", "-C", str(root), "-c", "user.name=n", "-c", "user.email=e", "-c", "core.autocrlf=false"]
    assert tree_toolbox.run("list_dir", "{}").ok
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    return Toolbox(CommitSnapshot(root / ".git", commit))


def test_a_commit_and_a_directory_of_the_same_files_give_the_same_bytes(
    tree_toolbox: Toolbox, commit_toolbox: Toolbox
) -> None:
    try:
        for name, arguments in CALLS:
            assert commit_toolbox.run(name, arguments) == tree_toolbox.run(name, arguments)
    finally:
        commit_toolbox.snapshot.close()


def test_calls_from_many_threads_give_what_one_thread_gives(tree_toolbox: Toolbox, tmp_path: Path) -> None:
    alone = [tree_toolbox.run(name, arguments) for name, arguments in CALLS]
    fresh = Toolbox(DirectorySnapshot(tmp_path / "tree-0"))
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(fresh.run, name, arguments) for name, arguments in CALLS * 5]
        together = [call.result() for call in running]
    fresh.snapshot.close()
    assert together == alone * 5
