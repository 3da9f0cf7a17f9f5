from pathlib import Path
from typing import Literal

import orjson
import pytest

from selfplay.clean.journals import contract_of, read_candidate
from selfplay.config import EpisodeLimits, HintConfig, SeatConfig
from selfplay.core.drop_codes import DropCode, drop_code_of
from selfplay.core.errors import FatalModelError, JournalError, RequestRefused, TransientModelError
from selfplay.core.message import Origin
from selfplay.core.task import Target
from selfplay.core.trace import HintKind, StopReason
from selfplay.core.wire import Channel
from selfplay.journal.events import Event, read_events
from selfplay.journal.journal import Journal
from selfplay.journal.replay import read_trace, rebuild_requests
from selfplay.models.offline.scripted import ScriptedModel, ScriptLine, call, fails, judges, raw_call, says
from selfplay.models.prices import Price
from selfplay.prompts import load_prompt
from tests.selfplay.episodes import PROMPT, TARGETS, episode_fixture, snapshot_of

LIST = says("I look at the layout.", call("list_dir"))
READ_INLET = says("Messages come in there.", call("read_file", path="pump/inlet.py"))
READ_TANK = says("It uses a tank.", call("read_file", path="pump/tank.py"))
READ_VALVE = says("What goes out?", call("read_file", path="pump/drain_valve.py"))
FINISH = says("These.", call("finish", files=[{"path": p, "reason": "read"} for p in TARGETS]))
OK = judges("productive", "good")
DULL = judges("neutral", "so so")


def join_request_bodies(model: ScriptedModel) -> str:
    return "\n".join(request.body().decode() for request in model.asked)


async def test_an_episode_that_finds_everything(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path)
    trace = await desk.play(
        [LIST, READ_TANK, READ_VALVE, FINISH],
        [judges("neutral", "ok", "Where do messages rest?"), OK, OK, OK],
    )
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.FOUND
    assert [step.found for step in trace.steps] == [(), (0,), (1,), ()]
    assert [m.origin for m in trace.conversation] == [
        Origin.PROMPT, Origin.TASK,
        Origin.PLAYER, Origin.TOOL, Origin.HINT,
        Origin.PLAYER, Origin.TOOL,
        Origin.PLAYER, Origin.TOOL, Origin.NUDGE,
        Origin.PLAYER, Origin.TOOL,
    ]  # fmt: skip
    assert [f.path for f in trace.answer or ()] == list(TARGETS)
    assert read_trace(desk.path) == trace


async def test_the_player_is_never_asked_with_the_answer_in_it(tmp_path: Path) -> None:
    player = ScriptedModel([LIST, says("hm", call("search", query="message")), READ_INLET])
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=3))
    await desk.play(player, [DULL] * 3)
    unseen = join_request_bodies(player)
    assert "release_pressure" not in unseen
    assert "let everything out" not in unseen
    assert "targets" not in unseen
    assert PROMPT in unseen


async def test_the_supervisor_knows_targets_and_sees_every_step(tmp_path: Path) -> None:
    supervisor = ScriptedModel([DULL, DULL])
    await episode_fixture(tmp_path, limits=EpisodeLimits(steps=2)).play([LIST, READ_INLET], supervisor)
    first, second = (request.body().decode() for request in supervisor.asked)
    assert all(target in first for target in TARGETS)
    assert "I look at the layout." in first
    assert "Messages come in there." not in first
    assert "def take(message)" in second
    assert second.startswith(first[: -len("]}")])


@pytest.mark.parametrize("channel", ["user", "tool"])
async def test_a_revealing_hint_goes_back_and_only_its_rewrite_reaches_the_player(
    tmp_path: Path, channel: Channel
) -> None:
    supervisor = ScriptedModel(
        [judges("neutral", "w", "Open pump/tank.py."), judges("neutral", "w", "Follow the data."), DULL]
    )
    player = ScriptedModel([LIST, READ_INLET])
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=2), hints=HintConfig(channel=channel))
    trace = await desk.play(player, supervisor)
    judgement = trace.steps[0].judgement
    assert [bool(a.findings) for a in judgement.attempts] == [True, False]
    assert judgement.hint is not None
    assert (judgement.hint.text, judgement.hint.kind) == ("Follow the data.", HintKind.REWRITTEN)
    assert "pump/tank.py" in supervisor.asked[1].messages[-1].value["content"]
    assert "Follow the data." in join_request_bodies(player)
    assert "Open pump" not in join_request_bodies(player)


