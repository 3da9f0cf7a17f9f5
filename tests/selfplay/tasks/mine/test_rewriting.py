from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from selfplay.config import SeatConfig
from selfplay.core.errors import InputError, JournalError, TransientModelError
from selfplay.core.task import Task
from selfplay.models.offline.scripted import ScriptedModel, fails, says
from selfplay.models.openai.client import OpenAIModel
from selfplay.repos.repositories import Repositories
from selfplay.tasks.mine import MinedTasks, MineSettings, RewriteAnswerFile, Rewriter, UnrewrittenPolicy, mine_tasks
from tests.loopback import Json, LoopbackServer, rate_limited
from tests.selfplay.tasks.mine.histories import History

BAD = "Long uploads are cut\n\nThe reader in app/streaming.py stops too early for me."
GOOD = "Long uploads are cut\n\nWhen I send something large, the end of it never arrives."


@pytest.fixture
def mined(tmp_path: Path) -> MinedTasks:
    history = History.at(tmp_path / "app.git", app__streaming="def pump_all():\n    return 1\n", app__net="x = 1\n")
    history.commit(
        "Make pump_all wait for the last of the parts", {b"app/streaming.py": b"def pump_all():\n    return 2\n"}
    )
    return mine_tasks(Repositories(tmp_path / "repos"), str(history.git_dir), "HEAD", MineSettings())


def rewrite_tasks(
    mined: MinedTasks, folder: Path, model: ScriptedModel, unless: UnrewrittenPolicy = "keep"
) -> tuple[list[Task], Rewriter]:
    async def work() -> tuple[list[Task], Rewriter]:
        with RewriteAnswerFile(folder / "tasks.rewrites.jsonl") as answers:
            rewriter = Rewriter(model, SeatConfig(tries=1), answers, Repositories(folder / "repos"), 2, unless)
            return await rewriter.rewrite(mined.tasks, lambda _: None), rewriter

    return anyio.run(work)


def test_a_message_becomes_an_issue_and_the_original_is_kept(mined: MinedTasks, tmp_path: Path) -> None:
    model = ScriptedModel([says(GOOD)])
    [task], _ = rewrite_tasks(mined, tmp_path, model)
    assert task.brief.prompt == GOOD
    assert task.meta["leak"] == "nothing"
    assert task.meta["rewritten"] == {
        "by": "scripted",
        "tries": 1,
        "original": "Make pump_all wait for the last of the parts",
        "original_leak": "symbol",
        "original_leaked": ["pump_all"],
    }
    assert "Make pump_all wait" in model.asked[0].body().decode()


def test_an_issue_that_names_a_target_goes_back_with_what_was_found(mined: MinedTasks, tmp_path: Path) -> None:
    model = ScriptedModel([says(BAD), says(GOOD)])
    [task], rewriter = rewrite_tasks(mined, tmp_path, model)
    assert task.brief.prompt == GOOD
    assert "'app/streaming.py': names the path" in str(model.asked[1].messages[-1].value["content"])
    assert rewriter.spent.asked == 2


def test_a_task_that_no_try_rewrote_keeps_its_message_or_is_dropped(mined: MinedTasks, tmp_path: Path) -> None:
    [task], rewriter = rewrite_tasks(mined, tmp_path, ScriptedModel([says(BAD), says("Too short")]))
    assert task.brief == mined.tasks[0].brief
    assert task.meta["rewritten"] == {"by": "scripted", "failed": ["it has 9 characters; an issue has 20 to 4000"]}
    assert rewriter.spent.failed == 1
    assert rewrite_tasks(mined, tmp_path, ScriptedModel([]), "drop")[0] == []


def test_what_was_answered_is_not_asked_again(mined: MinedTasks, tmp_path: Path) -> None:
    first, _ = rewrite_tasks(mined, tmp_path, ScriptedModel([says(BAD), says(GOOD)]))
    silent = ScriptedModel([])
    again, rewriter = rewrite_tasks(mined, tmp_path, silent)
    assert (first, silent.asked, rewriter.spent.known) == (again, [], 2)


def test_two_at_once_do_not_write_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "tasks.rewrites.jsonl"
    with (
        RewriteAnswerFile(path),
        pytest.raises(JournalError, match="another process is mining here"),
        RewriteAnswerFile(path),
    ):
        pass


def test_an_answer_that_was_cut_by_a_crash_is_asked_again(mined: MinedTasks, tmp_path: Path) -> None:
    rewrite_tasks(mined, tmp_path, ScriptedModel([says(BAD), says(GOOD)]))
    file = tmp_path / "tasks.rewrites.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    model = ScriptedModel([says("never"), says(GOOD)])
    [task], _ = rewrite_tasks(mined, tmp_path, model)
    assert (task.brief.prompt, len(model.asked), file.read_bytes()) == (GOOD, 1, whole)


def test_a_foreign_file_of_answers_is_refused(mined: MinedTasks, tmp_path: Path) -> None:
    (tmp_path / "tasks.rewrites.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(InputError, match=r"tasks\.rewrites\.jsonl:1: not an answer"):
        rewrite_tasks(mined, tmp_path, ScriptedModel([]))


def test_a_model_out_of_reach_is_an_error_and_no_rewriting(mined: MinedTasks, tmp_path: Path) -> None:
    with pytest.raises(TransientModelError):
        rewrite_tasks(mined, tmp_path, ScriptedModel([fails("server"), says(GOOD)]))


async def test_it_works_over_http_through_rate_limits(mined: MinedTasks, tmp_path: Path) -> None:
    answers: Callable[[Json], Json] = lambda _: {"content": GOOD}  # noqa: E731  a typed handler
    async with LoopbackServer(answers, [rate_limited(0)]) as server:
        model = OpenAIModel("m", base_url=server.base_url, api_key_env="NO_KEY_NEEDED")
        with RewriteAnswerFile(tmp_path / "a.jsonl") as kept:
            config = SeatConfig(model="openai:m", base_url=server.base_url, sampling={"temperature": 0.5})
            rewriter = Rewriter(model, config, kept, Repositories(tmp_path / "repos"))
            [task] = await rewriter.rewrite(mined.tasks, lambda _: None)
        await model.aclose()
        assert task.brief.prompt == GOOD
        assert len(server.received) == 2
        assert server.received[1].json["temperature"] == 0.5
        assert rewriter.spent.input_tokens == 100
