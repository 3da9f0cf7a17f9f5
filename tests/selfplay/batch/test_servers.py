import json
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from selfplay.batch.run_folder import RunFolder
from selfplay.batch.servers import SeatServers, require_one_price
from selfplay.batch.settings import BatchSettings, EndpointSettings, SeatLimits, load_batch_settings
from selfplay.config import HintConfig, PriceConfig, RunConfig, SeatConfig
from selfplay.core.errors import ConfigError
from selfplay.core.trace import StopReason
from tests import loopback
from tests.loopback import Behaviour, LoopbackServer, PendingRequest, ReceivedRequest, completion
from tests.selfplay.batch.chaos_server import ChaosPlan, answer_as_player, outline
from tests.selfplay.batch.runs import (
    check_totals,
    make_order,
    make_repository,
    make_tasks,
    play_run,
    read_journals,
    read_ledger,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "pump.git")


def make_config(base_url: str, timeout_s: float = 30) -> RunConfig:
    free = PriceConfig(input=0, output=0)
    seat = SeatConfig(model="openai:p", base_url=base_url, api_key_env="NO_KEY", price=free, timeout_s=timeout_s)
    return RunConfig(player=seat, hints=HintConfig(policy="never"))


def read_server_states(folder: RunFolder) -> Sequence[dict[str, object]]:
    [path] = folder.workers.glob("*.json")
    return json.loads(path.read_bytes())["servers"]


async def test_in_chaos_all_tasks_end_as_they_would_without_it(tmp_path: Path, repo: Path) -> None:
    tasks = make_tasks(repo, 24)
    settings = BatchSettings(at_once=12, player=SeatLimits(in_flight=12))
    outcomes: list[dict[str, object]] = []
    chaos = ChaosPlan(retry_after_s=0.05)
    async with LoopbackServer(answer_as_player) as calm:
        config = make_config(calm.base_url, timeout_s=1)
        quiet = make_order(tmp_path, tasks, config=config, settings=settings, name="quiet")
        assert (await play_run(quiet)).unfinished_count == 0
    async with LoopbackServer(answer_as_player, chaos) as wild:
        began = anyio.current_time()
        chaos.is_out = lambda: began + 0.2 < anyio.current_time() < began + 1.2
        # The same episodes: their names and journals hold the address, so the second server is named as an endpoint.
        place = EndpointSettings(base_url=wild.base_url, api_key_env="NO_KEY")
        over = settings.model_copy(update={"player": SeatLimits(in_flight=12, endpoints=(place,))})
        noisy = make_order(tmp_path, tasks, config=config, settings=over, name="noisy")
        with anyio.fail_after(60):
            session = await play_run(noisy)
    assert (session.failed, session.unfinished_count, session.reason) == ({}, 0, "")
    assert chaos.counts["out"] > 0
    for one in (quiet, noisy):
        check_totals(one)
        outcomes.append({name: outline(text) for name, text in read_journals(one).items()})
        stops = {episode.stop for line in read_ledger(one).values() for episode in line.episodes}
        assert stops == {StopReason.FOUND}
    assert outcomes[0] == outcomes[1]


async def test_player_and_supervisor_have_limits_of_their_own() -> None:
    settings = BatchSettings(player=SeatLimits(in_flight=3), supervisor=SeatLimits(in_flight=5))
    servers = SeatServers(settings)
    seat = SeatConfig(model="openai:p", base_url="http://127.0.0.1:9/v1", api_key_env="NO_KEY")
    for name in ("player", "supervisor"):
        await servers.make_model(name, seat).aclose()
    assert [(state["seat"], state["limit"]) for state in servers.describe()["servers"]] == [
        ("player", 3),
        ("supervisor", 5),
    ]


async def test_a_worker_tells_how_its_servers_do(tmp_path: Path, repo: Path) -> None:
    async with LoopbackServer(answer_as_player, [loopback.rate_limited(0)]) as server:
        the_order = make_order(tmp_path, make_tasks(repo, 2), config=make_config(server.base_url))
        await play_run(the_order)
        url = server.base_url
    [state] = read_server_states(the_order.folder)
    assert state["url"] == url
    assert (state["calls"], state["rate_limited"], state["failures"], state["in_flight"]) == (11, 1, 0, 0)
    assert state["breaker"] == "closed"


async def answer_with_empty_limit(exchange: PendingRequest) -> None:
    """Answer properly, and say that the limit of 20 requests a second is used up."""
    headers = {f"x_ratelimit_{field}_requests": value for field, value in (("limit", "20"), ("remaining", "0"))}
    body = json.dumps(completion(exchange.message())).encode()
    await exchange.send(200, body, **headers, x_ratelimit_reset_requests="1s")


