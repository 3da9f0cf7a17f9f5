"""Which commits may become tasks, told from their history entry alone."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from selfplay.mine.drops import Drop, Funnel
from selfplay.mine.history import Change, Commit
from selfplay.mine.kinds import FileKind, kind_of
from selfplay.mine.message import Prompt, cleaned, is_bot, is_release, is_revert, reverted_ids
from selfplay.mine.settings import Commits, MineSettings

MAX_MESSAGE_CHARS = 100_000
"""A longer message is not even cleaned."""
MIN_TELLING_WORDS = 2
"""With fewer nobody could tell where to look (`Some small fixes for problems`)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit that may become a task."""

    id: str
    parent: str
    time: int
    prompt: Prompt
    targets: tuple[Change, ...]
    """Source files that the change touches, by path."""
    changes: tuple[Change, ...]
    """All that it touches."""
    lines: int = 0
    """Added and removed, in all files; known once contents were looked at."""


def candidates(history: Iterable[Commit], settings: MineSettings, funnel: Funnel) -> Iterator[Candidate]:
    """The commits that may become tasks, newest first; the others are counted in the funnel."""
    reverted: set[str] = set()
    for commit in history:
        funnel.seen += 1
        drop = _dropped(commit, settings, reverted)
        reverted.update(reverted_ids(commit.message[:MAX_MESSAGE_CHARS]))
        if drop is None:
            made = _candidate(commit, settings)
            if isinstance(made, Candidate):
                yield made
                continue
            drop = made
        funnel.drops[drop] += 1


def _dropped(commit: Commit, settings: MineSettings, reverted: set[str]) -> Drop | None:
    """The first reason against a commit that its head alone gives."""
    message = commit.message.strip()
    reasons: tuple[tuple[Drop, Callable[[], bool]], ...] = (
        (Drop.ROOT, lambda: not commit.parents),
        (Drop.OTHER_KIND, lambda: not _is_wanted(commit, settings.commits)),
        (Drop.DATE, lambda: not _is_in_time(commit, settings)),
        (Drop.BOT, lambda: not settings.with_bots and is_bot(commit.author, commit.email)),
        (Drop.LONG_MESSAGE, lambda: len(message) > MAX_MESSAGE_CHARS),
        (Drop.REVERT, lambda: is_revert(message)),
        (Drop.REVERTED, lambda: any(_shortened(commit.id, reverted))),
        (Drop.RELEASE, lambda: is_release(message.partition("\n")[0])),
    )
    return next((drop for drop, holds in reasons if holds()), None)


def _shortened(commit: str, reverted: set[str]) -> Iterator[str]:
    """Ids, whole or cut short, under which the commit may have been taken back."""
    return (commit[:length] for length in {len(one) for one in reverted} if commit[:length] in reverted)


def _is_wanted(commit: Commit, wanted: Commits) -> bool:
    match wanted:
        case Commits.SINGLE:
            return len(commit.parents) == 1
        case Commits.MERGE:
            return len(commit.parents) > 1
        case Commits.MAINLINE:
            return True


def _is_in_time(commit: Commit, settings: MineSettings) -> bool:
    if settings.since is None and settings.until is None:
        return True
    day = _day(commit.time)
    return (settings.since or day) <= day <= (settings.until or day)


def _day(seconds: int) -> date:
    try:
        return datetime.fromtimestamp(seconds, UTC).date()
    except (OverflowError, ValueError, OSError):  # a clock that was never right
        return date.max


def _candidate(commit: Commit, settings: MineSettings) -> Candidate | Drop:
    prompt = cleaned(commit.message)
    reasons: tuple[tuple[Drop, Callable[[], bool]], ...] = (
        (Drop.LONG_MESSAGE, lambda: len(prompt.text) > settings.max_chars),
        (Drop.SHORT_MESSAGE, lambda: prompt.words < settings.min_words),
        (Drop.VAGUE_MESSAGE, lambda: prompt.telling_words < MIN_TELLING_WORDS),
        # Of a merge only what stands below its first line is left: that may be a release as well.
        (Drop.RELEASE, lambda: is_release(prompt.text.partition("\n")[0])),
        (Drop.MANY_FILES, lambda: len(commit.changes) > settings.max_files),
    )
    drop = next((drop for drop, holds in reasons if holds()), None)
    if drop is not None:
        return drop
    targets = _targets(commit.changes, settings)
    if isinstance(targets, Drop):
        return targets
    if len(targets) > settings.max_targets:
        return Drop.MANY_TARGETS
    return Candidate(commit.id, commit.parents[0], commit.time, prompt, targets, commit.changes)


def _targets(changes: tuple[Change, ...], settings: MineSettings) -> tuple[Change, ...] | Drop:
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
        return Drop.ODD_CHANGE
    old = tuple(change for change in sources if change.status in {"M", "D"} and change.is_file)
    if not old:
        return Drop.NEW_ONLY if sources else Drop.NO_SOURCE
    return tuple(sorted(old, key=lambda change: change.path))


def _is_source(path: str, settings: MineSettings) -> bool:
    kind = kind_of(path)
    is_code = kind is FileKind.SOURCE or (kind is FileKind.OTHER and bool(settings.suffixes))
    wanted = (
        is_code or (kind is FileKind.TEST and settings.with_tests) or (kind is FileKind.DOCS and settings.with_docs)
    )
    if not wanted or (settings.suffixes and not path.endswith(tuple(settings.suffixes))):
        return False
    return not settings.under or any(path.startswith(f"{folder.strip('/')}/") for folder in settings.under)
