from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from selfplay.batch.ledger import UnitLedgers, UnitLine
from selfplay.batch.progress.estimate import RunEstimate, UnitMeasurement, estimate_rest, sample_evenly
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings, EndpointSettings, SeatLimits
from selfplay.cli.app import app
from tests.selfplay.batch.runs import make_repository, make_tasks, write_tasks


def make_measurement(seconds: float, cost_usd: float = 1.0) -> UnitMeasurement:
    measured = UnitMeasurement(cost_usd=cost_usd, seconds=seconds, call_s={"player": seconds})
    measured.calls["player"], measured.tokens["player"] = 10, 1000
    return measured


def make_estimate(measured: int, left: int) -> RunEstimate:
    return RunEstimate(measured=measured, left=left, spent_usd=0, spent_tokens=0)


def estimate_wall_s(settings: BatchSettings, left: int = 100) -> tuple[float, str]:
    estimate = estimate_rest(make_estimate(2, left), [make_measurement(10), make_measurement(10)], settings)
    assert estimate.wall_s is not None
    return estimate.wall_s.expected, estimate.bound_by


def test_units_that_are_alike_leave_no_doubt() -> None:
    estimate = estimate_rest(make_estimate(3, 200), [make_measurement(10)] * 3, BatchSettings(at_once=20))
    assert estimate.cost_usd is not None
    assert estimate.tokens is not None
    assert estimate.wall_s is not None
    assert {estimate.cost_usd.low, estimate.cost_usd.expected, estimate.cost_usd.high} == {200.0}
    assert estimate.tokens.expected == 200_000
    assert estimate.wall_s.expected == 200 * 10 / 20


def test_the_time_hangs_on_the_tightest_limit() -> None:
    assert estimate_wall_s(BatchSettings(at_once=10)) == (100, "at_once")
    assert estimate_wall_s(BatchSettings(at_once=100, player=SeatLimits(in_flight=5))) == (200, "player.in_flight")
    by_rate = SeatLimits(requests_per_minute=100)
    assert estimate_wall_s(BatchSettings(at_once=100, player=by_rate)) == (600, "player.requests_per_minute")
    two = tuple(EndpointSettings(base_url=f"http://127.0.0.1:{port}/v1") for port in (8, 9))
    twice = by_rate.model_copy(update={"endpoints": two})
    assert estimate_wall_s(BatchSettings(at_once=100, player=twice)) == (300, "player.requests_per_minute")
    by_tokens = SeatLimits(tokens_per_minute=10_000)
    assert estimate_wall_s(BatchSettings(at_once=100, player=by_tokens)) == (600, "player.tokens_per_minute")
    assert estimate_wall_s(BatchSettings(at_once=100), left=1) == (10, "at_once"), "no unit is faster than a unit"


def test_the_time_counts_the_engines_own_work_which_no_further_episodes_at_once_speed_up() -> None:
    busy = UnitMeasurement(seconds=3.0, processor_s=0.5)
    estimate = estimate_rest(make_estimate(2, 100), [busy, busy], BatchSettings(at_once=50))
    assert estimate.wall_s is not None
    assert (estimate.wall_s.expected, estimate.bound_by) == (50, "the processor")


def test_nothing_is_made_up_where_nothing_was_measured() -> None:
    assert estimate_rest(make_estimate(0, 5), [], BatchSettings()) == make_estimate(0, 5)
    assert estimate_rest(make_estimate(1, 0), [make_measurement(1)], BatchSettings()) == make_estimate(1, 0)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.integers(1, 1000))
def test_the_range_holds_what_is_expected(costs: list[float], left: int) -> None:
    estimate = estimate_rest(
        make_estimate(len(costs), left), [make_measurement(1, cost) for cost in costs], BatchSettings()
    ).cost_usd
    assert estimate is not None
    assert estimate.low <= estimate.expected <= estimate.high
    assert left * min(costs) <= estimate.expected * (1 + 1e-9)
    assert estimate.expected <= left * max(costs) * (1 + 1e-9)


@given(st.lists(st.integers()), st.integers(0, 30))
def test_a_sample_is_spread_over_all(items: list[int], count: int) -> None:
    chosen = sample_evenly(range(len(items)), count)
    assert len(chosen) == min(count, len(items))
    assert chosen == sorted(set(chosen))
    assert not chosen or chosen[0] == 0


def read_units(folder: Path) -> dict[str, UnitLine]:
    ledgers = UnitLedgers(RunFolder(folder))
    ledgers.refresh()
    return ledgers.units


def test_a_dry_run_plays_a_few_and_the_run_keeps_them(tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "tasks.jsonl", make_tasks(make_repository(tmp_path / "pump.git"), 8))
    common = ["batch", str(tasks), "--out", str(tmp_path / "run"), "--repos", str(tmp_path / "repos")]
    options = ["--policy", "when_stuck", "--steps", "6", "--json"]
    first = CliRunner().invoke(app, [*common, *options, "--dry-run", "2"])
    assert first.exit_code == 0, first.output
    estimate = RunEstimate.model_validate_json(first.stdout.splitlines()[-1])
    assert (estimate.measured, estimate.left) == (2, 6)
    assert estimate.tokens is not None
    assert estimate.tokens.expected == pytest.approx(3 * estimate.spent_tokens)
    lines = read_units(tmp_path / "run").values()
    clock = sum(line.wall_s or 0 for line in lines)
    assert clock > sum(episode.seconds for line in lines for episode in line.episodes), "the engine's own time counts"
    assert estimate.wall_s is not None
    assert estimate.wall_s.expected * 1.001 >= 3 * sum(line.processor_s or 0 for line in lines) > 0
    assert read_units(tmp_path / "run").keys() == {"t0#1", "t4#1"}
    again = CliRunner().invoke(app, [*common, *options, "--dry-run", "0"])
    assert orjson.loads(again.stdout.splitlines()[-1]) == orjson.loads(first.stdout.splitlines()[-1])
    assert "2 attempts say little of the range" in again.output
    assert read_units(tmp_path / "run").keys() == {"t0#1", "t4#1"}, "nothing was played"
    nothing = CliRunner().invoke(app, ["batch", str(tasks), "--out", str(tmp_path / "new"), "--dry-run", "0"])
    assert "nothing to estimate from" in nothing.output
