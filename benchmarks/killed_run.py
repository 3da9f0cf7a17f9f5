"""A run over real mined tasks that is killed again and again, and compared with its journals.

    python -m benchmarks.killed_run REPOSITORY... --out DIR [--tasks 2000] [--kills 12] [--at-once 24] [--json]

Tasks are mined from the repositories (paths; bare clones will do), as many of each. `selfplay batch` plays them with
the heuristic pair; it is killed with SIGKILL at moments that a seed decides, and started again by the same command.
After each kill the journals are read; at the end everything that was whole then must still be there, each task must
have come to an end exactly once, and the ledgers must agree with the journals.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from selfplay.batch.episode_tally import prices_of, tally_of
from selfplay.batch.ledger import UnitLedgers
from selfplay.batch.run_folder import RunFolder
from selfplay.config import RunConfig
from selfplay.core.errors import SelfplayError
from selfplay.core.usage import Usage
from selfplay.journal.events import read_events

FIRST_LIFE_S = 20.0
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class KilledRun:
    """What the run came to."""

    tasks: int
    kills: int = 0
    unfinished_at_kills: int = 0
    """Unfinished episodes at the moments of the kills, all kills together."""
    lost_lines: int = 0
    """Whole lines of journals that were there at a kill and are not there at the end."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    peak_anonymous_mb: float = 0.0
    """Without mapped files, which the kernel takes back when it needs the room."""
    ended: int = 0
    unusable: int = 0
    told_twice: int = 0
    """Units that have two ledger lines, because a kill fell between the line and its notice."""
    stops: dict[str, int] = field(default_factory=dict[str, int])
    by_grade: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    by_targets: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    steps: int = 0
    hints: int = 0
    refused: int = 0
    calls: int = 0
    input_tokens: int = 0
    reusable_tokens: int = 0
    journal_mb: float = 0.0
    problems: list[str] = field(default_factory=list[str])


