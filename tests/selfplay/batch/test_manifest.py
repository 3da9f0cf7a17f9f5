"""What makes a run, and an episode, another one."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from selfplay.batch.heartbeat import Heartbeat, new_worker_name
from selfplay.batch.settings import BatchSettings, BudgetLimits
from selfplay.config import EpisodeLimits, HintConfig, PriceConfig, RunConfig, SeatConfig, episode_shaping_values
from selfplay.core.errors import ConfigError, RunError
from selfplay.core.files import write_atomically, write_if_absent
from selfplay.core.task import Task
from selfplay.journal.events import read_events
from tests import loopback
from tests.loopback import Json, LoopbackServer, message_with_calls
from tests.selfplay.batch.runs import (
    digests,
    make_order,
    make_repository,
    make_tasks,
    play_run,
    read_journals,
    read_ledger,
)

pytestmark = pytest.mark.anyio

NEVER = HintConfig(policy="never")
FREE = PriceConfig(input=0.0, output=0.0)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "pump.git")


def list_folder(_: Json) -> Json:
    return message_with_calls(("list_dir", {}))


def make_config(base_url: str, **more: object) -> RunConfig:
    seat = {"model": "openai:m", "base_url": base_url, "api_key_env": "NO_KEY_NEEDED", "price": FREE, **more}
    return RunConfig(player=SeatConfig.model_validate(seat), hints=NEVER, limits=EpisodeLimits(steps=6))


async def test_a_run_whose_server_moved_goes_on_in_the_middle_of_its_episodes(tmp_path: Path, repo: Path) -> None:
    tasks = make_tasks(repo, 2)
    small = BatchSettings(budget=BudgetLimits(tokens=800))
    async with LoopbackServer(list_folder) as here, LoopbackServer(list_folder) as there:
        first = make_order(tmp_path, tasks, config=make_config(here.base_url), settings=small)
        assert (await play_run(first)).unfinished_count == 2
        begun = read_journals(first)
        moved = make_order(
            tmp_path, tasks, config=make_config(there.base_url, api_key_env="OTHER", timeout_s=9.0, tries=2)
        )
        assert (await play_run(moved)).unfinished_count == 0
        assert 0 < len(here.received) < 12
        assert len(here.received) + len(there.received) == 12, "no call was made twice"
        [start, *_] = read_events(next(first.folder.episodes.rglob("*.jsonl")))
        assert start["config"]["player"]["base_url"] == here.base_url, "it says where it was begun"
    for name, text in read_journals(moved).items():
        assert text.startswith(begun[name]), "each episode goes on in its own journal"


@pytest.mark.parametrize(
    "more", [{"model": "openai:n"}, {"sampling": {"seed": 1}}, {"extra_body": {"top_k": 5}}, {"price": None}]
)
async def test_another_model_other_sampling_and_other_prices_are_another_run(
    tmp_path: Path, repo: Path, more: dict[str, object]
) -> None:
    ignoring = BatchSettings(budget=BudgetLimits(unknown_price="ignore"))
    async with LoopbackServer(list_folder) as server:
        await play_run(make_order(tmp_path, make_tasks(repo, 1), config=make_config(server.base_url)))
        with pytest.raises(RunError, match=rf"config\.player\.{next(iter(more))}"):
            await play_run(
                make_order(
                    tmp_path, make_tasks(repo, 1), config=make_config(server.base_url, **more), settings=ignoring
                )
            )


async def test_a_move_to_where_the_model_costs_something_else_is_another_run(tmp_path: Path, repo: Path) -> None:
    def at(base_url: str | None) -> RunConfig:
        seat = SeatConfig(model="openai:gpt-4o-mini", base_url=base_url, api_key_env="PATH")
        return RunConfig(player=seat, hints=NEVER)

    none: tuple[tuple[str, Task], ...] = ()
    ignoring = BatchSettings(budget=BudgetLimits(unknown_price="ignore"))
    await play_run(make_order(tmp_path, none, config=at("https://api.openai.com/v1")))
    await play_run(make_order(tmp_path, none, config=at(None)))
    answered = tmp_path / "run" / "episodes" / "00" / "t-00000000.jsonl"
    answered.parent.mkdir()
    answered.write_text('{"event":"start","journal":2}\n{"event":"call","seat":"player"}\n')
    with pytest.raises(RunError, match=r"the player's price .* is \"not known\""):
        await play_run(make_order(tmp_path, make_tasks(repo, 1), config=at("http://127.0.0.1:9/v1"), settings=ignoring))


async def test_a_run_in_which_no_model_answered_is_begun_anew_with_what_was_mended(tmp_path: Path, repo: Path) -> None:
    no_such = loopback.answers(404, {"error": {"message": "The model `m` does not exist."}})
    tasks, ignoring = make_tasks(repo, 2), BatchSettings(budget=BudgetLimits(unknown_price="ignore"))
    async with LoopbackServer(list_folder, default_behaviour=no_such) as server:
        wrong = make_order(tmp_path, tasks, config=make_config(server.base_url), settings=ignoring)
        session = await play_run(wrong)
    assert "does not exist" in str(session.error)
    assert len(read_journals(wrong)) > 0, "they were begun"
    with pytest.raises(ConfigError, match="unknown model"):
        await play_run(make_order(tmp_path, tasks, config=make_config("http://a/v1", model="gpt-4"), settings=ignoring))
    async with LoopbackServer(list_folder) as server:
        mended = make_order(tmp_path, tasks, config=make_config(server.base_url, model="openai:n"), settings=ignoring)
        assert (await play_run(mended)).unfinished_count == 0
    assert len(read_ledger(mended)) == len(read_journals(mended)) == 2, "nothing is left of what was begun"
    with pytest.raises(RunError, match=r"config\.player\.model: was"):
        await play_run(wrong)


async def test_what_another_worker_is_at_is_not_begun_anew(tmp_path: Path) -> None:
    none: tuple[tuple[str, Task], ...] = ()
    ignoring = BatchSettings(budget=BudgetLimits(unknown_price="ignore"))
    one, other = (
        make_order(tmp_path, none, config=make_config("http://a/v1", model=f"openai:{m}"), settings=ignoring)
        for m in "mn"
    )
    await play_run(one)
    at_work = Heartbeat(one.folder, new_worker_name())
    at_work.beat({})
    with pytest.raises(RunError, match="another kind"):
        await play_run(other)
    at_work.beat({}, is_over=True)
    await play_run(other)


def test_of_a_configuration_only_where_and_how_patiently_models_are_asked_shapes_nothing() -> None:
    config: dict[str, JsonValue] = {
        "player": {"model": "openai:m", "base_url": "http://a/v1", "api_key_env": "A", "tries": 2, "timeout_s": 3},
        "supervisor": {"base_url": "http://a/v1"},
        "judge": {"base_url": "http://a/v1"},
        "tools": {"ask_web": {"base_url": "http://web/"}},
    }
    assert episode_shaping_values(config) == {"player": {"model": "openai:m"}, "judge": {}, "tools": config["tools"]}


def test_of_two_that_write_a_file_first_one_does(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    assert [write_if_absent(path, data) for data in (b"one", b"two")] == [True, False]
    assert path.read_bytes() == b"one"
    write_atomically(path, b"three")
    assert path.read_bytes() == b"three"
    assert list(tmp_path.iterdir()) == [path]


async def test_a_run_goes_on_without_its_leases_and_workers(tmp_path: Path, repo: Path) -> None:
    tasks = make_tasks(repo, 4)
    small = make_order(tmp_path, tasks, settings=BatchSettings(at_once=2, budget=BudgetLimits(tokens=40_000)))
    left = (await play_run(small)).unfinished_count
    assert 0 < left <= len(tasks)
    ended, begun = read_ledger(small), read_journals(small)
    for place in (small.folder.leases, small.folder.workers):
        for file in place.iterdir():
            file.unlink()
        place.rmdir()
    whole = make_order(tmp_path, tasks)
    assert (await play_run(whole)).unfinished_count == 0
    after = read_journals(whole)
    assert all(after[name].startswith(text) for name, text in begun.items())
    assert {unit: line for unit, line in read_ledger(whole).items() if unit in ended} == ended
    untouched = make_order(tmp_path, tasks, name="untouched")
    await play_run(untouched)
    assert digests(whole) == digests(untouched)
