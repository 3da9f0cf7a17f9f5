"""The driver's side, with actors that live in this process."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.batch.graceful_stop import BUDGET_REASON
from selfplay.batch.ledger import UnitLine
from selfplay.batch.ray.actor import ActorClient, ActorHello, ActorProgress, ActorWorker, SpendingMeter, token_path
from selfplay.batch.ray.fleet import MAX_LOSSES
from selfplay.batch.ray.start import LIMIT_NAMES, RaySettings, carry_out_on_ray, open_cluster, split_settings
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings, BudgetLimits, SeatLimits
from selfplay.batch.start import open_run
from selfplay.batch.watch import NullWatch, RunSession
from selfplay.cli.batch import choose_engine
from selfplay.config import HintConfig, PriceConfig, SeatConfig
from selfplay.core.errors import ConfigError, RunError
from selfplay.core.usage import Spending, Usage
from tests.selfplay.batch.ray.local_actors import LocalActor, make_fleet, start_local_actors
from tests.selfplay.batch.runs import CONFIG, count_ledger_lines, make_order, make_repository, make_tasks, read_ledger

pytestmark = pytest.mark.anyio
T = TypeVar("T")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "pump.git")


@dataclass
class IdleActor:
    """An actor that plays nothing until it is asked to end, and says that it spent 600 tokens."""

    folder: RunFolder
    was_asked: anyio.Event = field(default_factory=anyio.Event)
    reason: str = ""

    async def hello(self, token: str) -> ActorHello:
        token_path(self.folder, token).touch()
        return ActorHello("there", 1)

    async def play(self) -> RunSession:
        await self.was_asked.wait()
        return RunSession(reason=self.reason)

    async def progress(self) -> ActorProgress:
        return ActorProgress(spent=Spending(Usage(input_tokens=600)))

    async def end(self, reason: str) -> None:
        self.reason = reason
        self.was_asked.set()

    def kill(self) -> None:
        self.was_asked.set()


async def test_actors_share_the_work_and_their_spending_adds_up(tmp_path: Path, repo: Path) -> None:
    priced = SeatConfig(model="heuristic", price=PriceConfig(input=2.0, output=5.0))
    the_order = make_order(tmp_path, make_tasks(repo, 8), config=CONFIG.model_copy(update={"player": priced}))
    driver = make_fleet(the_order, start_local_actors(the_order))
    session = await driver.play(split_settings(the_order.settings, 2))
    assert (session.reason, session.error, session.unfinished_count) == ("", None, 0)
    lines = read_ledger(the_order)
    assert (len(lines), count_ledger_lines(the_order)) == (8, 8)
    assert len({line.worker for line in lines.values()}) == 2
    used = sum((episode.usage for line in lines.values() for episode in line.episodes), Usage())
    cost = sum(episode.cost_usd for line in lines.values() for episode in line.episodes)
    assert driver.state()["usage"] == used.model_dump()
    assert driver.state()["cost_usd"] == pytest.approx(cost)  # pyright: ignore[reportUnknownMemberType]  pytest's
    assert cost > 0
    assert not list(the_order.folder.workers.glob(".*"))


def test_what_others_spent_is_not_an_actors_own() -> None:
    state = {"cost_usd": 10.0, "usage": {"input_tokens": 50}, "spent": {"cost_usd": 0.0, "tokens": 0}}
    meter = SpendingMeter()
    meter.on_run_opened(lambda: state)
    state |= {"cost_usd": 17.0, "usage": {"input_tokens": 80}, "spent": {"cost_usd": 2.0, "tokens": 30}}
    progress = meter.progress()
    assert progress.spent == Spending(Usage(input_tokens=30), 2.0)


async def test_tracers_are_refused_since_actors_send_no_spans(tmp_path: Path) -> None:
    the_order = make_order(tmp_path, (), settings=BatchSettings(otel=True))
    with pytest.raises(ConfigError, match=r"batch\.otel"):
        await carry_out_on_ray(the_order, ray=RaySettings(), notify=print)


async def test_another_actor_takes_the_place_of_one_that_was_lost(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 8))
    actors: list[ActorClient] = []
    said: list[str] = []

    def start(_: int, share: BatchSettings) -> ActorClient:
        actors.append(LocalActor(replace(the_order, settings=share)))
        return actors[-1]

    class Killer(NullWatch):
        def on_unit_ended(self, line: UnitLine) -> None:
            assert line.outcome == "played"
            if len(actors) == 1:
                actors[0].kill()

    session = await make_fleet(the_order, start, Killer(), said).play(split_settings(the_order.settings, 1))
    assert (session.error, session.unfinished_count, len(actors)) == (None, 0, 2)
    assert count_ledger_lines(the_order) == 8
    assert any("actor 1 was lost (killed)" in text for text in said)


async def test_actors_that_only_ever_die_are_given_up(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 2))
    started: list[ActorClient] = []

    def start(_: int, __: BatchSettings) -> ActorClient:
        started.append(LocalActor(the_order))
        started[-1].kill()
        return started[-1]

    session = await make_fleet(the_order, start).play(split_settings(the_order.settings, 1))
    assert isinstance(session.error, RunError)
    assert (len(started), session.unfinished_count) == (MAX_LOSSES, 2)


async def test_an_actor_without_the_runs_folder_ends_the_run_and_says_where(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 2))
    elsewhere = replace(the_order, folder=RunFolder(tmp_path / "another disk"))
    session = await make_fleet(the_order, start_local_actors(elsewhere)).play(split_settings(the_order.settings, 2))
    assert "--out must lie on a filesystem that all nodes share" in str(session.error)
    assert not elsewhere.folder.root.exists()


async def test_actors_end_together_when_all_of_them_have_used_up_the_budget(tmp_path: Path, repo: Path) -> None:
    settings = BatchSettings(budget=BudgetLimits(tokens=1000))
    the_order = make_order(tmp_path, make_tasks(repo, 2), settings=settings)
    driver = make_fleet(the_order, lambda _, __: IdleActor(the_order.folder))
    with anyio.fail_after(30):
        session = await driver.play(split_settings(settings, 2))
    assert session.reason == f"{BUDGET_REASON}: 1,200 tokens of 1,000 used"
    assert session.unfinished_count == 2


async def test_the_end_of_a_run_is_passed_on_to_every_actor(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 2))
    idle = [IdleActor(the_order.folder) for _ in range(3)]
    waiting = list(idle)
    driver = make_fleet(the_order, lambda _, __: waiting.pop())
    driver.graceful_stop.begin("interrupted by SIGINT")
    with anyio.fail_after(30):
        session = await driver.play(split_settings(the_order.settings, 3))
    assert session.reason == "interrupted by SIGINT"
    assert waiting == idle, "none was even begun"


async def test_an_actor_that_is_asked_to_end_before_it_plays_plays_nothing(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 2))
    open_run(the_order)
    player = ActorWorker(the_order)
    await player.end("enough")
    session = await player.play()
    assert (session.reason, session.unfinished_count) == ("enough", 2)


async def test_an_actor_with_other_settings_is_refused_as_every_worker_is(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 2))
    open_run(the_order)
    other = replace(the_order, config=the_order.config.model_copy(update={"hints": HintConfig(policy="never")}))
    session = await make_fleet(the_order, start_local_actors(other)).play(split_settings(the_order.settings, 1))
    assert "config.hints.policy" in str(session.error)
    assert session.unfinished_count == 2


@given(at_once=st.integers(1, 500), limit=st.integers(9, 500), count=st.integers(1, 9))
def test_shares_add_up_to_the_whole(at_once: int, limit: int, count: int) -> None:
    limits = SeatLimits(in_flight=limit, requests_per_minute=limit, tokens_per_minute=limit)
    settings = BatchSettings(at_once=at_once, player=limits)
    shares = split_settings(settings, count)
    assert len(shares) == min(count, at_once)
    assert sum(share.at_once for share in shares) == at_once
    for name in LIMIT_NAMES:
        assert sum(getattr(share.player, name) for share in shares) == limit


def test_a_limit_that_is_too_small_to_be_shared_is_an_error() -> None:
    settings = BatchSettings(supervisor=SeatLimits(requests_per_minute=2))
    with pytest.raises(ConfigError, match=r"batch.supervisor.requests_per_minute: 2 can't be shared by 3 actors"):
        split_settings(settings, 3)


def test_what_is_said_of_ray_without_ray_is_an_error() -> None:
    with pytest.raises(ConfigError, match="--engine ray"):
        choose_engine("local", RaySettings("auto"), print)


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install '\.\[ray\]'"), open_cluster(""):
        pass
