"""What turns texts into vectors, and the form in which vectors are kept and compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

STEPS = 127
"""A component is kept as a whole number between -STEPS and STEPS, in units of the vector's largest."""


class EmbeddingFailed(Exception):
    """There are no vectors for some texts. The message says why, in one line, and holds no key."""


class Embedder(Protocol):
    """A model of embeddings. Safe to use from several threads at once."""

    @property
    def identity(self) -> str:
        """Names the model and all settings that its vectors depend on: vectors of two identities do not compare."""
        ...

    def embed_code(self, texts: Sequence[str]) -> Floats:
        """A row for each text (at least one), as a document that is searched. Blocks. Raises NotEmbedded."""
        ...

    def embed_question(self, text: str) -> Floats:
        """The vector of a question about such documents. Blocks. Raises NotEmbedded."""
        ...


@dataclass(frozen=True, slots=True)
class QuantizedVectors:
    """Vectors of length 1, one in a row, in a byte per component."""

    steps: NDArray[np.int8]
    scales: Floats
    """What a row's whole numbers are multiplied with."""

    @classmethod
    def quantize(cls, rows: Floats) -> "QuantizedVectors":
        """From rows of any length but 0. Raises NotEmbedded for a row that has no direction."""
        unit = normalise_rows(rows)
        largest = np.abs(unit).max(axis=1, initial=0.0)
        scales = (largest / STEPS).astype(np.float32)
        return cls(np.rint(unit / scales[:, None]).astype(np.int8), scales)

    def __len__(self) -> int:
        return len(self.steps)


def normalise_rows(rows: Floats) -> Floats:
    """The rows with length 1. Raises NotEmbedded for a row that has no direction: zero, or not finite."""
    lengths = np.sqrt(np.square(rows.astype(np.float64)).sum(axis=1))
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise EmbeddingFailed("the model gave a vector that is zero or not finite")
    return (rows / lengths[:, None]).astype(np.float32)
