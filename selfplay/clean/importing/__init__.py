"""Traces of other projects as conversations: read, recognised by their content, never changed."""

from selfplay.clean.importing.imported_trace import ImportedTrace, UnreadDocument
from selfplay.clean.importing.reader import read_document, read_traces

__all__ = ["ImportedTrace", "UnreadDocument", "read_document", "read_traces"]
