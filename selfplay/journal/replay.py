"""What a journal holds: the trace, and every request byte for byte."""

import hashlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import ValidationError

from selfplay.core.errors import InputError, JournalError
from selfplay.core.json_rows import explain_errors
from selfplay.core.message import Message, Noun, Origin
from selfplay.core.task import Task
from selfplay.core.task_rows import parse_task
from selfplay.core.trace import Judgement, Step, Stop, ToolResult, Trace
from selfplay.core.usage import Usage
from selfplay.gate.guesses import encode_question
from selfplay.journal.events import Event, Seat, read_events
from selfplay.models.dialogue import Dialogue, message_from_reply
from selfplay.models.protocol import ModelReply, ModelRequest

NounType = TypeVar("NounType", bound=Noun)


@dataclass(slots=True)
class _TraceBuilder:
    """Follows a journal, event by event."""

    episode: str = ""
    task: Task | None = None
    prompt: Message | None = None
    opening: Message | None = None
    action: Message | None = None
    results: list[ToolResult] = field(default_factory=list["ToolResult"])
    usage: Usage = field(default_factory=Usage)
    steps: list[Step] = field(default_factory=list["Step"])
    stop: Stop | None = None

    def consume(self, event: Event) -> None:
        match event["event"]:
            case "start":
                self.episode, self.task = event["episode"], parse_task(orjson.dumps(event["task"]), "task")
            case "message" if event["seat"] == "player":
                self._consume_message(_load(Message, event["message"]))
            case "call" if "reply" in event:
                self._consume_reply(_load(ModelReply, event["reply"]))
            case "result":
                self.results.append(_load(ToolResult, event["result"]))
            case "step":
                self._consume_step(event)
            case "stop":
                self.stop = _load(Stop, event["stop"])
            case _:
                pass

    def _consume_message(self, message: Message) -> None:
        if message.origin is Origin.PROMPT:
            self.prompt = message
        else:
            self.opening = message

    def _consume_reply(self, reply: ModelReply) -> None:
        self.usage += reply.usage
        if reply.message.origin is Origin.PLAYER:
            self.action = reply.message

    def _consume_step(self, event: Event) -> None:
        if self.action is None:
            raise JournalError("a step without a message of the player")
        step = Step(
            action=self.action,
            results=tuple(self.results),
            found=tuple(event["found"]),
            judgement=_load(Judgement, event["judgement"]),
            nudge=event["nudge"],
            usage=self.usage,
        )
        targets = len(self.task.answer.all_goals) if self.task else 0
        if beyond := [i for i in step.found if not 0 <= i < targets]:
            raise JournalError(f"found the targets {beyond}, counted from 0, and the task has {targets}")
        self.steps.append(step)
        self.action, self.results, self.usage = None, [], Usage()


@contextmanager
def raise_as_journal_error(where: str, number: int) -> Generator[None]:
    """Turns whatever is wrong with an event into a JournalError that says which. An event is a line."""
    try:
        yield
    except (ValidationError, KeyError, TypeError, AttributeError, InputError, JournalError) as error:
        raise JournalError(
            f"{where}:{number}: not what this program writes: {_describe_error(error)}; restore the file or delete it"
        ) from error


def _describe_error(error: Exception) -> str:
    match error:
        case ValidationError():
            return explain_errors(error, {})
        case KeyError():
            return f"the key {error} is missing"
        case _:
            return str(error)


def _load(noun: type[NounType], value: object) -> NounType:
    return noun.model_validate_json(orjson.dumps(value))


def trace_of(events: Iterable[Event], where: str = "journal") -> Trace:
    """The trace in a journal's events; a step that had not ended is no part of it. Raises JournalError."""
    builder = _TraceBuilder()
    for number, event in enumerate(events, 1):
        with raise_as_journal_error(where, number):
            builder.consume(event)
    if builder.task is None or builder.prompt is None or builder.opening is None:
        raise JournalError(f"{where}: nothing was played yet")
    with raise_as_journal_error(where, 1):
        return Trace(
            episode=builder.episode,
            task=builder.task,
            prompt=builder.prompt,
            opening=builder.opening,
            steps=tuple(builder.steps),
            stop=builder.stop,
        )


