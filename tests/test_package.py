import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from selfplay_tools import release_version

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What is in the wheel."""
    where = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(where)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(where.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


def test_the_wheel_holds_the_engine_and_the_tools_and_no_module_named_tools(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"selfplay", "selfplay_tools"}
    assert {"selfplay/py.typed", "selfplay_tools/py.typed"} <= names


@pytest.mark.parametrize("folder", ["selfplay", "tools/selfplay_tools"])
def test_the_wheel_holds_every_file_of_the_packages(names: set[str], folder: str) -> None:
    there = {p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    parent = (ROOT / folder).parent
    assert {p.relative_to(parent).as_posix() for p in there} <= names


def test_the_distribution_has_a_name_of_its_own_and_the_command_is_selfplay(names: set[str]) -> None:
    [about] = {name.split("/")[0] for name in names if ".dist-info/" in name}
    assert about == f"selfplay_traces-{release_version()}.dist-info"
    assert f"{about}/entry_points.txt" in names
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert scripts == {"selfplay": "selfplay.__main__:main"}


def test_the_demo_runs_from_anywhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "selfplay", "demo"],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for part in ("step 1", "hint ", "found ", "2. The same trace without the supervisor", "sft.jsonl"):
        assert part in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80, "the width where there is no terminal"
    assert (tmp_path / "traces/demo/sft/sft.jsonl").stat().st_size > 1000
