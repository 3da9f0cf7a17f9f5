"""An audit of files: what is wrong in every trace by itself, then beside the others."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

from selfplay.audit.traces.inputs import AuditInput, read_files
from selfplay.clean.across import AcrossSettings, RowChecks, RowFault
from selfplay.clean.across.row_checks import split_batches
from selfplay.clean.evidence import evidence_of
from selfplay.clean.importing import UnreadDocument
from selfplay.clean.stages.turn_echoes import WORDS_FIELDS, TurnContext, find_turn_echoes
from selfplay.core.message import Message, Noun, Origin


class AuditSeverity(StrEnum):
    """Whether a finding stands against training on the trace."""

    ERROR = "error"
    NOTE = "note"
    """It stands in a turn that is not learned, or is only worth knowing: no reason against the trace."""


class AuditCode(StrEnum):
    """Kinds of findings."""

    UNREADABLE = "unreadable"
    """Not a trace in any known form. Nothing else was checked."""
    SUPERVISION = "supervision"
    """Words of a supervisor or of the engine: a user turn after the task in a trace of ours, or the mark of a hint."""
    ECHO = "echo"
    """Words that answer, restate or lean on a hint."""
    LEAP = "leap"
    """Part of a call's argument that only a hint, or nothing that is visible, explains."""
    UNPAIRED = "unpaired"
    """A call without its result, or a result without its call."""
    ORDER = "order"
    """Two turns of the model in a row."""
    ARGUMENTS = "arguments"
    """Arguments of a call that are no JSON object."""
    WEIGHT = "weight"
    """A turn that is marked as learned and has another finding; or a trace of which nothing is learned."""
    SPECIAL_TOKEN = "special_token"  # noqa: S105  a kind of finding, no password
    """Text that a tokenizer reads as one of its control tokens."""
    SECRET = "secret"  # noqa: S105  a kind of finding, no password
    """A key, a token or a password. Only the rule and the place are given."""
    DUPLICATE = "duplicate"
    """The same words and calls as an earlier one of the traces."""
    NEAR_DUPLICATE = "near_duplicate"
    """Almost the same as an earlier one of the traces."""
    TOO_LONG = "too_long"
    """More tokens than the limit."""
    CONTAMINATED = "contaminated"
    """Its repository or commit belongs to a benchmark."""


class AuditFinding(Noun):
    """One thing that was found."""

    code: AuditCode
    severity: AuditSeverity = AuditSeverity.ERROR
    message: int | None = None
    """Position of the message, from 0; None if it is about all of the trace."""
    place: str = ""
    """Where it stands in the document: `messages[3].tool_calls[0].arguments.pattern`."""
    span: tuple[int, int] | None = None
    """Characters of the text at `place`, end exclusive, where they are known."""
    text: str = ""
    """What stands there, cut to 200 characters; never a secret."""
    why: str = ""


class AuditedTrace(Noun):
    """What was found in one trace."""

    where: str
    """`FILE`, `FILE:LINE`, with `#PART` behind it where a document holds several."""
    id: str
    format: str
    findings: tuple[AuditFinding, ...]
    notes: tuple[str, ...] = ()
    """What was not looked at: parts that the format's reader left out."""

    @property
    def passes(self) -> bool:
        """Whether nothing stands against training on it."""
        return all(finding.severity is AuditSeverity.NOTE for finding in self.findings)

    def to_row(self) -> dict[str, Any]:
        """The line of the output."""
        found = [finding.model_dump(mode="json", exclude_defaults=True) for finding in self.findings]
        for each, finding in zip(found, self.findings, strict=True):
            each["severity"] = finding.severity
        row = {"trace": self.where, "id": self.id, "format": self.format, "passes": self.passes, "findings": found}
        return row | {"notes": list(self.notes)} if self.notes else row


MAX_TEXT = 200
_MARK = re.compile(r"\[advice [0-9a-f]{16}\]")
"""What marks a hint inside a result, in whatever episode."""
_OFTEN_A_NOTE = frozenset({AuditCode.ECHO, AuditCode.LEAP, AuditCode.ARGUMENTS})
"""What is no reason against a trace where the turn it stands in is not learned."""


def find_faults(given: AuditInput) -> tuple[AuditFinding, ...]:
    """Everything that this one trace shows, by place. Secrets, and what compares traces, are not looked for here."""
    messages = given.conversation.messages
    found = [
        *_find_supervision(given),
        *_find_echoes(given),
        *_find_leaps(given),
        *_check_pairing(given, messages),
        *_check_order(given, messages),
        *_check_arguments(given, messages),
    ]
    weighed = [_lower_severity(finding, given) for finding in found]
    return tuple(
        sorted((*weighed, *_check_weights(given, weighed)), key=lambda f: -1 if f.message is None else f.message)
    )


