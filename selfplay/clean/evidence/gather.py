"""The evidence of a conversation, message by message: what came later never changes what was said of earlier calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from selfplay.clean.evidence.carried import breaking
from selfplay.clean.evidence.echo import without_echo
from selfplay.clean.evidence.links import Evidence, Link, Source
from selfplay.clean.evidence.names import Finding, commonly, is_too_short, name_in, ordinarily, trace_in
from selfplay.clean.evidence.paths import path_in
from selfplay.clean.evidence.units import Unit, units_of
from selfplay.clean.evidence.visible import Hit, Text, Visible
from selfplay.message import Message, Origin, ToolCall

_FOLDER_ARGUMENTS = ("path", "dir", "directory", "folder")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call that waits for its result."""

    call: ToolCall
    links: tuple[Link, ...]
    doubt: int


@dataclass(slots=True)
class _Reader:
    """Follows a conversation."""

    seen: Visible = field(default_factory=Visible)
    hints: Visible = field(default_factory=Visible)
    links: list[Link] = field(default_factory=list["Link"])
    asked: dict[str, _Asked] = field(default_factory=dict[str, "_Asked"])
    doubts: dict[int, int] = field(default_factory=dict[int, int])
    """By position of a text, see `Text.doubt`."""

    def read(self, position: int, message: Message) -> None:
        if message.role == "assistant":
            for number, call in enumerate(message.tool_calls):
                self._ask(position, number, call)
        elif message.origin in {Origin.HINT, Origin.NUDGE}:
            self.hints.add(Text(position, message.content, is_task=False))
        elif message.origin is Origin.TASK:
            self._see(Text(position, message.content, is_task=True))
        elif message.role == "tool":
            self._see(self._result(position, message))

    def _see(self, text: Text) -> None:
        self.doubts[text.message] = text.doubt
        self.seen.add(text)

    def _result(self, position: int, message: Message) -> Text:
        asked = self.asked.get(message.tool_call_id or "")
        if asked is None:
            return Text(position, message.content, is_task=False)
        content = without_echo(message.content, asked.call)
        return Text(position, content, is_task=False, doubt=asked.doubt, folder=_folder_of(asked))

    def _ask(self, position: int, number: int, call: ToolCall) -> None:
        links = tuple(self._link(position, number, unit) for unit in units_of(call))
        self.links += links
        self.asked[call.id] = _Asked(call, links, self._doubt(links))

    def _doubt(self, links: tuple[Link, ...]) -> int:
        """Of what these links rest on, and of the call that has them."""
        behind = (self.doubts.get(link.place.message, 0) for link in links if link.place and not link.source.is_leap)
        own = 2 if any(breaking(links)) else 1 if any(link.source.is_leap for link in links) else 0
        return max((own, *behind))

    def _link(self, position: int, number: int, unit: Unit) -> Link:
        found = explain(unit, self.seen, self.hints)
        return Link(
            message=position,
            call=number,
            argument=unit.argument,
            kind=unit.kind,
            text=unit.text,
            span=unit.span,
            source=found.source,
            place=found.hit.place if found.hit else None,
            is_told=self._is_told(unit, found),
            how=found.how,
        )

    def _is_told(self, unit: Unit, found: Finding) -> bool:
        if unit.kind != "words" or found.source.is_leap or found.hit is None or found.hit.text.is_task:
            return False
        hinted = name_in(unit, self.hints)
        return hinted is not None and hinted.hit is not None


def _folder_of(asked: _Asked) -> str | None:
    """The folder that a listing's names are relative to, if the call names one."""
    arguments = asked.call.parsed() or {}
    for name in _FOLDER_ARGUMENTS:
        value = arguments.get(name)
        if isinstance(value, str):
            return value.strip("/").removeprefix("./") or None
    paths = [link.text for link in asked.links if link.kind == "path"]
    return paths[-1].strip("/").removeprefix("./") if paths else None


def explain(unit: Unit, seen: Visible, hints: Visible) -> Finding:
    """The best explanation of a part, given what is visible and what hints said."""
    look = path_in if unit.kind == "path" else name_in
    if is_too_short(unit):
        return Finding(Source.COMMON, None, "too short a piece to say anything")
    found = look(unit, seen) or (None if unit.kind == "path" else commonly(unit))
    if found is not None:
        return found
    hinted = look(unit, hints)
    if hinted is not None and hinted.hit is not None:
        how = "a hint has it" if hinted.how == "exact" else f"a hint has it: {hinted.how}"
        return Finding(Source.HINT, hinted.hit, how)
    found = ordinarily(unit)
    return found or _leap(unit, seen, hints)


def _leap(unit: Unit, seen: Visible, hints: Visible) -> Finding:
    hit: Hit | None = trace_in(unit.text, hints, seen)
    if hit is not None:
        return Finding(Source.HINT, hit, f"a hint has a part of it: '{hit.found}'")
    return Finding(Source.NOWHERE, None, "nothing that was read has it")


def evidence_of(messages: Sequence[Message]) -> Evidence:
    """Where each path, name, pattern and word in the calls comes from.

    `messages` is any conversation: with hints, a clean one, an imported one, a prefix and a turn that might follow.
    Positions are positions in it. Texts of origin task and tool explain; hints and nudges are leaps; the system prompt,
    the player's own words and verdicts explain nothing. The links of the first messages do not depend on later ones.
    """
    reader = _Reader()
    for position, message in enumerate(messages):
        reader.read(position, message)
    return Evidence(links=tuple(reader.links))
