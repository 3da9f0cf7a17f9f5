"""`selfplay audit traces`: what in traces, from any source, should not be trained on."""

from selfplay.audit.traces.checks import (
    AuditCode,
    AuditedTrace,
    AuditFinding,
    AuditSeverity,
    TraceAuditSummary,
    audit_traces,
)

__all__ = ["AuditCode", "AuditFinding", "AuditSeverity", "AuditedTrace", "TraceAuditSummary", "audit_traces"]
