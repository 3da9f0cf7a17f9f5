"""What is told and recorded is the same in every process: no order of a set shows."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.selfplay.episodes import make_files

ROOT = Path(__file__).parents[2]
SEEDS = ("1", "2")


def told(seed: str, *arguments: str, where: Path = ROOT) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.stdout


def test_the_gate_finds_the_same_in_every_process(tmp_path: Path) -> None:
    findings = {told(seed, "tests.selfplay.gate.print_findings", str(tmp_path / seed)) for seed in SEEDS}
    assert len(findings) == 1


def test_an_episode_goes_the_same_way_in_every_process(tmp_path: Path) -> None:
    repo = make_files(tmp_path / "repo")
    task = ("--task", "count every message that is lost", "--target", "pump/drain_valve.py")
    run = ("selfplay", "run", "--repo", str(repo), "--commit", "worktree", *task, "--quiet", "--json")
    digests = {json.loads(told(seed, *run, "--out", seed, where=tmp_path))["digest"] for seed in SEEDS}
    assert len(digests) == 1
