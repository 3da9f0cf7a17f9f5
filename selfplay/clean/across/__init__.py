"""Look across clean traces: duplicates, secrets, special tokens, length, benchmarks."""

from collections.abc import Iterable, Iterator

from selfplay.clean.across.conversation import Conversation, conversation_of, rejected_conversation_of
from selfplay.clean.across.row_checks import RowChecks, RowFault
from selfplay.clean.settings import DEFAULT_KEY_NAMES, AcrossSettings
from selfplay.core.clean_trace import CleanTrace, PreferencePair
from selfplay.core.drop_codes import DropCode
from selfplay.core.message import Noun

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

MAX_LISTED_FAULTS = 5
"""Faults that a rejection names; of more it says how many."""


class RejectedTrace(Noun):
    """A trace that gives no row."""

    episode: str
    code: DropCode
    detail: str
    """What was found and where; never a secret itself."""


def reject_traces(traces: Iterable[CleanTrace], settings: AcrossSettings) -> Iterator[RejectedTrace]:
    """The traces that give no row, in order; the others may be kept together.

    Deterministic: of two doubles the later is rejected. Memory grows by some kilobytes for each trace that is kept;
    whole traces are held only so many at once as `settings.batch` says. Raises InputError for settings that can't be
    used, and ScanError if the secret scanner fails: then nothing is known of the rest.
    """
    for conversation, faults in RowChecks(settings).check_all(map(conversation_of, traces)):
        if faults:
            same = [f.detail for f in faults if f.code is faults[0].code]
            more = f" and {len(same) - MAX_LISTED_FAULTS} more" if len(same) > MAX_LISTED_FAULTS else ""
            yield RejectedTrace(
                episode=conversation.id, code=faults[0].code, detail="; ".join(same[:MAX_LISTED_FAULTS]) + more
            )


def find_pair_faults(pairs: Iterable[PreferencePair], settings: AcrossSettings) -> Iterator[tuple[RowFault, ...]]:
    """For each pair what is wrong with its rejected side, in order; the other side and the prefix are the trace's.

    Raises as `across` does.
    """
    return (faults for _, faults in RowChecks(settings).check_all(map(rejected_conversation_of, pairs)))
