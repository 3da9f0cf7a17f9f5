from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from selfplay.casting import Cast
from selfplay.config import HintConfig, Limits, SeatConfig
from selfplay.errors import FatalModelError
from selfplay.events import read_events
from selfplay.models.protocol import Reply, Request
from selfplay.models.script import Line, call, fails, judges, says
from selfplay.models.scripted import ScriptedModel
from selfplay.play import episode_id, play_task, slug
from selfplay.stage import Stage
from selfplay.summary import summary
from selfplay.trace import StopReason, Stratum
from tests.selfplay.episodes import TARGETS, role, table

READS = says("Both.", *[call("read_file", path=p) for p in TARGETS])
FINISH = says("These.", call("finish", files=[{"path": p, "reason": "r"} for p in TARGETS]))
LIST = says("Look.", call("list_dir"))
OK = judges("productive", "w")


def cast(player: Sequence[Line], supervisor: Sequence[Line] = ()) -> Cast:
    return Cast(role("player", player), role("supervisor", supervisor))


def asked(of: Cast) -> tuple[int, int]:
    """How often player and supervisor were asked."""
    models = [seat.model for seat in (of.player, of.supervisor) if seat is not None]
    return tuple(len(m.asked) for m in models if isinstance(m, ScriptedModel))  # type: ignore[return-value]  there are two


async def test_after_miss_an_attempt_that_succeeds_alone_is_all(tmp_path: Path) -> None:
    stage = table(tmp_path, hints=HintConfig(policy="after_miss")).stage
    players = cast([READS, FINISH])
    (alone,) = await play_task(stage, players, tmp_path / "traces")
    assert alone.trace.stop is not None
    assert alone.trace.stop.reason is StopReason.FOUND
    assert asked(players) == (2, 0)


async def test_after_miss_a_failed_attempt_is_followed_by_a_hinted_one(tmp_path: Path) -> None:
    stage = table(tmp_path, hints=HintConfig(policy="after_miss"), limits=Limits(steps=2)).stage
    players = cast([LIST, says("I see nothing.")], [judges("neutral", "w", "Where does it rest?"), OK])
    alone, hinted = await play_task(stage, players, tmp_path / "traces")
    assert alone.trace.stop is not None
    assert alone.trace.stop.reason is StopReason.GAVE_UP
    assert not any(step.judgement.verdict for step in alone.trace.steps)
    assert hinted.trace.steps[0].judgement.hint is not None
    assert alone.path != hinted.path


async def test_after_miss_a_fault_of_the_engine_is_no_miss(tmp_path: Path) -> None:
    stage = table(tmp_path, hints=HintConfig(policy="after_miss")).stage
    stage.toolbox.snapshot.close()
    (alone,) = await play_task(stage, cast([READS]), tmp_path / "traces")
    assert alone.trace.stop is not None
    assert alone.trace.stop.reason is StopReason.BUG


async def test_what_ended_is_read_again_and_nobody_is_asked(tmp_path: Path) -> None:
    stage = table(tmp_path, hints=HintConfig(policy="after_miss"), limits=Limits(steps=1)).stage
    first = await play_task(stage, cast([LIST], [OK]), tmp_path / "traces")
    players = cast([], [])
    assert await play_task(stage, players, tmp_path / "traces") == first
    assert asked(players) == (0, 0)


class Attempts:
    """A player that plays one script after the other: a new one with each new conversation."""

    name = "attempts"

    def __init__(self, *scripts: Sequence[Line]) -> None:
        self.models = [ScriptedModel(lines) for lines in scripts]
        self.begun = -1

    async def complete(self, request: Request) -> Reply:
        self.begun += request.turn == 0
        return await self.models[self.begun].complete(request)

    async def aclose(self) -> None:
        for model in self.models[: self.begun + 1]:
            await model.aclose()


MISS = [LIST, says("I see nothing.")]


def patient(tmp_path: Path, attempts: int, player: SeatConfig | None = None) -> Stage:
    hints = HintConfig(policy="after_miss", unhinted_attempts=attempts)
    stage = table(tmp_path, hints=hints, limits=Limits(steps=2)).stage
    update = {"player": player or SeatConfig()}
    return replace(stage, config=stage.config.model_copy(update=update))


async def test_after_miss_unhinted_attempts_go_on_until_one_succeeds(tmp_path: Path) -> None:
    player = Attempts(MISS, MISS, [READS, FINISH], MISS)
    played = await play_task(patient(tmp_path, 5), Cast(role("player", player), role("supervisor", [])), tmp_path / "t")
    assert [p.trace.stop and p.trace.stop.reason for p in played] == ["gave_up", "gave_up", "found"]
    assert len({p.path for p in played}) == 3
    assert {p.trace.stratum for p in played} == {Stratum.UNHINTED}
    await player.aclose()


async def test_after_miss_only_when_every_unhinted_attempt_failed_a_hinted_one_follows(tmp_path: Path) -> None:
    player = Attempts(MISS, MISS, [READS, FINISH])
    supervisor = [judges("neutral", "w", "Where does it rest?"), OK]
    players = Cast(role("player", player), role("supervisor", supervisor))
    played = await play_task(patient(tmp_path, 2), players, tmp_path / "t")
    assert [p.trace.stratum for p in played] == ["unhinted", "unhinted", "hinted"]
    assert summary(played[-1].trace, played[-1].path)["stratum"] == "hinted"
    again = Cast(role("player", []), role("supervisor", []))
    assert await play_task(patient(tmp_path, 2), again, tmp_path / "t") == played, "read again, nobody asked"


async def test_an_interrupted_series_of_attempts_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = await play_task(
        patient(tmp_path, 2), Cast(role("player", Attempts(MISS, [READS, FINISH])), None), tmp_path / "whole"
    )
    broken = Cast(role("player", Attempts(MISS, [fails("fatal"), READS, FINISH])), None)
    with pytest.raises(FatalModelError):
        await play_task(patient(tmp_path, 2), broken, tmp_path / "t")
    mended = await play_task(patient(tmp_path, 2), Cast(role("player", [READS, FINISH]), None), tmp_path / "t")
    assert [p.trace for p in mended] == [p.trace for p in whole]


async def test_each_attempt_has_a_seed_of_its_own_and_says_which_it_is(tmp_path: Path) -> None:
    seat = SeatConfig(model="openai:m", sampling={"seed": 40, "temperature": 1.0})
    player = Attempts(MISS, MISS, MISS)
    players = Cast(role("player", player), role("supervisor", [judges("neutral", "w"), judges("neutral", "w")]))
    played = await play_task(patient(tmp_path, 2, seat), players, tmp_path / "t")
    assert [model.asked[0].head["seed"] for model in player.models] == [40, 41, 40]
    assert [next(iter(read_events(p.path)))["attempt"] for p in played] == [1, 2, 1]


def test_another_setting_is_another_episode(tmp_path: Path) -> None:
    one = table(tmp_path).stage
    other = replace(one, config=one.config.model_copy(update={"limits": Limits(steps=7)}))
    ids = {episode_id(stage, is_supervised=s) for stage in (one, other) for s in (True, False)}
    assert len(ids) == 4
    assert episode_id(one, is_supervised=True) in ids


@pytest.mark.parametrize(
    ("text", "name"), [("Fix: the É-thing!", "fix-the-thing"), ("  ", "task"), ("日本", "task"), ("a" * 99, "a" * 48)]
)
def test_a_slug_is_safe_in_a_file_name(text: str, name: str) -> None:
    assert slug(text) == name
