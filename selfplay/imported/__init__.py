"""Traces of other projects as conversations: read, recognised by their content, never changed."""

from selfplay.imported.conversation import Imported, Unread
from selfplay.imported.read import read_document, read_traces

__all__ = ["Imported", "Unread", "read_document", "read_traces"]
