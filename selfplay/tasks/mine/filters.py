"""Which commits may become tasks, judged by their history entry alone; and why others do not, counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from selfplay.tasks.file_kinds import FileKind, file_kind_of
from selfplay.tasks.mine.commit_messages import CommitPrompt, clean_message, is_bot, is_release, is_revert, reverted_ids
from selfplay.tasks.mine.history import FileChange, HistoryCommit
from selfplay.tasks.mine.settings import CommitSelection, MineSettings


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


MAX_MESSAGE_CHARS = 100_000
"""A longer message is not even cleaned."""
MIN_SPECIFIC_WORDS = 2
"""With fewer it is unclear where to look (`Some small fixes for problems`)."""


@dataclass(frozen=True, slots=True)
class CommitCandidate:
    """A commit that may become a task."""

    id: str
    parent: str
    time: int
    prompt: CommitPrompt
    targets: tuple[FileChange, ...]
    """Source files that the change touches, by path."""
    changes: tuple[FileChange, ...]
    """All that it touches."""
    lines: int = 0
    """Added and removed, in all files; known once contents were looked at."""


def find_candidates(
    history: Iterable[HistoryCommit], settings: MineSettings, funnel: MiningFunnel
) -> Iterator[CommitCandidate]:
    """The commits that may become tasks, newest first; the others are counted in the funnel."""
    reverted: set[str] = set()
    for commit in history:
        funnel.seen += 1
        drop = _find_drop(commit, settings, reverted)
        reverted.update(reverted_ids(commit.message[:MAX_MESSAGE_CHARS]))
        if drop is None:
            made = _make_candidate(commit, settings)
            if isinstance(made, CommitCandidate):
                yield made
                continue
            drop = made
        funnel.drops[drop] += 1


def _find_drop(commit: HistoryCommit, settings: MineSettings, reverted: set[str]) -> MiningDrop | None:
    """The first reason against a commit that its head alone gives."""
    message = commit.message.strip()
    reasons: tuple[tuple[MiningDrop, Callable[[], bool]], ...] = (
        (MiningDrop.ROOT, lambda: not commit.parents),
        (MiningDrop.OTHER_KIND, lambda: not _has_wanted_parents(commit, settings.commits)),
        (MiningDrop.DATE, lambda: not _is_in_time(commit, settings)),
        (MiningDrop.BOT, lambda: not settings.with_bots and is_bot(commit.author, commit.email)),
        (MiningDrop.LONG_MESSAGE, lambda: len(message) > MAX_MESSAGE_CHARS),
        (MiningDrop.REVERT, lambda: is_revert(message)),
        (MiningDrop.REVERTED, lambda: any(_matching_reverts(commit.id, reverted))),
        (MiningDrop.RELEASE, lambda: is_release(message.partition("\n")[0])),
    )
    return next((drop for drop, holds in reasons if holds()), None)


def _matching_reverts(commit: str, reverted: set[str]) -> Iterator[str]:
    """Ids, whole or cut short, under which the commit may have been taken back."""
    return (commit[:length] for length in {len(one) for one in reverted} if commit[:length] in reverted)


def _has_wanted_parents(commit: HistoryCommit, wanted: CommitSelection) -> bool:
    match wanted:
        case CommitSelection.SINGLE:
            return len(commit.parents) == 1
        case CommitSelection.MERGE:
            return len(commit.parents) > 1
        case CommitSelection.MAINLINE:
            return True


def _is_in_time(commit: HistoryCommit, settings: MineSettings) -> bool:
    if settings.since is None and settings.until is None:
        return True
    day = _day_of(commit.time)
    return (settings.since or day) <= day <= (settings.until or day)


def _day_of(seconds: int) -> date:
    try:
        return datetime.fromtimestamp(seconds, UTC).date()
    except (OverflowError, ValueError, OSError):  # a clock that was never right
        return date.max


def _make_candidate(commit: HistoryCommit, settings: MineSettings) -> CommitCandidate | MiningDrop:
    prompt = clean_message(commit.message)
    reasons: tuple[tuple[MiningDrop, Callable[[], bool]], ...] = (
        (MiningDrop.LONG_MESSAGE, lambda: len(prompt.text) > settings.max_chars),
        (MiningDrop.SHORT_MESSAGE, lambda: prompt.words < settings.min_words),
        (MiningDrop.VAGUE_MESSAGE, lambda: prompt.specific_words < MIN_SPECIFIC_WORDS),
        # Of a merge only what stands below its first line is left: that may be a release as well.
        (MiningDrop.RELEASE, lambda: is_release(prompt.text.partition("\n")[0])),
        (MiningDrop.MANY_FILES, lambda: len(commit.changes) > settings.max_files),
    )
    drop = next((drop for drop, holds in reasons if holds()), None)
    if drop is not None:
        return drop
    targets = _choose_targets(commit.changes, settings)
    if isinstance(targets, MiningDrop):
        return targets
    if len(targets) > settings.max_targets:
        return MiningDrop.MANY_TARGETS
    return CommitCandidate(commit.id, commit.parents[0], commit.time, prompt, targets, commit.changes)


def _choose_targets(changes: tuple[FileChange, ...], settings: MineSettings) -> tuple[FileChange, ...] | MiningDrop:
    sources = [change for change in changes if _is_source(change.path, settings)]
    added = {change.blobs[1] for change in changes if change.status == "A"}
    odd = [
        change
        for change in sources
        if change.status == "T"
        or (change.status == "M" and (not change.is_file or change.blobs[0] == change.blobs[1]))
        or (change.status == "D" and change.blobs[0] in added)
    ]
    if odd:
        return MiningDrop.ODD_CHANGE
    old = tuple(change for change in sources if change.status in {"M", "D"} and change.is_file)
    if not old:
        return MiningDrop.NEW_ONLY if sources else MiningDrop.NO_SOURCE
    return tuple(sorted(old, key=lambda change: change.path))


def _is_source(path: str, settings: MineSettings) -> bool:
    kind = file_kind_of(path)
    is_code = kind is FileKind.SOURCE or (kind is FileKind.OTHER and bool(settings.suffixes))
    wanted = (
        is_code or (kind is FileKind.TEST and settings.with_tests) or (kind is FileKind.DOCS and settings.with_docs)
    )
    if not wanted or (settings.suffixes and not path.endswith(tuple(settings.suffixes))):
        return False
    return not settings.under or any(path.startswith(f"{folder.strip('/')}/") for folder in settings.under)
