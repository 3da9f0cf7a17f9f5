"""What an audit says of a trace."""

from enum import StrEnum
from typing import Any

from selfplay.core.message import Noun


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
    """A key, a token or a password. Only the rule and the place are said."""
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