async def test_a_name_that_hints_tell_piece_by_piece_is_not_told_to_its_end(tmp_path: Path) -> None:
    words = ("Think first.", "Ask who calls it.", "Now look wider.", "Keep to what moves.")
    searches = [says("I look.", call("search", query=query)) for query in ("rest", "lost", "gone", "far")]
    told = [judges("neutral", "w", hint) for hint in (*words, "Where does it rest?")]
    trace = await episode_fixture(tmp_path, limits=EpisodeLimits(steps=4)).play(searches, told)
    *before, last = (step.judgement for step in trace.steps)
    assert [judgement.hint.text for judgement in before if judgement.hint] == list(words[:3])
    assert [attempt.text for attempt in last.attempts] == [words[3], "Where does it rest?"]
    assert "together with earlier hints" in last.attempts[0].findings[0].why


@pytest.mark.parametrize("fallback", ["feedback", "none"])
@pytest.mark.parametrize("channel", ["user", "tool"])
async def test_a_supervisor_that_only_reveals_never_reaches_the_player(
    tmp_path: Path, channel: Channel, fallback: Literal["feedback", "none"]
) -> None:
    hints = HintConfig(channel=channel, fallback=fallback, attempts=2)
    player = ScriptedModel(
        [LIST, says("Maybe a drain_valve?", call("grep", pattern="release_pressure|zzz", path="docs"))]
    )
    told = ["Open pump/drain_valve.py.", "It is drain_valve.", "drain_valve, yes.", "Yes: release_pressure."]
    supervisor = ScriptedModel([judges("neutral", "w", hint) for hint in told])
    trace = await episode_fixture(tmp_path, limits=EpisodeLimits(steps=2), hints=hints).play(player, supervisor)
    assert all(a.findings for step in trace.steps for a in step.judgement.attempts)
    said = [m for m in player.asked[1].messages if m.value["role"] in {"user", "tool"}]
    assert not any(hint in str(m.value) for m in said for hint in told)


async def test_after_too_many_refusals_only_feedback_is_sent(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1), hints=HintConfig(attempts=2))
    supervisor = [judges("mistaken", "w", "Open pump/tank.py."), judges("mistaken", "w", "Read tank.py then.")]
    judgement = (await desk.play([LIST], supervisor)).steps[0].judgement
    assert judgement.hint is not None
    assert judgement.hint.kind is HintKind.FEEDBACK
    assert "tank" not in judgement.hint.text
    assert len(judgement.attempts) == 2


async def test_or_nothing_is_sent_if_so_configured(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1), hints=HintConfig(attempts=1, fallback="none"))
    trace = await desk.play([LIST], [judges("mistaken", "w", "Open pump/tank.py.")])
    assert trace.steps[0].judgement.hint is None


async def test_a_verdict_that_cant_be_read_is_asked_for_again_and_then_missing(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=2, verdict_tries=2))
    supervisor = ScriptedModel([says("Good."), says("Fine."), judges("neutral", "w", "Think of rest.")])
    trace = await desk.play([LIST, READ_INLET], supervisor)
    assert "no readable verdict in 2 tries" in (trace.steps[0].judgement.missing or "")
    assert trace.steps[0].judgement.hint is None
    assert trace.steps[1].judgement.hint is not None
    assert "can't be used" in supervisor.asked[1].messages[-1].value["content"]


async def test_without_a_supervisor_the_player_gets_the_production_prompt_and_no_word_more(tmp_path: Path) -> None:
    player = ScriptedModel([LIST, READ_TANK, READ_VALVE, FINISH])
    trace = await episode_fixture(tmp_path).play(player, None)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.FOUND
    assert trace.prompt.content == load_prompt("player").text
    assert {m.value["role"] for m in player.asked[-1].messages} == {"system", "user", "assistant", "tool"}
    assert sum(m.value["role"] == "user" for m in player.asked[-1].messages) == 1


async def test_without_a_supervisor_finish_ends_the_episode(tmp_path: Path) -> None:
    trace = await episode_fixture(tmp_path).play([LIST, FINISH], None)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.GAVE_UP


async def test_an_early_finish_is_a_step_like_others(tmp_path: Path) -> None:
    trace = await episode_fixture(tmp_path, limits=EpisodeLimits(steps=2)).play([FINISH, READ_TANK], [DULL, DULL])
    assert trace.steps[0].nudge == load_prompt("nudge_early").text
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.STEPS


