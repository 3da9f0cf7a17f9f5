"""An audit of files: every trace by itself, then beside the others."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from selfplay.audit.traces.checks import AuditCode, AuditedTrace, AuditFinding, find_faults
from selfplay.audit.traces.inputs import AuditInput, read_files
from selfplay.clean.across import AcrossSettings, RowChecks, RowFault
from selfplay.clean.across.row_checks import split_batches
from selfplay.clean.importing import UnreadDocument


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
