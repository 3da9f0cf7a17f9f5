"""How fast traces are cleaned and audited, and how much memory that takes, on one core: figures of docs/benchmarks.md.

python -m benchmarks.cleaning [COUNT]
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.synthetic_traces import write_journals

COUNT = 10_000
COMMAND = (sys.executable, "-m", "selfplay")


@dataclass(frozen=True, slots=True)
class CommandCost:
    """What a command took."""

    wall_s: float
    cpu_s: float
    """Of all its processes, whatever else the machine does."""
    peak_mb: float
    last_words: str


def main(count: int) -> None:
    """Print the table."""
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write_journals(folder / "traces", count)
        print(f"{count} journals, {size / 1e6:.0f} MB\n")
        print(
            "| command | traces | seconds | processor seconds | traces per processor second | peak memory, MB |\n"
            "| --- | ---: | ---: | ---: | ---: | ---: |"
        )
        traces = str(folder / "traces")
        print_row("clean", count, run_command("clean", traces, "--quiet"))
        clean = folder / "traces" / "clean" / "traces.jsonl"
        run_command("export", traces, "--format", "openai", "-o", str(folder / "sft.jsonl"))
        rows = sum(1 for _ in clean.open("rb"))
        print_row("audit traces, the clean traces", rows, run_command("audit", "traces", str(clean)))
        print_row("audit traces, the exported rows", rows, run_command("audit", "traces", str(folder / "sft.jsonl")))
        journals = [str(p) for p in sorted((folder / "traces").glob("*.jsonl"))]
        print_row("audit traces, the journals", count, run_command("audit", "traces", *journals))


def run_command(*arguments: str) -> CommandCost:
    """Run the command; what it took with its own children."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=words)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - began
        words.seek(0)
        output = words.read().decode(errors="replace").strip()
    if process.returncode not in {0, 1}:
        raise SystemExit(f"{arguments[:2]}: ended with {process.returncode}: {output[-500:]}")
    return CommandCost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, output)


def print_row(name: str, count: int, done: CommandCost) -> None:
    """Print a line of the table."""
    print(
        f"| {name} | {count} | {done.wall_s:.0f} | {done.cpu_s:.0f} | {count / done.cpu_s:.0f} | {done.peak_mb:.0f} |",
        flush=True,
    )
    if done.last_words:
        print("\n".join(f"    {line}" for line in done.last_words.splitlines()[-6:]), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
