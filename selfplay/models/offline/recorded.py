"""Answers from the model calls of earlier journals."""

from collections import Counter
from collections.abc import Iterable

from selfplay.core.errors import ScriptError
from selfplay.models.protocol import ModelReply, ModelRequest


class RecordedModel:
    """Answers each request with a recorded reply to the same request (`ModelRequest.key`: messages, tools, format).

    Where one request has several recorded replies they are given in order, and then from the first again.
    """

    def __init__(self, replies: Iterable[tuple[str, ModelReply]], name: str = "recorded") -> None:
        self._name = name
        self._replies: dict[str, list[ModelReply]] = {}
        for key, reply in replies:
            self._replies.setdefault(key, []).append(reply)
        self._times_asked: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """`recorded:DIR`."""
        return self._name

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The recorded reply. Raises ScriptError where none is."""
        replies = self._replies.get(request.key)
        if replies is None:
            raise ScriptError(
                f"{self._name}: no recorded reply to this request (turn {request.turn}, {len(request.messages)} "
                "messages); the task, the prompts, the tools or the repository differ from what was recorded"
            )
        self._times_asked[request.key] += 1
        return replies[(self._times_asked[request.key] - 1) % len(replies)]

    async def aclose(self) -> None:
        """Nothing to close; replies that were not asked for are no error."""
