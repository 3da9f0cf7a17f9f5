"""A run for a model with a small context: what was set is what is played, exported, and served."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

from selfplay.cli import main
from selfplay.core.contract import Contract, read_contract, tool_name
from selfplay_tools.output import ResultLimits
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS, Toolbox
from tests.selfplay.episodes import TARGETS, make_files

SETTINGS = """
[tools]
only = ["read_file", "grep", "finish"]
max_result_chars = 800
max_lines = 60
max_rows = 10

[limits]
steps = 30
calls_per_turn = 2
announce = true
conversation_chars = 60000
"""
SENTENCE = "You have at most 30 turns, with at most 2 calls in each; calls beyond these are not carried out."
MORE = "".join(
    f"    def handle_{n}(self, pressure):\n        return self.release(pressure, {n})  # the tank's pressure\n"
    for n in range(60)
)
CALLS: list[tuple[str, dict[str, object]]] = [
    ("grep", {"pattern": "pressure"}),
    ("read_file", {"path": "pump/tank.py"}),
    ("read_file", {"path": "pump/tank.py", "count": 61}),
    ("list_dir", {}),
]


def run_command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository, the journal of an episode on it, and the row and contract that it gave."""
    root = tmp_path_factory.mktemp("small")
    tank = make_files(root / "repo") / "pump" / "tank.py"
    tank.write_text(tank.read_text() + MORE)
    (root / "run.toml").write_text(SETTINGS)
    targets = [part for path in TARGETS for part in ("--target", path)]
    task = [
        "--repo",
        str(root / "repo"),
        "--commit",
        "worktree",
        "--task",
        "release the pressure when the tank is full",
    ]
    where = ["--config", str(root / "run.toml"), "--out", str(root / "traces"), "--repos", str(root / "repos")]
    assert run_command("run", *task, *targets, *where, "--quiet") == 0
    assert run_command("clean", str(root / "traces")) == 0
    assert run_command("export", str(root / "traces"), "-o", str(root / "rows")) == 0
    return root


def contract_in(folder: Path) -> Contract:
    path = folder / "rows" / "contract.json"
    return read_contract(path.read_bytes(), str(path))


def row_in(folder: Path) -> dict[str, Any]:
    [line] = (folder / "rows" / "sft.jsonl").read_bytes().splitlines()
    return json.loads(line)


def test_the_contract_holds_what_was_set(made: Path) -> None:
    contract = contract_in(made)
    assert [tool_name(tool) for tool in contract.tools] == ["read_file", "grep", "finish"]
    assert contract.prompt.endswith(f"\n\n{SENTENCE}")
    assert contract.context.model_dump() == {
        "keep": "everything",
        "earlier_reasoning": "sent_back",
        "max_result_chars": 800,
        "max_lines": 60,
        "max_rows": 10,
        "max_turns": 30,
        "max_calls_per_turn": 2,
        "conversation_chars": 60_000,
    }


def test_the_row_has_the_prompt_the_tools_and_results_of_that_size(made: Path) -> None:
    row, contract = row_in(made), contract_in(made)
    assert row["messages"][0]["content"] == contract.prompt
    assert json.dumps(row["tools"]) == json.dumps(contract.tools)
    results = [message["content"] for message in row["messages"] if message["role"] == "tool"]
    assert max(map(len, results)) <= 800
    assert any(re.search(r"\[\d+ more lines: read_file with start=\d+\]", text) for text in results)


@pytest.mark.parametrize("module", ["selfplay", "selfplay_tools.mcp"])
async def test_the_contract_alone_says_what_is_served(made: Path, module: str) -> None:
    file, repo = str(made / "rows" / "contract.json"), made / "repo"
    command = {
        "selfplay": ["-m", "selfplay", "tools", "serve", f"{repo}@worktree", "--contract", file],
        "selfplay_tools.mcp": ["-m", module, "--repo", str(repo), "--commit", "worktree", "--contract", file],
    }[module]
    tools = [tool for name in ("read_file", "grep", "finish") for tool in DEFAULT_TOOLS if tool.name == name]
    snapshot = DirectorySnapshot(repo)
    toolbox = Toolbox(snapshot, tools, ResultLimits(800, 60, 10))
    server = StdioServerParameters(command=sys.executable, args=command, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    async with Client(server) as client:
        listed = (await client.list_tools()).tools
        assert [tool.input_schema for tool in listed] == [one["function"]["parameters"] for one in toolbox.schemas()]
        assert [tool.description for tool in listed] == [one["function"]["description"] for one in toolbox.schemas()]
        for name, arguments in CALLS:
            got = await client.call_tool(name, arguments)
            [content] = got.content
            assert isinstance(content, TextContent)
            expected = toolbox.run(name, json.dumps(arguments))
            assert (content.text, got.is_error) == (expected.text, not expected.ok)
            assert len(content.text) <= 800
    snapshot.close()


def test_other_tools_than_those_of_the_contract_are_not_served(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made / "other.toml").write_text('[tools]\nonly = ["grep", "read_file", "finish"]\n')
    file = ["--contract", str(made / "rows" / "contract.json"), "--config", str(made / "other.toml")]
    assert run_command("tools", "serve", f"{made / 'repo'}@worktree", *file) == 2
    assert "the order of the tools: grep, read_file, finish here" in " ".join(capsys.readouterr().err.split())
