from pathlib import Path

import anyio
import pytest

from selfplay.batch.episode_tally import make_episode_line, prices_of, tally_of
from selfplay.batch.graceful_stop import BUDGET_REASON
from selfplay.batch.ledger import UnitLedgers, UnitLine
from selfplay.batch.manifest import find_fork_folder
from selfplay.batch.progress.observer import RunObserver, collect_key_names
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings, BudgetLimits, EndpointSettings, SeatLimits, load_batch_settings
from selfplay.batch.start import load_budget_ledger
from selfplay.batch.units import WorkUnit
from selfplay.batch.watch import NullWatch, RunSession
from selfplay.clean.journals import journals_in
from selfplay.config import HintConfig, PriceConfig, SeatConfig, load_config
from selfplay.core.errors import ConfigError, RunError, StorageError
from selfplay.core.task import Answer, Target
from selfplay.journal.events import read_events
from selfplay.journal.replay import trace_of
from selfplay.models.prices import FREE
from selfplay.repos.hidden_files import JOURNAL_START
from tests.selfplay.batch.runs import (
    CONFIG,
    count_ledger_lines,
    digests,
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


async def test_each_task_comes_to_an_end_once_and_a_second_start_plays_nothing(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 8))
    first = await play_run(the_order)
    assert (first.reason, first.failed, first.unfinished_count) == ("", {}, 0)
    assert sorted(read_ledger(the_order)) == [f"t{n}#1" for n in range(8)]
    before = read_journals(the_order)
    assert await play_run(the_order) == first
    assert read_journals(the_order) == before
    assert count_ledger_lines(the_order) == 8


async def test_what_is_played_does_not_depend_on_how_many_are_played_at_once(tmp_path: Path, repo: Path) -> None:
    came_to: list[dict[str, str]] = []
    for at_once in (1, 7):
        the_order = make_order(
            tmp_path, make_tasks(repo, 8), settings=BatchSettings(at_once=at_once), name=f"run{at_once}"
        )
        await play_run(the_order)
        came_to.append(digests(the_order))
    assert came_to[0] == came_to[1]


async def test_the_same_run_takes_further_tasks_and_samples(tmp_path: Path, repo: Path) -> None:
    await play_run(make_order(tmp_path, make_tasks(repo, 2)))
    more = make_order(tmp_path, make_tasks(repo, 3), settings=BatchSettings(samples=2))
    await play_run(more)
    assert sorted(read_ledger(more)) == sorted(f"t{n}#{s}" for n in range(3) for s in (1, 2))
    assert count_ledger_lines(more) == 6
    assert len({line.episodes[0].episode for line in read_ledger(more).values()}) == 6


async def test_a_run_of_another_kind_is_refused_with_every_difference(tmp_path: Path, repo: Path) -> None:
    await play_run(make_order(tmp_path, make_tasks(repo, 1)))
    other = CONFIG.model_copy(update={"hints": HintConfig(policy="every_step", stuck_after=5)})
    with pytest.raises(RunError) as caught:
        await play_run(make_order(tmp_path, make_tasks(repo, 1), config=other))
    assert 'config.hints.policy: was "when_stuck", is not set' in str(caught.value)
    assert "config.hints.stuck_after: was not set, is 5" in str(caught.value)
    assert find_fork_folder(RunFolder(tmp_path / "run")).root == tmp_path / "run-2"


async def test_an_id_that_means_another_task_now_is_refused(tmp_path: Path, repo: Path) -> None:
    [(where, task)] = make_tasks(repo, 1)
    await play_run(make_order(tmp_path, [(where, task)]))
    changed = task.model_copy(update={"answer": Answer(targets=(Target(path="README.md"),))})
    with pytest.raises(RunError, match=r"tasks.jsonl:1: the task 't0' is not the one"):
        await play_run(make_order(tmp_path, [(where, changed)]))


async def test_a_task_that_does_not_fit_is_written_down_and_the_others_go_on(tmp_path: Path, repo: Path) -> None:
    tasks = list(make_tasks(repo, 3))
    wrong = tasks[1][1].model_copy(update={"answer": Answer(targets=(Target(path="pump/none.py"),))})
    tasks[1] = (tasks[1][0], wrong)
    nowhere = tasks[2][1].model_copy(
        update={"brief": tasks[2][1].brief.model_copy(update={"repo": str(tmp_path / "gone")})}
    )
    tasks[2] = (tasks[2][0], nowhere)
    the_order = make_order(tmp_path, tasks)
    session = await play_run(the_order)
    lines = read_ledger(the_order)
    assert lines["t0#1"].outcome == "played"
    assert lines["t1#1"].outcome == "unusable"
    assert "pump/none.py" in lines["t1#1"].detail
    assert list(session.failed) == ["t2#1"], "a repository may be back tomorrow: it is tried again"
    assert session.unfinished_count == 1


