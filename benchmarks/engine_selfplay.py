"""The engine's own drivers: a whole run of `selfplay batch`, and one model call path beside it."""

import asyncio
from pathlib import Path

import anyio
import httpx2
import openai

from benchmarks.engine_meter import (
    PROMPT,
    EngineCost,
    EngineMeter,
    EnginePlan,
    PlayEpisode,
    make_line,
    measure_episodes,
)
from selfplay.batch.ledger import UnitLedgers
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings, BudgetLimits, SeatLimits
from selfplay.batch.start import RunOrder, carry_out
from selfplay.config import EpisodeLimits, HintConfig, RunConfig, SeatConfig
from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.core.trace import StopReason
from selfplay.episode.model_kinds import ModelFactory
from selfplay.episode.play import play_task, set_up_episode
from selfplay.episode.seats import open_seat_models
from selfplay.models.openai.client import OpenAIModel
from selfplay.models.openai.endpoint import find_endpoint
from selfplay.models.openai.transport import RawResponse, client_of, url_of
from selfplay.models.protocol import Model
from selfplay_tools.snapshot.directory import DirectorySnapshot

KEY = "ENGINE_BENCH_KEY"
TIMEOUT_S = 300.0
MAX_CONNECTIONS = 4096


async def batch(plan: EnginePlan) -> EngineCost:
    """A run of unsupervised episodes, with all that `selfplay batch` does: leases, ledger, journals, limits."""
    return await _measure_run("selfplay", plan, _make_config(plan, is_supervised=False))


async def supervised(plan: EnginePlan) -> EngineCost:
    """The same with a second model that judges each step and gives a hint, and the gate between them."""
    return await _measure_run("selfplay_supervised", plan, _make_config(plan, is_supervised=True))


async def _measure_run(driver: str, plan: EnginePlan, config: RunConfig) -> EngineCost:
    repo = _make_repository(plan)
    await _play_run(plan, config, repo, 1)
    meter = EngineMeter()
    watch = asyncio.create_task(meter.watch())
    calls = await _play_run(plan, config, repo, plan.episodes)
    cost = meter.cost(driver, plan, calls)
    watch.cancel()
    return cost


async def _play_run(plan: EnginePlan, config: RunConfig, repo: Path, episodes: int) -> int:
    """How many calls it took to play so many episodes. Raises RuntimeError unless all ended well."""
    folder = RunFolder(plan.folder / f"run-{episodes}-{plan.episodes}")
    limits = SeatLimits(in_flight=plan.at_once)
    order = RunOrder(
        tasks=[(f"bench:{n}", _make_task(repo, n)) for n in range(episodes)],
        folder=folder,
        config=config,
        settings=BatchSettings(
            at_once=plan.at_once, player=limits, supervisor=limits, budget=BudgetLimits(unknown_price="ignore")
        ),
        repos=plan.folder / "repos",
    )
    session = await carry_out(order, heeds_signals=False)
    ledgers = UnitLedgers(folder)
    await anyio.to_thread.run_sync(ledgers.refresh)
    ended = [episode for unit in ledgers.units.values() for episode in unit.episodes]
    well = [e for e in ended if e.stop is StopReason.FOUND and e.steps == plan.steps + 1]
    if len(well) != episodes:
        raise RuntimeError(
            f"{len(well)} of {episodes} ended well: {session}; {[e for e in ended if e not in well][:1]}"
        )
    return sum(episode.calls for episode in ended)


class ClientTransport:
    """The `openai` client's own request path, over its aiohttp transport."""

    def __init__(self, url: str) -> None:
        limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
        self._client = client_of(find_endpoint(url, KEY), TIMEOUT_S, openai.DefaultAioHttpClient(limits=limits))

    async def post(self, body: bytes) -> RawResponse:
        """As `ChatTransport.post`."""
        options: openai.RequestOptions = {"headers": {"Content-Type": "application/json"}}
        response = await self._client.post(url_of(self._client), content=body, cast_to=httpx2.Response, options=options)
        return RawResponse(response.status_code, response.headers, response.content)

    async def aclose(self) -> None:
        """As `ChatTransport.aclose`."""
        await self._client.close()


async def through_client(plan: EnginePlan) -> EngineCost:
    """Unsupervised episodes without the run around them, their calls on the `openai` client's request path."""

    def make(_seat: str, seat: SeatConfig) -> Model:
        return OpenAIModel("bench", base_url=seat.base_url, api_key_env=KEY, transport=ClientTransport(plan.url))

    return await _measure_episodes("selfplay_through_client", plan, make)


async def _measure_episodes(driver: str, plan: EnginePlan, make: ModelFactory) -> EngineCost:
    config, repo = _make_config(plan, is_supervised=False), _make_repository(plan)
    snapshot = DirectorySnapshot(repo)
    async with open_seat_models(config, make) as seats:

        async def play(number: int) -> None:
            setup = set_up_episode(_make_task(repo, number), snapshot, config)
            [played] = await play_task(setup, seats, plan.folder / "traces")
            stop = played.trace.stop
            if stop is None or stop.reason is not StopReason.FOUND or len(played.trace.steps) != plan.steps + 1:
                raise RuntimeError(f"episode {number} ended as {stop} after {len(played.trace.steps)} steps")

        episode: PlayEpisode = play
        return await measure_episodes(driver, plan, episode)


def _make_repository(plan: EnginePlan) -> Path:
    repo = plan.folder / "repo"
    repo.mkdir()
    (repo / "notes.txt").write_text("".join(f"{make_line(n)}\n" for n in range(1, plan.steps * plan.lines + 1)))
    return repo


def _make_config(plan: EnginePlan, *, is_supervised: bool) -> RunConfig:
    seat = SeatConfig(model="openai:bench", base_url=plan.url, api_key_env=KEY)
    hints = HintConfig(policy="every_step" if is_supervised else "never")
    return RunConfig(player=seat, supervisor=seat, hints=hints, limits=EpisodeLimits(steps=plan.steps + 2))


def _make_task(repo: Path, number: int) -> Task:
    brief = Brief(id=f"e{number}", repo=str(repo), commit="worktree", prompt=PROMPT)
    return Task(brief=brief, answer=Answer(targets=(Target(path="notes.txt"),)))
