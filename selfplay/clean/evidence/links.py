"""What explains the arguments of calls: links, each with its source, place and span."""

from enum import StrEnum
from functools import cached_property
from typing import Literal

from selfplay.core.message import Noun

UnitKind = Literal["path", "symbol", "pattern", "literal", "words"]


class EvidenceSource(StrEnum):
    """Where a part of an argument comes from, best first."""

    TASK = "task"
    """It stands in the task's text."""
    RESULT = "result"
    """It stands in the result of an earlier call."""
    DERIVED = "derived"
    """Another form of what stands there, or put together of it; or an ordinary word that a query tries."""
    COMMON = "common"
    """Common knowledge: an entry of the written list."""
    HINT = "hint"
    """Only a hint has it, as it is or in another form."""
    NOWHERE = "nowhere"
    """Nothing explains it."""

    @property
    def is_leap(self) -> bool:
        """Whether nothing that stays visible without the supervisor explains the part."""
        return self in {EvidenceSource.HINT, EvidenceSource.NOWHERE}

    @property
    def rank(self) -> int:
        """0 for the best source; higher is weaker."""
        return list(EvidenceSource).index(self)


class LinkPlace(Noun):
    """A span of one message's content."""

    message: int
    """Position in the conversation."""
    line: int
    """From 1, in that content."""
    span: tuple[int, int]
    """Characters of that content, end exclusive."""


class EvidenceLink(Noun):
    """One part of an argument, and what explains it."""

    message: int
    """Position of the player's message in the conversation."""
    call: int
    """Position among the message's calls."""
    argument: str
    """Name of the argument; inside of lists and objects as in `files[0].path`."""
    kind: UnitKind
    text: str
    """The part as written: `value[span[0]:span[1]]` of the argument's value."""
    span: tuple[int, int]
    """Characters of the argument's value, end exclusive."""
    source: EvidenceSource
    place: LinkPlace | None
    """Where it comes from; None where that is no text (an entry of the list, an ordinary word, nowhere)."""
    is_told: bool = False
    """For a word of a query that stands in a result: whether a hint had it too, and the task had not."""
    how: str
    """In words: `exact`, `plural of headers`, `joined 'server header'`, `the list: python, setup.py`, ..."""


class Evidence(Noun):
    """The links of a conversation, in order of messages, calls and arguments."""

    links: tuple[EvidenceLink, ...]

    @cached_property
    def leaps(self) -> tuple[EvidenceLink, ...]:
        """Links that only a hint, or nothing, explains."""
        return tuple(link for link in self.links if link.source.is_leap)

    def links_of(self, message: int) -> tuple[EvidenceLink, ...]:
        """The links of the message at that position."""
        return self._by_message.get(message, ())

    @cached_property
    def _by_message(self) -> dict[int, tuple[EvidenceLink, ...]]:
        found: dict[int, list[EvidenceLink]] = {}
        for link in self.links:
            found.setdefault(link.message, []).append(link)
        return {message: tuple(links) for message, links in found.items()}


class EvidenceChain(Noun):
    """How one target was reached."""

    target: int
    """Position in the task's answer."""
    steps: tuple[int, ...]
    """Positions in the trace's steps: from one that rests on the task to the one that showed the target."""
    is_grounded: bool
    """Whether nothing breaks the way (`breaking_links`) in any call that the last one rests on, directly or through
    others."""
    weakest: EvidenceLink | None
    """Of all these links one that breaks it, else the one with the weakest source, the earliest of several; None if
    there are no links."""


class EvidenceGraph(Noun):
    """What rests on what in a trace."""

    chains: tuple[EvidenceChain, ...]
    """One for each target that was found, in the order of the answer."""
    dead_ends: tuple[int, ...]
    """Steps with calls, and without an accepted answer, on which no later step and no target rests."""
