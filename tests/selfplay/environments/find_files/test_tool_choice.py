"""Which tools a player has: `[tools] only`, and tools of other packages."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from selfplay.config import RunConfig, ToolsConfig, load_config
from selfplay.core.errors import ConfigError
from selfplay.environments.find_files.toolset import make_tools, refuse_code_of_others
from selfplay_tools.output import ResultLimits
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.tool import CallResult, Tool, ToolArguments
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS

HERE = __name__


class Nothing(ToolArguments):
    """No arguments."""


class Loose(ToolArguments):
    """An argument of more than one type."""

    word: str | None = None


def say_hello(_snapshot: Snapshot, _arguments: Nothing) -> CallResult:
    return CallResult("hello")


HELLO = Tool(name="hello", description="Say hello.", arguments=Nothing, run=say_hello)
BADLY_NAMED = Tool(name="two words", description="", arguments=Nothing, run=say_hello)
GREP_AGAIN = Tool(name="grep", description="", arguments=Nothing, run=say_hello)
LOOSE = Tool(name="loose", description="", arguments=Loose, run=lambda _s, _a: CallResult(""))
NO_TOOL = 7


def make_two() -> list[Tool[Nothing]]:
    return [HELLO, Tool(name="hello_again", description="", arguments=Nothing, run=say_hello)]


def make_none() -> Tool[Nothing]:
    raise RuntimeError("no key")


def names_of(config: ToolsConfig) -> list[str]:
    return [tool.name for tool in make_tools(config)]


def test_only_picks_and_orders(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[tools]\nonly = ["read_file", "grep", "finish"]\n')
    assert names_of(load_config(path).tools) == ["read_file", "grep", "finish"]


def test_tools_of_others_come_last_or_where_only_names_them() -> None:
    every = [tool.name for tool in DEFAULT_TOOLS]
    assert names_of(ToolsConfig(extra=(f"{HERE}:HELLO",))) == [*every, "hello"]
    two = ToolsConfig(extra=(f"{HERE}:make_two",), only=("hello_again", "finish", "hello"))
    assert names_of(two) == ["hello_again", "finish", "hello"]


def test_the_limits_reach_every_tool_that_knows_of_them() -> None:
    config = ToolsConfig(extra=(f"{HERE}:HELLO",), max_result_chars=900, max_lines=20, max_rows=5)
    *own, hello = make_tools(config)
    limits = ResultLimits(900, 20, 5)
    assert {tool.limits for tool in own if tool.name != "finish"} == {limits}
    assert hello is HELLO


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (ToolsConfig(only=("grep",)), "tools.only: 'finish' is missing"),
        (
            ToolsConfig(only=("gerp", "finish")),
            "there is no tool 'gerp'; known: list_dir, find_files, read_file, grep,",
        ),
        (ToolsConfig(only=("grep", "grep", "finish")), "'grep' is offered twice"),
        (ToolsConfig(extra=("gone",)), "no installed package offers 'gone' in the group selfplay.tools"),
        (ToolsConfig(extra=("no_such_package.x:y",)), "module 'no_such_package.x' can't be imported"),
        (ToolsConfig(extra=(f"{HERE}:GONE",)), "has no 'GONE'"),
        (ToolsConfig(extra=(f"{HERE}:NO_TOOL",)), "is no tool, but of type int"),
        (ToolsConfig(extra=(f"{HERE}:make_none",)), "made no tool: RuntimeError: no key"),
        (ToolsConfig(extra=(f"{HERE}:BADLY_NAMED",)), "no server takes a tool named 'two words'"),
        (ToolsConfig(extra=(f"{HERE}:GREP_AGAIN",)), "'grep' is offered twice"),
        (ToolsConfig(extra=(f"{HERE}:LOOSE",)), r"tool 'loose': \['anyOf'\]"),
    ],
)
def test_tools_that_cant_be_offered_are_said_at_once(config: ToolsConfig, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make_tools(config)


@pytest.mark.parametrize(
    "text", ["max_result_chars = 100", "max_lines = 0", "max_rows = 501", 'only = "grep"', "max_chars = 800"]
)
def test_a_limit_that_cant_be_kept_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f"[tools]\n{text}\n")
    with pytest.raises(ConfigError, match="tools"):
        load_config(path)


def test_code_is_not_run_because_a_trace_says_so() -> None:
    refuse_code_of_others(ToolsConfig(extra=("an_installed_one",)))
    with pytest.raises(ConfigError, match=r"'os:system'.*--config"):
        refuse_code_of_others(ToolsConfig(extra=("an_installed_one", "os:system")))


PAGE = (Path(__file__).parents[4] / "docs" / "tools.md").read_text("utf-8")


def block_after(mark: str) -> str:
    return PAGE.partition(f"<!-- {mark} -->\n```")[2].partition("\n")[2].partition("```")[0]


def test_the_tool_of_the_page_is_offered_and_answers(tmp_path: Path) -> None:
    settings = block_after("settings")
    assert RunConfig.model_validate(tomllib.loads(settings)).limits.announce
    (tmp_path / "my_tools.py").write_text(block_after("tool"))
    (tmp_path / "run.toml").write_text(settings.replace('"finish"]', '"finish", "count_lines"]'))
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    where = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", "selfplay", "tools", "call", "count_lines", "--config", "run.toml"]

    def count(path: str) -> str:
        arguments = [*command, "--repo", f"{tmp_path}@worktree", json.dumps({"path": path})]
        done = subprocess.run(
            arguments, cwd=tmp_path, env=os.environ | where, capture_output=True, text=True, check=False
        )
        return done.stdout or done.stderr

    assert count("a.txt") == "a.txt: 2 lines\n"
    assert count("b.txt").startswith("no file or folder 'b.txt'")


PACKAGE = """from selfplay_tools.tools.tool import CallResult, Tool, ToolArguments


class Weather(ToolArguments):
    \"\"\"No arguments.\"\"\"


def make():
    return Tool(name="weather", description="How it is.", arguments=Weather, run=lambda _s, _a: CallResult("rain"))
"""


def test_the_tools_of_an_installed_package_are_known_by_name(tmp_path: Path) -> None:
    info = tmp_path / "site" / "weather-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: weather\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[selfplay.tools]\nweather = weather_tools:make\n")
    (info.parent / "weather_tools.py").write_text(PACKAGE)
    (tmp_path / "run.toml").write_text('[tools]\nonly = ["weather", "grep", "finish"]\n')
    where = {"PYTHONPATH": os.pathsep.join([str(info.parent), *sys.path])}

    def run_tools(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "selfplay", "tools", *arguments, "--config", "run.toml"]
        return subprocess.run(
            command, cwd=tmp_path, env=os.environ | where, capture_output=True, text=True, check=False
        )

    listed = run_tools("list")
    assert [tool["function"]["name"] for tool in json.loads(listed.stdout)] == ["weather", "grep", "finish"]
    assert run_tools("call", "weather", "--repo", f"{tmp_path}@worktree").stdout == "rain\n"
    (tmp_path / "run.toml").write_text('[tools]\nextra = ["weather"]\n')
    assert json.loads(run_tools("list").stdout)[-1]["function"]["name"] == "weather"
    (tmp_path / "run.toml").write_text('[tools]\nonly = ["wether", "finish"]\n')
    refused = run_tools("list")
    assert refused.returncode == 2
    assert "finish, weather" in " ".join(refused.stderr.split())
