"""What a journal tells: the trace, and every request byte for byte."""

import hashlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import ValidationError

from selfplay.dialogue import Dialogue, as_said
from selfplay.errors import InputError, JournalError
from selfplay.events import Event, Seat, read_events
from selfplay.gate.judge import question_wire
from selfplay.message import Message, Noun, Origin
from selfplay.models.protocol import Reply, Request, Usage
from selfplay.rows import explain
from selfplay.task import Task
from selfplay.tasks import parse_task
from selfplay.trace import Judgement, Step, Stop, ToolResult, Trace

N = TypeVar("N", bound=Noun)


@dataclass(slots=True)
class _Teller:
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

    def hear(self, event: Event) -> None:
        match event["event"]:
            case "start":
                self.episode, self.task = event["episode"], parse_task(orjson.dumps(event["task"]), "task")
            case "message" if event["seat"] == "player":
                self._hear_message(_load(Message, event["message"]))
            case "call" if "reply" in event:
                self._hear_reply(_load(Reply, event["reply"]))
            case "result":
                self.results.append(_load(ToolResult, event["result"]))
            case "step":
                self._hear_step(event)
            case "stop":
                self.stop = _load(Stop, event["stop"])
            case _:
                pass

    def _hear_message(self, message: Message) -> None:
        if message.origin is Origin.PROMPT:
            self.prompt = message
        else:
            self.opening = message

    def _hear_reply(self, reply: Reply) -> None:
        self.usage += reply.usage
        if reply.message.origin is Origin.PLAYER:
            self.action = reply.message

    def _hear_step(self, event: Event) -> None:
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
        targets = len(self.task.answer.targets) if self.task else 0
        if beyond := [i for i in step.found if not 0 <= i < targets]:
            raise JournalError(f"found the targets {beyond}, counted from 0, and the task has {targets}")
        self.steps.append(step)
        self.action, self.results, self.usage = None, [], Usage()


@contextmanager
def understood(where: str, number: int) -> Generator[None]:
    """Turns whatever is wrong with an event into a JournalError that says which. An event is a line."""
    try:
        yield
    except (ValidationError, KeyError, TypeError, AttributeError, InputError, JournalError) as error:
        raise JournalError(
            f"{where}:{number}: not what this program writes: {_wrong(error)}; restore the file or delete it"
        ) from error


def _wrong(error: Exception) -> str:
    match error:
        case ValidationError():
            return explain(error, {})
        case KeyError():
            return f"the key {error} is missing"
        case _:
            return str(error)


def _load(noun: type[N], value: object) -> N:
    return noun.model_validate_json(orjson.dumps(value))


def trace_of(events: Iterable[Event], where: str = "journal") -> Trace:
    """The trace that a journal's events tell; a step that had not ended is no part of it. Raises JournalError."""
    teller = _Teller()
    for number, event in enumerate(events, 1):
        with understood(where, number):
            teller.hear(event)
    if teller.task is None or teller.prompt is None or teller.opening is None:
        raise JournalError(f"{where}: nothing was played yet")
    with understood(where, 1):
        return Trace(
            episode=teller.episode,
            task=teller.task,
            prompt=teller.prompt,
            opening=teller.opening,
            steps=tuple(teller.steps),
            stop=teller.stop,
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
    reply: Reply | None
    """None where the server refused the request."""

    @property
    def is_exact(self) -> bool:
        """True when the rebuilt body is what was sent, byte for byte."""
        return hashlib.sha256(self.body).hexdigest() == self.sha256


@dataclass(slots=True)
class _Judge:
    """What the judge has been told, and what it was asked last."""

    told: list[Message] = field(default_factory=list["Message"])
    question: Message | None = None
    since: int = 0

    def hear(self, event: Event) -> None:
        message = _load(Message, event["message"])
        if "since" in event:
            self.question, self.since = message, event["since"]
        else:
            self.told.append(message)

    def request(self, head: Event) -> Request:
        if self.question is None:
            raise JournalError("a call of the judge before it was asked anything")
        return Request(head=head, messages=question_wire(self.told, self.since, self.question), turn=0)


@dataclass(slots=True)
class _Sender:
    """What every seat has been told so far."""

    dialogues: dict[Seat, Dialogue] = field(default_factory=dict["Seat", "Dialogue"])
    heads: dict[Seat, Event] = field(default_factory=dict["Seat", "Event"])
    judge: _Judge = field(default_factory=_Judge)

    def hear(self, event: Event) -> SentRequest | None:
        """The request that an event tells of, if it is one."""
        match event["event"]:
            case "start":
                self.dialogues = _dialogues(event)
            case "message" if event["seat"] == "judge":
                self.judge.hear(event)
            case "message":
                self.dialogues[event["seat"]].say(_load(Message, event["message"]))
            case "result":
                self.dialogues["player"].say(_load(ToolResult, event["result"]).message)
            case "step":
                self.dialogues["player"].say(*_said_after(event))
            case "call":
                return self._sent(event)
            case _:
                pass
        return None

    def _sent(self, event: Event) -> SentRequest:
        seat: Seat = event["seat"]
        head = self.heads[seat] = event.get("head") or self.heads[seat]
        if seat == "judge":
            return _sent(event, self.judge.request(head))
        sent = _sent(event, self.dialogues[seat].request(head, Origin.PLAYER))
        if sent.reply is not None:
            self.dialogues[seat].say(as_said(sent.reply))
        return sent


def sent_requests(events: Iterable[Event], where: str = "journal") -> Iterator[SentRequest]:
    """Every model call of a journal, rebuilt, in the order in which they were made. Raises JournalError."""
    sender = _Sender()
    for number, event in enumerate(events, 1):
        with understood(where, number):
            sent = sender.hear(event)
        if sent is not None:
            yield sent


def _dialogues(start: Event) -> dict[Seat, Dialogue]:
    player = Dialogue(channel=start["channel"], mark=start["mark"], reasoning=start["reasoning"])
    return {"player": player, "supervisor": Dialogue()}


def _said_after(event: Event) -> tuple[Message, ...]:
    nobody = Message(role="assistant", content="", origin=Origin.PLAYER)
    return Step(action=nobody, judgement=_load(Judgement, event["judgement"]), nudge=event["nudge"]).after


def _sent(event: Event, request: Request) -> SentRequest:
    reply = _load(Reply, event["reply"]) if "reply" in event else None
    return SentRequest(seat=event["seat"], body=request.body(), sha256=event["sha256"], reply=reply)
