"""Traces of other projects as conversations: read, recognised by their content, never changed."""

from selfplay.imported.conversation import ImportedTrace, UnreadDocument
from selfplay.imported.read import read_document, read_traces

__all__ = ["ImportedTrace", "UnreadDocument", "read_document", "read_traces"]
