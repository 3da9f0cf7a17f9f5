import io
import os
import signal
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from rich.console import Console

from selfplay.batch.graceful_stop import BUDGET_REASON, GracefulStop, stop_on_signals
from selfplay.batch.heartbeat import DEAD_AFTER_S, Heartbeat
from selfplay.batch.ledger import UnitLedger, UnitLedgers, UnitLine
from selfplay.batch.manifest import ensure_manifest, manifest_of
from selfplay.batch.progress.live_view import RunLiveView, RunTracker
from selfplay.batch.progress.observer import RunObserver
from selfplay.batch.progress.results import recount_results
from selfplay.batch.progress.screen import render_totals, summarise_in_line
from selfplay.batch.progress.status import WINDOW_S, PaceMeter, RunTotals
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings
from selfplay.batch.start import RunOrder, carry_out, load_budget_ledger, make_folders
from selfplay.batch.units import WorkUnit
from selfplay.batch.watch import CombinedWatch, NullWatch, RunSession, RunWatch
from selfplay.core.errors import EndpointDown
from selfplay.core.task import Answer, Target
from selfplay.journal.events import Event
from tests.selfplay.batch.ledger_lines import make_episode_line, make_unit_line
from tests.selfplay.batch.runs import CONFIG, make_order, make_repository, make_tasks, play_run

PATIENCE_S = 20.0


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "pump.git")


def render(totals: RunTotals) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(render_totals(totals, is_full=True))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def play_watched(the_order: RunOrder, view: RunLiveView, watch: RunWatch) -> RunSession | None:
    """A run beside its view."""
    session: RunSession | None = None
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(view.show)
            session = await carry_out(the_order, CombinedWatch(watch), heeds_signals=False)
            group.cancel_scope.cancel()
    return session


def make_state(**more: object) -> dict[str, Any]:
    return {"units": 9, "running": 2, "waiting": 3, "parked": {}, "failed": {}, "calls": 5, "reason": "", **more}


def write_sign(folder: RunFolder, name: str, said: dict[str, Any], age_s: float = 0.0) -> None:
    """A worker of another machine whose last heartbeat is so old."""
    path = folder.workers / f"{name}.json"
    path.write_bytes(orjson.dumps({"worker": name, "machine": "elsewhere", "pid": 1, **said}))
    then = time.time() - age_s
    os.utime(path, (then, then))


@pytest.mark.anyio
async def test_the_live_view_and_the_status_from_outside_agree(tmp_path: Path, repo: Path) -> None:
    for count in (2, 5):  # the second session begins with what the first one ended
        the_order = make_order(tmp_path, make_tasks(repo, count))
        tracker = RunTracker(the_order.folder)
        await carry_out(the_order, tracker, heeds_signals=False)
        tracker.is_over = True
        live, outside = tracker.count_totals(), RunObserver(the_order.folder).read_totals()
        assert live.results == outside.results
        assert live.units == outside.units
        assert live.usage == outside.usage
        assert live.units.ended == count
        assert not outside.is_running


@pytest.mark.anyio
async def test_a_worker_sees_what_the_others_bring_to_an_end(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 8), settings=BatchSettings(at_once=2))
    trackers = [RunTracker(the_order.folder), RunTracker(the_order.folder)]
    async with anyio.create_task_group() as group:
        for tracker in trackers:
            group.start_soon(partial(carry_out, the_order, tracker, heeds_signals=False))
    outside = RunObserver(the_order.folder).read_totals()
    assert outside.units.ended == 8
    for tracker in trackers:
        assert tracker.count_totals().results == outside.results
        assert tracker.count_totals().usage == outside.usage


@pytest.mark.anyio
async def test_a_terminal_that_goes_away_does_not_end_the_run(tmp_path: Path, repo: Path) -> None:
    class Gone(io.StringIO):
        writes = 0

        def write(self, _text: str) -> int:
            self.writes += 1
            raise BrokenPipeError

    for is_terminal in (True, False):
        the_order = make_order(tmp_path, make_tasks(repo, 3), name=f"run{is_terminal}")
        gone, tracker = Gone(), RunTracker(the_order.folder)
        view = RunLiveView(Console(file=gone, force_terminal=is_terminal), tracker, line_s=0.0)
        session = await play_watched(the_order, view, tracker)
        assert session is not None
        assert session.unfinished_count == 0
        assert gone.writes == 1


