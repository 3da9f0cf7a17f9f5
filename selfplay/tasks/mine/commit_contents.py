"""What a commit's contents say of it: sizes, lines, patches. A few git processes for all commits, none for each."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from selfplay.tasks.file_kinds import is_marked_generated
from selfplay.tasks.mine.filters import CommitCandidate, MiningDrop, MiningFunnel
from selfplay.tasks.mine.settings import MineSettings
from selfplay_tools.git import read_records, run_git
from selfplay_tools.snapshot.blob_reader import BlobReader
from selfplay_tools.text.decoding import decode

COMMITS_PER_BATCH = 2000
"""Commits that one process is given: what a stop loses, and how often progress is reported."""
_DIFF_COMMAND = (
    "diff-tree", "--stdin", "-r", "--always", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color",
    "--ignore-submodules=dirty", "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip
PATCHES_PER_BATCH = 8
"""Commits whose patches are held at once: each may be some ten megabytes, if it was made to hurt."""


@dataclass(frozen=True, slots=True)
class CloneContents:
    """Contents of a clone, read by id."""

    git_dir: Path
    blobs: BlobReader


def measure_changes(
    source: CloneContents, found: Sequence[CommitCandidate], settings: MineSettings, funnel: MiningFunnel
) -> Iterator[CommitCandidate]:
    """Those of the candidates whose targets can be read and whose change is small enough, with their lines."""
    sizes = _read_sizes(source.git_dir, {oid for one in found for oid in _blob_ids(one)})
    whole: list[CommitCandidate] = []
    for one in found:
        drop = _size_drop(one, sizes, settings)
        if drop is None:
            whole.append(one)
        else:
            funnel.drops[drop] += 1
    for one, lines in zip(whole, _count_lines(source.git_dir, whole), strict=True):
        if lines > settings.max_lines:
            funnel.drops[MiningDrop.MANY_LINES] += 1
        else:
            yield replace(one, lines=lines)


def _blob_ids(one: CommitCandidate) -> Iterator[str]:
    """Every content that a diff of the commit reads; submodules have none here."""
    for change in one.changes:
        for mode, oid in zip(change.modes, change.blobs, strict=True):
            if mode not in {"000000", "160000"}:
                yield oid


def _read_sizes(git_dir: Path, oids: Iterable[str]) -> dict[str, int]:
    """Sizes of the contents that are there."""
    asked = "".join(f"{oid}\n" for oid in sorted(oids)).encode()
    answer = run_git(git_dir, "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked).decode()
    rows = (line.split() for line in answer.splitlines())
    return {oid: int(size) for oid, size in rows if size.isdigit()}


def _size_drop(one: CommitCandidate, sizes: dict[str, int], settings: MineSettings) -> MiningDrop | None:
    if any(oid not in sizes for oid in _blob_ids(one)):
        return MiningDrop.MISSING
    if any(sizes[target.blobs[0]] > settings.max_file_bytes for target in one.targets):
        return MiningDrop.LARGE_TARGET
    return None


def _diff_input(found: Iterable[CommitCandidate]) -> bytes:
    return "".join(f"{one.id} {one.parent}\n" for one in found).encode()


def _count_lines(git_dir: Path, found: Sequence[CommitCandidate]) -> Iterator[int]:
    """Lines added and removed by each commit, in order."""
    counted = {one.id: 0 for one in found}
    for start in range(0, len(found), COMMITS_PER_BATCH):
        given = _diff_input(found[start : start + COMMITS_PER_BATCH])
        with closing(read_records(git_dir, *_DIFF_COMMAND, "-z", "--numstat", input_bytes=given)) as rows:
            commit = ""
            for row in rows:
                added, tab, rest = row.partition(b"\t")
                if not tab:
                    commit = added.decode("ascii", "replace").strip()
                else:
                    counted[commit] += _parse_count(added) + _parse_count(rest.partition(b"\t")[0])
    yield from (counted[one.id] for one in found)


def _parse_count(text: bytes) -> int:
    return int(text) if text.isdigit() else 0  # a dash: the file is binary


def read_targets(source: CloneContents, one: CommitCandidate, settings: MineSettings) -> dict[str, bytes] | MiningDrop:
    """The targets' contents before the change, by path; or why they are no source code."""
    texts: dict[str, bytes] = {}
    for target in one.targets:
        content = source.blobs.read(target.blobs[0], settings.max_file_bytes)
        decoded = decode(content)
        if decoded is None:
            return MiningDrop.BINARY
        if is_marked_generated(content):
            return MiningDrop.GENERATED
        texts[target.path] = decoded[0].encode()
    return texts


def read_patches(source: CloneContents, found: Sequence[CommitCandidate]) -> Iterator[dict[str, bytes]]:
    """For each commit the change of every file that was there before, by path, as `git diff` shows it."""
    for start in range(0, len(found), PATCHES_PER_BATCH):
        some = found[start : start + PATCHES_PER_BATCH]
        text = run_git(source.git_dir, *_DIFF_COMMAND, "--patch", "--diff-filter=MD", stdin=_diff_input(some))
        for one, part in zip(some, _split_by_commit(text, [one.id for one in some]), strict=True):
            there = [change.path for change in one.changes if change.status in {"M", "D"}]
            yield dict(zip(there, split_patch(part), strict=True))


def _split_by_commit(text: bytes, ids: Sequence[str]) -> Iterator[bytes]:
    """Each commit's part; its id stands before it on a line of its own, as no line of a patch does."""
    starts: list[int] = []
    for one in ids:
        at = text.find(f"\n{one}\n".encode(), max(starts[-1] - 1, 0)) + 1 if starts else 0
        starts.append(at + len(one) + 1)
    ends = [start - len(one) - 1 for start, one in zip(starts, ids, strict=True)][1:]
    yield from (text[a:b] for a, b in zip(starts, [*ends, len(text)], strict=True))


def split_patch(text: bytes) -> list[bytes]:
    """A diff of several files, one by one: only a file's head begins with `diff --git` at the start of a line."""
    text = b"\n" + text
    starts: list[int] = []
    at = text.find(b"\ndiff --git ")
    while at >= 0:
        starts.append(at + 1)
        at = text.find(b"\ndiff --git ", at + 1)
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
