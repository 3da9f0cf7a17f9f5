"""The events of a journal: what they are, how they are read, and when two are the same.

Kinds of events:

    start     what the episode is: task, seats, rules, prompts, tool schemas, versions
    message   a message to the player, the supervisor or the judge
    call      a model call: its request (head, hash) and its reply, written when the reply arrives
    result    what a tool call returned
    step      what the supervisor's side made of the step, and which targets it completed
    retry     an attempt at a call that failed on the way; information only
    resume    the episode was taken up again here; information only
    stop      why the episode ended

A journal begins with its `start`; the keys of each event are those that
`selfplay.episode.loop` and `selfplay.journal.journal` write.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import orjson

from selfplay.config import episode_shaping_values
from selfplay.core.errors import JournalError
from selfplay.core.message import Message
from selfplay.repos.hidden_files import JOURNAL_START

JOURNAL_VERSION = 2
READABLE_VERSIONS = frozenset({1, 2})
"""Version 1 knew no judge, no repeated hints, and no number of an attempt; all else is the same."""

Seat = Literal["player", "supervisor", "judge"]
Event = dict[str, Any]

VARYING_KEYS = frozenset({"at", "seconds", "selfplay"})
"""What may differ between two records of the same event: times, and the program's version. See also
`episode_shaping_values`."""
INFORMATIONAL_EVENTS = frozenset({"retry", "resume"})


def message_event(seat: Seat, message: Message) -> Event:
    """The event of a message to a seat."""
    return {"event": "message", "seat": seat, "message": message.model_dump(mode="json", exclude_defaults=True)}


def iso_now() -> str:
    """The present as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def without_varying_keys(event: Event) -> Event:
    """An event without what may differ between two records of it."""
    kept = {k: v for k, v in event.items() if k not in VARYING_KEYS}
    return {**kept, "config": episode_shaping_values(kept["config"])} if "config" in kept else kept


def canonical_bytes(event: Event) -> bytes:
    """An event's bytes without what may differ between two records of it."""
    return orjson.dumps(without_varying_keys(event), option=orjson.OPT_SORT_KEYS)


def describe_difference(recorded: object, present: object, place: str = "") -> str:
    """The first place where two JSON values differ, in words."""
    if isinstance(recorded, dict) and isinstance(present, dict):
        before, after = cast("Event", recorded), cast("Event", present)
        for key in [*before, *after]:
            if key not in VARYING_KEYS and before.get(key) != after.get(key):
                return describe_difference(before.get(key), after.get(key), f"{place}.{key}".lstrip("."))
    return (
        f"{place or 'event'} was {_shorten_json(cast('object', recorded))}, is {_shorten_json(cast('object', present))}"
    )


def _shorten_json(value: object) -> str:
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004  a line's worth


def parse_events(data: bytes, where: str) -> tuple[list[Event], int]:
    """The whole lines of a journal as events, and how many bytes they take; a half-written last line is left out.

    Raises JournalError for a damaged line before the last, and for a journal of a version this program can't read.
    """
    events: list[Event] = []
    size = 0
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        if number == 1 and not line.endswith(b"\n") and not _is_torn_start(line):
            raise JournalError(f"{where}: not a journal of this program")
        try:
            event: Event = orjson.loads(line)
        except orjson.JSONDecodeError:
            if size + len(line) == len(data) and not (number == 1 and line.endswith(b"\n")):
                break
            if number == 1:
                raise JournalError(f"{where}: not a journal of this program") from None
            raise JournalError(f"{where}:{number}: damaged; restore the file or delete it to play anew") from None
        if not line.endswith(b"\n"):
            break
        if not _is_event(event, is_first=number == 1):
            raise JournalError(f"{where}:{number}: not a journal of this program")
        if number == 1 and event.get("journal") not in READABLE_VERSIONS:
            known = " and ".join(map(str, sorted(READABLE_VERSIONS)))
            raise JournalError(f"{where}: journal version {event.get('journal')}, this program reads {known}")
        events.append(event)
        size += len(line)
    return events, size


def _is_torn_start(line: bytes) -> bool:
    """True for the beginning of a journal's first line, also where a power loss left zeros in its place."""
    return JOURNAL_START.startswith(line[: len(JOURNAL_START)].rstrip(b"\0"))


def _is_event(value: object, *, is_first: bool) -> bool:
    if not isinstance(value, dict):
        return False
    kind = cast("Event", value).get("event")
    return isinstance(kind, str) and is_first == (kind == "start")


def read_events(path: Path) -> Iterator[Event]:
    """The events of a journal that someone may still be writing. Raises JournalError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path}: can't be read: {error.strerror}") from error
    yield from parse_events(data, str(path))[0]
