"""The assistants of an episode: errors, budgets, and judging alike."""

from functools import partial
from pathlib import Path

import anyio
import pytest

from selfplay.clean.assistants.episode_assistants import CleaningResources, EpisodeAssistants
from selfplay.clean.assistants.protocol import TurnPoint
from selfplay.clean.assistants.reply_cache import CleaningBudget, ReplyCache
from selfplay.clean.journals import CleaningCandidate
from selfplay.clean.stages.strip import strip_supervision
from selfplay.config import RunConfig
from selfplay.core.errors import ContextTooLong, FatalModelError, RequestRefused
from selfplay.core.threads import gather_results
from selfplay.core.trace import Quality
from selfplay.environments.environment import Environment
from selfplay.environments.find_files.environment import SearchEnvironment
from selfplay.episode.seats import SeatModels
from selfplay.episode.supervisor import opening_messages
from selfplay.models.offline.scripted import ScriptLine, call, fails, judges, says
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.toolbox import Toolbox
from tests.selfplay.episodes import make_files, make_seat
from tests.selfplay.traces import a_contract, a_search

TRACE, CONTRACT = a_search(), a_contract()
POINT = TurnPoint(strip_supervision(TRACE, CONTRACT), 0)


def make_assistants(
    samples: ReplyCache,
    *player: ScriptLine,
    judged: tuple[ScriptLine, ...] = (),
    environment: Environment | None = None,
) -> EpisodeAssistants:
    resources = CleaningResources(samples, anyio.CapacityLimiter(2), anyio.CapacityLimiter(2))
    seat_models = SeatModels(make_seat("player", player), make_seat("supervisor", judged))
    supervisor_opening = opening_messages(TRACE.task, "a module", TRACE.prompt.content)
    return EpisodeAssistants(
        resources, seat_models, RunConfig(), CleaningCandidate(TRACE, CONTRACT), supervisor_opening, environment
    )


async def test_a_conversation_that_does_not_fit_is_no_sample_and_no_error(tmp_path: Path) -> None:
    with ReplyCache(tmp_path / "s.jsonl") as samples:
        assert await make_assistants(samples, fails("context"), says("x")).sample_turns(POINT, 1) == ()


async def test_a_server_that_never_took_a_request_is_an_error(tmp_path: Path) -> None:
    with ReplyCache(tmp_path / "s.jsonl") as samples, pytest.raises(RequestRefused):
        await make_assistants(samples, fails("refused"), says("x")).sample_turns(POINT, 1)


async def test_an_error_comes_alone_and_not_in_a_group(tmp_path: Path) -> None:
    with ReplyCache(tmp_path / "s.jsonl") as samples, pytest.raises(FatalModelError, match="bad key"):
        await make_assistants(samples, fails("fatal", "bad key"), says("x")).sample_turns(POINT, 3)


async def test_without_money_there_are_no_answers_and_they_are_counted(tmp_path: Path) -> None:
    with ReplyCache(tmp_path / "s.jsonl", CleaningBudget(tokens=1)) as samples:
        poor = make_assistants(samples, says("x", call("grep", pattern="x")))
        assert len(await poor.sample_turns(POINT, 1)) == 1
        assert await poor.rewrite(POINT, TRACE.steps[0].action, "") is None
        assert await poor.judge_actions(POINT, (TRACE.steps[0].action,)) == (None,)
        assert (poor.unanswered, samples.calls_not_made) == (2, 2)


async def test_other_words_are_the_models_text_unless_it_calls(tmp_path: Path) -> None:
    with ReplyCache(tmp_path / "s.jsonl") as samples:
        assert await make_assistants(samples, says("The word comes first.")).rewrite(
            POINT, TRACE.steps[0].action, ""
        ) == ("The word comes first.")
    with ReplyCache(tmp_path / "t.jsonl") as samples:
        calling = make_assistants(samples, says("Well.", call("grep", pattern="x")))
        assert await calling.rewrite(POINT, TRACE.steps[0].action, "") is None


async def test_a_verdict_rests_on_what_the_calls_return(tmp_path: Path) -> None:
    environment = SearchEnvironment(TRACE.task, Toolbox(DirectorySnapshot(make_files(tmp_path / "repo"))))
    action = says("I look.", call("read_file", path="pump/tank.py"))
    with ReplyCache(tmp_path / "s.jsonl") as samples:
        one = make_assistants(samples, action, judged=(judges("wasteful", "w"),), environment=environment)
        (sample,) = await one.sample_turns(POINT, 1)
        (verdict,) = await one.judge_actions(POINT, (sample,))
        assert verdict is not None
        assert verdict.quality is Quality.WASTEFUL
        assert one.seats.supervisor is not None
        assert "self.level = message" in one.seats.supervisor.model.asked[0].body().decode()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  a ScriptedModel remembers


async def test_the_first_error_ends_the_other_work() -> None:
    began, ended = anyio.Event(), anyio.Event()

    async def waits() -> None:
        began.set()
        try:
            await anyio.Event().wait()
        finally:
            ended.set()

    async def breaks() -> None:
        await began.wait()
        raise ContextTooLong("long")

    with pytest.raises(ContextTooLong):
        await gather_results([waits, breaks])
    assert ended.is_set()


async def test_results_come_in_the_order_of_the_works_and_not_of_their_ends() -> None:
    second = anyio.Event()

    async def number(value: int) -> int:
        if value == 0:
            await second.wait()
        second.set()
        return value

    assert await gather_results([partial(number, 0), partial(number, 1)]) == [0, 1]
