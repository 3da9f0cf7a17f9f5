"""Look across clean traces: duplicates, secrets, special tokens, length, benchmarks."""

from selfplay.clean.across.conversation import Conversation, conversation_of
from selfplay.clean.across.row_checks import RejectedTrace, RowChecks, RowFault, find_pair_faults, reject_traces
from selfplay.clean.settings import DEFAULT_KEY_NAMES, AcrossSettings

__all__ = [
    "DEFAULT_KEY_NAMES",
    "AcrossSettings",
    "Conversation",
    "RejectedTrace",
    "RowChecks",
    "RowFault",
    "conversation_of",
    "find_pair_faults",
    "reject_traces",
]
