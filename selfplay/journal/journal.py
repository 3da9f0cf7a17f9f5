"""The journal: one append-only JSONL file per episode, one event a line, readable, enough to go on from any byte.

The events are listed in `selfplay.journal.events`. A line is made by `Journal._append` and reaches the file in
`Journal.flush`. Going on with an episode is running it again with the journal's replies and results in place of live
ones: the loop has no code for it. What is recomputed is compared with what was recorded, so that an episode never goes
on as something else.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from math import inf
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import orjson

from selfplay.core.errors import ContextTooLong, FatalModelError, JournalError, RequestRefused, StorageError
from selfplay.core.jsonl import AppendOnlyFile, json_line
from selfplay.core.trace import ToolResult
from selfplay.journal.events import (
    INFORMATIONAL_EVENTS,
    Event,
    Seat,
    canonical_bytes,
    describe_difference,
    iso_now,
    parse_events,
    without_varying_keys,
)
from selfplay.models.protocol import ModelReply, ModelRequest

EventWatcher = Callable[[Event, bool], None]
"""Called with every event, in order; the flag is true for one that was recorded earlier."""


class Journal:
    """An episode's record, open for going on. Use as a context manager; one process at a time."""

    def __init__(self, path: Path, watch: EventWatcher | None = None) -> None:
        self.path = path
        self._watch: EventWatcher = watch or _ignore_event
        self._file = AppendOnlyFile(path, user="is playing this episode")
        self._unwritten: list[bytes] = []
        """Lines that are not in the file yet, see `flush`."""
        self._recorded: deque[tuple[int, Event]] = deque()
        self._notes: deque[tuple[int, Event]] = deque()
        """Recorded events for information: passed to the watcher in their place, and no part of the episode."""
        self._heads: dict[Seat, Any] = {}
        self._is_resumed = False
        self._started_at = 0.0
        self.seconds = 0.0
        """Time spent in calls and tools so far, the recorded ones included."""

    def __enter__(self) -> Self:
        """Open or create the file, take its lock, drop a half-written last line."""
        with ExitStack() as stack:
            stack.enter_context(self._file)
            for line in self._load():
                (self._notes if line[1]["event"] in INFORMATIONAL_EVENTS else self._recorded).append(line)
            stack.pop_all()
        self._is_resumed = bool(self._recorded)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the file back; everything recorded is in it. Raises StorageError where nothing else was raised."""
        try:
            self.flush()
        except StorageError:
            if kind is None:
                raise
        finally:
            self._file.close()

    def _load(self) -> list[tuple[int, Event]]:
        data = self._file.read()
        events, size = parse_events(data, str(self.path))
        if size < len(data):
            self._file.truncate(size)
        return list(enumerate(events, 1))

    @property
    def is_over(self) -> bool:
        """True when the recorded events lead to the episode's end."""
        return bool(self._recorded) and self._recorded[-1][1]["event"] == "stop"

    def replay_rest(self) -> list[Event]:
        """All recorded events that the loop has not come to yet, passed to the watcher and skipped."""
        events: list[Event] = []
        while self._recorded:
            events.append(self._pop_recorded()[1])
            self._notify(events[-1], is_recorded=True)
        return events

    def _pop_recorded(self) -> tuple[int, Event]:
        """The next recorded event, and its line; notes before it are passed to the watcher."""
        line, event = self._recorded.popleft()
        self._notify_notes(before=line)
        return line, event

    def _notify_notes(self, *, before: float = inf) -> None:
        while self._notes and self._notes[0][0] < before:
            self._notify(self._notes.popleft()[1], is_recorded=True)

    def record(self, event: Event) -> None:
        """Add an event, or pass over the recorded one that equals it.

        Raises JournalError where the recorded event differs: the episode would go on as a different one.
        """
        if not self._recorded:
            self._append(event)
            return
        line, recorded = self._pop_recorded()
        if canonical_bytes(recorded) != canonical_bytes(event):
            raise self._mismatch_error(line, recorded, event)
        self._notify(recorded, is_recorded=True)

    def record_retry(self, seat: str, attempt: int, error: str, wait_s: float) -> None:
        """Note that an attempt at a call failed. Neither it nor the wait after it counts as the episode's time."""
        self._started_at = perf_counter() + wait_s
        self._append({"event": "retry", "seat": seat, "try": attempt, "error": error, "wait_s": wait_s})
        self.flush()

    def restart_clock(self) -> None:
        """Note that a call that had to wait is sent now: the wait does not count as the episode's time."""
        self._started_at = perf_counter()

    def start(self, event: Event) -> Event:
        """The episode's start: the recorded one, which must agree with `event` in all but time and version."""
        if not self._recorded:
            self._append({**event, "at": iso_now()})
            return event
        line, recorded = self._pop_recorded()
        if canonical_bytes(recorded) != canonical_bytes(event):
            raise self._mismatch_error(line, recorded, event)
        self._notify(recorded, is_recorded=True)
        return recorded

    async def call(
        self,
        seat: Seat,
        request: ModelRequest,
        live: Callable[[ModelRequest], Awaitable[ModelReply]],
        *,
        keeps: Callable[[FatalModelError], bool] = lambda _: True,
    ) -> ModelReply:
        """The recorded reply to this request, or a live one, recorded when it arrives.

        A request that the server refuses (RequestRefused, ContextTooLong) is raised again, and recorded if `keeps`
        says that the episode goes on from there. Every other error leaves the journal as it is, and the call is made
        again when the episode is taken up.
        """
        sha256 = request.sha256
        if self._recorded:
            return self._replay_reply(seat, sha256)
        self.flush()
        event: Event = {"event": "call", "seat": seat, "messages": len(request.messages), "sha256": sha256}
        event["key"] = request.key
        if self._heads.get(seat) != request.head:
            event["head"] = request.head
        self._started_at = perf_counter()
        try:
            reply = await live(request)
        except (RequestRefused, ContextTooLong) as error:
            if keeps(error):
                refused = {"type": type(error).__name__, "message": str(error), "param": error.param}
                self._append_timed({**event, "refused": refused})
                self.flush()
                self._heads[seat] = request.head
            raise
        self._append_timed({**event, "reply": reply.model_dump(mode="json", exclude_defaults=True)})
        self.flush()
        self._heads[seat] = request.head
        return reply

    def _replay_reply(self, seat: Seat, sha256: str) -> ModelReply:
        line, event = self._pop_recorded()
        if event["event"] != "call" or event["seat"] != seat or event["sha256"] != sha256:
            raise self._mismatch_error(line, event, {"event": "call", "seat": seat, "sha256": sha256})
        if "head" in event:
            self._heads[seat] = event["head"]
        self._count_recorded(event)
        if refused := event.get("refused"):
            kind = ContextTooLong if refused["type"] == "ContextTooLong" else RequestRefused
            raise kind(refused["message"], param=refused.get("param"))
        return ModelReply.model_validate_json(orjson.dumps(event["reply"]))

    async def run_tool(
        self, step: int, call_id: str, live: Callable[[], Awaitable[ToolResult]], *, repeats: bool = False
    ) -> ToolResult:
        """The recorded result of a tool call, or a live one, recorded when it is there.

        With `repeats` a recorded call is carried out again, for tools that keep a state; raises JournalError where its
        result differs from the recorded one.
        """
        if self._recorded:
            line, event = self._pop_recorded()
            if event["event"] != "result" or event["step"] != step or event["call"] != call_id:
                raise self._mismatch_error(line, event, {"event": "result", "step": step, "call": call_id})
            if repeats:
                fresh = (await live()).model_dump(mode="json", exclude_defaults=True)
                if fresh != event["result"]:
                    raise self._mismatch_error(line, event, {**event, "result": fresh})
            self._count_recorded(event)
            return ToolResult.model_validate_json(orjson.dumps(event["result"]))
        self._started_at = perf_counter()
        result = await live()
        event = {
            "event": "result",
            "step": step,
            "call": call_id,
            "result": result.model_dump(mode="json", exclude_defaults=True),
        }
        self._append_timed(event)
        return result

    def _count_recorded(self, event: Event) -> None:
        self.seconds += event["seconds"]
        self._notify(event, is_recorded=True)

    def _append_timed(self, event: Event) -> None:
        event["seconds"] = round(max(0.0, perf_counter() - self._started_at), 6)
        self.seconds += event["seconds"]
        self._append(event)

    def _append(self, event: Event) -> None:
        if self._is_resumed:
            self._is_resumed = False
            self._notify_notes()  # after its last event: it ended while it waited for another try
            self._append({"event": "resume", "at": iso_now()})
        self._unwritten.append(json_line(event))
        self._notify(event, is_recorded=False)

    def flush(self) -> None:
        """Write the lines that wait, so that they outlive this process. Raises StorageError.

        Done before a model is asked, as soon as it has answered, and at the end. What is recorded in between, by the
        engine and its tools, is computed again from there if the process dies: nothing has acted on it yet.
        """
        lines, self._unwritten = b"".join(self._unwritten), []
        self._file.append(lines)

    def _notify(self, event: Event, *, is_recorded: bool) -> None:
        """Call the watcher; one that fails is not called again: what it does is no part of the episode."""
        try:
            self._watch(event, is_recorded)
        except Exception:  # noqa: BLE001  a terminal that went away, a character it can't show: the episode goes on
            self._watch = _ignore_event

    def sync(self) -> None:
        """Wait until everything is on the disk itself. Blocking. Raises StorageError."""
        self.flush()
        self._file.sync()

    def _mismatch_error(self, line: int, recorded: Event, present: Event) -> JournalError:
        if recorded["event"] in {"call", "result"}:  # of these only some keys are known before they happen
            recorded = {k: v for k, v in recorded.items() if k in present}
        recorded, present = without_varying_keys(recorded), without_varying_keys(present)
        return JournalError(
            f"{self.path}:{line}: the episode recorded here went another way "
            f"({describe_difference(recorded, present)}); go on with the settings and version it was begun with, or "
            "delete this journal to play the episode anew"
        )


def _ignore_event(_event: Event, _is_recorded: bool) -> None:  # noqa: FBT001  an EventWatcher
    pass