async def test_what_a_server_says_of_its_limits_is_kept_and_is_no_part_of_the_episode(
    tmp_path: Path, repo: Path
) -> None:
    async with LoopbackServer(answer_as_player, default_behaviour=answer_with_empty_limit) as server:
        the_order = make_order(tmp_path, make_tasks(repo, 6), config=make_config(server.base_url))
        await play_run(the_order)
    [state] = read_server_states(the_order.folder)
    waited_s = state["waited_s"]
    assert isinstance(waited_s, float)
    assert waited_s > 24 / 20, "all but the first calls had to wait, one behind the other"
    assert not any(b"ratelimit" in text for text in read_journals(the_order).values())
    events = [json.loads(line) for text in read_journals(the_order).values() for line in text.splitlines()]
    assert sum(event["seconds"] for event in events if event["event"] == "call") < waited_s, "waits are not its time"


async def test_a_server_that_tells_what_is_left_of_an_untold_limit_is_waited_for_until_its_reset(
    tmp_path: Path, repo: Path
) -> None:
    left = {f"x_ratelimit_remaining_{kind}": "0" for kind in ("requests", "tokens")}

    async def empty(exchange: PendingRequest) -> None:
        body = json.dumps(completion(exchange.message())).encode()
        await exchange.send(200, body, **left, x_ratelimit_reset_requests="50ms", x_ratelimit_reset_tokens="0.1")

    async with LoopbackServer(answer_as_player, default_behaviour=empty) as server:
        the_order = make_order(tmp_path, make_tasks(repo, 3), config=make_config(server.base_url))
        with anyio.fail_after(30):
            session = await play_run(the_order)
    assert (session.unfinished_count, session.reason) == (0, "")
    [state] = read_server_states(the_order.folder)
    assert state["waited_s"] != 0


def _drop_connection(_: int, __: ReceivedRequest) -> Behaviour:
    return loopback.reset()


async def test_a_second_server_takes_over_from_one_that_is_dead(tmp_path: Path, repo: Path) -> None:
    async with LoopbackServer(answer_as_player) as alive, LoopbackServer(answer_as_player, _drop_connection) as dead:
        config = make_config(alive.base_url)
        places = tuple(EndpointSettings(base_url=x.base_url, api_key_env="NO_KEY") for x in (dead, alive))
        settings = BatchSettings(at_once=4, player=SeatLimits(endpoints=places))
        session = await play_run(make_order(tmp_path, make_tasks(repo, 8), config=config, settings=settings))
        assert session.unfinished_count == 0
        assert len(dead.received) < len(alive.received) / 2


async def test_endpoints_of_another_price_are_refused() -> None:
    place = EndpointSettings(base_url="http://127.0.0.1:9/v1")
    settings = BatchSettings(player=SeatLimits(endpoints=(place,)))
    known = SeatConfig(model="openai:gpt-4.1", api_key_env="NO_KEY")
    with pytest.raises(ConfigError, match=r"give \[player.price\]"):
        require_one_price(RunConfig(player=known), settings)
    said = known.model_copy(update={"price": PriceConfig(input=0, output=0)})
    require_one_price(RunConfig(player=said), settings)


async def test_a_server_out_of_reach_parks_and_never_fails(tmp_path: Path, repo: Path) -> None:
    settings = BatchSettings(at_once=2, patience_s=2)
    config = make_config("http://127.0.0.1:9/v1")
    the_order = make_order(tmp_path, make_tasks(repo, 2), config=config, settings=settings)
    with anyio.fail_after(60):
        session = await play_run(the_order)
    assert session.reason.startswith("no server answered")
    assert (session.unfinished_count, session.failed, read_ledger(the_order)) == (2, {}, {})


def test_the_page_shows_settings_that_there_are(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "batch.md").read_text("utf-8")
    blocks = [block.partition("```")[0] for block in page.split("```toml\n")[1:]]
    file = tmp_path / "run.toml"
    for block in blocks:
        file.write_text(block)
        assert load_batch_settings(file) != BatchSettings()
    assert len(blocks) >= 2


async def test_patience_is_not_exceeded_by_a_long_retry_after(tmp_path: Path, repo: Path) -> None:
    settings = BatchSettings(at_once=2, patience_s=1)
    refusal = loopback.answers(429, {"error": {"message": "come back later"}}, retry_after="4000")
    async with LoopbackServer(answer_as_player, lambda _number, _received: refusal) as server:
        the_order = make_order(tmp_path, make_tasks(repo, 4), config=make_config(server.base_url), settings=settings)
        with anyio.fail_after(60):
            session = await play_run(the_order)
    assert session.unfinished_count == 4
    assert "come back later" in session.reason, "what the server said last is reported"
