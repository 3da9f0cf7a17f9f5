"""What cleaning starts from: a played trace with what its journal knows beside it, or a file that holds none."""

from dataclasses import dataclass

from selfplay.contract import Contract
from selfplay.trace import Trace


@dataclass(frozen=True, slots=True)
class CleaningCandidate:
    """A trace that may become a row."""

    trace: Trace
    contract: Contract
    mark: str = ""
    """What hints were marked with inside tool results, if they were."""
    snapshot: str = ""
    """Identity of the files that were searched, if it is known: `git:<40 hex>` or `tree:<40 hex>`."""


@dataclass(frozen=True, slots=True)
class UnreadableJournal:
    """A file that should hold a trace and can't be read as one."""

    name: str
    detail: str
