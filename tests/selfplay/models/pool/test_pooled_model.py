from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import anyio
import pytest
from anyio.abc import TaskGroup

from selfplay.core.errors import EndpointDown, FatalModelError, RateLimited, RunEnding, TransientModelError
from selfplay.models.pool.pooled_endpoint import FAILURES
from selfplay.models.pool.pooled_model import STAY_S, EndpointLimits, EndpointSpec, EndpointStats, PooledModel
from selfplay.models.protocol import ON_SEND, set_hook
from selfplay.models.retry import Clock
from tests.selfplay.models.manual_clock import HeldModel, ManualClock, call_names, request_of

pytestmark = pytest.mark.anyio


@dataclass
class PoolBench:
    """A pool of servers that answer when a test lets them, and what each was asked."""

    hours: ManualClock
    group: TaskGroup
    pool: PooledModel
    servers: Sequence[HeldModel]
    ended: list[str] = field(default_factory=list[str])
    errors: dict[str, Exception] = field(default_factory=dict[str, Exception])
    scopes: dict[str, anyio.CancelScope] = field(default_factory=dict[str, anyio.CancelScope])

    async def ask(self, *conversations: str) -> None:
        """Begin calls, one after another, and let them go as far as they go."""
        for words in conversations:
            self.group.start_soon(self._ask, words)
            await self.hours.settle()

    async def _ask(self, words: str) -> None:
        with anyio.CancelScope() as self.scopes[words]:
            try:
                await self.pool.complete(request_of(*words.split()))
            except Exception as error:  # noqa: BLE001  what it was is looked at
                self.errors[words] = error
            else:
                self.ended.append(words)

    async def answer(self, count: int = 1, *, at: int = 0, error: Exception | None = None) -> None:
        self.servers[at].answer(count, error)
        await self.hours.settle()

    async def fail(self, count: int = FAILURES, *, at: int = 0) -> None:
        """So many failures of a server in a row, with calls of their own."""
        for number in range(count):
            before = len(self.servers[at].calls)
            await self.ask(f"f{self.hours.now_s}-{at}-{number}")
            assert len(self.servers[at].calls) == before + 1
            self.servers[at].calls[-1].error = TransientModelError("broken")
            self.servers[at].calls[-1].done.set()
            await self.hours.settle()

    @property
    def stats(self) -> Sequence[EndpointStats]:
        return self.pool.stats()


@asynccontextmanager
async def open_bench(*limits: EndpointLimits, clock: Clock | None = None) -> AsyncGenerator[PoolBench]:
    hours = ManualClock()
    held = [HeldModel() for _ in limits]
    servers = [
        EndpointSpec(f"http://s{n}/v1", model, limit) for n, (model, limit) in enumerate(zip(held, limits, strict=True))
    ]
    async with anyio.create_task_group() as group:
        yield PoolBench(hours, group, PooledModel(servers, clock or hours.clock), held)
        group.cancel_scope.cancel()


async def test_calls_wait_in_the_order_in_which_they_came() -> None:
    async with open_bench(EndpointLimits(in_flight=2)) as b:
        await b.ask(*call_names(range(6)))
        assert b.servers[0].seen == ["c0", "c1"]
        assert b.stats[0].waiting == 4
        for _ in range(6):
            await b.answer()
        assert b.servers[0].seen == call_names(range(6))
        assert b.stats[0].in_flight == 0


async def test_a_cancelled_caller_gives_its_place_back() -> None:
    async with open_bench(EndpointLimits(in_flight=1)) as b:
        await b.ask("c0", "c1", "c2", "c3")
        b.scopes["c1"].cancel()
        await b.hours.settle()
        b.scopes["c0"].cancel()
        await b.hours.settle()
        assert b.servers[0].seen == ["c0", "c2"]
        b.servers[0].answer()
        b.scopes["c3"].cancel()  # in the very moment in which it is let through, or before
        await b.hours.settle()
        await b.ask("c4")
        await b.answer(2)
        assert "c4" in b.ended
        assert (b.stats[0].in_flight, b.stats[0].waiting) == (0, 0)