def _find_supervision(given: AuditInput) -> Iterator[AuditFinding]:
    task = next((n for n, m in enumerate(given.conversation.messages) if m.origin is Origin.TASK), -1)
    for n, message in enumerate(given.conversation.messages):
        if given.is_ours and n > task and message.role == "user":
            what = "a hint" if message.origin is Origin.HINT else "a user turn after the task"
            yield _make_finding(
                given, n, AuditCode.SUPERVISION, text=message.content, why=f"{what}: no user speaks in use"
            )
        for text in (message.content, message.reasoning or "", *(call.arguments for call in message.tool_calls)):
            for mark in _MARK.finditer(text):
                why = "the mark of a hint"
                yield _make_finding(given, n, AuditCode.SUPERVISION, text=mark[0], why=why)
            if given.mark and given.mark in text and not _MARK.fullmatch(given.mark):
                yield _make_finding(given, n, AuditCode.SUPERVISION, text=given.mark, why="the mark of a hint")


def _find_echoes(given: AuditInput) -> Iterator[AuditFinding]:
    messages = given.conversation.messages
    hints_so_far: list[str] = []
    since: list[str] = []
    for n, message in enumerate(messages):
        if message.origin in {Origin.HINT, Origin.NUDGE}:
            hints_so_far.append(message.content)
            since.append(message.content)
        if message.role != "assistant":
            continue
        visible = tuple(m for m in messages[:n] if m.origin not in {Origin.HINT, Origin.NUDGE}) if hints_so_far else ()
        echoes = find_turn_echoes(message, TurnContext(visible, "\n".join(since) or None, tuple(hints_so_far)))
        since.clear()
        for part in WORDS_FIELDS:
            for echo in echoes.echoes_in(part):
                yield _make_finding(given, n, AuditCode.ECHO, f".{part}", text=echo.text, span=echo.span, why=echo.kind)
        for echo in echoes.arguments:
            yield _make_finding(given, n, AuditCode.ECHO, ".tool_calls", text=echo.text, why=echo.kind)
        for name in echoes.borrowed:
            yield _make_finding(given, n, AuditCode.ECHO, text=name, why="a name that only a hint had told")


def _find_leaps(given: AuditInput) -> Iterator[AuditFinding]:
    for link in evidence_of(given.conversation.messages).leaps:
        place = f".tool_calls[{link.call}].arguments.{link.argument}"
        why = f"{link.kind} from {link.source}: {link.how}"
        yield _make_finding(given, link.message, AuditCode.LEAP, place, text=link.text, span=link.span, why=why)


def _check_pairing(given: AuditInput, messages: Sequence[Message]) -> Iterator[AuditFinding]:
    """Calls of the last turn may be without results."""
    waiting: dict[str, tuple[int, int]] = {}
    for n, message in enumerate(messages):
        if message.role == "tool":
            if waiting.pop(message.tool_call_id or "", None) is None:
                why = f"the result of {message.tool_call_id!r}, which is no call of the turn before that waits for one"
                yield _make_finding(given, n, AuditCode.UNPAIRED, why=why)
        elif message.role == "assistant" or (message.role == "user" and message.origin is not Origin.TOOL):
            yield from _report_unanswered(given, waiting)
            waiting = {call.id: (n, k) for k, call in enumerate(message.tool_calls)}
    last = max((n for n, m in enumerate(messages) if m.role == "assistant"), default=-1)
    yield from _report_unanswered(
        given, {i: place for i, place in waiting.items() if place[0] != last or last + 1 < len(messages)}
    )


def _report_unanswered(given: AuditInput, waiting: dict[str, tuple[int, int]]) -> Iterator[AuditFinding]:
    for name, (n, k) in waiting.items():
        yield _make_finding(given, n, AuditCode.UNPAIRED, f".tool_calls[{k}]", why=f"the call {name!r} has no result")


def _check_order(given: AuditInput, messages: Sequence[Message]) -> Iterator[AuditFinding]:
    for n, (one, other) in enumerate(pairwise(messages), 1):
        if one.role == other.role == "assistant":
            yield _make_finding(given, n, AuditCode.ORDER, why="two turns of the model in a row")


def _check_arguments(given: AuditInput, messages: Sequence[Message]) -> Iterator[AuditFinding]:
    for n, message in enumerate(messages):
        for k, call in enumerate(message.tool_calls):
            if call.parse_arguments() is None:
                place = f".tool_calls[{k}].arguments"
                yield _make_finding(given, n, AuditCode.ARGUMENTS, place, text=call.arguments, why="no JSON object")


