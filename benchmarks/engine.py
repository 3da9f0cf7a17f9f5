"""What the engine costs per model call, beside a bare loop on the `openai` client and other engines.

    python -m benchmarks.engine --at-once 16 128 512 --peer pydantic_ai=/path/to/python --peer agents=/path/to/python

A server on one core answers each call after a fixed latency with bytes made beforehand; the drivers run one after
another, each alone on another core: the same number of episodes of the same length, so many at once. Needs Linux. A
peer lives in an environment of its own, with `pydantic-ai-slim[openai]`, `openai-agents`, or `inspect-ai openai`.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine_drivers import OURS

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class EngineCase:
    """What all drivers play."""

    episodes: int
    steps: int
    lines: int
    at_once: int
    latency_s: float

    @property
    def ideal_s(self) -> float:
        """The wall clock of a machine that costs nothing, for one call at a time in each episode."""
        return -(-self.episodes // self.at_once) * (self.steps + 1) * self.latency_s


@contextmanager
def start_server(case: EngineCase, core: int) -> Generator[str]:
    """A server on a core; its address."""
    command = [sys.executable, "-m", "benchmarks.engine_server"]
    for name in ("steps", "lines", "latency_s"):
        command += [f"--{name.replace('_', '-')}", str(getattr(case, name))]
    with subprocess.Popen(_pin(command, core), cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None  # noqa: S101  for the type checker: it is a pipe
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def run_driver(driver: str, python: str, case: EngineCase, core: int) -> dict[str, Any]:
    """The figures of one driver, alone on a core."""
    command = [python, "-m", "benchmarks.engine_drivers", driver]
    for name in ("episodes", "steps", "lines", "at_once"):
        command += [f"--{name.replace('_', '-')}", str(getattr(case, name))]
    with start_server(case, core - 1) as url:
        done = subprocess.run(_pin([*command, "--url", url], core), cwd=ROOT, capture_output=True, text=True)  # noqa: PLW1510  looked at below
    if done.returncode:
        return {"driver": driver, "at_once": case.at_once, "error": done.stderr.strip().rpartition("\n")[2]}
    cost = json.loads(done.stdout.splitlines()[-1])
    per_episode = cost["calls"] / (case.episodes * (case.steps + 1))
    return {
        **cost,
        "at_once": case.at_once,
        "cpu_ms_per_call": 1000 * cost["cpu_s"] / cost["calls"],
        "of_ideal": case.ideal_s * per_episode / cost["wall_s"],
    }


def _pin(command: Sequence[str], core: int) -> list[str]:
    return ["taskset", "--cpu-list", str(core), *command]


def format_table(rows: Sequence[dict[str, Any]]) -> str:
    """Figures as a table in Markdown."""
    lines = [
        "| driver | at once | CPU ms per call | share of the ideal wall clock | peak MB | kB per waiting episode |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        name = f"| {row['driver']} | {row['at_once']} |"
        if "error" in row:
            lines.append(f"{name} {row['error']} | | | |")
            continue
        figures = (
            f"{row['cpu_ms_per_call']:.2f} | {row['of_ideal']:.2f} | {row['peak_mb']:.0f} | {row['waiting_kb']:.0f}"
        )
        lines.append(f"{name} {figures} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--driver", action="append", help=f"only these of {', '.join([*OURS, 'sdk'])} and the peers")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--episodes", type=int, default=512)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--lines", type=int, default=4, help="of about 100 bytes, per tool result")
    parser.add_argument("--at-once", type=int, nargs="+", default=[16, 128, 512])
    parser.add_argument("--latency-s", type=float, default=0.2)
    parser.add_argument("--quick", action="store_true", help="few episodes, for a look")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="the server has the one before")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.quick:
        asked.episodes, asked.at_once, asked.latency_s = 64, [32], 0.05
    pythons = {**dict.fromkeys([*OURS, "sdk"], sys.executable), **dict(peer.split("=", 1) for peer in asked.peer)}
    known = [name for name in pythons if not asked.driver or name in asked.driver]
    rows: list[dict[str, Any]] = []
    for at_once in asked.at_once:
        case = EngineCase(max(asked.episodes, at_once), asked.steps, asked.lines, at_once, asked.latency_s)
        for name in known:
            rows.append(run_driver(name, pythons[name], case, asked.core))
            print(format_table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(json.dumps(rows, indent=1) if asked.json else format_table(rows))


if __name__ == "__main__":
    main()
