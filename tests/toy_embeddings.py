"""A toy model of embeddings: words are hashed into a few components, so texts with the same words are near.

As an `Embedder` that remembers what it was asked, and as a server on loopback that speaks OpenAI's protocol.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from selfplay_tools.semantic.embedders import Floats
from tests.loopback import Behaviour, Json, LoopbackServer, PendingRequest, Plan

LENGTH = 96
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def toy_vectors(texts: Sequence[str], length: int = LENGTH) -> Floats:
    """A row for each text; the first component is the same for all, so that none is zero."""
    rows = np.zeros((len(texts), length), np.float32)
    rows[:, 0] = 0.1
    for row, text in zip(rows, texts, strict=True):
        for word in _WORD.findall(text):
            code = crc32(word.lower().encode())
            row[1 + code % (length - 1)] += 1 if code & 1 << 20 else -1
    return rows


@dataclass
class ToyEmbedder:
    """Implements `Embedder`."""

    identity: str = "toy"
    length: int = LENGTH
    embedded: list[str] = field(default_factory=list[str])
    """All code that it was asked about."""

    def embed_code(self, texts: Sequence[str]) -> Floats:
        self.embedded += texts
        return toy_vectors(texts, self.length)

    def embed_question(self, text: str) -> Floats:
        return toy_vectors([text], self.length)[0]


def embedded(request: Json, form: Callable[[Floats], object] = lambda row: row.tolist()) -> Json:
    """The proper response, in reverse: `index` tells the order."""
    rows = toy_vectors(request["input"], request.get("dimensions", LENGTH))
    data = [{"object": "embedding", "index": at, "embedding": form(row)} for at, row in enumerate(rows)]
    return {"object": "list", "model": request["model"], "data": data[::-1], "usage": {"prompt_tokens": 1}}


def as_base64(row: Floats) -> str:
    return b64encode(row.astype("<f4").tobytes()).decode()


def embeds(
    change: Callable[[Json], Json] = lambda response: response, form: Callable[[Floats], object] | None = None
) -> Behaviour:
    """Answer properly, with the response changed."""

    async def behave(exchange: PendingRequest) -> None:
        response = embedded(exchange.received.json, *([form] if form else []))
        await exchange.send(200, json.dumps(change(response)).encode())

    return behave


def toy_server(plan: Plan = ()) -> LoopbackServer:
    return LoopbackServer(lambda request: request, plan, path="/v1/embeddings", default_behaviour=embeds())