def _check_weights(given: AuditInput, found: Sequence[AuditFinding]) -> Iterator[AuditFinding]:
    """Turns that the file marks as learned, and that should not be."""
    for n, weight in enumerate(given.weights):
        reasons = sorted({f.code.value for f in found if f.message == n and f.severity is AuditSeverity.ERROR})
        if n in given.refused:
            reasons.append("a call that the tools refused")
        if weight == 1 and reasons:
            yield _make_finding(given, n, AuditCode.WEIGHT, why=f"is learned in spite of: {', '.join(reasons)}")
    known = [weight for weight in given.weights if weight is not None]
    if known and not any(known) and given.format != "preference":
        yield AuditFinding(code=AuditCode.WEIGHT, why="nothing of it is learned")


def _lower_severity(finding: AuditFinding, given: AuditInput) -> AuditFinding:
    """The finding as a note where it stands in a turn that is not learned and does no harm there."""
    if finding.code in _OFTEN_A_NOTE and finding.message is not None and given.weight_of(finding.message) == 0:
        return finding.model_copy(update={"severity": AuditSeverity.NOTE})
    return finding


def _make_finding(
    given: AuditInput,
    message: int,
    code: AuditCode,
    place: str = "",
    *,
    text: str = "",
    span: tuple[int, int] | None = None,
    why: str = "",
) -> AuditFinding:
    shown = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    return AuditFinding(code=code, message=message, place=given.places[message] + place, span=span, text=shown, why=why)


@dataclass
class TraceAuditSummary:
    """What an audit found, added up."""

    traces: int = 0
    passed: int = 0
    findings: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """By code and severity."""
    scanner: bool = False
    """Whether a scanner looked for secrets; without one only the run's own keys were looked for."""

    def add(self, audited: AuditedTrace) -> None:
        """Count a trace."""
        self.traces += 1
        self.passed += audited.passes
        self.findings.update((f.code.value, f.severity.value) for f in audited.findings)


def audit_traces(
    paths: Iterable[Path], settings: AcrossSettings, summary: TraceAuditSummary | None = None
) -> Iterator[AuditedTrace]:
    """What was found in each trace of these files, in order.

    Deterministic; at most a batch of traces is in memory. Raises InputError before the first where a file or a setting
    can't be used, and ScanError after the traces before it if the secret scanner fails.
    """
    checks = RowChecks(settings)
    total = summary or TraceAuditSummary()
    total.scanner = checks.scanner is not None
    for batch in split_batches(read_files(tuple(paths)), settings.batch):
        faults = checks.check_all([given.conversation for given in batch if isinstance(given, AuditInput)])
        for given in batch:
            audited = (
                _audit_unreadable(given)
                if isinstance(given, UnreadDocument)
                else _audit_trace(given, next(faults)[1], checks)
            )
            total.add(audited)
            yield audited


def _audit_unreadable(unread: UnreadDocument) -> AuditedTrace:
    finding = AuditFinding(code=AuditCode.UNREADABLE, why=unread.reason)
    return AuditedTrace(where=unread.where, id=unread.where, format="unknown", findings=(finding,))


def _audit_trace(given: AuditInput, faults: tuple[RowFault, ...], checks: RowChecks) -> AuditedTrace:
    across = tuple(_to_finding(fault, given) for fault in faults)
    secret = {f.message for f in across if f.code is AuditCode.SECRET}
    own = (f.model_copy(update={"text": ""}) if f.message in secret else f for f in find_faults(given))
    found = (*own, *across)
    findings = tuple(_redact_keys(finding, checks) for finding in found)
    return AuditedTrace(
        where=given.where, id=given.conversation.id, format=given.format, findings=findings, notes=given.notes
    )


def _to_finding(fault: RowFault, given: AuditInput) -> AuditFinding:
    """A fault of the row, with its place in the document that the row was read from."""
    place, why, message = fault.place, fault.detail, fault.message
    if message is not None and message >= 0:
        place, why = (t.replace(f"messages[{message}]", given.places[message], 1) for t in (place, why))
    return AuditFinding(
        code=AuditCode(fault.code.value),
        message=message if message is not None and message >= 0 else None,
        place=place,
        span=fault.span,
        why=why,
    )


def _redact_keys(finding: AuditFinding, checks: RowChecks) -> AuditFinding:
    """The finding with every key of this run taken out of what it shows."""
    redacted = {"text": checks.keys.redact(finding.text), "why": checks.keys.redact(finding.why)}
    return finding if redacted == {"text": finding.text, "why": finding.why} else finding.model_copy(update=redacted)