async def test_workers_tell_which_variables_hold_their_servers_keys(tmp_path: Path, repo: Path) -> None:
    places = (EndpointSettings(base_url="http://127.0.0.1:9/v1", api_key_env="HOUSE_KEY"),)
    settings = BatchSettings(player=SeatLimits(endpoints=places))
    the_order = make_order(tmp_path, make_tasks(repo, 1), settings=settings)
    await play_run(the_order)
    assert collect_key_names(journals_in(the_order.folder.root)) == ("HOUSE_KEY",)


async def test_two_workers_in_one_folder_play_no_task_twice(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 12), settings=BatchSettings(at_once=3))
    async with anyio.create_task_group() as group:
        group.start_soon(play_run, the_order)
        group.start_soon(play_run, the_order)
    assert len(read_ledger(the_order)) == 12
    assert count_ledger_lines(the_order) == 12
    assert len(list(the_order.folder.workers.glob("*.json"))) == 2
    assert not any(b'"event":"resume"' in text for text in read_journals(the_order).values())


async def test_workers_do_not_wait_for_what_another_one_can_not_play(tmp_path: Path, repo: Path) -> None:
    tasks = [*make_tasks(tmp_path / "gone.git", 4), *make_tasks(repo, 2, start=4)]
    the_order = make_order(tmp_path, tasks, settings=BatchSettings(at_once=1))
    sessions: list[RunSession] = []

    async def work() -> None:
        sessions.append(await play_run(the_order))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            group.start_soon(work)
    assert [session.unfinished_count for session in sessions] == [4, 4]
    assert {unit for session in sessions for unit in session.failed} == {f"t{n}#1" for n in range(4)}
    assert sorted(read_ledger(the_order)) == ["t4#1", "t5#1"]


async def test_what_a_dead_worker_had_begun_is_taken_over(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 2))
    await play_run(make_order(tmp_path, make_tasks(repo, 1)))
    unit = WorkUnit(make_tasks(repo, 2)[1][1], 1, "")
    lease = the_order.folder.leases / f"{unit.file_name}.1"
    lease.write_text("somebody-who-never-lived")
    session = await play_run(the_order)
    assert session.unfinished_count == 0
    assert lease.with_suffix(".2").exists()


async def test_the_ledger_says_what_the_journals_say(tmp_path: Path, repo: Path) -> None:
    priced = SeatConfig(model="heuristic", price=PriceConfig(input=2.0, output=5.0))
    config = CONFIG.model_copy(update={"player": priced})
    the_order = make_order(tmp_path, make_tasks(repo, 4), config=config)
    await play_run(the_order)
    prices = prices_of(config)
    for line in read_ledger(the_order).values():
        for episode in line.episodes:
            path = the_order.folder.root / episode.path
            events = list(read_events(path))
            again = make_episode_line(
                trace_of(events, str(path)), tally_of(events, prices), path, the_order.folder.root
            )
            assert again == episode
            assert episode.cost_usd > 0


async def test_a_run_ends_at_its_budget_and_goes_on_with_a_larger_one(tmp_path: Path, repo: Path) -> None:
    tasks = make_tasks(repo, 6)
    small = make_order(tmp_path, tasks, settings=BatchSettings(at_once=2, budget=BudgetLimits(tokens=60_000)))
    session = await play_run(small)
    assert session.reason.startswith(BUDGET_REASON)
    assert session.unfinished_count > 0
    ledgers = UnitLedgers(small.folder)
    ledgers.refresh()
    spent = load_budget_ledger(small, ledgers, {"player": FREE}).spent.usage.total_tokens
    assert 20_000 < spent <= 60_000, "no call is made that may pass it"
    again = await play_run(small)
    assert again.unfinished_count == session.unfinished_count, "what was spent before counts"
    assert (await play_run(make_order(tmp_path, tasks))).unfinished_count == 0


async def test_money_is_not_counted_without_a_known_price(tmp_path: Path, repo: Path) -> None:
    seat = SeatConfig(model="openai:my-own", base_url="http://127.0.0.1:9/v1")
    config = CONFIG.model_copy(update={"player": seat, "hints": HintConfig(policy="never")})
    with pytest.raises(ConfigError, match="no price is known for the player's model 'my-own'"):
        await play_run(make_order(tmp_path, make_tasks(repo, 1), config=config))
    assert not make_order(tmp_path, []).folder.root.exists(), "the price that is given next would make it another run"


async def test_a_unit_whose_journal_is_damaged_fails_alone(tmp_path: Path, repo: Path) -> None:
    await play_run(make_order(tmp_path, make_tasks(repo, 1)))
    the_order = make_order(tmp_path, make_tasks(repo, 2))
    [path] = the_order.folder.episodes.rglob("*.jsonl")
    for ledger in the_order.folder.ledgers.iterdir():
        ledger.unlink()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{broken\n", *lines[2:]]))
    session = await play_run(the_order)
    assert list(session.failed) == ["t0#1"]
    assert "damaged" in session.failed["t0#1"]
    assert list(read_ledger(the_order)) == ["t1#1"]


async def test_a_ledger_that_is_lost_is_written_anew_from_the_journals(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 3))
    await play_run(the_order)
    before, kept = read_ledger(the_order), read_journals(the_order)
    for ledger in the_order.folder.ledgers.iterdir():
        ledger.unlink()
    await play_run(the_order)
    assert read_journals(the_order) == kept
    after = read_ledger(the_order)
    assert {u: line.episodes for u, line in after.items()} == {u: line.episodes for u, line in before.items()}


