"""The replies of models while traces are cleaned: an append-only JSONL file, so that nothing is asked twice.

A line is written when its reply arrives and holds the request's sha256, not the request. A line that was torn by a
kill is cut off; the call is made again. Cost and tokens of all lines count against the budget, whenever they were
spent.
"""

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError

from selfplay.clean.funnel import CleaningSpending
from selfplay.core.errors import ContextTooLong, JournalError, RequestRefused
from selfplay.core.jsonl import AppendOnlyFile, json_line
from selfplay.core.message import Noun
from selfplay.episode.player import ModelCall
from selfplay.models.prices import Price, spending_of
from selfplay.models.protocol import ModelReply, ModelRequest

Seat = Literal["player", "supervisor", "judge"]
_CallKey = tuple[str, str, int]


class RecordedRefusal(Noun):
    """What a server refused for good."""

    type: Literal["RequestRefused", "ContextTooLong"]
    message: str
    param: str | None = None

    def to_error(self) -> RequestRefused | ContextTooLong:
        """The error that it was."""
        kind = ContextTooLong if self.type == "ContextTooLong" else RequestRefused
        return kind(self.message, param=self.param)


class RecordedCall(Noun):
    """One line: a call, and what came of it."""

    seat: Seat
    sha256: str
    """Of the request's body."""
    number: Annotated[int, Field(ge=0)]
    """Which asking of the same request it was, from 0."""
    reply: ModelReply | None = None
    refused: RecordedRefusal | None = None
    """Set where there is no reply."""
    usd: float | None = None
    """What it cost; None where the price is not known."""


@dataclass(frozen=True, slots=True)
class CleaningBudget:
    """The most that may be spent, earlier runs included; None is no limit."""

    usd: float | None = None
    tokens: int | None = None


class BudgetSpentError(Exception):
    """A call was not made: the budget is spent."""


class ReplyCache:
    """The file, open for asking. Use as a context manager; one process at a time.

    The budget is looked at before each call, so calls in flight together may go past it by what they cost.
    """

    def __init__(self, path: Path, budget: CleaningBudget | None = None) -> None:
        self.path = path
        self._budget = budget or CleaningBudget()
        self._line_positions: dict[_CallKey, tuple[int, int]] = {}
        self._has_answered: set[Seat] = set()
        self._file = AppendOnlyFile(path, user="is cleaning here")
        self._size = 0
        self.usd = 0.0
        """Spent so far, as far as prices are known."""
        self.tokens = 0
        self.calls_made = 0
        """Calls made since it was opened."""
        self.calls_found = 0
        """Calls that were answered from the file since it was opened."""
        self.calls_not_made = 0
        """Calls that were not made because the budget was spent."""

    def __enter__(self) -> Self:
        """Open or create the file, take its lock, cut off a torn last line. Raises JournalError."""
        with ExitStack() as stack:
            stack.enter_context(self._file)
            self._load()
            stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the file back."""
        self._file.close()

    def _load(self) -> None:
        for number, line in self._file.read_lines():
            try:
                asked = RecordedCall.model_validate_json(line)
            except ValidationError:
                raise JournalError(f"{self.path}:{number}: damaged; delete the line to ask for it again") from None
            self._index_line(asked, len(line))

    def _index_line(self, asked: RecordedCall, length: int) -> None:
        self._line_positions[asked.seat, asked.sha256, asked.number] = (self._size, length)
        self._size += length
        self.usd += asked.usd or 0.0
        if asked.reply is not None:
            self.tokens += asked.reply.usage.total_tokens
            self._has_answered.add(asked.seat)

    def make_cached_ask(self, seat: Seat, number: int, live: ModelCall, price: Price | None) -> ModelCall:
        """A model call that is made once: the `number`-th time that a request is asked, from 0.

        It raises BudgetSpentError instead of passing the limit, what the model raises, and JournalError. A refused
        request is refused again from the file, except for a seat that never answered: then it is the set-up that was
        wrong, and may be right by now.
        """

        async def ask(request: ModelRequest) -> ModelReply:
            key = (seat, hashlib.sha256(request.body()).hexdigest(), number)
            if (known := self._find_reply(key)) is not None:
                return known
            self._check_budget()
            try:
                reply = await live(request)
            except (RequestRefused, ContextTooLong) as error:
                if self.has_answered(seat):
                    kind = "ContextTooLong" if isinstance(error, ContextTooLong) else "RequestRefused"
                    refusal = RecordedRefusal(type=kind, message=str(error), param=error.param)
                    self._append(RecordedCall(seat=seat, sha256=key[1], number=number, refused=refusal))
                raise
            usd = None if price is None else spending_of(reply.usage, price).cost_usd
            self._append(RecordedCall(seat=seat, sha256=key[1], number=number, reply=reply, usd=usd))
            self.calls_made += 1
            return reply

        return ask

    def _find_reply(self, key: _CallKey) -> ModelReply | None:
        place = self._line_positions.get(key)
        if place is None:
            return None
        asked = RecordedCall.model_validate_json(self._file.read_at(*place))
        self.calls_found += 1
        if asked.refused is not None:
            raise asked.refused.to_error()
        return asked.reply

    def has_answered(self, seat: Seat) -> bool:
        """Whether a seat's model ever answered: its server takes requests of this kind."""
        return seat in self._has_answered

    def spending(self) -> CleaningSpending:
        """What was asked and what it cost."""
        return CleaningSpending(
            asked=self.calls_made,
            found=self.calls_found,
            remaining=self.calls_not_made,
            tokens=self.tokens,
            usd=round(self.usd, 6),
        )

    def _check_budget(self) -> None:
        budget = self._budget
        is_spent = budget.usd is not None and self.usd >= budget.usd
        if is_spent or (budget.tokens is not None and self.tokens >= budget.tokens):
            self.calls_not_made += 1
            raise BudgetSpentError

    def _append(self, asked: RecordedCall) -> None:
        line = json_line(asked.model_dump(mode="json", exclude_defaults=True) | {"number": asked.number})
        self._file.append(line)
        self._index_line(asked, len(line))