@pytest.mark.anyio
async def test_a_watch_that_fails_is_no_part_of_the_run(tmp_path: Path, repo: Path) -> None:
    class Failing(NullWatch):
        events_count = 0

        def on_event(self, unit: WorkUnit, event: Event, is_recorded: bool) -> None:  # noqa: ARG002, FBT001  see RunWatch
            self.events_count += 1
            raise ValueError

    failing = Failing()
    the_order = make_order(tmp_path, make_tasks(repo, 3))
    tracker = RunTracker(the_order.folder)
    session = await carry_out(the_order, CombinedWatch(failing, tracker), heeds_signals=False)
    assert (session.unfinished_count, session.failed, failing.events_count) == (0, {}, 1)
    assert tracker.count_totals().results.units == 3


async def read_until(view: RunLiveView, out: io.StringIO, has: str) -> str:
    """What a view has shown when it has shown this."""
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(view.show)
            while has not in out.getvalue():  # noqa: ASYNC110  it is written by a thread
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
    return out.getvalue()


@pytest.mark.anyio
@pytest.mark.parametrize("is_terminal", [True, False])
async def test_it_says_what_the_first_ctrl_c_does_and_what_the_second_would(
    tmp_path: Path,
    is_terminal: bool,  # noqa: FBT001  parametrized
) -> None:
    out, tracker = io.StringIO(), RunTracker(RunFolder(tmp_path))
    view = RunLiveView(Console(file=out, force_terminal=is_terminal, width=160), tracker)
    tracker.on_run_opened(lambda: make_state(reason="interrupted by SIGINT", in_flight=12))
    text = await read_until(view, out, "leaves at once")
    assert "interrupted by SIGINT: 12 calls in flight are finished and written, then it ends; Ctrl-C now" in text
    assert ("\x1b" in text) == is_terminal


@pytest.mark.anyio
async def test_ctrl_c_leaves_at_once_where_the_run_is_being_ended_for_another_reason() -> None:
    graceful_stop = GracefulStop()
    graceful_stop.begin(BUDGET_REASON)
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:
            await group.start(stop_on_signals, graceful_stop, group)
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep_forever()
    assert group.cancel_scope.cancel_called
    assert graceful_stop.reason == BUDGET_REASON


@pytest.mark.anyio
async def test_a_quiet_view_says_nothing(tmp_path: Path) -> None:
    out = io.StringIO()
    await RunLiveView(Console(file=out, quiet=True), RunTracker(RunFolder(tmp_path)), line_s=0.0).show()
    assert not out.getvalue()


@pytest.mark.anyio
async def test_workers_are_added_up_and_a_dead_one_is_shown_as_such(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 2))
    await play_run(the_order)
    folder = the_order.folder
    server = {"seat": "player", "url": "http://one/v1", "in_flight": 3, "calls": 10, "waited_s": 1.5}
    write_sign(folder, "a", make_state(parked={"t7#1": "out of reach"}, servers=[{**server, "latency_p95_s": 2.0}]))
    write_sign(
        folder,
        "b",
        make_state(in_flight=4, failed={"t0#1": "ended since", "t8#1": "no such repository"}, servers=[server]),
    )
    write_sign(folder, "c", make_state(running=50, reason="killed"), age_s=2 * DEAD_AFTER_S)
    totals = RunObserver(folder).read_totals()
    assert totals.units.model_dump() == {
        "waiting": 1, "running": 4, "parked": 1, "failed": 1, "unusable": 0, "ended": 2,
    }  # fmt: skip
    assert totals.is_running
    assert totals.failed == {"t8#1": "no such repository"}
    [server] = totals.servers
    assert (server.in_flight, server.calls, server.waited_s, server.latency_p95_s) == (6, 20, 3.0, 2.0)
    text = render(totals)
    assert "c: dead, its last sign is 2 min old" in text
    assert "killed" not in text