async def test_a_watcher_hears_of_every_unit(tmp_path: Path, repo: Path) -> None:
    started: list[str] = []
    ended: list[str] = []

    class Watch(NullWatch):
        def on_unit_started(self, unit: WorkUnit) -> None:
            started.append(unit.id)

        def on_unit_ended(self, line: UnitLine) -> None:
            ended.append(line.unit)

    await play_run(make_order(tmp_path, make_tasks(repo, 3)), Watch())
    assert sorted(started) == sorted(ended) == ["t0#1", "t1#1", "t2#1"]


def test_how_a_run_is_carried_out_stands_in_the_same_file_and_makes_no_other_episode(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('[hints]\npolicy = "never"\n[batch]\nat_once = 9\n[batch.budget]\ncost_usd = 3\n')
    assert load_config(file).hints.policy == "never"
    assert load_batch_settings(file).at_once == 9
    file.write_text("[batch]\nat_onec = 9\n")
    with pytest.raises(ConfigError, match=r"batch: unknown key 'at_onec', did you mean 'at_once'\?"):
        load_batch_settings(file)


@pytest.mark.parametrize("at_once", [1, 3])
async def test_a_task_file_may_be_extended_reordered_and_shortened(tmp_path: Path, repo: Path, at_once: int) -> None:
    tasks = make_tasks(repo, 6)
    settings = BatchSettings(at_once=at_once, samples=2)
    await play_run(make_order(tmp_path, tasks[:2], settings=settings))
    ended = BatchSettings(at_once=at_once, samples=2, budget=BudgetLimits(tokens=1))
    assert (await play_run(make_order(tmp_path, tasks, settings=ended))).unfinished_count == 8
    fewer = make_order(tmp_path, tasks[:0:-1], settings=BatchSettings(at_once=at_once))
    assert (await play_run(fewer)).unfinished_count == 0
    assert sorted(read_ledger(fewer)) == sorted([*(f"t{n}#1" for n in range(6)), "t0#2", "t1#2"])
    totals = RunObserver(fewer.folder).read_totals()
    assert (totals.units.waiting, totals.units.ended) == (0, 8), "what is not asked for any more does not wait"


async def test_a_folder_that_goes_away_while_a_run_goes_on_is_not_begun_anew(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 12))
    root, away = the_order.folder.root, tmp_path / "unmounted"

    class Watch(NullWatch):
        def on_unit_ended(self, line: UnitLine) -> None:
            del line
            if root.exists():
                root.rename(away)

    session = await play_run(the_order, Watch())
    assert isinstance(session.error, StorageError)
    assert session.unfinished_count > 0
    assert not root.exists()
    away.rename(root)
    for sign in the_order.folder.workers.iterdir():
        sign.unlink()  # it could not say that it left, and its process, this one, goes on
    assert (await play_run(the_order)).unfinished_count == 0
    assert len(read_ledger(the_order)) == 12


async def test_a_repository_that_goes_away_while_a_run_goes_on_is_told_and_tried_again(
    tmp_path: Path, repo: Path
) -> None:
    gone = make_repository(tmp_path / "gone.git")
    tasks = [*make_tasks(gone, 3), *make_tasks(repo, 3, start=3)]
    the_order = make_order(tmp_path, tasks, settings=BatchSettings(at_once=1))

    class Watch(NullWatch):
        def on_unit_ended(self, line: UnitLine) -> None:
            if line.repo == str(gone) and gone.exists():
                gone.rename(tmp_path / "moved.git")

    session = await play_run(the_order, Watch())
    assert list(session.failed) == ["t1#1", "t2#1"]
    assert all("gone.git" in why for why in session.failed.values())
    (tmp_path / "moved.git").rename(gone)
    assert (await play_run(the_order)).unfinished_count == 0


@pytest.mark.parametrize(
    "held", ["night/manifest.json", ".git/HEAD", "t-1a2b3c4d.jsonl", ".clones/pump-1a2b3c4d.git/HEAD", ".index/p/x"]
)
async def test_a_folder_that_is_something_else_is_refused_and_left_as_it_was(
    tmp_path: Path, repo: Path, held: str
) -> None:
    there = tmp_path / "run" / held
    there.parent.mkdir(parents=True)
    there.write_bytes(JOURNAL_START)
    with pytest.raises(RunError, match="give a run a folder of its own"):
        await play_run(make_order(tmp_path, make_tasks(repo, 1)))
    assert [path for path in (tmp_path / "run").rglob("*") if path.is_file()] == [there]
