from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from selfplay.cli.episode_view import summarize_episode
from selfplay.config import EpisodeLimits, HintConfig, SeatConfig
from selfplay.core.errors import FatalModelError
from selfplay.core.terminal_text import slug
from selfplay.core.trace import StopReason, Stratum
from selfplay.episode.episode_setup import EpisodeSetup
from selfplay.episode.play import episode_id, play_task
from selfplay.episode.seats import SeatModels
from selfplay.journal.events import read_events
from selfplay.models.offline.scripted import ScriptedModel, ScriptLine, call, fails, judges, says
from selfplay.models.protocol import ModelReply, ModelRequest
from tests.selfplay.episodes import TARGETS, episode_fixture, make_seat, snapshot_of

READS = says("Both.", *[call("read_file", path=p) for p in TARGETS])
FINISH = says("These.", call("finish", files=[{"path": p, "reason": "r"} for p in TARGETS]))
LIST = says("Look.", call("list_dir"))
OK = judges("productive", "w")


def make_seat_models(player: Sequence[ScriptLine], supervisor: Sequence[ScriptLine] = ()) -> SeatModels:
    return SeatModels(make_seat("player", player), make_seat("supervisor", supervisor))


def count_requests(of: SeatModels) -> tuple[int, int]:
    """How often player and supervisor were asked."""
    models = [seat.model for seat in (of.player, of.supervisor) if seat is not None]
    return tuple(len(m.asked) for m in models if isinstance(m, ScriptedModel))  # type: ignore[return-value]  there are two


async def test_after_miss_an_attempt_that_succeeds_alone_is_all(tmp_path: Path) -> None:
    stage = episode_fixture(tmp_path, hints=HintConfig(policy="after_miss")).setup
    players = make_seat_models([READS, FINISH])
    (alone,) = await play_task(stage, players, tmp_path / "traces")
    assert alone.trace.stop is not None
    assert alone.trace.stop.reason is StopReason.FOUND
    assert count_requests(players) == (2, 0)


async def test_after_miss_a_failed_attempt_is_followed_by_a_hinted_one(tmp_path: Path) -> None:
    stage = episode_fixture(tmp_path, hints=HintConfig(policy="after_miss"), limits=EpisodeLimits(steps=2)).setup
    players = make_seat_models([LIST, says("I see nothing.")], [judges("neutral", "w", "Where does it rest?"), OK])
    alone, hinted = await play_task(stage, players, tmp_path / "traces")
    assert alone.trace.stop is not None
    assert alone.trace.stop.reason is StopReason.GAVE_UP
    assert not any(step.judgement.verdict for step in alone.trace.steps)
    assert hinted.trace.steps[0].judgement.hint is not None
    assert alone.path != hinted.path


async def test_after_miss_a_fault_of_the_engine_is_no_miss(tmp_path: Path) -> None:
    stage = episode_fixture(tmp_path, hints=HintConfig(policy="after_miss")).setup
    snapshot_of(stage).close()
    (alone,) = await play_task(stage, make_seat_models([READS]), tmp_path / "traces")
    assert alone.trace.stop is not None
    assert alone.trace.stop.reason is StopReason.BUG


async def test_what_ended_is_read_again_and_nobody_is_asked(tmp_path: Path) -> None:
    stage = episode_fixture(tmp_path, hints=HintConfig(policy="after_miss"), limits=EpisodeLimits(steps=1)).setup
    first = await play_task(stage, make_seat_models([LIST], [OK]), tmp_path / "traces")
    players = make_seat_models([], [])
    assert await play_task(stage, players, tmp_path / "traces") == first
    assert count_requests(players) == (0, 0)


class ScriptedAttempts:
    """A player that plays one script after the other: a new one with each new conversation."""

    name = "attempts"

    def __init__(self, *scripts: Sequence[ScriptLine]) -> None:
        self.models = [ScriptedModel(lines) for lines in scripts]
        self.begun = -1

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.begun += request.turn == 0
        return await self.models[self.begun].complete(request)

    async def aclose(self) -> None:
        for model in self.models[: self.begun + 1]:
            await model.aclose()


MISS = [LIST, says("I see nothing.")]


