"""Audits of hints, echoes and traces from any source."""
