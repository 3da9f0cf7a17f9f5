"""What it costs to start a command: CPU seconds and imported modules, of this tree or of two side by side.

    python benchmarks/startup.py                                   # this tree
    python benchmarks/startup.py --against ../other:../other/tools  # and another one, by its PYTHONPATH, with the ratio

Both run in turn with the same interpreter. The figure is the least of `--rounds`, user and system time together: on a
busy machine the clock says more about its other work.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = ("--version", "--help", "run --help", "batch --help", "clean --help", "show --help", "demo")
PROGRAM = """
import atexit, sys
atexit.register(lambda: print(len(sys.modules), file=sys.stderr))
from selfplay.__main__ import main
main()
"""


def cpu_seconds() -> float:
    """Of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(path: str, command: str) -> tuple[float, int]:
    """CPU seconds of a command, and the modules it imported."""
    with tempfile.TemporaryDirectory() as folder:
        before = cpu_seconds()
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *command.split()],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        return cpu_seconds() - before, int(done.stderr.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", default="", help="PYTHONPATH of the other tree")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    here = os.pathsep.join((str(ROOT), str(ROOT / "tools")))
    paths = [here, options.against] if options.against else [here]
    columns = ("CPU s", "modules", "other", "modules", "ratio")[: 5 if options.against else 2]
    print(f"{'':14}" + "".join(f"{name:>10}" for name in columns))
    for command in COMMANDS:
        rounds = [[run(path, command) for path in paths] for _ in range(options.rounds)]
        best = [min(each) for each in zip(*rounds, strict=True)]
        figures = "".join(f"{seconds:10.2f}{modules:10}" for seconds, modules in best)
        print(f"{command:14}{figures}" + (f"{best[0][0] / best[1][0]:10.2f}" if len(best) > 1 else ""), flush=True)


if __name__ == "__main__":
    main()
