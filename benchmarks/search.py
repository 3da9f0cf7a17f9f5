"""What search costs at the size of a kernel, beside ripgrep and grep on the same tree.

    python benchmarks/search.py --quick                        on a tree made for it: a minute, no downloads
    python benchmarks/search.py --repo kernel.git --commit base --next next [--json]

`--next` is a commit that differs from `--commit` in a few files. Each part runs in a process of its own, on one core
(`--core`), after the index was built once. The other tools get the same files, checked out (`--tree` names a
checkout that is there already), in memory, and one core each.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from search_parts import FIRST, PARTS, Figures, SearchCase

KERNEL = (
    "tcp_rcv_synsent_state_process",
    "spin_lock_irqsave",
    r"static +int +[a-z0-9_]+_probe\(struct +pci_dev",
    "(?i)out of memory",
    "struct file_operations",
    "ext4_iget",
    r"EXPORT_SYMBOL_GPL\(tcp_",
    "kmalloc|kzalloc",
    r"\bschedule_timeout\(",
    r"return -E(NOMEM|INVAL);",
    "TODO|FIXME",
    r"#define +[A-Z_]+_MAX\b",
    r"void \*private_data",
    "(?i)deadlock",
    r"__init +[a-z_]+_init\(void\)",
    r"netif_(rx|receive_skb)",
    "mutex_lock_interruptible",
)
QUICK = (
    "handle_request_7",
    "connection",
    r"def +[a-z_]+_17\(",
    "(?i)RETRY LATER",
    "session|cursor",
    r"return buffer_\d+",
)
CHANGED = 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repo", type=Path, help="a git directory")
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--next", dest="following", default="", help="a commit that differs in a few files")
    parser.add_argument("--tree", type=Path, help="a checkout of the commit, for the other tools")
    parser.add_argument("--quick", action="store_true", help="on a small tree made for it")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--part", choices=PARTS, action="append", help="only these parts")
    parser.add_argument("--store", type=Path, help="keep the index here; one that is there is used as it is")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        _run_child(asked.child)
        return
    with tempfile.TemporaryDirectory(prefix="search-") as folder:
        results = _measure_all(asked, Path(folder))
    if asked.json:
        print(json.dumps(results, indent=1))
        return
    for part, figures in results.items():
        print(f"\n{part}")
        for name, value in figures.items():
            print(f"  {name:45} {value:12.2f}")


def _measure_all(asked: argparse.Namespace, folder: Path) -> dict[str, Figures]:
    if asked.quick:
        asked.repo, asked.commit, asked.following = _make_repository(folder)
    if asked.repo is None:
        raise SystemExit("give --repo, or --quick")
    store: Path = asked.store or folder / "index"
    case = SearchCase(
        asked.repo, store, asked.commit, asked.following or asked.commit, QUICK if asked.quick else KERNEL
    )
    wanted = asked.part or [part for part in PARTS if part != "further" or asked.following]
    if asked.store and store.exists() and not asked.part:
        wanted.remove("build")
    results: dict[str, Figures] = {}
    if not store.exists() and "build" not in wanted:
        wanted = ["build", *wanted]
    for part in wanted:
        results[part] = _measure_in_process(part, case, asked.core)
        print(f"{part}: done", file=sys.stderr)
    if not asked.part:
        tree = asked.tree or _check_out(case, folder / "tree")
        results |= _measure_others(case, tree, asked.core)
        results["ratio"] = _compute_ratios(results)
    return results


def _measure_in_process(part: str, case: SearchCase, core: int) -> Figures:
    """A part's figures; the build may use all cores, everything else one."""
    told = json.dumps([part, *map(str, (case.git_dir, case.store, case.commit, case.following)), list(case.patterns)])
    pinned = ["taskset", "-c", str(core)] if shutil.which("taskset") and part != "build" else []
    command = [*pinned, sys.executable, __file__, "--child", told]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _run_child(told: str) -> None:
    part, git_dir, store, commit, following, patterns = json.loads(told)
    print(json.dumps(PARTS[part](SearchCase(Path(git_dir), Path(store), commit, following, patterns))))


def _check_out(case: SearchCase, tree: Path) -> Path:
    tree.mkdir()
    archive = subprocess.Popen(["git", f"--git-dir={case.git_dir}", "archive", case.commit], stdout=subprocess.PIPE)
    subprocess.run(["tar", "xf", "-", "-C", str(tree)], stdin=archive.stdout, check=True)
    if archive.stdout:
        archive.stdout.close()
    if archive.wait():
        raise SystemExit(f"git archive {case.commit} failed")
    return tree


