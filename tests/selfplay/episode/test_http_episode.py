"""A whole episode against a real server on loopback that misbehaves."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from selfplay.config import JudgeConfig, RunConfig, SeatConfig
from selfplay.core.errors import TransientModelError
from selfplay.core.trace import StopReason
from selfplay.episode.loop import play_episode
from selfplay.episode.play import set_up_episode
from selfplay.episode.seats import SeatModel, SeatModels
from selfplay.journal.events import read_events
from selfplay.journal.journal import Journal
from selfplay.journal.replay import read_trace, rebuild_requests
from selfplay.models.openai.client import OpenAIModel
from selfplay.models.prices import FREE
from selfplay.models.retry import RetryPolicy
from selfplay_tools.snapshot.directory import DirectorySnapshot
from tests import loopback
from tests.loopback import LoopbackServer
from tests.selfplay.episodes import TARGETS, make_files, make_task

Json = dict[str, Any]


def call(name: str, arguments: Json | str) -> Json:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def text_call(name: str, **arguments: object) -> Json:
    return call(name, json.dumps(arguments))


PLAYER: Sequence[Json] = (
    {"content": "I look.", "reasoning": "thinking one way", "tool_calls": [text_call("list_dir", path="")]},
    {
        "content": "Two at once.",
        "tool_calls": [text_call("search", query="message"), text_call("outline", path="x.py")],
    },
    {"content": "I have no idea."},
    {"content": "", "reasoning_content": "thinking another way", "tool_calls": [call("grep", {"pattern": "level"})]},
    {"content": "Guess.", "tool_calls": [text_call("open_everything"), text_call("read_file", path="pump/tank.py")]},
    {"content": None, "tool_calls": [call("read_file", '{"path": "pump/drain_val')]},
    {"content": "Again.", "tool_calls": [{**text_call("read_file", path="pump/drain_valve.py"), "id": None}]},
    {"content": "Done.", "tool_calls": [text_call("finish", files=[{"path": p, "reason": "read"} for p in TARGETS])]},
)
VERDICT = {"quality": "neutral", "why": "so so"}


def answer(request: Json) -> Json:
    turn = sum(m["role"] == "assistant" for m in request["messages"])
    if request["model"] == "player":
        return PLAYER[turn]
    if request["model"] == "judge":
        return {"content": json.dumps({"why": "a guess", "files": ["pump/inlet.py"]})}
    verdict = {**VERDICT, "hint": "Where does what comes in go next" + ", and next" * turn + "?"}
    return {"content": f"```json\n{json.dumps(verdict)}\n```"}


TROUBLE = (
    loopback.rate_limited(0),
    loopback.server_error(500),
    loopback.hang(),
    loopback.html(),
    loopback.cut_json(),
    loopback.cut_body(),
    loopback.reset(),
    loopback.empty_choices(),
    loopback.server_error(503),
)


def every_other_request_fails(number: int, _: loopback.ReceivedRequest) -> loopback.Behaviour | None:
    return TROUBLE[number // 2 % len(TROUBLE)] if number % 2 == 0 else None


async def episode(folder: Path, plan: loopback.Plan, *, is_judged: bool = False) -> Path:
    """Play one episode on a server that follows the plan; the journal's path."""
    repo, path = make_files(folder / "repo"), folder / "e.jsonl"
    config = RunConfig(
        player=SeatConfig(model="openai:player"),
        supervisor=SeatConfig(model="openai:supervisor"),
        judge=JudgeConfig(model="openai:judge", samples=2, sampling={"seed": 1}) if is_judged else None,
    )
    stage = set_up_episode(make_task(repo), DirectorySnapshot(repo), config)
    before = {request.body for request in rebuild_requests(read_events(path))} if path.exists() else set[bytes]()
    async with LoopbackServer(answer, plan) as server:
        policy = RetryPolicy(tries=4, first_wait_s=0.0)
        player = OpenAIModel("player", base_url=server.base_url, timeout_s=0.5)
        supervisor = OpenAIModel("supervisor", base_url=server.base_url, timeout_s=0.5)
        judge = OpenAIModel("judge", base_url=server.base_url, timeout_s=0.5)
        cast = SeatModels(
            SeatModel("player", player, policy, FREE),
            SeatModel("supervisor", supervisor, policy, FREE),
            SeatModel("judge", judge, policy, FREE) if is_judged else None,
        )
        async with player, supervisor, judge:
            with Journal(path) as journal:
                await play_episode("e", stage, cast.make_seats(is_supervised=True), journal)
        received = {request.body for request in server.received}
    sent = list(rebuild_requests(read_events(path)))
    assert all(request.is_exact for request in sent)
    assert {request.body for request in sent} == received | before
    return path


