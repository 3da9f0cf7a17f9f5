"""The page on the MCP server is true: its commands start, its code runs."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from selfplay.config import RunConfig
from selfplay_tools.mcp.__main__ import main
from selfplay_tools.tools.schema import function_schema
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS
from tests.selfplay.episodes import make_files

PAGE = (Path(__file__).parents[1] / "docs" / "mcp.md").read_text("utf-8")
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def shell_commands() -> list[list[str]]:
    lines = "".join(code_blocks("sh")).split("\n")
    return [shlex.split(line, comments=True) for line in lines if line.startswith(("selfplay", "python"))]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """The files of a small repository, committed and tagged, in a folder that holds nothing else."""
    repo = make_files(tmp_path / "app")
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"], ["tag", "v2.1"]):
        subprocess.run(["git", *identity, *command], cwd=repo, check=True, capture_output=True)
    (tmp_path / "arguments.json").write_text('{"path": "pump/tank.py"}')
    return repo


@pytest.mark.parametrize(
    "command", [c for c in shell_commands() if c[2] != "serve" and c[0] == "selfplay"], ids=" ".join
)
def test_each_command_by_hand_works(command: list[str], repo: Path) -> None:
    words = [str(repo) if word == "." else word.replace("~/src/app", str(repo)) for word in command[1:]]
    done = subprocess.run(
        [sys.executable, "-m", "selfplay", *words], cwd=repo.parent, env=ENVIRONMENT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_python_example_gets_the_tools_of_training_and_a_result(repo: Path, tmp_path: Path) -> None:
    code = code_blocks("python")[0].replace('command="python"', f"command={sys.executable!r}")
    code = code.replace('"."])', f'{str(repo)!r}], env={{"PYTHONPATH": {ENVIRONMENT["PYTHONPATH"]!r}}})')
    code += "import json\nprint(json.dumps([tools, text]))\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=True, text=True
    )
    tools, text = json.loads(done.stdout)
    assert json.dumps(tools) == json.dumps([function_schema(tool) for tool in DEFAULT_TOOLS])
    assert text.startswith('No line matches "def main"')


def test_the_configuration_is_one() -> None:
    [text] = code_blocks("toml")
    config = RunConfig.model_validate(tomllib.loads(text))
    assert config.tools.ask_web is not None
    assert config.tools.ask_web.api_key_env == "ASK_WEB_API_KEY"


def test_the_agents_settings_start_the_server_with_known_arguments() -> None:
    settings: dict[str, Any] = json.loads(code_blocks("json")[0])
    [server] = settings["mcpServers"].values()
    assert [server["command"], *server["args"][:2]] == ["selfplay", "tools", "serve"]


def test_every_option_of_the_page_exists(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    for command in ("serve", "call"):
        told = [sys.executable, "-m", "selfplay", "tools", command, "--help"]
        out = subprocess.run(told, env=ENVIRONMENT | {"COLUMNS": "200"}, capture_output=True, check=True, text=True)
        known |= set(re.findall(r"--[a-z][a-z-]+", out.stdout))
    assert set(re.findall(r"--[a-z][a-z-]+(?=[ `])", PAGE)) <= known