def _measure_others(case: SearchCase, tree: Path, core: int) -> dict[str, Figures]:
    """Processor time of the other tools for all patterns once, all hits and the first ones."""
    found: dict[str, Figures] = {}
    commands = {
        "ripgrep": ["rg", "--no-ignore", "--hidden", "-n", "--no-heading", "-j1", "--sort", "path", "-e"],
        "grep -r": ["grep", "-rnIE", "-e"],
    }
    for name, command in commands.items():
        if shutil.which(command[0]) is None:
            print(f"{command[0]} is not installed: left out", file=sys.stderr)
            continue
        figures: Figures = {}
        for what, lines in (("all hits", None), (f"first {FIRST}", FIRST)):
            _run_all(command, case.patterns, tree, core, lines)  # once to have the files in memory
            used, walls = _run_all(command, case.patterns, tree, core, lines)
            figures[f"{what}, cpu s, all patterns once"] = used
            figures[f"{what}, p50 wall ms"] = 1e3 * sorted(walls)[len(walls) // 2]
        found[name] = figures
    return found


def _run_all(
    command: Sequence[str], patterns: Sequence[str], tree: Path, core: int, lines: int | None
) -> tuple[float, list[float]]:
    """Processor time of all runs, and how long each took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    walls: list[float] = []
    for pattern in patterns:
        began = time.perf_counter()
        _run(_adapt_command([*command, pattern], pattern), tree, core, lines)
        walls.append(time.perf_counter() - began)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, walls


def _adapt_command(command: list[str], pattern: str) -> list[str]:
    r"""POSIX expressions know neither flags nor `\d`; `\b` works with GNU's."""
    if command[0] != "grep":
        return [*command, "."]
    plain = pattern.removeprefix("(?i)").replace(r"\d", "[0-9]")
    flags = ["-i"] if pattern.startswith("(?i)") else []
    return [*command[:-2], *flags, "-e", plain, "."]


def _run(command: Sequence[str], tree: Path, core: int, lines: int | None) -> None:
    environment = {**os.environ, "LC_ALL": "C"}
    pinned = ["taskset", "-c", str(core)] if shutil.which("taskset") else []
    with subprocess.Popen([*pinned, *command], cwd=tree, stdout=subprocess.PIPE, env=environment) as process:
        if process.stdout is None:
            raise RuntimeError("started without a pipe")
        seen = 0
        while (chunk := os.read(process.stdout.fileno(), 1 << 16)) and (lines is None or seen < lines):
            seen += chunk.count(b"\n")
        if lines is not None:
            process.kill()


def _compute_ratios(results: dict[str, Figures]) -> Figures:
    """How many times our processor time the others take for the same patterns."""
    first = results["grep"]["first 50 hits cpu s, all patterns once"]
    tool = results["grep"]["grep cpu s, all patterns once"]
    return {
        f"{name}, {what}, by our {ours}": figures[f"{what}, cpu s, all patterns once"] / used
        for name, figures in results.items()
        if name in ("ripgrep", "grep -r")
        for what in ("all hits", f"first {FIRST}")
        for ours, used in (("first 50", first), ("grep tool", tool))
    }


WORDS = "request response header buffer session cursor token parser writer reader cache index table node graph".split()


def _make_repository(folder: Path) -> tuple[Path, str, str]:
    """A repository of 3,000 Python files, and two commits of which the second changes three."""
    chance = random.Random(1)  # noqa: S311  # a made tree, the same each time
    git_dir = folder / "made.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(git_dir)], check=True)
    first = {
        f"pkg{number % 40:02}/{chance.choice(WORDS)}_{number}.py": _make_file(chance, number) for number in range(3000)
    }
    second = {
        path: text + "# changed\n" if number < CHANGED else text for number, (path, text) in enumerate(first.items())
    }
    stream = "".join(_commit_stream(files) for files in (first, second))
    subprocess.run(["git", f"--git-dir={git_dir}", "fast-import", "--quiet"], input=stream.encode(), check=True)
    return git_dir, "main~1", "main"


def _make_file(chance: random.Random, number: int) -> str:
    functions: list[str] = []
    for part in range(chance.randrange(4, 30)):
        one, other = chance.sample(WORDS, 2)
        functions.append(
            f"def handle_{one}_{part}({other}_{number}, connection):\n"
            f"    # Reads the {one} of a {other}, or says to retry later.\n"
            f"    buffer_{part} = connection.{one}({other}_{number})\n"
            f"    return buffer_{part}\n\n"
        )
    return "".join(functions)


def _commit_stream(files: dict[str, str]) -> str:
    changes = "".join(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items())
    return f"commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 6\nchange\ndeleteall\n{changes}"


if __name__ == "__main__":
    main()