@pytest.mark.anyio
async def test_a_process_that_is_gone_is_dead_at_once(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 1))
    await play_run(the_order)
    [path] = the_order.folder.workers.glob("*.json")
    said = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps({**said, "is_over": False, "began": "1"}))
    [worker] = RunObserver(the_order.folder).read_totals().workers
    assert not worker.is_alive
    assert not worker.has_left
    Heartbeat(the_order.folder, "living").beat(make_state())
    assert RunObserver(the_order.folder).read_totals().is_running


@pytest.mark.anyio
async def test_an_observer_reads_on(tmp_path: Path, repo: Path) -> None:
    await play_run(make_order(tmp_path, make_tasks(repo, 2)))
    observer = RunObserver(RunFolder(tmp_path / "run"))
    assert observer.read_totals().units.ended == 2
    await play_run(make_order(tmp_path, make_tasks(repo, 3), settings=BatchSettings(samples=2)))
    assert observer.read_totals().model_copy(update={"at": ""}) == RunObserver(
        RunFolder(tmp_path / "run")
    ).read_totals().model_copy(update={"at": ""})


def test_steps_of_units_that_others_ended_count_for_the_pace_like_ones_own(tmp_path: Path) -> None:
    tracker = RunTracker(RunFolder(tmp_path), began_at=time.monotonic() - 60)
    [(_, task)] = make_tasks(tmp_path, 1)
    unit = WorkUnit(task, 1, "")
    tracker.on_unit_started(unit)
    for _ in range(4):
        tracker.on_event(unit, {"event": "step"}, False)
    tracker.on_unit_ended(make_unit_line(0, make_episode_line(steps=4)))
    assert tracker.rate.per_minute(time.monotonic()) == pytest.approx((1.0, 4.0), rel=0.1)
    tracker.on_unit_ended(make_unit_line(1, make_episode_line(steps=6)))
    assert tracker.rate.per_minute(time.monotonic()) == pytest.approx((2.0, 10.0), rel=0.1)


def test_the_pace_is_that_of_those_who_play_now_not_of_those_before_them(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    make_folders(folder)
    ensure_manifest(folder, manifest_of(CONFIG))
    now = time.time()
    lines = [
        make_unit_line(number, make_episode_line(steps=10), at=datetime.fromtimestamp(now - age_s, UTC).isoformat())
        for number, age_s in enumerate((250, 240, 230, 50, 40, 30))
    ]
    with UnitLedger(folder, "w") as ledger:
        for each in lines:
            ledger.append(each)
    assert RunObserver(folder).read_totals().units_per_minute is None, "no worker plays"
    write_sign(folder, "a", make_state(since=now - 60))
    totals = RunObserver(folder).read_totals()
    assert totals.units_per_minute == pytest.approx(3, rel=0.1)
    assert totals.steps_per_minute == pytest.approx(30, rel=0.1)


def test_money_is_projected_from_those_that_go_on_too(tmp_path: Path) -> None:
    tracker = RunTracker(RunFolder(tmp_path))
    tracker.on_run_opened(lambda: make_state(units=12, running=4, waiting=6, cost_usd=6.0))
    for number in range(2):
        tracker.on_unit_ended(make_unit_line(number, make_episode_line(cost_usd=0.5)))
    assert tracker.count_totals().projected_usd == pytest.approx((1 + 2 * 5) / 6 * 12), "those that go on are halfway"
    tracker.on_run_opened(lambda: make_state(units=12, running=4, waiting=6, cost_usd=1.2))
    assert tracker.count_totals().projected_usd == pytest.approx(0.5 * 12), "they have just begun"


@pytest.mark.anyio
async def test_a_damaged_journal_is_counted_up_to_the_damage_and_once(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 2))
    await play_run(the_order)
    for ledger in the_order.folder.ledgers.iterdir():
        ledger.unlink()
    for damage in (b"null", b'{"event":"call"}', b'{"event":"call","seat":"player","messages":1,"reply":{"usage":7}}'):
        path = min(the_order.folder.episodes.rglob("*.jsonl"))
        lines = path.read_bytes().splitlines()
        lines[-2] = damage
        path.write_bytes(b"\n".join(lines) + b"\n")
        observer = RunObserver(the_order.folder)
        first = observer.read_totals()
        assert first.usage.total_tokens > 0
        assert observer.read_totals().usage == first.usage
        assert recount_results(the_order.folder).units == 1, "the other's"
        assert load_budget_ledger(the_order, UnitLedgers(the_order.folder), {}).spent.usage.total_tokens > 0


