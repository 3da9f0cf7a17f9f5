"""The core of `selfplay audit traces`: what in traces, from any source, should not be trained on."""

from selfplay.audit_traces.findings import Audited, Code, Finding, Severity
from selfplay.audit_traces.run import AuditSummary, audit_traces

__all__ = ["AuditSummary", "Audited", "Code", "Finding", "Severity", "audit_traces"]