async def test_no_place_is_ever_lost() -> None:
    """Calls come, come back, fail and are cancelled in any order; at the end the server is as free as before."""
    random = Random(7)  # noqa: S311  a plan
    async with open_bench(EndpointLimits(in_flight=3), EndpointLimits(in_flight=2, requests_per_minute=40)) as b:
        for number in range(300):
            match random.randrange(5):
                case 0 | 1:
                    await b.ask(f"c{number}")
                case 2:
                    await b.answer(at=random.randrange(2))
                case 3:
                    await b.answer(
                        at=random.randrange(2), error=RateLimited("slow", retry_after_s=random.choice([None, 1]))
                    )
                case _:
                    b.scopes[random.choice(list(b.scopes))].cancel() if b.scopes else None
            await b.hours.advance(random.random())
            for server, stats in zip(b.servers, b.stats, strict=True):
                assert len(server.calls) == stats.in_flight <= 3
        while any(server.calls for server in b.servers) or any(stats.waiting for stats in b.stats):
            for server in b.servers:
                server.answer(9)
            await b.hours.advance(5)
        assert [stats.in_flight for stats in b.stats] == [0, 0]


async def test_a_round_that_is_refused_halves_the_limit_and_success_raises_it_again() -> None:
    async with open_bench(EndpointLimits(in_flight=16)) as b:
        await b.ask(*call_names(range(16)))
        await b.answer(16, error=RateLimited("too many"))
        assert b.stats[0].limit == 8
        assert b.stats[0].rate_limited == 16
        await b.ask(*call_names(range(100, 500)))
        assert b.stats[0].in_flight == 8
        for _ in range(400):
            await b.answer()
        assert b.stats[0].limit == 16
        assert b.stats[0].in_flight == 0


async def test_one_call_is_always_let_through() -> None:
    async with open_bench(EndpointLimits(in_flight=2)) as b:
        for number in range(20):
            await b.ask(f"c{number}")
            await b.answer(error=RateLimited("too many"))
        assert b.stats[0].limit == 1
        assert len(b.servers[0].seen) == 20


async def test_retry_after_is_kept_by_all_calls_of_the_server() -> None:
    async with open_bench(EndpointLimits(in_flight=9)) as b:
        await b.ask("c0")
        await b.answer(error=RateLimited("slow down", retry_after_s=20))
        error = b.errors["c0"]
        assert isinstance(error, RateLimited)
        assert error.retry_after_s == 0, "the pool keeps the wait"
        await b.ask("c1", "c2")
        await b.hours.advance(19.9)
        assert b.servers[0].seen == ["c0"]
        await b.hours.advance(0.2)
        assert b.servers[0].seen == ["c0", "c1", "c2"]
        assert b.stats[0].waited_s == pytest.approx(40)


async def test_a_server_that_asks_for_a_long_pause_is_out_of_reach() -> None:
    async with open_bench(EndpointLimits()) as b:
        await b.ask("c0")
        await b.answer(error=RateLimited("tomorrow", retry_after_s=900))
        await b.ask("c1")
        error = b.errors["c1"]
        assert isinstance(error, EndpointDown)
        assert error.retry_after_s == 900
        assert "tomorrow" in str(error)


async def test_requests_per_minute_are_kept() -> None:
    async with open_bench(EndpointLimits(requests_per_minute=3)) as b:
        await b.ask(*call_names(range(7)))
        b.servers[0].answer(9)
        assert len(b.servers[0].seen) == 3
        await b.hours.advance(60)
        assert len(b.servers[0].seen) == 3, "the first ones may have been under way for longer"
        await b.hours.advance(1.1)
        assert len(b.servers[0].seen) == 6
        await b.hours.advance(61)
        assert b.servers[0].seen == call_names(range(7))


