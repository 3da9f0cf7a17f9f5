from collections.abc import Sequence
from pathlib import Path

import pytest

from selfplay.clean.assistants.turn_requests import CandidateTurn, judge_turn, read_supervisor_opening, sample_turn
from selfplay.config import EpisodeLimits, SeatConfig
from selfplay.core.errors import JournalError, TransientModelError
from selfplay.core.message import Message, Origin
from selfplay.core.trace import Quality, Trace
from selfplay.episode.player import ModelCall, player_head, vary_seed
from selfplay.episode.supervisor import opening_messages
from selfplay.journal.events import read_events
from selfplay.models.offline.heuristic import HeuristicSupervisor
from selfplay.models.offline.scripted import ScriptedModel, ScriptedReply, call, fails, judges, says
from selfplay.models.openai.response import CalledFunction, ToolCallPart
from tests.selfplay.episodes import TARGETS, EpisodeFixture, episode_fixture

LIST = says("I look at the layout.", call("list_dir"))
READ_TANK = says("It uses a tank.", call("read_file", path="pump/tank.py"))
SEAT = SeatConfig(model="openai:m", sampling={"seed": 7})


def ask(model: ScriptedModel | HeuristicSupervisor) -> ModelCall:
    return model.complete


async def play_episode(fixture: EpisodeFixture) -> Trace:
    return await fixture.play(
        [LIST, READ_TANK], [judges("neutral", "w", "Where does it rest?"), judges("neutral", "w")]
    )


def clean_prefix(trace: Trace) -> tuple[Message, ...]:
    kept = [m for m in trace.conversation if m.origin not in {Origin.HINT, Origin.NUDGE}]
    return tuple(kept[:4])


async def test_a_turn_is_asked_for_on_the_prefix_alone_and_a_seed_differs_for_each_sample(tmp_path: Path) -> None:
    prefix = clean_prefix(await play_episode(episode_fixture(tmp_path, limits=EpisodeLimits(steps=2))))
    model = ScriptedModel([LIST, READ_TANK])
    head = player_head(SEAT, [])
    replies = [await sample_turn(ask(model), head, prefix, number=n) for n in range(2)]
    assert [r.message.tool_calls[0].name for r in replies] == ["read_file"] * 2
    assert [request.head["seed"] for request in model.asked] == [7, 8]
    assert [m.value["role"] for m in model.asked[0].messages] == ["system", "user", "assistant", "tool"]
    assert replies[0].message.origin is Origin.PLAYER
    assert vary_seed({"model": "m"}, 3) == {"model": "m"}


async def test_a_sampled_call_has_an_id_that_the_prefix_does_not_have(tmp_path: Path) -> None:
    trace = await play_episode(episode_fixture(tmp_path, limits=EpisodeLimits(steps=2)))
    prefix = clean_prefix(trace)
    taken = prefix[2].tool_calls[0].id
    same = says("again", call("list_dir")).message.model_copy(
        update={"tool_calls": [ToolCallPart(id=taken, function=CalledFunction(name="list_dir", arguments="{}"))]}
    )
    reply = await sample_turn(ask(ScriptedModel([READ_TANK, ScriptedReply(same)])), player_head(SEAT, []), prefix)
    assert reply.message.tool_calls[0].name == "list_dir"
    assert reply.message.tool_calls[0].id != taken


@pytest.mark.parametrize("origin", [Origin.HINT, Origin.NUDGE])
async def test_a_prefix_with_a_word_of_the_supervisors_is_refused(origin: Origin) -> None:
    messages = [
        Message(role="system", content="p", origin=Origin.PROMPT),
        Message(role="user", content="t", origin=origin),
    ]
    with pytest.raises(ValueError, match="clean prefix"):
        await sample_turn(ask(ScriptedModel([LIST])), {}, messages)


async def test_a_prefix_that_leaves_nothing_to_answer_is_refused(tmp_path: Path) -> None:
    prefix = clean_prefix(await play_episode(episode_fixture(tmp_path, limits=EpisodeLimits(steps=2))))
    for messages in ((), prefix[:3]):
        with pytest.raises(ValueError, match="nothing to answer"):
            await sample_turn(ask(ScriptedModel([LIST])), {}, messages)


async def play_to_candidate(fixture: EpisodeFixture) -> CandidateTurn:
    trace = await play_episode(fixture)
    return CandidateTurn(clean_prefix(trace), trace.steps[1].action, found=(), missing=TARGETS)


async def test_the_supervisor_judges_a_candidate_from_its_recorded_beginning(tmp_path: Path) -> None:
    fixture = episode_fixture(tmp_path, limits=EpisodeLimits(steps=2))
    candidate = await play_to_candidate(fixture)
    supervisor_opening = read_supervisor_opening(read_events(fixture.path))
    assert supervisor_opening == opening_messages(
        fixture.setup.task, fixture.setup.goal_outline, (await play_episode(fixture)).prompt.content
    )
    model = ScriptedModel([says("hm"), judges("mistaken", "w")])
    judged = await judge_turn(ask(model), SeatConfig(), supervisor_opening, candidate)
    assert judged.verdict is not None
    assert judged.verdict.quality is Quality.MISTAKEN
    assert judged.usage.total_tokens > 0
    asked = model.asked[0].messages[-1].value["content"]
    assert "I look at the layout." in asked
    assert asked.index("I look at the layout.") < asked.index("It uses a tank.")
    assert "(not carried out)" in asked
    assert "Where does it rest?" not in asked


async def test_a_candidates_verdict_that_cant_be_read_is_missing(tmp_path: Path) -> None:
    fixture = episode_fixture(tmp_path, limits=EpisodeLimits(steps=2))
    candidate = await play_to_candidate(fixture)
    model = ScriptedModel([says("hm"), says("well")])
    judged = await judge_turn(
        ask(model), SeatConfig(), read_supervisor_opening(read_events(fixture.path)), candidate, tries=2
    )
    assert judged.verdict is None
    assert "2 tries" in (judged.missing or "")


async def test_a_judge_of_candidates_that_is_out_of_reach_is_an_error(tmp_path: Path) -> None:
    fixture = episode_fixture(tmp_path, limits=EpisodeLimits(steps=2))
    candidate = await play_to_candidate(fixture)
    with pytest.raises(TransientModelError):
        await judge_turn(
            ask(ScriptedModel([fails("server")])),
            SeatConfig(),
            read_supervisor_opening(read_events(fixture.path)),
            candidate,
        )


async def test_the_heuristic_supervisor_judges_candidates_too(tmp_path: Path) -> None:
    fixture = episode_fixture(tmp_path, limits=EpisodeLimits(steps=2))
    candidate = await play_to_candidate(fixture)
    supervisor_opening = read_supervisor_opening(read_events(fixture.path))
    repeated = CandidateTurn(candidate.prefix, candidate.prefix[2], (), TARGETS)
    qualities: Sequence[Quality | None] = [
        j.verdict and j.verdict.quality
        for j in [
            await judge_turn(ask(HeuristicSupervisor()), SeatConfig(), supervisor_opening, c)
            for c in (candidate, repeated)
        ]
    ]
    assert qualities == [Quality.PRODUCTIVE, Quality.WASTEFUL]


async def test_an_episode_without_a_supervisor_tells_nothing_of_the_targets(tmp_path: Path) -> None:
    fixture = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    await fixture.play([LIST], None)
    with pytest.raises(JournalError, match="no supervisor"):
        read_supervisor_opening(read_events(fixture.path))
