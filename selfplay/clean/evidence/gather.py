"""The evidence of a conversation, message by message: later messages never change the links of earlier calls.

What a result only says because it was asked ("No line matches 'x'") is no evidence that there is an x: it is blanked
before the result counts as visible.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from selfplay.clean.evidence.argument_units import ArgumentUnit, units_of
from selfplay.clean.evidence.graph import breaking_links
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
from selfplay.clean.evidence.visible_texts import TextHit, VisibleText, VisibleTexts
from selfplay.clean.evidence.word_knowledge import WORD
from selfplay.core.message import Message, Origin, ToolCall
from selfplay_tools.index.query_terms import stem
from selfplay_tools.index.words import singular_of

_FOLDER_ARGUMENTS = ("path", "dir", "directory", "folder")


@dataclass(frozen=True, slots=True)
class _PendingCall:
    """A call whose result has not been read yet."""

    call: ToolCall
    links: tuple[EvidenceLink, ...]
    doubt: int


@dataclass(slots=True)
class _EvidenceReader:
    """Follows a conversation."""

    visible: VisibleTexts = field(default_factory=VisibleTexts)
    hints: VisibleTexts = field(default_factory=VisibleTexts)
    links: list[EvidenceLink] = field(default_factory=list["EvidenceLink"])
    pending: dict[str, _PendingCall] = field(default_factory=dict[str, "_PendingCall"])
    doubts: dict[int, int] = field(default_factory=dict[int, int])
    """By position of a text, see `VisibleText.doubt`."""

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
        self.visible.add(text)

    def _result_text(self, position: int, message: Message) -> VisibleText:
        pending = self.pending.get(message.tool_call_id or "")
        if pending is None:
            return VisibleText(position, message.content, is_task=False)
        content = blank_repeated_arguments(message.content, pending.call)
        return VisibleText(position, content, is_task=False, doubt=pending.doubt, folder=_folder_of(pending))

    def _add_call(self, position: int, number: int, call: ToolCall) -> None:
        links = tuple(self._link_unit(position, number, unit) for unit in units_of(call))
        self.links += links
        self.pending[call.id] = _PendingCall(call, links, self._doubt_behind(links))

    def _doubt_behind(self, links: tuple[EvidenceLink, ...]) -> int:
        """The highest doubt of what these links rest on, and of the call that has them."""
        behind = (self.doubts.get(link.place.message, 0) for link in links if link.place and not link.source.is_leap)
        own = 2 if any(breaking_links(links)) else 1 if any(link.source.is_leap for link in links) else 0
        return max((own, *behind))

    def _link_unit(self, position: int, number: int, unit: ArgumentUnit) -> EvidenceLink:
        found = explain_unit(unit, self.visible, self.hints)
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


def _folder_of(pending: _PendingCall) -> str | None:
    """The folder that a listing's names are relative to, if the call names one."""
    arguments = pending.call.parse_arguments() or {}
    for name in _FOLDER_ARGUMENTS:
        value = arguments.get(name)
        if isinstance(value, str):
            return value.strip("/").removeprefix("./") or None
    paths = [link.text for link in pending.links if link.kind == "path"]
    return paths[-1].strip("/").removeprefix("./") if paths else None


def explain_unit(unit: ArgumentUnit, visible: VisibleTexts, hints: VisibleTexts) -> Explanation:
    """The best explanation of a part, given the visible texts and the hints."""
    explain = explain_path if unit.kind == "path" else explain_name
    if is_too_short(unit):
        return Explanation(EvidenceSource.COMMON, None, "too short a piece to say anything")
    found = explain(unit, visible) or (None if unit.kind == "path" else explain_by_common_knowledge(unit))
    if found is not None:
        return found
    hinted = explain(unit, hints)
    if hinted is not None and hinted.hit is not None:
        how = "a hint has it" if hinted.how == "exact" else f"a hint has it: {hinted.how}"
        return Explanation(EvidenceSource.HINT, hinted.hit, how)
    found = explain_as_ordinary_word(unit)
    return found or _explain_leap(unit, visible, hints)


def _explain_leap(unit: ArgumentUnit, visible: VisibleTexts, hints: VisibleTexts) -> Explanation:
    hit: TextHit | None = find_hinted_part(unit.text, hints, visible)
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


MAX_LINE_CHARS = 4_000
"""Of a line that may repeat the call; longer ones are content."""


_HEAD = re.compile(
    r"\s*(?:no |not |\"|'|nearest to|(?:over |found )?[\d,]* ?[a-z-]* ?"
    r"(?:line|file|path|definition|match|result|hit|place)s?\b)",
    re.IGNORECASE,
)
"""The beginning of a result whose first line counts what was found, or says that nothing was."""


_FAILURE = re.compile(
    r"no such file|not found|cannot access|can't|could not|does not exist|doesn't exist|in no file at all|no match|"
    r"is not a|not used as code|unknown|error:",
    re.IGNORECASE,
)


_REMARKS = ("in no file at all", "No such file", "no such file", "not found", "cannot access", "does not exist")
"""Words of a line after the first that reports a failure."""


def blank_repeated_arguments(content: str, call: ToolCall) -> str:
    """The result's text with what it repeats of the call blanked, in lines that count matches or report failures.

    As long as before: places stay. Rows that show what was found are left as they are, and so is a first line that
    begins with a path and shows that the path is there.
    """
    lines = list(_find_repeating_lines(content))
    if not lines:
        return content
    units = units_of(call)
    for start, end in lines:
        content = content[:start] + _blank_units(content[start:end], units) + content[end:]
    return content


def _find_repeating_lines(content: str) -> Iterator[tuple[int, int]]:
    first = content.find("\n")
    end = len(content) if first < 0 else first
    if end <= MAX_LINE_CHARS and (_HEAD.match(content, 0, end) or _FAILURE.search(content, 0, end)):
        yield 0, end
    for remark in _REMARKS:
        at = content.find(remark, end)
        while at >= 0:
            start, stop = content.rfind("\n", 0, at) + 1, content.find("\n", at)
            stop = len(content) if stop < 0 else stop
            if stop - start <= MAX_LINE_CHARS:
                yield start, stop
            at = content.find(remark, stop)


def _blank_units(line: str, units: tuple[ArgumentUnit, ...]) -> str:
    for unit in units:
        if unit.kind == "path":
            line = re.sub(rf"(?<![\w/.-]){re.escape(unit.text)}(?![\w/-])", lambda m: " " * len(m.group()), line)
    words = {_root_of(unit.text) for unit in units if unit.kind != "path"}
    return WORD.sub(lambda m: " " * len(m.group()) if _root_of(m.group()) in words else m.group(), line)


def _root_of(word: str) -> str:
    return stem(singular_of(word.lower()))
