"""A model that says what a script tells it to say, remembers what it was asked, and complains of a wrong number.

A script is a list of lines, one per turn of the model: `Request.turn` picks the line, so an episode that is resumed
goes on where it was. A failure stands before the line of the turn that it disturbs, and happens once.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from selfplay.core.errors import ScriptError
from selfplay.models.offline.script import (
    ScriptedFailure,
    ScriptedReply,
    ScriptLine,
    call,
    fails,
    judges,
    raw_call,
    read_script,
    says,
)
from selfplay.models.protocol import ModelReply, ModelRequest

__all__ = ["ScriptedModel", "call", "fails", "judges", "raw_call", "says"]


@dataclass(slots=True)
class _ScriptTurn:
    """What happens when one turn is asked for: the failures, each once, then the reply each time."""

    failures: deque[ScriptedFailure] = field(default_factory=deque[ScriptedFailure])
    reply: ScriptedReply | None = None
    is_used: bool = False


class ScriptedModel:
    """Answers `request.turn` with the script's line of that number.

    Raises ScriptError when asked for a turn that the script does not have, and on `aclose` when lines are left after
    the last one used. A script that was never asked is no error: an episode that had ended before asks nobody.
    """

    def __init__(self, lines: Sequence[ScriptLine], *, name: str = "scripted") -> None:
        self._name = name
        self._turns = _group_into_turns(lines)
        self.asked: list[ModelRequest] = []
        """Every request, failed ones included, in order."""

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The script in a JSONL file, see docs/models.md. Raises InputError with file and line."""
        return cls(read_script(path), name=f"scripted:{path}")

    @property
    def name(self) -> str:
        """As on the command line."""
        return self._name

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The line for the request's turn."""
        self.asked.append(request)
        if request.turn >= len(self._turns):
            raise ScriptError(f"{self._name}: asked for turn {request.turn + 1}, and the script ends before it")
        turn = self._turns[request.turn]
        if turn.failures:
            raise turn.failures.popleft().make_error()
        if turn.reply is None:
            raise ScriptError(f"{self._name}: asked again after its last line, which was a failure")
        turn.is_used = True
        return turn.reply.make_reply(request)

    async def aclose(self) -> None:
        """Raise ScriptError if lines are left over."""
        if not self.asked:
            return
        last = max(request.turn for request in self.asked)
        left = sum(len(t.failures) + (t.reply is not None and not t.is_used) for t in self._turns[last:])
        if left:
            raise ScriptError(
                f"{self._name}: {left} of its lines were not used; turn {last + 1} was the last asked for"
            )


def _group_into_turns(lines: Sequence[ScriptLine]) -> list[_ScriptTurn]:
    turns = [_ScriptTurn()]
    for line in lines:
        if isinstance(line, ScriptedFailure):
            turns[-1].failures.append(line)
        else:
            turns[-1].reply = line
            turns.append(_ScriptTurn())
    return turns if turns[-1].failures else turns[:-1]
