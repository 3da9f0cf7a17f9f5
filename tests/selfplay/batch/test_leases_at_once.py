"""Two workers that reach for the same units at the same moments."""

import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from selfplay.batch.layout import RunFolder
from selfplay.batch.leases import Leases
from selfplay.batch.units import Unit
from selfplay.task import Answer, Brief, Target, Task

UNITS = 300


@pytest.fixture(autouse=True)
def switch_often() -> Generator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def unit(number: int) -> Unit:
    brief = Brief(id=f"t{number}", repo="r", commit="c", prompt="p")
    return Unit(Task(brief=brief, answer=Answer(targets=(Target(path="a.py"),))), 1, "x:1")


def test_of_two_workers_that_reach_for_a_unit_at_once_one_has_it(tmp_path: Path) -> None:
    folder, together = RunFolder(tmp_path), Barrier(2)
    folder.leases.mkdir()

    def take_all(worker: str) -> list[int]:
        leases = Leases(folder, worker, bool, lambda _: 0.0)
        taken: list[int] = []
        for number in range(UNITS):
            together.wait()
            taken.append(leases.take(unit(number)))
        return taken

    with ThreadPoolExecutor(2) as both:
        one, other = both.map(take_all, ("one", "other"))
    assert [bool(a) + bool(b) for a, b in zip(one, other, strict=True)] == [1] * UNITS
