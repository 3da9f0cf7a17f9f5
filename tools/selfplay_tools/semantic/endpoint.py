"""Embeddings by any server of OpenAI's embeddings protocol: a vendor, vLLM, llama-server, TEI, Ollama."""

import json
import os
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import numpy as np
from pydantic import BaseModel, ValidationError

from selfplay_tools.semantic.embedding import EmbeddingFailed, Floats
from selfplay_tools.tools.remote_service import NoAnswer, RemoteService, make_remote_service

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
        """As `Embedder.of_code`."""
        size = self.endpoint.batch_size
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        with self.server.connect() as post, ThreadPoolExecutor(min(self.endpoint.parallel, len(batches))) as threads:

            def embed_batch(batch: Sequence[str]) -> list[Floats]:
                return self._request_batch(post, batch, self.endpoint.code_prefix)

            found = list(threads.map(embed_batch, batches))
        return self._stack_rows(list(chain.from_iterable(found)))

    def embed_question(self, text: str) -> Floats:
        """As `Embedder.of_question`."""
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
