from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from selfplay.casting import Cast
from selfplay.config import HintConfig, Limits
from selfplay.models.script import Line, call, judges, says
from selfplay.models.scripted import ScriptedModel
from selfplay.play import episode_id, play_task, slug
from selfplay.trace import StopReason
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
