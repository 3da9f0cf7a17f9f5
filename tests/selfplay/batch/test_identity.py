"""What makes a run, and an episode, another one."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from selfplay.batch.layout import write_first, write_whole
from selfplay.batch.settings import BatchSettings, Budget
from selfplay.batch.worker import Pulse, new_worker
from selfplay.config import HintConfig, Limits, PriceConfig, RunConfig, SeatConfig, shaping
from selfplay.errors import ConfigError, RunError
from selfplay.events import read_events
from selfplay.task import Task
from tests import loopback
from tests.loopback import Json, Loopback, calls
from tests.selfplay.batch.runs import digests, journals, ledger_of, make_repository, make_tasks, order, run

pytestmark = pytest.mark.anyio

NEVER = HintConfig(policy="never")
FREE = PriceConfig(input=0.0, output=0.0)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "pump.git")


def lists(_: Json) -> Json:
    return calls(("list_dir", {}))


def asking(base_url: str, **more: object) -> RunConfig:
    seat = {"model": "openai:m", "base_url": base_url, "api_key_env": "NO_KEY_NEEDED", "price": FREE, **more}
    return RunConfig(player=SeatConfig.model_validate(seat), hints=NEVER, limits=Limits(steps=6))


async def test_a_run_whose_server_moved_goes_on_in_the_middle_of_its_episodes(tmp_path: Path, repo: Path) -> None:
    tasks = make_tasks(repo, 2)
    small = BatchSettings(budget=Budget(tokens=800))
    async with Loopback(lists) as here, Loopback(lists) as there:
        first = order(tmp_path, tasks, config=asking(here.base_url), settings=small)
        assert (await run(first)).left == 2
        begun = journals(first)
        moved = order(tmp_path, tasks, config=asking(there.base_url, api_key_env="OTHER", timeout_s=9.0, tries=2))
        assert (await run(moved)).left == 0
        assert 0 < len(here.received) < 12
        assert len(here.received) + len(there.received) == 12, "no call was made twice"
        [start, *_] = read_events(next(first.folder.episodes.rglob("*.jsonl")))
        assert start["config"]["player"]["base_url"] == here.base_url, "it tells where it was begun"
    for name, text in journals(moved).items():
        assert text.startswith(begun[name]), "each episode goes on in its own journal"


@pytest.mark.parametrize(
    "more", [{"model": "openai:n"}, {"sampling": {"seed": 1}}, {"extra_body": {"top_k": 5}}, {"price": None}]
)
async def test_another_model_other_sampling_and_other_prices_are_another_run(
    tmp_path: Path, repo: Path, more: dict[str, object]
) -> None:
    ignoring = BatchSettings(budget=Budget(unknown_price="ignore"))
    async with Loopback(lists) as server:
        await run(order(tmp_path, make_tasks(repo, 1), config=asking(server.base_url)))
        with pytest.raises(RunError, match=rf"config\.player\.{next(iter(more))}"):
            await run(order(tmp_path, make_tasks(repo, 1), config=asking(server.base_url, **more), settings=ignoring))


async def test_a_move_to_where_the_model_costs_something_else_is_another_run(tmp_path: Path, repo: Path) -> None:
    def at(base_url: str | None) -> RunConfig:
        seat = SeatConfig(model="openai:gpt-4o-mini", base_url=base_url, api_key_env="PATH")
        return RunConfig(player=seat, hints=NEVER)

    none: tuple[tuple[str, Task], ...] = ()
    ignoring = BatchSettings(budget=Budget(unknown_price="ignore"))
    await run(order(tmp_path, none, config=at("https://api.openai.com/v1")))
    await run(order(tmp_path, none, config=at(None)))
    answered = tmp_path / "run" / "episodes" / "00" / "t-00000000.jsonl"
    answered.parent.mkdir()
    answered.write_text('{"event":"start","journal":2}\n{"event":"call","seat":"player"}\n')
    with pytest.raises(RunError, match=r"the player's price .* is \"not known\""):
        await run(order(tmp_path, make_tasks(repo, 1), config=at("http://127.0.0.1:9/v1"), settings=ignoring))


async def test_a_run_in_which_no_model_answered_is_begun_anew_with_what_was_mended(tmp_path: Path, repo: Path) -> None:
    no_such = loopback.answers(404, {"error": {"message": "The model `m` does not exist."}})
    tasks, ignoring = make_tasks(repo, 2), BatchSettings(budget=Budget(unknown_price="ignore"))
    async with Loopback(lists, properly=no_such) as server:
        wrong = order(tmp_path, tasks, config=asking(server.base_url), settings=ignoring)
        session = await run(wrong)
    assert "does not exist" in str(session.error)
    assert len(journals(wrong)) > 0, "they were begun"
    with pytest.raises(ConfigError, match="unknown model"):
        await run(order(tmp_path, tasks, config=asking("http://a/v1", model="gpt-4"), settings=ignoring))
    async with Loopback(lists) as server:
        mended = order(tmp_path, tasks, config=asking(server.base_url, model="openai:n"), settings=ignoring)
        assert (await run(mended)).left == 0
    assert len(ledger_of(mended)) == len(journals(mended)) == 2, "nothing is left of what was begun"
    with pytest.raises(RunError, match=r"config\.player\.model: was"):
        await run(wrong)


async def test_what_another_worker_is_at_is_not_begun_anew(tmp_path: Path) -> None:
    none: tuple[tuple[str, Task], ...] = ()
    ignoring = BatchSettings(budget=Budget(unknown_price="ignore"))
    one, other = (
        order(tmp_path, none, config=asking("http://a/v1", model=f"openai:{m}"), settings=ignoring) for m in "mn"
    )
    await run(one)
    at_work = Pulse(one.folder, new_worker())
    at_work.beat({})
    with pytest.raises(RunError, match="another kind"):
        await run(other)
    at_work.beat({}, is_over=True)
    await run(other)


def test_of_a_configuration_only_where_and_how_patiently_models_are_asked_shapes_nothing() -> None:
    config: dict[str, JsonValue] = {
        "player": {"model": "openai:m", "base_url": "http://a/v1", "api_key_env": "A", "tries": 2, "timeout_s": 3},
        "supervisor": {"base_url": "http://a/v1"},
        "judge": {"base_url": "http://a/v1"},
        "tools": {"ask_web": {"base_url": "http://web/"}},
    }
    assert shaping(config) == {"player": {"model": "openai:m"}, "judge": {}, "tools": config["tools"]}


def test_of_two_that_write_a_file_first_one_does(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    assert [write_first(path, data) for data in (b"one", b"two")] == [True, False]
    assert path.read_bytes() == b"one"
    write_whole(path, b"three")
    assert path.read_bytes() == b"three"
    assert list(tmp_path.iterdir()) == [path]


async def test_a_run_goes_on_without_its_leases_and_workers(tmp_path: Path, repo: Path) -> None:
    tasks = make_tasks(repo, 4)
    small = order(tmp_path, tasks, settings=BatchSettings(at_once=2, budget=Budget(tokens=40_000)))
    left = (await run(small)).left
    assert 0 < left <= len(tasks)
    ended, begun = ledger_of(small), journals(small)
    for place in (small.folder.leases, small.folder.workers):
        for file in place.iterdir():
            file.unlink()
        place.rmdir()
    whole = order(tmp_path, tasks)
    assert (await run(whole)).left == 0
    after = journals(whole)
    assert all(after[name].startswith(text) for name, text in begun.items())
    assert {unit: line for unit, line in ledger_of(whole).items() if unit in ended} == ended
    untouched = order(tmp_path, tasks, name="untouched")
    await run(untouched)
    assert digests(whole) == digests(untouched)
