"""How long a command takes to start, and what it imports: this tree, or two trees side by side as ratios.

    python benchmarks/startup.py                                  # this tree
    python benchmarks/startup.py --against ../other:../other/tools # and another one, its PYTHONPATH

Both trees run in turn with the same interpreter, so that a busy machine slows both. The figure is the fastest of
`--rounds`, in seconds, and the number of modules that are imported by the end.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "--version",
    "--help",
    "run --help",
    "batch --help",
    "clean --help",
    "show --help",
    "demo",
)
COUNT = "import atexit, sys; atexit.register(lambda: print(len(sys.modules), file=sys.stderr))\n"
START = "from selfplay.__main__ import main; main()"


def run(path: str, command: str) -> tuple[float, int]:
    """Seconds of a command, and the modules it imported."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", COUNT + START, *command.split()],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        return time.perf_counter() - begun, int(done.stderr.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", default="", help="PYTHONPATH of the other tree")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    here = os.pathsep.join((str(ROOT), str(ROOT / "tools")))
    paths = [here, *([options.against] if options.against else [])]
    print(f"{'':14}" + "seconds  modules".rjust(18) + ("other".rjust(18) + "ratio".rjust(8) if options.against else ""))
    for command in COMMANDS:
        results = [[run(path, command) for path in paths] for _ in range(options.rounds)]
        best = [min(each) for each in zip(*results, strict=True)]
        figures = "".join(f"{seconds:10.2f}{modules:8}" for seconds, modules in best)
        print(f"{command:14}{figures}" + (f"{best[0][0] / best[1][0]:8.2f}" if options.against else ""))


if __name__ == "__main__":
    main()
