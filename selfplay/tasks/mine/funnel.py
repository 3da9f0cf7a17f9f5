"""Why a commit gives no task, and how many there were of each."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class MiningDrop(StrEnum):
    """A reason, in the order in which they are looked for; a commit counts under the first that holds."""

    ROOT = "no parent"
    OTHER_KIND = "a merge, or none"
    DATE = "outside the dates"
    BOT = "by a bot"
    REVERT = "a revert"
    REVERTED = "reverted later"
    RELEASE = "a release or version bump"
    LONG_MESSAGE = "message too long"
    SHORT_MESSAGE = "message says too little"
    VAGUE_MESSAGE = "message could be about anything"
    MANY_FILES = "too many files"
    ODD_CHANGE = "changes a file's type or name only"
    NEW_ONLY = "source files are new"
    NO_SOURCE = "no source file"
    MANY_TARGETS = "too many targets"
    MISSING = "contents not in the repository"
    LARGE_TARGET = "a source file too large"
    GENERATED = "a source file is generated"
    BINARY = "a source file is binary"
    MANY_LINES = "too many lines"
    DUPLICATE = "the same message or change"
    NEAR_DUPLICATE = "nearly the same message or change"
    FULL_DIRECTORY = "enough from its directory"
    LEAK = "the message gives away too much"
    NO_FUNCTION = "no definition changed"
    NOT_REWRITTEN = "could not be rewritten"
    NOT_DRAWN = "not drawn"


@dataclass(slots=True)
class MiningFunnel:
    """From commits to tasks."""

    repo: str
    seen: int = 0
    """Commits of the history."""
    tasks: int = 0
    drops: Counter[MiningDrop] = field(default_factory=Counter[MiningDrop])
    seconds: float = 0.0
    """What it took, without cloning."""

    def as_json(self) -> dict[str, object]:
        """For machines; reasons in their order, those that did not occur left out."""
        dropped = {drop.value: self.drops[drop] for drop in MiningDrop if self.drops[drop]}
        return {
            "repo": self.repo,
            "commits": self.seen,
            "dropped": dropped,
            "tasks": self.tasks,
            "seconds": round(self.seconds, 2),
        }