def mine_tasks(repositories: list[str], folder: Path, count: int) -> Path:
    """A task file with as many tasks of each repository; made once."""
    path = folder / "tasks.jsonl"
    if not path.exists():
        each = str(-(-count // len(repositories)))
        command = [sys.executable, "-m", "selfplay", "mine", *repositories, "--out", str(path), "--count", each]
        subprocess.run([*command, "--seed", "7", "--repos", str(folder / "repos")], check=True, stdout=sys.stderr)
    return path


def play_until_killed(tasks: Path, folder: Path, at_once: int, lives_s: float | None, outcome: KilledRun) -> int | None:
    """Start the run; kill it after `lives_s` seconds if it still runs. The exit code, None for one that was killed."""
    command = [sys.executable, "-m", "selfplay", "batch", str(tasks), "--out", str(folder / "run"), "--quiet"]
    command += ["--repos", str(folder / "repos"), "--at-once", str(at_once)]
    began = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            resident, anonymous = resident_mb(process.pid)
            outcome.peak_mb = max(outcome.peak_mb, resident)
            outcome.peak_anonymous_mb = max(outcome.peak_anonymous_mb, anonymous)
            if lives_s is not None and time.monotonic() - began > lives_s:
                process.kill()
            time.sleep(0.1)
        _, complaint = process.communicate()
    outcome.wall_s += time.monotonic() - began
    if process.returncode not in {0, 1, -9}:
        outcome.problems.append(f"exit code {process.returncode}: {complaint[-500:]}")
    return None if process.returncode == -9 else process.returncode  # noqa: PLR2004  SIGKILL


def resident_mb(pid: int) -> tuple[float, float]:
    """All that a process holds in memory, and of that the part that no file backs."""
    try:
        _, resident, mapped, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0.0, 0.0
    return int(resident) * PAGE / 1e6, (int(resident) - int(mapped)) * PAGE / 1e6


def whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


def record_journals(run: RunFolder, digests: dict[Path, tuple[int, str]], outcome: KilledRun) -> None:
    """Note what is whole of each journal that is not over; one that is over is read once."""
    for path in run.episodes.rglob("*.jsonl"):
        if path in digests and digests[path][1].endswith("!"):
            continue
        data = whole_lines(path.read_bytes())
        is_over = b'"event":"stop"' in data.rstrip(b"\n").rpartition(b"\n")[2]
        outcome.unfinished_at_kills += not is_over
        digests[path] = (len(data), hashlib.sha256(data).hexdigest() + ("!" if is_over else ""))


def check_against_journals(run: RunFolder, digests: dict[Path, tuple[int, str]], outcome: KilledRun) -> None:
    """Compare the end with what was there at the kills, and the ledgers with the journals."""
    for path, (size, digest) in digests.items():
        if hashlib.sha256(path.read_bytes()[:size]).hexdigest() != digest.rstrip("!"):
            outcome.lost_lines += 1
            outcome.problems.append(f"{path}: what was there at a kill is not there any more")
    ledgers = UnitLedgers(run)
    ledgers.refresh()
    lines = [line for file in run.ledgers.glob("*.jsonl") for line in file.read_bytes().splitlines() if line.strip()]
    outcome.told_twice = len(lines) - len(ledgers.units)
    by_journal = {run.root / e.path: e for line in ledgers.units.values() for e in line.episodes}
    prices = prices_of(RunConfig())
    paths = set(run.episodes.rglob("*.jsonl"))
    if paths != set(by_journal):
        outcome.problems.append(f"{len(paths)} journals, {len(by_journal)} episodes in the ledgers")
    for path in sorted(paths & set(by_journal)):
        try:
            events = list(read_events(path))
        except SelfplayError as error:
            outcome.problems.append(str(error))
            continue
        tally, counts = tally_of(events, prices), Counter(event["event"] for event in events)
        line = by_journal[path]
        once = counts["start"] == counts["stop"] == 1 and events[-1]["event"] == "stop"
        same = (tally.calls, tally.spent.usage, counts["step"]) == (line.calls, line.usage, line.steps)
        if not once or not same:
            outcome.problems.append(f"{path}: once {once}, as the ledger says {same}")
        outcome.journal_mb += path.stat().st_size / 1e6
    summarise(ledgers, outcome)


def summarise(ledgers: UnitLedgers, outcome: KilledRun) -> None:
    usage = Usage()
    for line in ledgers.units.values():
        outcome.ended += 1
        outcome.unusable += line.outcome == "unusable"
        for episode in line.episodes:
            outcome.stops[episode.stop] = outcome.stops.get(episode.stop, 0) + 1
            for table, key in ((outcome.by_grade, line.grade), (outcome.by_targets, str(episode.targets))):
                row = table.setdefault(key, {"tasks": 0, "found": 0, "steps": 0, "hints": 0})
                row["tasks"] += 1
                row["found"] += episode.stop == "found"
                row["steps"] += episode.steps
                row["hints"] += episode.hints
            outcome.steps += episode.steps
            outcome.hints += episode.hints
            outcome.refused += episode.refused
            outcome.calls += episode.calls
            outcome.reusable_tokens += episode.reusable_tokens
            usage += episode.usage
    outcome.input_tokens = usage.input_tokens
    if outcome.ended != outcome.tasks:
        outcome.problems.append(f"{outcome.ended} of {outcome.tasks} tasks came to an end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--at-once", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mean-life-s", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tasks = mine_tasks(options.repositories, options.out, options.tasks)
    outcome = KilledRun(tasks=sum(1 for _ in tasks.open()))
    run, kept = RunFolder(options.out / "run"), dict[Path, tuple[int, str]]()
    random = Random(options.seed)  # noqa: S311  spreads kills, guards nothing
    for _ in range(options.kills):
        lives_s = FIRST_LIFE_S + random.expovariate(1 / options.mean_life_s)
        if play_until_killed(tasks, options.out, options.at_once, lives_s, outcome) is not None:
            break
        outcome.kills += 1
        record_journals(run, kept, outcome)
        print(f"killed after {lives_s:.0f} s: {len(kept)} journals", file=sys.stderr, flush=True)
    play_until_killed(tasks, options.out, options.at_once, None, outcome)
    used = os.times()
    outcome.cpu_s = used.children_user + used.children_system
    check_against_journals(run, kept, outcome)
    print(json.dumps(asdict(outcome), indent=None if options.json else 1))
    sys.exit(bool(outcome.problems))


if __name__ == "__main__":
    main()
