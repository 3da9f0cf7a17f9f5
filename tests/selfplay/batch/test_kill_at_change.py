"""A run that dies at any change of its disk goes on, and comes to what it would have come to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from selfplay.config import RunConfig
from tests.selfplay.batch.runs import (
    check_totals,
    digests,
    make_order,
    make_repository,
    make_tasks,
    read_ledger,
    write_tasks,
)

ROOT = Path(__file__).parents[3]
POINTS = 6
"""How many of a run's 200 changes are tried. All of them:
`python -m tests.selfplay.batch.test_kill_at_change NEW_FOLDER`."""


def play_killed_at(tmp: Path, tasks: Path, at: int) -> subprocess.CompletedProcess[str]:
    """Begin the run or go on with it, and die at one of its changes of the disk."""
    command = ["batch", str(tasks), "--out", str(tmp / "run"), "--repos", str(tmp / "repos")]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.selfplay.batch.kill_at_change",
            str(at),
            str(tmp),
            *command,
            "--policy",
            "every_step",
        ],
        cwd=ROOT,
        env={**os.environ, "OPENAI_API_KEY": "unused"},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,  # less than a worker of which nothing is known is waited for
    )


def play_killed_at_points(tmp: Path, number: int | None) -> int:
    """Die at so many points of a run, at all with None, and go on each time; how often it died."""
    the_tasks = make_tasks(make_repository(tmp / "pump.git"), 3)
    tasks = write_tasks(tmp / "tasks.jsonl", the_tasks)
    whole = play_killed_at(tmp / "whole", tasks, 0)
    assert whole.returncode == 0, whole.stdout
    changes = int(whole.stderr.splitlines()[-1])
    expected = digests(make_order(tmp / "whole", the_tasks, config=RunConfig()))
    deaths = 0
    step = 1 if number is None else changes // number
    for at in range(step, changes + 1, step):
        here = tmp / str(at)
        deaths += play_killed_at(here, tasks, at).returncode == -signal.SIGKILL
        deaths += (
            play_killed_at(here, tasks, 1 + at // 3).returncode == -signal.SIGKILL
        )  # again, while it takes up its work
        done = play_killed_at(here, tasks, 0)
        assert done.returncode == 0, f"after a death at change {at}: {done.stdout}"
        the_order = make_order(here, the_tasks, config=RunConfig())
        assert digests(the_order) == expected, f"after a death at change {at}"
        assert sorted(read_ledger(the_order)) == ["t0#1", "t1#1", "t2#1"]
        check_totals(the_order)
    return deaths


def test_a_run_that_dies_at_any_change_of_the_disk_goes_on(tmp_path: Path) -> None:
    assert play_killed_at_points(tmp_path, POINTS) >= POINTS, "the deaths did not fall into the runs"


if __name__ == "__main__":
    (everything := Path(sys.argv[1]).resolve()).mkdir(parents=True)
    sys.stdout.write(f"{play_killed_at_points(everything, None)} deaths\n")