async def test_a_misbehaving_server_changes_nothing_about_the_episode(tmp_path: Path) -> None:
    calm = await episode(tmp_path / "calm", ())
    troubled = await episode(tmp_path / "troubled", every_other_request_fails)
    one, other = (read_trace(path) for path in (calm, troubled))
    assert one.steps == other.steps
    assert one.stop == other.stop
    retries = [event for event in read_events(troubled) if event["event"] == "retry"]
    assert len(retries) >= len(TROUBLE)
    assert not [event for event in read_events(calm) if event["event"] == "retry"]


async def test_whatever_servers_and_models_send_becomes_steps(tmp_path: Path) -> None:
    trace = read_trace(await episode(tmp_path, ()))
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.FOUND
    steps = trace.steps
    assert [s.action.reasoning for s in steps[:4]] == ["thinking one way", None, None, "thinking another way"]
    assert [len(s.results) for s in steps] == [1, 2, 0, 1, 2, 1, 1, 1]
    assert steps[2].nudge is not None
    assert steps[3].results[0].ok, "arguments sent as an object are carried out"
    assert [r.ok for r in steps[4].results] == [False, True]
    assert "open_everything" in steps[4].results[0].message.content
    assert not steps[5].results[0].ok
    ids = [c.id for s in steps for c in s.action.tool_calls]
    assert len(set(ids)) == len(ids)
    assert all(s.judgement.verdict is not None for s in steps)


async def test_a_server_that_stays_down_parks_the_episode(tmp_path: Path) -> None:
    down: loopback.Plan = lambda number, _: loopback.server_error(502) if number >= 6 else None  # noqa: E731  a plan
    with pytest.raises(TransientModelError):
        await episode(tmp_path, down)
    broken = read_trace(tmp_path / "e.jsonl")
    assert broken.stop is None
    assert len(broken.steps) == 3
    whole = read_trace(await episode(tmp_path / "whole", ()))
    assert whole.steps[:3] == broken.steps


async def test_a_judge_over_http_is_asked_and_survives_a_misbehaving_server(tmp_path: Path) -> None:
    calm = await episode(tmp_path / "calm", (), is_judged=True)
    troubled = await episode(tmp_path / "troubled", every_other_request_fails, is_judged=True)
    one, other = (read_trace(path) for path in (calm, troubled))
    assert one.steps == other.steps
    assert one.stop is not None
    assert one.stop.reason is StopReason.FOUND
    opinions = [a.opinion for step in one.steps for a in step.judgement.attempts if a.opinion]
    assert opinions
    assert all(guess.files == ("pump/inlet.py",) for o in opinions for guess in (*o.without, *o.given))
    asked = [request for request in rebuild_requests(read_events(calm)) if request.seat == "judge"]
    assert {json.loads(request.body)["seed"] for request in asked} == {1, 2}
    assert all("response_format" in json.loads(request.body) for request in asked)


async def test_a_judges_server_that_stays_down_parks_the_episode(tmp_path: Path) -> None:
    def down(_: int, received: loopback.ReceivedRequest) -> loopback.Behaviour | None:
        return loopback.server_error(502) if json.loads(received.body)["model"] == "judge" else None

    with pytest.raises(TransientModelError):
        await episode(tmp_path, down, is_judged=True)
    assert read_trace(tmp_path / "e.jsonl").stop is None
    assert read_trace(await episode(tmp_path, (), is_judged=True)).stop is not None
