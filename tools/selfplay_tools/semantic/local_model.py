"""Embeddings by a sentence-transformers model on this machine: the extra `semantic-local`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.errors import NotUsable
from selfplay_tools.output import shorten
from selfplay_tools.semantic.embedding import EmbeddingFailed, Floats

WHY_CHARS = 300


class Encoder(Protocol):
    """What is used of a `sentence_transformers.SentenceTransformer`."""

    def encode(self, texts: list[str], /, *, batch_size: int, show_progress_bar: bool) -> NDArray[np.floating]:
        """A row for each text."""
        ...


class SentenceTransformers(Protocol):
    """What is used of the module `sentence_transformers`."""

    def SentenceTransformer(self, model: str, /, *, truncate_dim: int | None) -> Encoder:  # noqa: N802  the class
        """The model of that name, or in that folder."""
        ...


@dataclass(frozen=True, slots=True)
class LocalEmbeddingModel:
    """Which model, and how it is asked."""

    model: str
    """A name on the Hugging Face hub, or a folder. A name is downloaded at its first use if it is not cached."""
    dimensions: int | None = None
    """Only the first so many components, for models that were trained for that."""
    question_prefix: str = ""
    code_prefix: str = ""
    batch_size: int = 64


def make_local_embedder(settings: LocalEmbeddingModel, find: Callable[[str], object] = find_spec) -> "LocalEmbedder":
    """The model, run in this process. Raises NotUsable where `find` finds no sentence-transformers."""
    if find("sentence_transformers") is None:
        raise NotUsable(
            "semantic_search: a model without base_url runs here, by sentence-transformers, which is not installed: "
            "pip install '.[semantic-local]' in selfplay's checkout, or give base_url"
        )
    return LocalEmbedder(settings, _import_library)


def _import_library() -> SentenceTransformers:
    # Takes seconds: not before it is needed.
    return cast("SentenceTransformers", import_module("sentence_transformers"))


class LocalEmbedder:
    """Implements `Embedder`. The model is loaded when it is first asked."""

    def __init__(self, settings: LocalEmbeddingModel, module: Callable[[], SentenceTransformers]) -> None:
        """`module` is called once, in the first use."""
        self._settings = settings
        self._module = module
        self._encoder: Encoder | None = None
        self._lock = Lock()

    @property
    def identity(self) -> str:
        """As `Embedder.identity`."""
        return json.dumps(["local", self._settings.model, self._settings.dimensions, self._settings.code_prefix])

    def embed_code(self, texts: Sequence[str]) -> Floats:
        """As `Embedder.of_code`."""
        return self._encode([self._settings.code_prefix + text for text in texts])

    def embed_question(self, text: str) -> Floats:
        """As `Embedder.of_question`."""
        return self._encode([self._settings.question_prefix + text])[0]

    def _encode(self, texts: list[str]) -> Floats:
        with self._lock:  # its tokenizers do not take two callers at once
            if self._encoder is None:
                self._encoder = self._load()
            rows = np.asarray(
                self._encoder.encode(texts, batch_size=self._settings.batch_size, show_progress_bar=False), np.float32
            )
        if rows.ndim != 2 or len(rows) != len(texts) or not rows.shape[1]:  # noqa: PLR2004  a row for each text
            raise EmbeddingFailed(f"the model gave an array of shape {rows.shape} for {len(texts)} texts")
        return rows

    def _load(self) -> Encoder:
        try:
            return self._module().SentenceTransformer(self._settings.model, truncate_dim=self._settings.dimensions)
        except (
            ImportError,
            OSError,
            ValueError,
            RuntimeError,
        ) as error:  # no such model, a broken one, no memory for it
            why = shorten(" ".join(str(error).split()), WHY_CHARS)
            raise EmbeddingFailed(f"the model {self._settings.model!r} can't be loaded: {why}") from error
