"""An audit of files: every trace by itself, then beside the others."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from selfplay.audit_traces.checks import findings_in
from selfplay.audit_traces.findings import Audited, Code, Finding
from selfplay.audit_traces.given import Given, read_all
from selfplay.clean.across import AcrossSettings, Checks, Fault
from selfplay.clean.across.check import batches
from selfplay.imported import Unread


@dataclass
class AuditSummary:
    """What an audit found, added up."""

    traces: int = 0
    passed: int = 0
    findings: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """By code and severity."""
    scanner: bool = False
    """Whether a scanner looked for secrets; without one only the run's own keys were looked for."""

    def add(self, audited: Audited) -> None:
        """Count a trace."""
        self.traces += 1
        self.passed += audited.passes
        self.findings.update((f.code.value, f.severity.value) for f in audited.findings)


def audit_traces(
    paths: Iterable[Path], settings: AcrossSettings, summary: AuditSummary | None = None
) -> Iterator[Audited]:
    """What was found in each trace of these files, in order.

    Deterministic; at most a batch of traces is in memory. Raises InputError for a file or for settings that can't be
    used, and ScanError if the secret scanner fails, after the traces before it.
    """
    checks = Checks(settings)
    told = summary or AuditSummary()
    told.scanner = checks.scanner is not None
    for batch in batches(read_all(tuple(paths)), settings.batch):
        faults = checks.faults([given.subject for given in batch if isinstance(given, Given)])
        for given in batch:
            audited = _unread(given) if isinstance(given, Unread) else _audited(given, next(faults)[1], checks)
            told.add(audited)
            yield audited


def _unread(unread: Unread) -> Audited:
    finding = Finding(code=Code.UNREADABLE, why=unread.reason)
    return Audited(where=unread.where, id=unread.where, format="unknown", findings=(finding,))


def _audited(given: Given, faults: tuple[Fault, ...], checks: Checks) -> Audited:
    across = tuple(_finding(fault, given) for fault in faults)
    secret = {f.message for f in across if f.code is Code.SECRET}
    own = (f.model_copy(update={"text": ""}) if f.message in secret else f for f in findings_in(given))
    found = (*own, *across)
    kept = tuple(_without_keys(finding, checks) for finding in found)
    return Audited(where=given.where, id=given.subject.id, format=given.format, findings=kept, notes=given.notes)


def _finding(fault: Fault, given: Given) -> Finding:
    """A fault of the row, with its place in the document that the row was read from."""
    place, why, message = fault.place, fault.detail, fault.message
    if message is not None and message >= 0:
        place, why = (t.replace(f"messages[{message}]", given.places[message], 1) for t in (place, why))
    return Finding(
        code=Code(fault.code.value),
        message=message if message is not None and message >= 0 else None,
        place=place,
        span=fault.span,
        why=why,
    )


def _without_keys(finding: Finding, checks: Checks) -> Finding:
    """The finding with every key of this run blotted out of what it shows."""
    told = {"text": checks.keys.without(finding.text), "why": checks.keys.without(finding.why)}
    return finding if told == {"text": finding.text, "why": finding.why} else finding.model_copy(update=told)
