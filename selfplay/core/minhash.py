"""Near duplicates: which earlier text is most similar to a new one, by MinHash.

Similarities are estimates of the Jaccard index from 256 values (standard error 0.02 at 0.85).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import rensa  # pyright: ignore[reportMissingTypeStubs]  # ships no types: `Sketch` and `_LshIndex` declare them

NUMBERS = 256
"""MinHash values of one sketch."""
BANDS = 32
"""Groups of values of which one must agree: at a similarity of 0.85 all but one pair in ten thousand are found."""
SEED = 20


class Sketch(Protocol):
    """A set, small enough to keep."""

    def update(self, items: list[str]) -> None:
        """Add items."""
        ...

    def jaccard(self, other: "Sketch") -> float:
        """The estimated Jaccard index of the two sets, between 0 and 1."""
        ...


class _LshIndex(Protocol):
    def insert(self, key: int, minhash: Sketch) -> None: ...
    def query(self, minhash: Sketch) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """An earlier text that a new one is similar to."""

    of: str
    """Its id."""
    similarity: float
    """Estimated, between 0 and 1."""


class SketchIndex:
    """Sketches, found by similarity; about 3 kB of memory for each."""

    def __init__(self) -> None:
        index = cast("Any", rensa).RMinHashLSH(threshold=0.5, num_perm=NUMBERS, num_bands=BANDS)
        self._index = cast("_LshIndex", index)
        self._sketches: list[tuple[str, Sketch]] = []

    def find_nearest(self, sketch: Sketch, threshold: float) -> NearDuplicate | None:
        """The most similar one at or above the threshold; of equals the one that was added first."""
        near = [(self._sketches[key][1].jaccard(sketch), -key) for key in self._index.query(sketch)]
        similarity, key = max(near, default=(0.0, 0))
        return NearDuplicate(self._sketches[-key][0], similarity) if near and similarity >= threshold else None

    def add(self, id: str, sketch: Sketch) -> None:  # noqa: A002  the field's name
        """Add a sketch."""
        self._index.insert(len(self._sketches), sketch)
        self._sketches.append((id, sketch))


def sketch_of(items: list[str]) -> Sketch | None:
    """A sketch of these; None of nothing."""
    if not items:
        return None
    sketch = cast("Sketch", cast("Any", rensa).RMinHash(num_perm=NUMBERS, seed=SEED))
    sketch.update(items)
    return sketch


def word_ngrams(words: Sequence[str], length: int) -> list[str]:
    """Every run of so many words; of a shorter text the text itself."""
    if not words:
        return []
    return [" ".join(words[i : i + length]) for i in range(max(1, len(words) - length + 1))]
