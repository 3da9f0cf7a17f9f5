"""The evidence of a conversation, message by message: what came later never changes what was said of earlier calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from selfplay.clean.evidence.argument_units import ArgumentUnit, units_of
from selfplay.clean.evidence.links import Evidence, EvidenceLink, EvidenceSource
from selfplay.clean.evidence.name_explanation import (
    Explanation,
    explain_as_ordinary_word,
    explain_by_common_knowledge,
    explain_name,
    find_hinted_part,
    is_too_short,
)
from selfplay.clean.evidence.path_explanation import explain_path
from selfplay.clean.evidence.query_provenance import breaking_links
from selfplay.clean.evidence.repeated_arguments import blank_repeated_arguments
from selfplay.clean.evidence.visible_texts import TextHit, VisibleText, VisibleTexts
from selfplay.core.message import Message, Origin, ToolCall

_FOLDER_ARGUMENTS = ("path", "dir", "directory", "folder")


@dataclass(frozen=True, slots=True)
class _PendingCall:
    """A call that waits for its result."""

    call: ToolCall
    links: tuple[EvidenceLink, ...]
    doubt: int


@dataclass(slots=True)
class _EvidenceReader:
    """Follows a conversation."""

    seen: VisibleTexts = field(default_factory=VisibleTexts)
    hints: VisibleTexts = field(default_factory=VisibleTexts)
    links: list[EvidenceLink] = field(default_factory=list["EvidenceLink"])
    pending: dict[str, _PendingCall] = field(default_factory=dict[str, "_PendingCall"])
    doubts: dict[int, int] = field(default_factory=dict[int, int])
    """By position of a text, see `Text.doubt`."""

    def read(self, position: int, message: Message) -> None:
        if message.role == "assistant":
            for number, call in enumerate(message.tool_calls):
                self._add_call(position, number, call)
        elif message.origin in {Origin.HINT, Origin.NUDGE}:
            self.hints.add(VisibleText(position, message.content, is_task=False))
        elif message.origin is Origin.TASK:
            self._add_visible(VisibleText(position, message.content, is_task=True))
        elif message.role == "tool":
            self._add_visible(self._result_text(position, message))

    def _add_visible(self, text: VisibleText) -> None:
        self.doubts[text.message] = text.doubt
        self.seen.add(text)

    def _result_text(self, position: int, message: Message) -> VisibleText:
        asked = self.pending.get(message.tool_call_id or "")
        if asked is None:
            return VisibleText(position, message.content, is_task=False)
        content = blank_repeated_arguments(message.content, asked.call)
        return VisibleText(position, content, is_task=False, doubt=asked.doubt, folder=_folder_of(asked))

    def _add_call(self, position: int, number: int, call: ToolCall) -> None:
        links = tuple(self._link_unit(position, number, unit) for unit in units_of(call))
        self.links += links
        self.pending[call.id] = _PendingCall(call, links, self._doubt_behind(links))

    def _doubt_behind(self, links: tuple[EvidenceLink, ...]) -> int:
        """Of what these links rest on, and of the call that has them."""
        behind = (self.doubts.get(link.place.message, 0) for link in links if link.place and not link.source.is_leap)
        own = 2 if any(breaking_links(links)) else 1 if any(link.source.is_leap for link in links) else 0
        return max((own, *behind))

    def _link_unit(self, position: int, number: int, unit: ArgumentUnit) -> EvidenceLink:
        found = explain_unit(unit, self.seen, self.hints)
        return EvidenceLink(
            message=position,
            call=number,
            argument=unit.argument,
            kind=unit.kind,
            text=unit.text,
            span=unit.span,
            source=found.source,
            place=found.hit.place if found.hit else None,
            is_told=self._is_told_by_hint(unit, found),
            how=found.how,
        )

    def _is_told_by_hint(self, unit: ArgumentUnit, found: Explanation) -> bool:
        if unit.kind != "words" or found.source.is_leap or found.hit is None or found.hit.text.is_task:
            return False
        hinted = explain_name(unit, self.hints)
        return hinted is not None and hinted.hit is not None


def _folder_of(asked: _PendingCall) -> str | None:
    """The folder that a listing's names are relative to, if the call names one."""
    arguments = asked.call.parse_arguments() or {}
    for name in _FOLDER_ARGUMENTS:
        value = arguments.get(name)
        if isinstance(value, str):
            return value.strip("/").removeprefix("./") or None
    paths = [link.text for link in asked.links if link.kind == "path"]
    return paths[-1].strip("/").removeprefix("./") if paths else None


def explain_unit(unit: ArgumentUnit, seen: VisibleTexts, hints: VisibleTexts) -> Explanation:
    """The best explanation of a part, given what is visible and what hints said."""
    look = explain_path if unit.kind == "path" else explain_name
    if is_too_short(unit):
        return Explanation(EvidenceSource.COMMON, None, "too short a piece to say anything")
    found = look(unit, seen) or (None if unit.kind == "path" else explain_by_common_knowledge(unit))
    if found is not None:
        return found
    hinted = look(unit, hints)
    if hinted is not None and hinted.hit is not None:
        how = "a hint has it" if hinted.how == "exact" else f"a hint has it: {hinted.how}"
        return Explanation(EvidenceSource.HINT, hinted.hit, how)
    found = explain_as_ordinary_word(unit)
    return found or _explain_leap(unit, seen, hints)


def _explain_leap(unit: ArgumentUnit, seen: VisibleTexts, hints: VisibleTexts) -> Explanation:
    hit: TextHit | None = find_hinted_part(unit.text, hints, seen)
    if hit is not None:
        return Explanation(EvidenceSource.HINT, hit, f"a hint has a part of it: '{hit.matched_text}'")
    return Explanation(EvidenceSource.NOWHERE, None, "nothing that was read has it")


def evidence_of(messages: Sequence[Message]) -> Evidence:
    """Where each path, name, pattern and word in the calls comes from.

    `messages` is any conversation: with hints, a clean one, an imported one, a prefix and a turn that might follow.
    Positions are positions in it. Texts of origin task and tool explain; hints and nudges are leaps; the system prompt,
    the player's own words and verdicts explain nothing. The links of the first messages do not depend on later ones.
    """
    reader = _EvidenceReader()
    for position, message in enumerate(messages):
        reader.read(position, message)
    return Evidence(links=tuple(reader.links))