def make_patient_setup(tmp_path: Path, attempts: int, player: SeatConfig | None = None) -> EpisodeSetup:
    hints = HintConfig(policy="after_miss", unhinted_attempts=attempts)
    stage = episode_fixture(tmp_path, hints=hints, limits=EpisodeLimits(steps=2)).setup
    update = {"player": player or SeatConfig()}
    return replace(stage, config=stage.config.model_copy(update=update))


async def test_after_miss_unhinted_attempts_go_on_until_one_succeeds(tmp_path: Path) -> None:
    player = ScriptedAttempts(MISS, MISS, [READS, FINISH], MISS)
    played = await play_task(
        make_patient_setup(tmp_path, 5),
        SeatModels(make_seat("player", player), make_seat("supervisor", [])),
        tmp_path / "t",
    )
    assert [p.trace.stop and p.trace.stop.reason for p in played] == ["gave_up", "gave_up", "found"]
    assert len({p.path for p in played}) == 3
    assert {p.trace.stratum for p in played} == {Stratum.UNHINTED}
    await player.aclose()


async def test_after_miss_only_when_every_unhinted_attempt_failed_a_hinted_one_follows(tmp_path: Path) -> None:
    player = ScriptedAttempts(MISS, MISS, [READS, FINISH])
    supervisor = [judges("neutral", "w", "Where does it rest?"), OK]
    players = SeatModels(make_seat("player", player), make_seat("supervisor", supervisor))
    played = await play_task(make_patient_setup(tmp_path, 2), players, tmp_path / "t")
    assert [p.trace.stratum for p in played] == ["unhinted", "unhinted", "hinted"]
    assert summarize_episode(played[-1].trace, played[-1].path)["stratum"] == "hinted"
    again = SeatModels(make_seat("player", []), make_seat("supervisor", []))
    assert await play_task(make_patient_setup(tmp_path, 2), again, tmp_path / "t") == played, "read again, nobody asked"


async def test_an_interrupted_series_of_attempts_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = await play_task(
        make_patient_setup(tmp_path, 2),
        SeatModels(make_seat("player", ScriptedAttempts(MISS, [READS, FINISH])), None),
        tmp_path / "whole",
    )
    broken = SeatModels(make_seat("player", ScriptedAttempts(MISS, [fails("fatal"), READS, FINISH])), None)
    with pytest.raises(FatalModelError):
        await play_task(make_patient_setup(tmp_path, 2), broken, tmp_path / "t")
    mended = await play_task(
        make_patient_setup(tmp_path, 2), SeatModels(make_seat("player", [READS, FINISH]), None), tmp_path / "t"
    )
    assert [p.trace for p in mended] == [p.trace for p in whole]


async def test_each_attempt_has_a_seed_of_its_own_and_says_which_it_is(tmp_path: Path) -> None:
    seat = SeatConfig(model="openai:m", sampling={"seed": 40, "temperature": 1.0})
    player = ScriptedAttempts(MISS, MISS, MISS)
    players = SeatModels(
        make_seat("player", player), make_seat("supervisor", [judges("neutral", "w"), judges("neutral", "w")])
    )
    played = await play_task(make_patient_setup(tmp_path, 2, seat), players, tmp_path / "t")
    assert [model.asked[0].head["seed"] for model in player.models] == [40, 41, 40]
    assert [next(iter(read_events(p.path)))["attempt"] for p in played] == [1, 2, 1]


def test_another_setting_is_another_episode(tmp_path: Path) -> None:
    one = episode_fixture(tmp_path).setup
    other = replace(one, config=one.config.model_copy(update={"limits": EpisodeLimits(steps=7)}))
    ids = {episode_id(stage, is_supervised=s) for stage in (one, other) for s in (True, False)}
    assert len(ids) == 4
    assert episode_id(one, is_supervised=True) in ids


@pytest.mark.parametrize(
    ("text", "name"), [("Fix: the É-thing!", "fix-the-thing"), ("  ", "task"), ("日本", "task"), ("a" * 99, "a" * 48)]
)
def test_a_slug_is_safe_in_a_file_name(text: str, name: str) -> None:
    assert slug(text) == name
