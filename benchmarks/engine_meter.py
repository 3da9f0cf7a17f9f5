"""What one driver of the engine benchmark plays, and what it took. Needs nothing but Python."""

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

PROMPT = "Where is the setting read that the program starts with?"
PlayEpisode = Callable[[int], Awaitable[None]]
"""Plays the episode of that number to its end. Raises where it did not end well."""


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """What is played."""

    url: str
    episodes: int
    steps: int
    at_once: int
    lines: int
    folder: Path


@dataclass(frozen=True, slots=True)
class EngineCost:
    """What it took."""

    driver: str
    calls: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    waiting_kb: float
    """Anonymous memory at most, beyond what it was before the first episode, per episode at once."""


def make_line(number: int) -> str:
    return f"setting_{number:05} = read(environment, 'NAME_{number:05}')  # where the program starts, one of many"


def read_lines(start: int, lines: int) -> str:
    """What the other engines' tool returns: as many characters as ours."""
    shown = "\n".join(f"{n:6}\t{make_line(n)}" for n in range(start, start + lines))
    return f"notes.txt: lines {start}-{start + lines - 1} of 1,000\n{shown}"


class EngineMeter:
    """Processor, wall and memory from its making on."""

    def __init__(self) -> None:
        self._cpu, self._began = _cpu_s(), time.perf_counter()
        self._before = self._most = _anonymous_kb()

    async def watch(self) -> None:
        """Look at the memory now and then, until cancelled."""
        while True:
            self._most = max(self._most, _anonymous_kb())
            await asyncio.sleep(0.1)

    def cost(self, driver: str, plan: EnginePlan, calls: int | None = None) -> EngineCost:
        """What was used since; `calls` where it is not one a step and one for the answer."""
        return EngineCost(
            driver=driver,
            calls=plan.episodes * (plan.steps + 1) if calls is None else calls,
            cpu_s=_cpu_s() - self._cpu,
            wall_s=time.perf_counter() - self._began,
            peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            waiting_kb=(self._most - self._before) / plan.at_once,
        )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _anonymous_kb() -> int:
    for row in Path("/proc/self/status").read_text().splitlines():
        if row.startswith("RssAnon"):
            return int(row.split()[1])
    return 0


async def measure_episodes(driver: str, plan: EnginePlan, play: PlayEpisode) -> EngineCost:
    """Play all episodes, `at_once` of them at a time, after one to warm up."""
    await play(-1)
    gate = asyncio.Semaphore(plan.at_once)
    meter = EngineMeter()

    async def one(number: int) -> None:
        async with gate:
            await play(number)

    watch = asyncio.create_task(meter.watch())
    async with asyncio.TaskGroup() as group:
        for number in range(plan.episodes):
            group.create_task(one(number))
    cost = meter.cost(driver, plan)
    watch.cancel()
    return cost
