"""Embeddings by a real server on loopback, and by a model in this process."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from selfplay_tools.errors import NotUsable
from selfplay_tools.semantic.embedders import (
    MAX_RESPONSE_BYTES,
    EmbeddingEndpoint,
    EmbeddingFailed,
    Encoder,
    EndpointEmbedder,
    Floats,
    LocalEmbedder,
    LocalEmbeddingModel,
    make_endpoint_embedder,
    make_local_embedder,
)
from tests.loopback import (
    Behaviour,
    Json,
    LoopbackServer,
    answers,
    drip,
    flood,
    hang,
    html,
    rate_limited,
    reset,
    run_in_thread,
    server_error,
)
from tests.toy_embeddings import as_base64, embeds, toy_server, toy_vectors

KEY = "ek-0123456789abcdef"
TEXTS = [f"text number {n}" for n in range(7)]


def model(
    server: LoopbackServer, *, tries: int = 1, timeout_s: float = 30.0, dimensions: int | None = None, prefix: str = ""
) -> EndpointEmbedder:
    who = EmbeddingEndpoint(
        model="toy",
        base_url=server.base_url,
        dimensions=dimensions,
        question_prefix=f"q{prefix}" if prefix else "",
        code_prefix=prefix,
        batch_size=3,
        timeout_s=timeout_s,
        tries=tries,
    )
    return make_endpoint_embedder(who, {"SEMANTIC_SEARCH_API_KEY": KEY})


def test_texts_are_asked_for_in_batches_and_answered_in_their_order() -> None:
    with run_in_thread(toy_server()) as server:
        rows = model(server).embed_code(TEXTS)
        sent = sorted(request.json["input"] for request in server.received)
        [headers, *_] = [request.headers for request in server.received]
    assert np.array_equal(rows, toy_vectors(TEXTS))
    assert sent == [TEXTS[:3], TEXTS[3:6], TEXTS[6:]]
    assert headers["authorization"] == f"Bearer {KEY}"


def test_settings_are_sent_and_prefixes_tell_a_question_from_code() -> None:
    with run_in_thread(toy_server()) as server:
        asked = model(server, dimensions=16, prefix="code: ")
        assert asked.embed_question("where").shape == (16,)
        assert asked.embed_code(["x = 1"]).shape == (1, 16)
        bodies = [request.json for request in server.received]
    assert [body["input"] for body in bodies] == [["qcode: where"], ["code: x = 1"]]
    assert {body["dimensions"] for body in bodies} == {16}
    assert {body["model"] for body in bodies} == {"toy"}


def test_vectors_may_come_as_base64() -> None:
    with run_in_thread(toy_server([embeds(form=as_base64)])) as server:
        assert np.array_equal(model(server).embed_question("where"), toy_vectors(["where"])[0])


def first(change: Json) -> Behaviour:
    """The proper response with its first item changed."""
    return embeds(lambda response: {**response, "data": [{**response["data"][0], **change}, *response["data"][1:]]})


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (rate_limited(), "status 429: slow down"),
        (server_error(), "status 500: something broke"),
        (answers(401, {"error": {"message": "bad key " + KEY}}), r"status 401: bad key \[key\]"),
        (html(), "not answer in the form of embeddings"),
        (answers(200, {"data": [{"index": 0}]}), "not answer in the form of embeddings"),
        (answers(200, {"data": []}), "gave 0 vectors for 2 texts"),
        (first({"index": 0}), "gave 1 vectors for 2 texts"),
        (first({"embedding": [1.0]}), "differing or no length"),
        (first({"embedding": "%%%"}), "vectors that can be read"),
        (first({"embedding": "AAAA"}), "vectors that can be read"),
        (embeds(form=lambda _: list[float]()), "differing or no length"),
        (reset(), "the connection failed"),
        (flood(MAX_RESPONSE_BYTES + 1), "the connection failed: the response is too large"),
    ],
)
def test_a_server_that_fails_is_said_without_the_key(behaviour: Behaviour, why: str) -> None:
    with run_in_thread(toy_server([behaviour])) as server:
        with pytest.raises(EmbeddingFailed, match=why) as error:
            model(server).embed_code(["one", "two"])
        assert len(server.received) == 1
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("behaviour", "why"), [(hang(), "no answer within 0.2 s"), (drip(), "the response takes too long")]
)
def test_a_server_that_never_ends_is_given_up(behaviour: Behaviour, why: str) -> None:
    with run_in_thread(toy_server([behaviour])) as server, pytest.raises(EmbeddingFailed, match=why):
        model(server, timeout_s=0.2).embed_question("where")


def test_a_busy_server_is_asked_again() -> None:
    with run_in_thread(toy_server([rate_limited(0.01)])) as server:
        assert len(model(server, tries=2).embed_question("where")) == len(toy_vectors(["where"])[0])


def test_settings_that_cant_work_are_refused_at_once() -> None:
    with pytest.raises(NotUsable, match=r"no key for x\.example: set the environment variable SEMANTIC_SEARCH_API_KEY"):
        make_endpoint_embedder(EmbeddingEndpoint(model="m", base_url="https://x.example/v1"), {})
    with pytest.raises(NotUsable, match="no http"):
        make_endpoint_embedder(EmbeddingEndpoint(model="m", base_url="localhost:80"), {})


def test_the_key_is_in_no_representation() -> None:
    who = EmbeddingEndpoint(model="m", base_url="https://x.example")
    assert KEY not in repr(make_endpoint_embedder(who, {"SEMANTIC_SEARCH_API_KEY": KEY}))


def test_the_identity_tells_what_vectors_depend_on_and_nothing_else() -> None:
    here = EmbeddingEndpoint(model="m", base_url="http://127.0.0.1:1")
    same = [here, replace(here, base_url="http://127.0.0.1:2"), replace(here, question_prefix="q", batch_size=9)]
    other = [replace(here, model="n"), replace(here, dimensions=3), replace(here, code_prefix="c")]
    assert len({make_endpoint_embedder(who, {}).identity for who in same}) == 1
    assert (
        len(
            {
                LocalEmbedder(LocalEmbeddingModel("m"), Fake).identity,
                *(make_endpoint_embedder(who, {}).identity for who in (here, *other)),
            }
        )
        == 5
    )


@dataclass
class Fake:
    """In the place of the module `sentence_transformers`, and of a model of it."""

    loaded: list[tuple[str, int | None]] = field(default_factory=list[tuple[str, int | None]])
    asked: list[tuple[list[str], int]] = field(default_factory=list[tuple[list[str], int]])
    problem: Exception | None = None
    shape: tuple[int, ...] = ()

    def SentenceTransformer(self, model: str, /, *, truncate_dim: int | None) -> Encoder:  # noqa: N802  the class
        if self.problem:
            raise self.problem
        self.loaded.append((model, truncate_dim))
        return self

    def encode(self, texts: list[str], /, *, batch_size: int, show_progress_bar: bool) -> NDArray[np.floating]:
        assert not show_progress_bar
        self.asked.append((texts, batch_size))
        rows = toy_vectors(texts).astype(np.float64)
        return np.zeros(self.shape) if self.shape else rows


def rows_of(fake: Fake, texts: Sequence[str] = ("x",)) -> Floats:
    return LocalEmbedder(
        LocalEmbeddingModel("coder", dimensions=8, code_prefix="c: ", batch_size=5), lambda: fake
    ).embed_code(texts)


def test_a_local_model_is_loaded_at_its_first_use_and_once() -> None:
    fake = Fake()
    who = LocalEmbeddingModel("coder", dimensions=8, question_prefix="q: ", code_prefix="c: ", batch_size=5)
    embedder = LocalEmbedder(who, lambda: fake)
    assert fake.loaded == []
    assert embedder.embed_code(TEXTS).dtype == np.float32
    assert embedder.embed_question("where").ndim == 1
    assert fake.loaded == [("coder", 8)]
    assert fake.asked == [([f"c: {text}" for text in TEXTS], 5), (["q: where"], 5)]


def test_a_local_model_that_cant_be_loaded_is_said() -> None:
    with pytest.raises(EmbeddingFailed, match="'coder' can't be loaded: no such folder"):
        rows_of(Fake(problem=OSError("no such\nfolder")))


@pytest.mark.parametrize("shape", [(1,), (2, 8), (1, 0)])
def test_an_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(EmbeddingFailed, match="an array of shape"):
        rows_of(Fake(shape=shape))


def test_without_sentence_transformers_a_local_model_says_what_to_install() -> None:
    with pytest.raises(NotUsable, match=r"pip install '\.\[semantic-local\]' in selfplay's checkout, or give base_url"):
        make_local_embedder(LocalEmbeddingModel("coder"), find=lambda _: None)