async def test_an_answer_that_misses_a_target_is_asked_for_again(tmp_path: Path) -> None:
    half = says("This.", call("finish", files=[{"path": TARGETS[0], "reason": "r"}]))
    trace = await episode_fixture(tmp_path).play([READ_TANK, READ_VALVE, half, FINISH], [OK] * 4)
    assert trace.steps[2].nudge == load_prompt("nudge_incomplete").text
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.FOUND


async def test_a_turn_without_a_call_is_nudged_and_three_in_a_row_give_up(tmp_path: Path) -> None:
    trace = await episode_fixture(tmp_path).play([says("I think."), says("I am."), says("So what.")], [DULL] * 3)
    assert [step.nudge for step in trace.steps] == [load_prompt("nudge_call").text] * 3
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.GAVE_UP


async def test_hints_are_not_asked_for_while_none_is_due(tmp_path: Path) -> None:
    desk = episode_fixture(
        tmp_path, hints=HintConfig(policy="when_stuck", stuck_after=2), limits=EpisodeLimits(steps=2)
    )
    supervisor = ScriptedModel([judges("neutral", "w", "Unasked for."), judges("neutral", "w", "Where does it rest?")])
    trace = await desk.play([LIST, READ_INLET], supervisor)
    assert [step.judgement.hint is not None for step in trace.steps] == [False, True]
    assert "No hint is wanted" in supervisor.asked[0].messages[-1].value["content"]


async def test_in_the_tool_channel_a_hint_ends_the_last_result_behind_the_episodes_mark(tmp_path: Path) -> None:
    player = ScriptedModel([LIST, READ_INLET])
    desk = episode_fixture(tmp_path, hints=HintConfig(channel="tool"), limits=EpisodeLimits(steps=2))
    trace = await desk.play(player, [judges("neutral", "w", "Where does it rest?"), DULL])
    mark = next(iter(read_events(desk.path)))["mark"]
    assert mark in trace.prompt.content
    last = player.asked[1].messages[-1].value
    assert last["role"] == "tool"
    assert last["content"].endswith(f"{mark} Where does it rest?")
    assert trace.steps[0].results[0].message.content in last["content"]
    assert mark not in trace.steps[0].results[0].message.content


async def test_what_a_model_gets_wrong_in_a_call_is_a_result_that_says_so(tmp_path: Path) -> None:
    wrong: list[ScriptLine] = [
        says("a", call("open_file", path="x")),
        says("b", raw_call("read_file", '{"path": "pump/tank')),
        says("c", call("read_file", path="pump/tanc.py")),
    ]
    trace = await episode_fixture(tmp_path, limits=EpisodeLimits(steps=3)).play(wrong, [DULL] * 3)
    texts = [r.message.content for step in trace.steps for r in step.results]
    assert not any(r.ok for step in trace.steps for r in step.results)
    assert "open_file" in texts[0]
    assert "JSON" in texts[1]
    assert "pump/tank.py" in texts[2]


async def test_two_calls_of_a_turn_are_carried_out_in_order_and_too_many_are_refused(tmp_path: Path) -> None:
    turn = says(
        "both", call("read_file", path="pump/tank.py"), call("read_file", path="pump/drain_valve.py"), call("list_dir")
    )
    trace = await episode_fixture(tmp_path, limits=EpisodeLimits(steps=1, calls_per_turn=2)).play([turn], [OK])
    assert trace.steps[0].found == (0, 1)
    assert [r.ok for r in trace.steps[0].results] == [True, True, False]
    ids = [c.id for c in trace.steps[0].action.tool_calls]
    assert [r.message.tool_call_id for r in trace.steps[0].results] == ids
    assert len(set(ids)) == 3


async def test_ids_are_unique_in_an_episode(tmp_path: Path) -> None:
    trace = await episode_fixture(tmp_path, limits=EpisodeLimits(steps=3)).play([LIST, LIST, LIST], [DULL] * 3)
    ids = [c.id for step in trace.steps for c in step.action.tool_calls]
    assert len(set(ids)) == 3


