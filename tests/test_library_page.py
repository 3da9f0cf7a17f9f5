"""The page on the library, run from its beginning to its end, and the same names under trio."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import pytest
import trio

import selfplay
from selfplay.config import HintConfig
from selfplay.core.errors import TaskError
from selfplay.models.offline.scripted import ScriptedModel, call, says
from selfplay.models.protocol import ModelReply, ModelRequest
from tests.pages import DOCS, blocks_of
from tests.repositories import commit_files, make_git_dir
from tests.selfplay.episodes import FILES, TARGETS

PAGE = (DOCS / "library.md").read_text("utf-8")
FOUND = [
    says("Both.", *(call("read_file", path=path) for path in TARGETS)),
    says("These.", call("finish", files=[{"path": path, "reason": "r"} for path in TARGETS])),
]
ALONE = selfplay.RunConfig(hints=HintConfig(policy="never"))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    commit_files(make_git_dir(tmp_path / "app"), {name.encode(): text.encode() for name, text in FILES.items()})
    return tmp_path


def test_the_pages_code_runs_from_its_beginning_to_its_end(app: Path) -> None:
    program = "\n".join(blocks_of("library.md", "python"))
    done = subprocess.run([sys.executable, "-c", program], cwd=app, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    assert "found after" in done.stdout
    assert "2 rows of 2 traces" in done.stdout
    assert (app / "rows" / "sft.jsonl").read_text().count("\n") == 2


def test_the_page_names_everything_that_the_package_offers() -> None:
    assert not [name for name in selfplay.__all__ if f"`{name}`" not in PAGE]
    assert len(selfplay.__all__) <= 16
    for name in selfplay.__all__:
        assert getattr(selfplay, name) is not None


def test_a_task_file_gives_tasks(tmp_path: Path) -> None:
    row = {"id": "a", "repo": "app", "commit": "HEAD", "prompt": "p", "targets": [{"path": "a.py"}]}
    (tmp_path / "tasks.jsonl").write_text(json.dumps(row) + "\n")
    [task] = selfplay.read_tasks(str(tmp_path / "tasks.jsonl"))
    assert task.answer.paths == ("a.py",)


def test_importing_the_package_imports_nothing_of_it() -> None:
    program = "import sys, selfplay; print([m for m in sys.modules if m.startswith('selfplay.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_that_is_not_offered_is_an_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'plai'"):
        _ = selfplay.plai  # type: ignore[attr-defined]


def test_a_task_is_played_under_trio(app: Path) -> None:
    task = selfplay.make_task("count", repo=app / "app", targets=list(TARGETS))

    async def play() -> str | None:
        models = {"player": ScriptedModel(FOUND)}
        [played] = await selfplay.play(task, ALONE, out=app / "trio", repos=app / "repos", models=models)
        return played.trace.stop and played.trace.stop.reason

    assert trio.run(play) == "found"


def test_errors_arrive_alone_under_trio(app: Path) -> None:
    task = selfplay.make_task("count", repo=app / "app", targets=["none.py"])

    async def play() -> None:
        await selfplay.play(task, ALONE, out=app / "trio", repos=app / "repos")

    with pytest.raises(TaskError, match="does not exist at this commit"):
        trio.run(play)


class WaitsForEver:
    """A model that answers never, and says when it was asked."""

    name = "waits"

    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked
        self.is_closed = False

    async def complete(self, request: ModelRequest) -> ModelReply:
        del request
        self._asked()
        await anyio.sleep_forever()
        raise AssertionError

    async def aclose(self) -> None:
        self.is_closed = True


def test_a_caller_that_is_cancelled_under_trio_cancels_the_episode(app: Path) -> None:
    task = selfplay.make_task("count", repo=app / "app", targets=list(TARGETS))
    models: list[WaitsForEver] = []

    async def main() -> None:
        started, token = trio.Event(), trio.lowlevel.current_trio_token()
        models.append(WaitsForEver(lambda: token.run_sync_soon(started.set)))
        play = partial(selfplay.play, task, ALONE, out=app / "trio", repos=app / "repos", models={"player": models[0]})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(play)
            await started.wait()
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert models[0].is_closed