def read_trace(path: Path) -> Trace:
    """The trace in a journal file. Raises JournalError."""
    return trace_of(read_events(path), str(path))


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One model call of a journal, as it went over the wire."""

    seat: Seat
    body: bytes
    sha256: str
    """As recorded when it was sent."""
    reply: ModelReply | None
    """None where the server refused the request."""

    @property
    def is_exact(self) -> bool:
        """True when the rebuilt body is what was sent, byte for byte."""
        return hashlib.sha256(self.body).hexdigest() == self.sha256


@dataclass(slots=True)
class _JudgeReplay:
    """What the judge has been sent, and what it was asked last."""

    messages: list[Message] = field(default_factory=list["Message"])
    question: Message | None = None
    since: int = 0

    def consume(self, event: Event) -> None:
        message = _load(Message, event["message"])
        if "since" in event:
            self.question, self.since = message, event["since"]
        else:
            self.messages.append(message)

    def build_request(self, head: Event) -> ModelRequest:
        if self.question is None:
            raise JournalError("a call of the judge before it was asked anything")
        return ModelRequest(head=head, messages=encode_question(self.messages, self.since, self.question), turn=0)


@dataclass(slots=True)
class _RequestReplay:
    """What every seat has been sent so far."""

    dialogues: dict[Seat, Dialogue] = field(default_factory=dict["Seat", "Dialogue"])
    heads: dict[Seat, Event] = field(default_factory=dict["Seat", "Event"])
    judge: _JudgeReplay = field(default_factory=_JudgeReplay)

    def consume(self, event: Event) -> SentRequest | None:
        """The request in an event, if it is one."""
        match event["event"]:
            case "start":
                self.dialogues = _make_dialogues(event)
            case "message" if event["seat"] == "judge":
                self.judge.consume(event)
            case "message":
                self.dialogues[event["seat"]].append(_load(Message, event["message"]))
            case "result":
                self.dialogues["player"].append(_load(ToolResult, event["result"]).message)
            case "step":
                self.dialogues["player"].append(*_messages_after_step(event))
            case "call":
                return self._rebuild_request(event)
            case _:
                pass
        return None

    def _rebuild_request(self, event: Event) -> SentRequest:
        seat: Seat = event["seat"]
        head = self.heads[seat] = event.get("head") or self.heads[seat]
        if seat == "judge":
            return _make_sent_request(event, self.judge.build_request(head))
        sent = _make_sent_request(event, self.dialogues[seat].build_request(head, Origin.PLAYER))
        if sent.reply is not None:
            self.dialogues[seat].append(message_from_reply(sent.reply))
        return sent


def rebuild_requests(events: Iterable[Event], where: str = "journal") -> Iterator[SentRequest]:
    """Every model call of a journal, rebuilt, in the order in which they were made. Raises JournalError."""
    replay = _RequestReplay()
    for number, event in enumerate(events, 1):
        with raise_as_journal_error(where, number):
            sent = replay.consume(event)
        if sent is not None:
            yield sent


def _make_dialogues(start: Event) -> dict[Seat, Dialogue]:
    player = Dialogue(channel=start["channel"], mark=start["mark"], reasoning=start["reasoning"])
    return {"player": player, "supervisor": Dialogue()}


def _messages_after_step(event: Event) -> tuple[Message, ...]:
    empty_action = Message(role="assistant", content="", origin=Origin.PLAYER)
    return Step(
        action=empty_action, judgement=_load(Judgement, event["judgement"]), nudge=event["nudge"]
    ).messages_after


def _make_sent_request(event: Event, request: ModelRequest) -> SentRequest:
    reply = _load(ModelReply, event["reply"]) if "reply" in event else None
    return SentRequest(seat=event["seat"], body=request.body(), sha256=event["sha256"], reply=reply)