async def test_tokens_per_minute_are_estimated_before_a_call_and_corrected_after_it() -> None:
    async with open_bench(EndpointLimits(tokens_per_minute=1000)) as b:
        await b.ask("long" * 700)  # about 800 tokens as far as its bytes tell; the server says 110
        await b.ask("also" * 700)
        assert len(b.servers[0].calls) == 1
        await b.answer()
        assert len(b.servers[0].calls) == 1
        assert len(b.servers[0].seen) == 2


async def test_a_breaker_opens_and_one_call_finds_out_whether_it_can_close() -> None:
    async with open_bench(EndpointLimits()) as b:
        await b.ask("before")
        await b.fail()
        assert b.stats[0].breaker == "open"
        await b.ask("at-once")
        error = b.errors["at-once"]
        assert isinstance(error, EndpointDown)
        assert error.retry_after_s == 1
        assert "broken" in str(error)
        await b.hours.advance(1)
        await b.ask("trial", "after", "later")
        assert b.servers[0].seen[-1] == "trial"
        assert b.stats[0].breaker == "half_open"
        b.servers[0].calls[-1].error = TransientModelError("still broken")
        b.servers[0].calls[-1].done.set()
        await b.hours.settle()
        assert {type(b.errors[x]) for x in ("after", "later")} == {EndpointDown}
        await b.hours.advance(2)
        await b.ask("second", "third")
        b.servers[0].calls[-1].done.set()
        await b.hours.settle()
        assert b.servers[0].seen[-1] == "third"
        assert b.stats[0].breaker == "closed"


async def test_failures_that_come_back_first_do_not_open_a_breaker_while_more_calls_are_under_way() -> None:
    async with open_bench(EndpointLimits()) as b:
        await b.ask(*call_names(range(4 * FAILURES)))
        await b.answer(2 * FAILURES, error=TransientModelError("broken"))
        assert b.stats[0].breaker == "closed"
        await b.answer(1, error=TransientModelError("broken"))
        assert b.stats[0].breaker == "open"


async def test_calls_that_wait_when_a_breaker_opens_fail_at_once() -> None:
    async with open_bench(EndpointLimits(in_flight=FAILURES)) as b:
        await b.ask(*call_names(range(3 * FAILURES)))
        await b.answer(FAILURES, error=TransientModelError("gone"))
        down = [name for name, error in b.errors.items() if isinstance(error, EndpointDown)]
        assert down == call_names(range(2 * FAILURES - 1, 3 * FAILURES)), "each failure but the last one let another go"
        assert b.stats[0].waiting == 0


async def test_after_a_trial_that_is_broken_off_the_next_call_is_the_trial() -> None:
    async with open_bench(EndpointLimits()) as b:
        await b.fail()
        await b.hours.advance(1)
        await b.ask("trial", "next")
        b.scopes["trial"].cancel()
        await b.hours.settle()
        assert b.servers[0].seen[-1] == "next"


async def test_a_conversation_stays_with_its_server() -> None:
    async with open_bench(EndpointLimits(), EndpointLimits()) as b:
        for more in ("", " and", " and on"):
            for number in range(8):
                await b.ask(f"prompt task{number}{more}")
                await b.answer(at=0)
                await b.answer(at=1)
        homes = [{words.split()[1] for words in server.seen} for server in b.servers]
        assert not homes[0] & homes[1]
        assert [len(server.seen) for server in b.servers] in ([24, 0], [12, 12])


async def test_new_conversations_go_where_there_is_most_room() -> None:
    async with open_bench(EndpointLimits(in_flight=9), EndpointLimits(in_flight=3)) as b:
        await b.ask(*call_names(range(12)))
        assert [len(server.calls) for server in b.servers] == [9, 3]


async def test_a_failure_sends_the_conversation_to_another_server() -> None:
    async with open_bench(EndpointLimits(), EndpointLimits()) as b:
        await b.ask("c0")
        await b.answer(at=0, error=TransientModelError("broken"))
        await b.ask("c0")
        assert [len(server.calls) for server in b.servers] == [0, 1]