def test_what_tasks_are_called_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    tracker = RunTracker(RunFolder(tmp_path / "\x1b[2J\u202e"))
    tracker.on_run_opened(
        lambda: make_state(failed={"\x1b]0;x\x07#1": "a\n\x1b[31mb"}, parked={"[red]x[/]": "[/nothing]"})
    )
    text = render(tracker.count_totals())
    assert not set(text) & {"\x1b", "\x07", "\u202e"}
    assert "[red]x[/]: [/nothing]" in text


def test_one_line_holds_what_matters(tmp_path: Path) -> None:
    tracker = RunTracker(RunFolder(tmp_path))
    tracker.on_run_opened(lambda: make_state(cost_usd=1.5, parked={"a": "x"}))
    assert summarise_in_line(tracker.count_totals()).startswith(
        "0 of 9 ended, 0 found (-), 2 running, 1 parked, 0 steps/min"
    )
    assert "1.50 USD" in summarise_in_line(tracker.count_totals())


def test_rates_are_those_of_the_last_minutes() -> None:
    rate = PaceMeter(began_at=0.0)
    for second in range(600):
        rate.add(second, units=2 if second < 300 else 1, steps=10)
    units, steps = rate.per_minute(600.0)
    assert (units, steps) == (60.0, 600.0)
    assert rate.per_minute(600.0 + 2 * WINDOW_S) == (0.0, 0.0)


def test_a_young_run_has_the_rate_of_its_seconds() -> None:
    rate = PaceMeter(began_at=100.0)
    rate.add(110.0, units=5)
    assert rate.per_minute(130.0) == (10.0, 0.0)


def test_all_watches_are_told_of_everything(tmp_path: Path, repo: Path) -> None:
    notices: list[str] = []

    class Listing(NullWatch):
        def on_unit_parked(self, unit: WorkUnit, error: Exception, wait_s: float) -> None:
            notices.append(f"parked {unit.id} {error} {wait_s:g}")

        def on_unit_failed(self, unit: WorkUnit, error: Exception) -> None:
            notices.append(f"failed {unit.id} {error}")

        def on_unit_ended(self, line: UnitLine) -> None:
            notices.append(line.unit)

    several = CombinedWatch(Listing(), NullWatch(), Listing())
    unit = WorkUnit(make_tasks(repo, 1)[0][1], 1, str(tmp_path))
    several.on_unit_parked(unit, EndpointDown("down"), 3.0)
    several.on_unit_failed(unit, ValueError("no"))
    assert notices == ["parked t0#1 down 3", "parked t0#1 down 3", "failed t0#1 no", "failed t0#1 no"]


@pytest.mark.anyio
async def test_what_ended_since_the_last_sign_of_life_does_not_run_as_well(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 3))
    await play_run(the_order)
    write_sign(the_order.folder, "a", {**make_state(running=2), "units": 4})
    units = RunObserver(the_order.folder).read_totals().units
    assert (units.all, units.ended, units.running) == (4, 3, 1)


@pytest.mark.anyio
async def test_tasks_that_do_not_fit_their_repository_are_shown_with_their_reason(tmp_path: Path, repo: Path) -> None:
    [(where, task)] = make_tasks(repo, 1)
    gone = task.model_copy(update={"answer": Answer(targets=(Target(path="nowhere.py"),))})
    the_order = make_order(tmp_path, ((where, gone),))
    await play_run(the_order)
    totals = RunObserver(the_order.folder).read_totals()
    assert list(totals.unusable) == ["t0#1"]
    assert "target 'nowhere.py' does not exist at this commit" in render(totals)
