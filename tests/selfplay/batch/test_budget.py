from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.batch.budget import BudgetAmount, BudgetLedger, OtherWorkersSpending
from selfplay.batch.graceful_stop import BUDGET_REASON
from selfplay.batch.heartbeat import Heartbeat
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings, BudgetLimits
from selfplay.batch.start import make_folders
from selfplay.config import HintConfig, PriceConfig, RunConfig, SeatConfig
from selfplay.core.usage import Usage
from selfplay.models.prices import Price, spending_of
from selfplay.models.token_counts import estimate_tokens, predict_usage
from tests.loopback import LoopbackServer
from tests.selfplay.batch.chaos_server import answer_as_player
from tests.selfplay.batch.runs import make_order, make_repository, make_tasks, play_run
from tests.selfplay.models.manual_clock import request_of

pytestmark = pytest.mark.anyio

FREE = PriceConfig(input=0, output=0)


async def test_other_workers_spending_counts(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    make_folders(folder)
    before = Heartbeat(folder, "before")
    before.beat({"spent": {"cost_usd": 3.0, "tokens": 10}})
    others = OtherWorkersSpending(folder, "me")
    assert others.total() == BudgetAmount()
    Heartbeat(folder, "me").beat({"spent": {"cost_usd": 50.0, "tokens": 50}})
    before.beat({"spent": {"cost_usd": 4.5, "tokens": 30}})
    Heartbeat(folder, "new").beat({"spent": {"cost_usd": 1.0, "tokens": 5}})
    (folder.workers / "broken.json").write_text('{"spent": {"cost_usd": "much"}}')
    assert others.total() == BudgetAmount(2.5, 25)
    budget_ledger = BudgetLedger(BudgetLimits(cost_usd=2.5), others=others.total())
    assert str(budget_ledger.explain_shortage()).startswith(BUDGET_REASON)


def test_a_call_is_made_only_where_the_budget_has_room_for_it_and_for_those_in_flight() -> None:
    budget_ledger = BudgetLedger(BudgetLimits(cost_usd=10))
    assert budget_ledger.explain_shortage() is None
    budget_ledger.charge(spending_of(Usage(input_tokens=1_000_000), Price(input=2, cached_input=2, output=0)))
    budget_ledger.in_flight = 2
    assert budget_ledger.explain_shortage() is None
    budget_ledger.in_flight = 4
    assert (
        budget_ledger.explain_shortage() == f"{BUDGET_REASON}: 2.0000 USD of 10 USD spent, and a call may cost 2.0000"
    )


async def count_tokens(limit: int, tmp_path: Path, **sampling: int) -> int:
    """The tokens that a run of many episodes at once takes, whose server counts 110 for each call."""
    tasks = make_tasks(make_repository(tmp_path / "pump.git"), 40)
    settings = BatchSettings(at_once=32, budget=BudgetLimits(tokens=limit))
    async with LoopbackServer(answer_as_player) as server:
        seat = SeatConfig(
            model="openai:p", base_url=server.base_url, api_key_env="NO_KEY", price=FREE, sampling=dict(sampling)
        )
        config = RunConfig(player=seat, hints=HintConfig(policy="never"))
        session = await play_run(make_order(tmp_path, tasks, config=config, settings=settings))
        assert session.reason.startswith(BUDGET_REASON)
        return 110 * len(server.received)


async def test_the_first_calls_of_a_run_do_not_pass_its_budget(tmp_path: Path) -> None:
    """As many as there may be at once would have taken 3,520 tokens."""
    assert 890 < await count_tokens(1000, tmp_path) <= 1000


async def test_a_budget_below_what_one_call_may_take_is_used_by_one_call_at_a_time(tmp_path: Path) -> None:
    assert 890 < await count_tokens(1000, tmp_path, max_tokens=1_000_000) <= 1000


def test_calls_in_flight_are_taken_to_cost_what_their_requests_say() -> None:
    budget_ledger = BudgetLedger(BudgetLimits(tokens=1000, cost_usd=1.0))
    costly, long = BudgetAmount(0.6, 10), BudgetAmount(0.0, 600)
    assert budget_ledger.explain_shortage(BudgetAmount(5.0, 5000)) is None, "one alone goes"
    budget_ledger.start_call(costly)
    budget_ledger.start_call(long)
    assert str(budget_ledger.explain_shortage(costly)).startswith(f"{BUDGET_REASON}: 0.0000 USD of 1 USD")
    assert str(budget_ledger.explain_shortage(long)).startswith(f"{BUDGET_REASON}: 0 tokens of 1,000")
    assert budget_ledger.explain_shortage(BudgetAmount(0.3, 300)) is None
    budget_ledger.finish_call(long)
    assert budget_ledger.explain_shortage(long) is None
    budget_ledger.finish_call(costly)
    assert budget_ledger.reserved == BudgetAmount()


@given(st.lists(st.text(max_size=9), max_size=4), st.none() | st.integers(0, 99))
def test_what_a_call_may_take_is_told_by_its_bytes_and_the_longest_answer(words: list[str], most: int | None) -> None:
    request = replace(request_of(*words), head={"model": "m"} if most is None else {"model": "m", "max_tokens": most})
    assert request.size == len(request.body())
    assert predict_usage(request) == Usage(
        input_tokens=estimate_tokens(request.size), output_tokens=most or 0, is_approximate=True
    )