async def test_a_part_of_a_file_is_found_when_its_lines_were_shown(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, targets=[Target(path="pump/tank.py", symbol="Tank.fill")])
    peek = says("x", call("read_file", path="pump/tank.py", start=1, count=2))
    trace = await desk.play([peek, READ_TANK, FINISH], [DULL, OK, OK])
    assert [step.found for step in trace.steps] == [(), (0,), ()]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (EpisodeLimits(steps=1), StopReason.STEPS),
        (EpisodeLimits(tokens=10), StopReason.TOKENS),
        (EpisodeLimits(time_s=1e-9), StopReason.TIME),
    ],
)
async def test_limits_end_an_episode(tmp_path: Path, limits: EpisodeLimits, reason: StopReason) -> None:
    trace = await episode_fixture(tmp_path, limits=limits).play([LIST], [DULL])
    assert trace.stop is not None
    assert trace.stop.reason is reason
    assert trace.stop.detail


async def test_money_spent_by_either_seat_ends_an_episode(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(cost_usd=0.01))
    price = Price(input=10.0, cached_input=1.0, output=30.0)
    trace = await desk.play([LIST], [DULL], price=price)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.COST
    assert "of 0.01 USD" in trace.stop.detail


async def test_a_broken_server_is_not_a_failed_player(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    with pytest.raises(TransientModelError):
        await desk.play([*[fails("server")] * 3, LIST], [DULL])
    assert read_trace(desk.path).stop is None
    assert read_trace(desk.path).steps == ()
    trace = await desk.play([LIST], [DULL])
    assert len(trace.steps) == 1


async def test_a_failure_that_passes_is_noted_and_leaves_no_mark_on_the_trace(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    troubled = await desk.play([fails("rate_limited"), fails("timeout"), LIST], [DULL])
    retries = [e for e in read_events(desk.path) if e["event"] == "retry"]
    assert len(retries) == 2
    desk.path.unlink()
    assert (await desk.play([LIST], [DULL])).digest == troubled.digest


async def test_a_request_that_is_refused_at_the_start_is_asked_again_when_the_server_is_mended(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    with pytest.raises(RequestRefused):
        await desk.play([fails("refused"), LIST], [DULL], is_used_up=False)
    assert len((await desk.play([LIST], [DULL])).steps) == 1


async def test_a_supervisors_server_that_takes_no_way_of_asking_is_asked_again_when_mended(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    with pytest.raises(RequestRefused):
        await desk.play([LIST], [*[fails("refused")] * 3, DULL], is_used_up=False)
    assert (await desk.play([], [DULL])).steps[0].judgement.verdict is not None


async def test_a_request_of_the_supervisor_that_is_refused_later_costs_that_steps_verdict(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=3))
    supervisor = ScriptedModel([DULL, fails("refused"), DULL, DULL])
    trace = await desk.play([LIST, READ_INLET, READ_INLET], supervisor, is_used_up=False)
    assert [step.judgement.verdict is not None for step in trace.steps] == [True, False, True]
    assert "refused" in (trace.steps[1].judgement.missing or "")
    assert all("response_format" in request.head for request in supervisor.asked)


async def test_waiting_for_a_server_is_not_the_episodes_time(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    await desk.play([fails("server"), LIST], [DULL])
    with Journal(desk.path) as journal:
        recorded = [e["seconds"] for e in read_events(desk.path) if "seconds" in e]
        assert len(recorded) == 3
        assert journal.is_over


async def test_one_answer_counts_in_a_turn(tmp_path: Path) -> None:
    halves = [call("finish", files=[{"path": p, "reason": "r"}]) for p in TARGETS]
    trace = await episode_fixture(tmp_path, limits=EpisodeLimits(steps=3)).play(
        [READ_TANK, READ_VALVE, says("x", *halves)], [OK] * 3
    )
    assert [r.ok for r in trace.steps[2].results] == [True, False]
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.STEPS


async def test_the_supervisor_is_told_what_was_said_to_the_player(tmp_path: Path) -> None:
    refused = [judges("neutral", "w", "Open pump/tank.py.")]
    supervisor = ScriptedModel([*refused, DULL, DULL])
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=3), hints=HintConfig(attempts=1))
    trace = await desk.play([LIST, says("I think."), READ_INLET], supervisor)
    second, third = (supervisor.asked[i].messages[-1].value["content"] for i in (1, 2))
    assert trace.steps[0].judgement.hint is not None
    assert trace.steps[0].judgement.hint.text in second
    assert load_prompt("nudge_call").text in third


async def test_a_failing_view_does_not_end_an_episode(tmp_path: Path) -> None:
    def fail(_event: Event, _is_recorded: bool) -> None:  # noqa: FBT001  a Watch
        raise UnicodeEncodeError("ascii", "x", 0, 1, "no such character")

    trace = await episode_fixture(tmp_path, limits=EpisodeLimits(steps=1)).play([LIST], [DULL], watch=fail)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.STEPS


async def test_a_turn_without_a_call_ends_an_unsupervised_episode(tmp_path: Path) -> None:
    trace = await episode_fixture(tmp_path).play([LIST, says("I am done.")], None)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.GAVE_UP
    assert trace.steps[-1].nudge is None


async def test_a_wrong_key_leaves_the_episode_to_be_taken_up(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    with pytest.raises(FatalModelError):
        await desk.play([fails("fatal"), LIST], [DULL])
    assert (await desk.play([LIST], [DULL])).stop is not None


async def test_a_conversation_that_no_longer_fits_ends_the_episode(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path)
    trace = await desk.play([LIST, fails("context"), LIST], [DULL], is_used_up=False)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.MODEL_ERROR
    assert read_trace(desk.path) == trace


async def test_a_full_supervisor_ends_supervision_not_the_episode(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=2))
    trace = await desk.play([LIST, READ_INLET], [fails("context"), DULL], is_used_up=False)
    assert [step.judgement.missing is not None for step in trace.steps] == [True, True]


async def test_every_call_is_rebuilt_byte_for_byte(tmp_path: Path) -> None:
    channels: tuple[Channel, Channel] = ("user", "tool")
    for channel in channels:
        folder = tmp_path / channel
        desk = episode_fixture(folder, hints=HintConfig(channel=channel))
        player = ScriptedModel([LIST, says("thinking aloud"), READ_TANK, READ_VALVE, FINISH])
        supervisor = ScriptedModel(
            [
                judges("neutral", "w", "Open pump/tank.py."),
                judges("neutral", "w", "Where does it rest?"),
                says("?"),
                *[OK] * 4,
            ]
        )
        await desk.play(player, supervisor)
        sent = list(rebuild_requests(read_events(desk.path)))
        assert all(request.is_exact for request in sent)
        assert [r.body for r in sent if r.seat == "player"] == [r.body() for r in player.asked]
        assert [r.body for r in sent if r.seat == "supervisor"] == [r.body() for r in supervisor.asked]


async def test_a_cut_journal_resumes_to_the_same_trace(tmp_path: Path) -> None:
    player: list[ScriptLine] = [LIST, says("hm"), READ_TANK, READ_VALVE, FINISH]
    supervisor: list[ScriptLine] = [
        judges("neutral", "w", "Open pump/tank.py."), judges("neutral", "w", "Where does it rest?"), *[OK] * 4
    ]  # fmt: skip
    desk = episode_fixture(tmp_path)
    whole = await desk.play(player, supervisor)
    data = desk.path.read_bytes()
    for size in range(0, len(data), 397):
        desk.path.write_bytes(data[:size])
        assert (await desk.play(player, supervisor)).digest == whole.digest
        assert all(request.is_exact for request in rebuild_requests(read_events(desk.path)))


async def test_an_ended_episode_asks_nobody(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    first = await desk.play([LIST], [DULL])
    size = desk.path.stat().st_size
    assert await desk.play([], []) == first
    assert desk.path.stat().st_size == size


async def test_a_server_without_structured_output_is_asked_by_tool_and_then_by_text(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=2))
    supervisor = ScriptedModel([fails("refused"), fails("refused"), DULL, DULL])
    await desk.play([LIST, READ_INLET], supervisor)
    heads = [request.head for request in supervisor.asked]
    assert ["response_format" in h for h in heads] == [True, False, False, False]
    assert ["tool_choice" in h for h in heads] == [False, True, False, False]
    data = desk.path.read_bytes()
    desk.path.write_bytes(data[: data.index(b'{"event":"stop"')])
    await desk.play([], [])


async def test_a_bug_in_a_tool_ends_the_episode_with_its_traceback(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path)
    snapshot_of(desk.setup).close()
    trace = await desk.play([READ_TANK], [])
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.BUG
    assert "Traceback" in trace.stop.detail
    assert await desk.play([], []) == trace, "it is read again, not played"


async def test_nothing_of_the_environment_reaches_the_journal(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    await desk.play([LIST], [DULL])
    start = orjson.loads(desk.path.read_bytes().split(b"\n", 1)[0])
    assert set(start) == {
        "event", "journal", "wire", "selfplay", "episode", "task", "snapshot", "supervised", "attempt", "config",
        "channel", "mark", "reasoning", "production_prompt", "prompts", "tools", "at",
    }  # fmt: skip
    assert SeatConfig().api_key_env not in desk.path.read_text()


async def test_each_surplus_call_of_a_turn_is_refused_with_a_result_of_its_own(tmp_path: Path) -> None:
    turn = says("all", *(call("read_file", path=path) for path in (*TARGETS, "README.md", "pump/inlet.py")))
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=2, calls_per_turn=2))
    trace = await desk.play([turn, LIST], [OK, OK])
    calls, results = trace.steps[0].action.tool_calls, trace.steps[0].results
    assert [r.message.tool_call_id for r in results] == [c.id for c in calls]
    assert [r.message.content for r in results[2:]] == ["Not carried out: at most 2 calls a turn. Call again."] * 2
    assert [r.ok for r in results] == [True, True, False, False]
    assert read_trace(desk.path) == trace


async def test_an_announced_limit_stands_in_the_prompt_and_in_the_contract(tmp_path: Path) -> None:
    limits = EpisodeLimits(steps=2, calls_per_turn=3, announce=True)
    player = ScriptedModel([LIST, LIST])
    desk = episode_fixture(tmp_path, limits=limits)
    trace = await desk.play(player, None)
    sentence = "You have at most 2 turns, with at most 3 calls in each; calls beyond these are not carried out."
    assert trace.prompt.content == f"{load_prompt('player').text}\n\n{sentence}"
    candidate = read_candidate(desk.path)
    assert candidate.contract.prompt == trace.prompt.content
    assert (candidate.contract.context.max_turns, candidate.contract.context.max_calls_per_turn) == (2, 3)


async def test_with_a_supervisor_the_limits_are_announced_before_the_advice(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1, announce=True))
    trace = await desk.play([LIST], [OK])
    contract = read_candidate(desk.path).contract
    assert contract.prompt.endswith("are not carried out.")
    assert trace.prompt.content.startswith(f"{contract.prompt}\n\n")


