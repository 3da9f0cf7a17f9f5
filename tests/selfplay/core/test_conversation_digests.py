"""Digests of growing conversations equal those of their whole bodies."""

import hashlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from selfplay.core.message import Message, Origin
from selfplay.core.wire import ConversationDigests, encode_messages, request_body
from selfplay.models.protocol import ModelRequest

HEADS: list[dict[str, Any]] = [{}, {"model": "m"}, {"model": "m", "seed": 1}]


@given(st.lists(st.tuples(st.sampled_from(HEADS), st.integers(0, 5)), max_size=8))
def test_a_digest_is_that_of_the_whole_body_in_whatever_order_it_is_asked_for(
    asked: list[tuple[dict[str, Any], int]],
) -> None:
    messages = [
        encode_messages([Message(role="user", content=f"message {i}", origin=Origin.TASK)])[0] for i in range(5)
    ]
    digests = ConversationDigests()
    for head, count in asked:
        whole = request_body(head, messages[:count])
        assert digests.sha256(head, messages[:count]) == hashlib.sha256(whole).hexdigest()


def test_a_requests_digest_is_that_of_the_bytes_it_sends() -> None:
    messages = tuple(encode_messages([Message(role="user", content="Grüße", origin=Origin.TASK)]))
    request = ModelRequest({"model": "m", "tools": [1]}, messages, turn=0)
    assert request.sha256 == hashlib.sha256(request.body()).hexdigest()
    assert request.key == hashlib.sha256(request_body({"tools": [1]}, messages)).hexdigest()
