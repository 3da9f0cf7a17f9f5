from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.batch.progress.figures import format_count, format_dollars, format_duration, format_share_of
from selfplay.batch.progress.observer import RunObserver
from selfplay.batch.progress.results import UNGRADED, recount_results, results_of
from selfplay.batch.settings import BatchSettings, BudgetLimits
from selfplay.config import EpisodeLimits, HintConfig, HintPolicy, PriceConfig, RunConfig, SeatConfig
from selfplay.core.trace import StopReason
from tests.selfplay.batch.ledger_lines import make_episode_line, make_unit_line
from tests.selfplay.batch.runs import CONFIG, make_order, make_repository, make_tasks, play_run, read_ledger

PRICED = SeatConfig(model="heuristic", price=PriceConfig(input=2.0, cached_input=0.3, output=5.1))


@pytest.mark.anyio
@pytest.mark.parametrize("policy", ["when_stuck", "never", "after_miss"])
async def test_ledgers_and_journals_say_the_same(tmp_path: Path, policy: HintPolicy) -> None:
    hints = HintConfig(policy=policy, unhinted_attempts=2 if policy == "after_miss" else 1)
    config = RunConfig(hints=hints, limits=EpisodeLimits(steps=3), player=PRICED)
    tasks = make_tasks(make_repository(tmp_path / "pump.git"), 4)
    graded = [(where, task.model_copy(update={"meta": {"leak": "module"}})) for where, task in tasks[:2]]
    the_order = make_order(tmp_path, [*graded, *tasks[2:]], config=config, settings=BatchSettings(samples=2))
    await play_run(the_order)
    results = results_of(read_ledger(the_order).values())
    assert results == recount_results(the_order.folder) == RunObserver(the_order.folder).read_totals().results
    assert results.units == 8
    assert results.cost_usd > 0
    assert {grade: sum(counts.values()) for grade, counts in results.grades.items()} == {"module": 4, UNGRADED: 4}
    if policy == "after_miss":
        assert results.episodes > results.units


@pytest.mark.anyio
async def test_journals_that_go_on_are_no_results_and_are_paid_for(tmp_path: Path) -> None:
    tasks = make_tasks(make_repository(tmp_path / "pump.git"), 6)
    config = CONFIG.model_copy(update={"player": PRICED})
    small = make_order(
        tmp_path, tasks, config=config, settings=BatchSettings(at_once=2, budget=BudgetLimits(tokens=60_000))
    )
    assert (await play_run(small)).unfinished_count
    totals = RunObserver(small.folder).read_totals()
    assert totals.results == recount_results(small.folder)
    assert totals.usage.total_tokens > totals.results.usage.total_tokens
    assert totals.cost_usd > totals.results.cost_usd
    assert totals.units.waiting + totals.units.ended == 6
    await play_run(replace(small, settings=BatchSettings()))
    ended = RunObserver(small.folder).read_totals()
    assert ended.usage == ended.results.usage
    assert ended.cost_usd == pytest.approx(ended.results.cost_usd)


@given(st.permutations(range(6)))
def test_the_order_of_units_does_not_matter(order_: list[int]) -> None:
    lines = [
        make_unit_line(n, make_episode_line(cost_usd=0.1 * n + 1e-9, steps=n + 1), repo=f"r{n % 2}") for n in range(6)
    ]
    assert results_of(lines[n] for n in order_).model_dump_json() == results_of(lines).model_dump_json()


def test_a_unit_counts_by_its_last_episode_and_costs_all_of_them() -> None:
    missed = make_episode_line(StopReason.GAVE_UP, hints=0, steps=2)
    results = results_of(
        [make_unit_line(1, missed, make_episode_line(steps=5)), make_unit_line(2, missed), make_unit_line(3)]
    )
    assert results.outcomes == {StopReason.FOUND: 1, StopReason.GAVE_UP: 1}
    assert results.stops == {StopReason.FOUND: 1, StopReason.GAVE_UP: 2}
    assert results.strata == {"hinted": {StopReason.FOUND: 1}, "unhinted": {StopReason.GAVE_UP: 1}}
    assert results.targets == {2: {StopReason.FOUND: 1, StopReason.GAVE_UP: 1}}
    assert results.steps_to_found == {5: 1}
    assert results.hints_per_episode == {0: 2, 1: 1}
    assert (results.found_share, results.cost_usd, results.cost_per_found_usd) == (0.5, 0.75, 0.75)
    assert (results.reused_share, results.reusable_share) == (0.5, 0.8)


def test_nothing_has_no_shares() -> None:
    results = results_of([])
    assert (results.found_share, results.reused_share, results.reusable_share, results.cost_per_found_usd) == (
        None,
    ) * 4


def test_figures_are_short_and_have_units() -> None:
    assert [format_count(n) for n in (0, 9_999, 12_345, 999_999, 4_560_000, 7e9)] == [
        "0", "9,999", "12.3 k", "1,000 k", "4.56 M", "7 G",
    ]  # fmt: skip
    assert [format_duration(s) for s in (None, 42, 200, 7_500, 90_000, 7_200)] == [
        "-", "42 s", "3 min 20 s", "2 h 5 min", "1 d 1 h", "2 h",
    ]  # fmt: skip
    assert [format_dollars(d) for d in (None, 0, 0.0042, 3.14159, 1204.4)] == [
        "-", "0 USD", "0.0042 USD", "3.14 USD", "1,204 USD",
    ]  # fmt: skip
    assert (format_share_of(1, 3), format_share_of(0, 0)) == ("33%", "-")
