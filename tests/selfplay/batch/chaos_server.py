"""A server that fails in every way, and a player that is a function of what it is asked.

What is done to a request depends on its bytes and on how often they were sent, not on the order of arrival.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests import loopback
from tests.loopback import Behaviour, Json, ReceivedRequest
from tests.selfplay.batch.runs import PROMPTS

STEPS = 3
"""Calls that look around, before the target is read."""


def answer_as_player(request: Json) -> Json:
    """The player's message: some looks, then the target, then the answer."""
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    text = next(message["content"] for message in request["messages"] if message["role"] == "user")
    target = next(target for prompt, target in PROMPTS if prompt in text)
    if turn < STEPS:
        return loopback.message_with_calls(("search", {"query": f"message {turn}"}))
    if turn == STEPS:
        return loopback.message_with_calls(("read_file", {"path": target}))
    return loopback.message_with_calls(("finish", {"files": [{"path": target, "reason": "read"}]}))


@dataclass
class ChaosPlan:
    """A plan for a loopback server: 10 % 429 (a fifth of them with Retry-After), 5 % 500, 2 % hangs, 1 % cut bodies."""

    retry_after_s: float = 1.0
    seed: int = 1
    is_out: Callable[[], bool] = lambda: False
    """Whether the server is out altogether; then connections are dropped."""
    counts: Counter[str] = field(default_factory=Counter[str])
    _received: Counter[bytes] = field(default_factory=Counter[bytes])

    def __call__(self, _: int, received: ReceivedRequest) -> Behaviour | None:
        if self.is_out():
            self.counts["out"] += 1
            return loopback.reset()
        key = hashlib.sha256(received.body).digest()
        self._received[key] += 1
        lot = Random(f"{self.seed}{key.hex()}{self._received[key]}").random()  # noqa: S311  chance, guards nothing
        kind = next((kind for bound, kind in _SHARES if lot < bound), "answered")
        self.counts[kind] += 1
        return self._behaviour(kind)

    def _behaviour(self, kind: str) -> Behaviour | None:
        match kind:
            case "slow down, and wait":
                return loopback.rate_limited(self.retry_after_s)
            case "slow down":
                return loopback.answers(429, {"error": {"message": "slow down", "type": "rate_limit_error"}})
            case "500":
                return loopback.server_error(500)
            case "hang":
                return loopback.hang()
            case "cut":
                return loopback.cut_body()
            case _:
                return None


_SHARES = ((0.02, "slow down, and wait"), (0.10, "slow down"), (0.15, "500"), (0.17, "hang"), (0.18, "cut"))


def outline(journal: bytes) -> list[Json]:
    """What was said and done in an episode, without times and tries."""
    events = [json.loads(line) for line in journal.splitlines()]
    free = ("at", "seconds")
    return [
        {k: v for k, v in event.items() if k not in free}
        for event in events
        if event["event"] not in ("retry", "resume")
    ]
