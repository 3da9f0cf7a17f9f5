"""A run against a server that fails in every way, compared with the same run without failures and with the ideal.

    python -m benchmarks.chaos [--tasks 1000] [--at-once 192] [--in-flight 128] [--latency-s 1]
        [--outage-s 60] [--retry-after-s 1] [--json]

The server answers after a fixed latency. In the second run it sends 10 % 429 (a fifth of them with Retry-After), 5 %
500, 2 % hang until the client gives up, 1 % break off in the body, and for a time all connections are dropped. The
ideal: all places are always taken by calls that are answered or hang, and all stand still during the outage; what
Retry-After asks for is not even counted. Episodes must come to the same in both runs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from selfplay.batch.settings import BatchSettings, EndpointSettings, SeatLimits
from selfplay.batch.start import RunOrder
from selfplay.config import HintConfig, PriceConfig, RunConfig, SeatConfig
from tests.loopback import LoopbackServer, PendingRequest, answer_properly
from tests.selfplay.batch.chaos_server import ChaosPlan, answer_as_player, outline
from tests.selfplay.batch.runs import make_order, make_repository, make_tasks, play_run, read_journals, read_ledger

OUT_AFTER_S = 20.0
"""Seconds from the first request to the outage."""
NO_KEY = "NO_KEY"


@dataclass(frozen=True)
class ServerProcess:
    """A server in a process of its own."""

    url: str
    process: subprocess.Popen[str]

    def finish(self) -> Counter[str]:
        """What it did to requests; ends it."""
        line, _ = self.process.communicate("\n", timeout=60)
        return Counter(json.loads(line))


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until a line comes in; then say what was done."""
    began: list[float] = []

    def is_out() -> bool:
        began[:] = began or [time.monotonic()]
        return OUT_AFTER_S < time.monotonic() - began[0] < OUT_AFTER_S + arguments.outage_s

    async def answer_late(exchange: PendingRequest) -> None:
        await anyio.sleep(arguments.latency_s)
        await answer_properly(exchange)

    chaos = ChaosPlan(arguments.retry_after_s, is_out=is_out)
    async with LoopbackServer(
        answer_as_player, () if arguments.calm else chaos, default_behaviour=answer_late
    ) as server:
        print(server.base_url, flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)
        print(json.dumps(chaos.counts or {"answered": len(server.received)}), flush=True)


@contextmanager
def start_server(arguments: argparse.Namespace, *options: str) -> Generator[ServerProcess]:
    """A server of this benchmark's."""
    named = ("latency_s", "outage_s", "retry_after_s")
    times = [f"--{name.replace('_', '-')}={getattr(arguments, name)}" for name in named]
    command = [sys.executable, "-m", "benchmarks.chaos", "--serve", *times, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield ServerProcess(next(iter(process.stdout or ())).strip(), process)
        finally:
            process.kill()


def make_run_order(folder: Path, repo: Path, url: str, arguments: argparse.Namespace, name: str) -> RunOrder:
    """The run; the server's address does not change its episodes."""
    seat = SeatConfig(model="openai:p", api_key_env=NO_KEY, timeout_s=10, price=PriceConfig(input=0, output=0))
    config = RunConfig(
        player=seat.model_copy(update={"base_url": "http://server/v1"}), hints=HintConfig(policy="never")
    )
    place = EndpointSettings(base_url=url, api_key_env=NO_KEY)
    player = SeatLimits(endpoints=(place,), in_flight=arguments.in_flight)
    settings = BatchSettings(at_once=arguments.at_once, player=player)
    return make_order(folder, make_tasks(repo, arguments.tasks), config=config, settings=settings, name=name)


def measure(the_order: RunOrder, place: ServerProcess) -> dict[str, Any]:
    """One run."""
    began = time.perf_counter()
    session = anyio.run(play_run, the_order)
    wall_s = time.perf_counter() - began
    stops = Counter(e.stop.value for line in read_ledger(the_order).values() for e in line.episodes)
    left = {"left": session.unfinished_count, "failed": len(session.failed)}
    return {"wall_s": round(wall_s, 1), **left, "stops": stops, "requests": place.finish()}


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both runs and how they compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repo = make_repository(folder / "pump.git")
        with start_server(arguments, "--calm") as place:
            calm_order = make_run_order(folder, repo, place.url, arguments, "calm")
            calm = measure(calm_order, place)
        with start_server(arguments) as place:
            chaos_order = make_run_order(folder, repo, place.url, arguments, "chaos")
            chaos = measure(chaos_order, place)
        before, after = ({n: outline(t) for n, t in read_journals(o).items()} for o in (calm_order, chaos_order))
    busy_s = chaos["requests"]["answered"] * arguments.latency_s + chaos["requests"]["hang"] * 10
    ideal_s = busy_s / arguments.in_flight + arguments.outage_s
    row = {"ideal_s": round(ideal_s, 1), "wall_to_ideal": round(chaos["wall_s"] / ideal_s, 2)}
    return {"calm": calm, "chaos": chaos, **row, "same_episodes": before == after, "episodes": len(after)}


def main() -> None:
    """Measure, or serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=192)
    parser.add_argument("--in-flight", type=int, default=128)
    parser.add_argument("--latency-s", type=float, default=1.0)
    parser.add_argument("--outage-s", type=float, default=60.0)
    parser.add_argument("--retry-after-s", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--calm", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        anyio.run(serve, arguments)
        return
    row = compare(arguments)
    print(json.dumps(row) if arguments.json else "\n".join(f"{name:14} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
