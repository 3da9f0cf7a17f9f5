import os
import subprocess
import sys
from pathlib import Path

from selfplay_tools.git import read_records
from selfplay_tools.index.store.repository_index import open_repository_index

PROGRAM = """
import sys, time
from pathlib import Path
from selfplay_tools.git import read_records
from selfplay_tools.index.store.repository_index import open_repository_index

git_dir, store, pause_s = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
oids = [line.split()[2].decode() for line in read_records(git_dir, "ls-tree", "-r", "-z", "main")]
index = open_repository_index(git_dir, store)
index.add_soon(oids, 1 << 30)
time.sleep(pause_s)
print("left while at work" if index._worker else "left at rest")
"""
PAUSES_S = [0.02 * number for number in range(20)]
AT_ONCE = 5


def test_a_process_that_ends_while_it_indexes_ends_well(tmp_path: Path) -> None:
    """Whatever the thread was doing; and what it left behind can be built on."""
    git_dir = make_repository(tmp_path / "made.git")
    outputs: list[str] = []
    for first in range(0, len(PAUSES_S), AT_ONCE):
        started = [
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(git_dir), str(tmp_path / str(pause)), str(pause)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
            for pause in PAUSES_S[first : first + AT_ONCE]
        ]
        # All are waited for before any is judged: one left behind would fail whichever test runs when it is collected.
        ended = [(process.communicate(), process.returncode) for process in started]
        assert [(code, err) for (_, err), code in ended] == [(0, "")] * len(ended)
        outputs += [out.strip() for (out, _), _ in ended]
    assert outputs[0] == "left while at work"
    oids = [line.split()[2].decode() for line in read_records(git_dir, "ls-tree", "-r", "-z", "main")]
    for pause in PAUSES_S[::7]:
        index = open_repository_index(git_dir, tmp_path / str(pause))
        index.add_with_words(oids)
        assert index.problem is None
        assert not index.store.find_missing(map(bytes.fromhex, oids))


def make_repository(git_dir: Path) -> Path:
    """A repository of 2,000 files, 6 MB."""
    subprocess.run(["git", "init", "--quiet", "--bare", str(git_dir)], check=True)
    files = {
        f"d{n % 50}/f{n}.c": "".join(f"int name_{n}_{k}(struct other *p) {{ return p->{k}; }}\n" for k in range(60))
        for n in range(2000)
    }
    changes = "".join(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items())
    stream = f"commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 1\nc\n{changes}"
    subprocess.run(["git", f"--git-dir={git_dir}", "fast-import", "--quiet"], input=stream.encode(), check=True)
    return git_dir
