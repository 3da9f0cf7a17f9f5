"""What is mined: which commits, how large, which targets."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from selfplay.config import ConfigSection, Count
from selfplay.tasks.prompt_leaks import LeakGrade

Share = Annotated[float, Field(gt=0, lt=1)]


class CommitSelection(StrEnum):
    """Which commits become tasks."""

    SINGLE = "single"
    """Those with one parent."""
    MERGE = "merge"
    """Merges, for what they bring to their first parent: a pull request as a whole."""
    MAINLINE = "mainline"
    """The commits along first parents, merges and others: each change once, as it arrived."""


class MineSettings(ConfigSection):
    """Everything that decides which tasks a history gives."""

    commits: CommitSelection = CommitSelection.SINGLE
    since: date | None = None
    """Of the commit, in UTC; the day itself included."""
    until: date | None = None
    """Likewise."""
    max_files: Count = 20
    """Files that a commit changes, tests and all. One that touches more is a sweep, not an answer."""
    max_lines: Count = 1000
    """Lines that a commit adds and removes, in all its files."""
    max_targets: Count = 5
    """Source files that a commit changes, and with `functions` definitions as well."""
    max_file_bytes: Count = 2 << 20
    """Of a target."""
    min_words: Count = 4
    """Of the message, once it is cleaned."""
    max_chars: Count = 4000
    """Likewise."""
    suffixes: frozenset[str] = frozenset()
    """Ends of the names that targets may have (`.py`); by default those of every language known as source code."""
    under: tuple[str, ...] = ()
    """Folders that targets may lie in; by default all."""
    with_tests: bool = False
    """Tests become targets too."""
    with_docs: bool = False
    """Files of documentation become targets too."""
    with_bots: bool = False
    """Commits of bots are mined too."""
    near_duplicates: Share | None = 0.85
    """Likeness from which on a message, or a set of changes, counts as the same; None to drop only equal ones."""
    max_leak: LeakGrade = LeakGrade.PATH
    """The worst that a prompt may give away."""
    functions: bool = False
    """Targets are the definitions that the change touches, not whole files."""
    with_patch: bool = True
    """Tasks carry the change, for the supervisor."""
    per_directory: Count | None = None
    """Tasks whose first target lies in the same folder."""
    count: Count | None = None
    """Tasks of one repository; by default all."""
    seed: int = 0
    """Decides which ones."""
