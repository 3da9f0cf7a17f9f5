from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.batch.layout import RunFolder
from selfplay.batch.purse import BUDGET, Others, Purse, Spent
from selfplay.batch.settings import BatchSettings, Budget
from selfplay.batch.start import make_folders
from selfplay.batch.worker import Pulse
from selfplay.config import HintConfig, PriceConfig, RunConfig, SeatConfig
from selfplay.models.prices import Price
from selfplay.models.protocol import Usage
from selfplay.models.usage import expected, tokens
from tests.loopback import Loopback
from tests.selfplay.batch.chaos import play
from tests.selfplay.batch.runs import make_repository, make_tasks, order, run
from tests.selfplay.models.hours import asking

pytestmark = pytest.mark.anyio

FREE = PriceConfig(input=0, output=0)


async def test_other_workers_spending_counts(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    make_folders(folder)
    before = Pulse(folder, "before")
    before.beat({"spent": {"cost_usd": 3.0, "tokens": 10}})
    others = Others(folder, "me")
    assert others.spent() == Spent()
    Pulse(folder, "me").beat({"spent": {"cost_usd": 50.0, "tokens": 50}})
    before.beat({"spent": {"cost_usd": 4.5, "tokens": 30}})
    Pulse(folder, "new").beat({"spent": {"cost_usd": 1.0, "tokens": 5}})
    (folder.workers / "broken.json").write_text('{"spent": {"cost_usd": "much"}}')
    assert others.spent() == Spent(2.5, 25)
    purse = Purse(Budget(cost_usd=2.5), others=others.spent())
    assert str(purse.lacking()).startswith(BUDGET)


def test_a_call_is_made_only_where_the_budget_has_room_for_it_and_for_those_in_flight() -> None:
    purse = Purse(Budget(cost_usd=10))
    assert purse.lacking() is None
    purse.pay(Usage(input_tokens=1_000_000), Price(input=2, cached_input=2, output=0))
    purse.in_flight = 2
    assert purse.lacking() is None
    purse.in_flight = 4
    assert purse.lacking() == f"{BUDGET}: 2.0000 USD of 10 USD spent, and a call may cost 2.0000"


async def spent_of(limit: int, tmp_path: Path, **sampling: int) -> int:
    """The tokens that a run of many episodes at once takes, whose server counts 110 for each call."""
    tasks = make_tasks(make_repository(tmp_path / "pump.git"), 40)
    settings = BatchSettings(at_once=32, budget=Budget(tokens=limit))
    async with Loopback(play) as server:
        seat = SeatConfig(
            model="openai:p", base_url=server.base_url, api_key_env="NO_KEY", price=FREE, sampling=dict(sampling)
        )
        config = RunConfig(player=seat, hints=HintConfig(policy="never"))
        session = await run(order(tmp_path, tasks, config=config, settings=settings))
        assert session.reason.startswith(BUDGET)
        return 110 * len(server.received)


async def test_the_first_calls_of_a_run_do_not_pass_its_budget(tmp_path: Path) -> None:
    """As many as there may be at once would have taken 3,520 tokens."""
    assert 890 < await spent_of(1000, tmp_path) <= 1000


async def test_a_budget_below_what_one_call_may_take_is_used_by_one_call_at_a_time(tmp_path: Path) -> None:
    assert 890 < await spent_of(1000, tmp_path, max_tokens=1_000_000) <= 1000


def test_calls_in_flight_are_taken_to_cost_what_their_requests_say() -> None:
    purse = Purse(Budget(tokens=1000, cost_usd=1.0))
    dear, long = Spent(0.6, 10), Spent(0.0, 600)
    assert purse.lacking(Spent(5.0, 5000)) is None, "one alone goes"
    purse.go_out(dear)
    purse.go_out(long)
    assert str(purse.lacking(dear)).startswith(f"{BUDGET}: 0.0000 USD of 1 USD")
    assert str(purse.lacking(long)).startswith(f"{BUDGET}: 0 tokens of 1,000")
    assert purse.lacking(Spent(0.3, 300)) is None
    purse.come_back(long)
    assert purse.lacking(long) is None
    purse.come_back(dear)
    assert purse.promised == Spent()


@given(st.lists(st.text(max_size=9), max_size=4), st.none() | st.integers(0, 99))
def test_what_a_call_may_take_is_told_by_its_bytes_and_the_longest_answer(words: list[str], most: int | None) -> None:
    request = replace(asking(*words), head={"model": "m"} if most is None else {"model": "m", "max_tokens": most})
    assert request.size == len(request.body())
    assert expected(request) == Usage(input_tokens=tokens(request.size), output_tokens=most or 0, is_approximate=True)