async def test_a_conversation_that_would_grow_too_long_ends_the_episode(tmp_path: Path) -> None:
    player = ScriptedModel([LIST, READ_TANK, READ_INLET])
    await episode_fixture(tmp_path, limits=EpisodeLimits(steps=3)).play(player, None)
    sizes = [sum(len(m.raw.decode()) for m in request.messages) for request in player.asked]
    limited = episode_fixture(tmp_path / "other", limits=EpisodeLimits(conversation_chars=sizes[1]))
    trace = await limited.play([LIST, READ_TANK, READ_INLET], None, is_used_up=False)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.CONVERSATION
    assert len(trace.steps) == 2
    assert trace.stop.detail == f"the next request would have {sizes[2]} characters of {sizes[1]}"
    assert read_candidate(limited.path).contract.context.conversation_chars == sizes[1]
    assert drop_code_of(trace.stop.reason) is DropCode.CONVERSATION


async def test_limits_that_are_not_set_leave_prompt_and_contract_as_they_are(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    await desk.play([LIST], None)
    contract = read_candidate(desk.path).contract
    assert contract.prompt == load_prompt("player").text
    assert contract.context.model_dump() == {
        "keep": "everything",
        "earlier_reasoning": "sent_back",
        "max_result_chars": 16_000,
    }


@pytest.mark.parametrize("environment", ["find_files", "mcp"])
async def test_the_contract_has_the_results_size_that_was_played_with(environment: str, tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    await desk.play([LIST], None)
    [start, *_] = read_events(desk.path)
    start["task"]["environment"] = environment
    start["config"] |= {"tools": {"max_result_chars": 900}, "mcp": {"command": ["x"]}}
    assert contract_of(start).context.max_result_chars == 900


async def test_a_journal_whose_limits_are_no_numbers_has_no_contract(tmp_path: Path) -> None:
    desk = episode_fixture(tmp_path, limits=EpisodeLimits(steps=1))
    await desk.play([LIST], None)
    [start, *_] = read_events(desk.path)
    start["config"]["tools"] = {"max_result_chars": "many"}
    with pytest.raises(JournalError, match="max_result_chars"):
        contract_of(start)