async def test_calls_that_wait_for_a_dead_server_move_to_another_in_their_order() -> None:
    limits = EndpointLimits(in_flight=FAILURES)
    async with open_bench(limits, limits) as b:
        await b.ask(*call_names(range(2 * FAILURES + 16)))
        await b.answer(FAILURES, at=0, error=TransientModelError("gone"))
        assert (b.stats[0].waiting, b.stats[1].waiting) == (0, 12), "4 went while it seemed to work"
        for _ in range(4):
            await b.answer(9, at=1)
        waited = [int(name[1:]) for name in b.servers[1].seen[FAILURES:]]
        assert waited == sorted(waited)
        assert len(waited) == 12
        assert not [error for error in b.errors.values() if isinstance(error, EndpointDown)]


async def test_no_call_waits_for_a_server_on_trial_where_another_works() -> None:
    async with open_bench(EndpointLimits(), EndpointLimits()) as b:
        await b.ask(*call_names(range(2 * FAILURES)))
        await b.answer(FAILURES, at=0, error=TransientModelError("gone"))
        await b.hours.advance(1)
        await b.ask("trial")
        assert [stats.breaker for stats in b.stats] == ["half_open", "closed"]
        await b.ask("new", "c0", "c2")
        assert [stats.waiting for stats in b.stats] == [0, 0]
        b.servers[0].answer()
        await b.hours.settle()
        assert b.ended == ["trial"]
        assert b.stats[0].breaker == "closed"


async def test_a_call_does_not_wait_for_its_server_for_ever_while_another_is_free() -> None:
    async with open_bench(EndpointLimits(), EndpointLimits()) as b:
        await b.ask("c0")
        await b.answer(at=0, error=RateLimited("slow down", retry_after_s=50))
        await b.ask("c0")
        await b.hours.advance(STAY_S - 1)
        assert [len(server.calls) for server in b.servers] == [0, 0]
        await b.hours.advance(2)
        assert [len(server.calls) for server in b.servers] == [0, 1]


async def test_a_clock_that_ends_the_run_ends_all_waiting() -> None:
    ending = anyio.Event()

    async def sleep(_: float) -> None:
        await ending.wait()
        raise RunEnding("interrupted")

    async with open_bench(EndpointLimits(in_flight=1), clock=Clock(now=lambda: 0.0, sleep=sleep)) as b:
        await b.ask("c0", "c1", "c2")
        ending.set()
        await b.hours.settle()
        assert {type(error) for error in b.errors.values()} == {RunEnding}
        await b.answer()
        assert b.ended == ["c0"], "the call in flight is finished"
        assert (b.stats[0].in_flight, b.stats[0].waiting) == (0, 0)


async def test_what_the_request_did_wrong_is_no_failure_of_the_server() -> None:
    async with open_bench(EndpointLimits()) as b:
        for number in range(2 * FAILURES):
            await b.ask(f"c{number}")
            await b.answer(error=FatalModelError("no such model"))
        assert b.stats[0].breaker == "closed"
        assert b.stats[0].failures == 0


async def test_the_hook_is_called_when_a_wait_is_over() -> None:
    passed_at: list[float] = []
    async with open_bench(EndpointLimits(in_flight=1)) as b:

        async def ask() -> None:
            with set_hook(ON_SEND, lambda: passed_at.append(b.hours.now_s)):
                await b.pool.complete(request_of("c1"))

        await b.ask("c0")
        b.group.start_soon(ask)
        await b.hours.advance(5)
        assert passed_at == []
        await b.answer(2)
        assert passed_at == [5]


async def test_latencies_do_not_include_the_waits() -> None:
    async with open_bench(EndpointLimits(in_flight=1)) as b:
        await b.ask(*call_names(range(10)))
        for seconds in range(1, 11):
            await b.hours.advance(seconds)
            await b.answer()
        assert b.stats[0].latency_p50_s == 6
        assert b.stats[0].latency_p95_s == 10
        assert b.stats[0].calls == 10
        assert b.stats[0].waited_s == sum(sum(range(1, n + 1)) for n in range(1, 10))
