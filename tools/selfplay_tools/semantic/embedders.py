"""Who makes embeddings: the protocol, and its two implementations.

One asks any server of OpenAI's embeddings protocol (a vendor, vLLM, llama-server, TEI, Ollama), the other loads a
sentence-transformers model on this machine (the extra `semantic-local`).
"""

import json
import os
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from threading import Lock
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from selfplay_tools.errors import NotUsable
from selfplay_tools.output import shorten
from selfplay_tools.tools.remote_service import NoAnswer, RemoteService, make_remote_service

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


MAX_RESPONSE_BYTES = 64 << 20
"""A batch of 256 vectors of 8,192 components, written as decimal numbers, has about 40 MiB."""

Post = Callable[[str, Mapping[str, object]], bytes]


@dataclass(frozen=True, slots=True)
class EmbeddingEndpoint:
    """Who is asked, and how."""

    model: str
    base_url: str
    """The address to which `/embeddings` is added; without credentials."""
    api_key_env: str = "SEMANTIC_SEARCH_API_KEY"
    """Name of the environment variable that holds the key."""
    dimensions: int | None = None
    """Sent as it is, for models that give vectors of several lengths."""
    question_prefix: str = ""
    """Put before a question, for models that want an instruction there."""
    code_prefix: str = ""
    """Put before code, likewise."""
    batch_size: int = 64
    """Texts in one request."""
    parallel: int = 4
    """Requests at once."""
    timeout_s: float = 60.0
    """For one attempt, from sending to the answer's last byte."""
    tries: int = 3
    """Attempts where the server is busy, broken or out of reach."""


def make_endpoint_embedder(endpoint: EmbeddingEndpoint, environ: Mapping[str, str] = os.environ) -> "EndpointEmbedder":
    """The model at its server. Raises NotUsable for an address that is none, and where the key is missing."""
    server = make_remote_service(
        "semantic_search",
        endpoint.base_url,
        endpoint.api_key_env,
        timeout_s=endpoint.timeout_s,
        tries=endpoint.tries,
        max_bytes=MAX_RESPONSE_BYTES,
        environ=environ,
    )
    return EndpointEmbedder(endpoint, server)


class _EmbeddingRow(BaseModel):
    """A vector, as numbers or as base64 of little-endian floats, and the place of its text in the request."""

    embedding: list[float] | str
    index: int

    @property
    def row(self) -> Floats:
        if isinstance(self.embedding, str):
            return np.frombuffer(b64decode(self.embedding, validate=True), "<f4").astype(np.float32)
        return np.array(self.embedding, np.float32)


class _EmbeddingResponse(BaseModel):
    """What is read of a response; servers add what they like."""

    data: list[_EmbeddingRow]


@dataclass(frozen=True, slots=True)
class EndpointEmbedder:
    """Implements `Embedder`. Get one by `endpoint`."""

    endpoint: EmbeddingEndpoint
    server: RemoteService

    @property
    def identity(self) -> str:
        """As `Embedder.identity`. The address is no part of it: a model may move."""
        return json.dumps(["endpoint", self.endpoint.model, self.endpoint.dimensions, self.endpoint.code_prefix])

    def embed_code(self, texts: Sequence[str]) -> Floats:
        """As `Embedder.embed_code`."""
        size = self.endpoint.batch_size
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        with self.server.connect() as post, ThreadPoolExecutor(min(self.endpoint.parallel, len(batches))) as threads:

            def embed_batch(batch: Sequence[str]) -> list[Floats]:
                return self._request_batch(post, batch, self.endpoint.code_prefix)

            found = list(threads.map(embed_batch, batches))
        return self._stack_rows(list(chain.from_iterable(found)))

    def embed_question(self, text: str) -> Floats:
        """As `Embedder.embed_question`."""
        return self._stack_rows(self._request_batch(self.server.post, [text], self.endpoint.question_prefix))[0]

    def _request_batch(self, post: Post, texts: Sequence[str], prefix: str) -> list[Floats]:
        body: dict[str, object] = {"model": self.endpoint.model, "input": [prefix + text for text in texts]}
        # Asked for, because the client's own default is not known to every server.
        body["encoding_format"] = "float"
        if self.endpoint.dimensions is not None:
            body["dimensions"] = self.endpoint.dimensions
        try:
            response = _EmbeddingResponse.model_validate_json(post("/embeddings", body))
            rows = {one.index: one.row for one in response.data}
        except NoAnswer as why:
            raise EmbeddingFailed(str(why)) from None
        except ValueError as error:
            what = (
                "in the form of embeddings" if isinstance(error, ValidationError) else "with vectors that can be read"
            )
            raise EmbeddingFailed(f"the server did not answer {what}") from None
        if len(response.data) != len(texts) or sorted(rows) != list(range(len(texts))):
            raise EmbeddingFailed(f"the server gave {len(rows)} vectors for {len(texts)} texts")
        return [rows[at] for at in range(len(texts))]

    def _stack_rows(self, rows: Sequence[Floats]) -> Floats:
        lengths = {len(row) for row in rows}
        if len(lengths) != 1 or 0 in lengths:
            raise EmbeddingFailed("the server gave vectors of differing or no length")
        return np.stack(rows)


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
        """As `Embedder.embed_code`."""
        return self._encode([self._settings.code_prefix + text for text in texts])

    def embed_question(self, text: str) -> Floats:
        """As `Embedder.embed_question`."""
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
