"""What a commit's contents say of it: sizes, lines, patches. A few git processes for all commits, none for each."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from selfplay.mine.drops import Drop, Funnel
from selfplay.mine.filters import Candidate
from selfplay.mine.kinds import says_generated
from selfplay.mine.settings import MineSettings
from selfplay_tools.blobs import Blobs
from selfplay_tools.git import output, records
from selfplay_tools.text import decode

BATCH = 2000
"""Commits that one process is given: what a stop loses, and how often progress is told."""
_DIFF = (
    "diff-tree", "--stdin", "-r", "--always", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color",
    "--ignore-submodules=dirty", "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip
PATCHES = 8
"""Commits whose patches are held at once: each may be some ten megabytes, if it was made to hurt."""


@dataclass(frozen=True, slots=True)
class Source:
    """Contents of a clone, read by id."""

    git_dir: Path
    blobs: Blobs


def measured(source: Source, found: Sequence[Candidate], settings: MineSettings, funnel: Funnel) -> Iterator[Candidate]:
    """Those of the candidates whose targets can be read and whose change is small enough, with their lines."""
    sizes = _sizes(source.git_dir, {oid for one in found for oid in _blobs(one)})
    whole: list[Candidate] = []
    for one in found:
        drop = _too_large(one, sizes, settings)
        if drop is None:
            whole.append(one)
        else:
            funnel.drops[drop] += 1
    for one, lines in zip(whole, _lines(source.git_dir, whole), strict=True):
        if lines > settings.max_lines:
            funnel.drops[Drop.MANY_LINES] += 1
        else:
            yield replace(one, lines=lines)


def _blobs(one: Candidate) -> Iterator[str]:
    """Every content that a diff of the commit reads; submodules have none here."""
    for change in one.changes:
        for mode, oid in zip(change.modes, change.blobs, strict=True):
            if mode not in {"000000", "160000"}:
                yield oid


def _sizes(git_dir: Path, oids: Iterable[str]) -> dict[str, int]:
    """Sizes of the contents that are there."""
    asked = "".join(f"{oid}\n" for oid in sorted(oids)).encode()
    answer = output(git_dir, "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked).decode()
    rows = (line.split() for line in answer.splitlines())
    return {oid: int(size) for oid, size in rows if size.isdigit()}


def _too_large(one: Candidate, sizes: dict[str, int], settings: MineSettings) -> Drop | None:
    if any(oid not in sizes for oid in _blobs(one)):
        return Drop.MISSING
    if any(sizes[target.blobs[0]] > settings.max_file_bytes for target in one.targets):
        return Drop.LARGE_TARGET
    return None


def _asked(found: Iterable[Candidate]) -> bytes:
    return "".join(f"{one.id} {one.parent}\n" for one in found).encode()


def _lines(git_dir: Path, found: Sequence[Candidate]) -> Iterator[int]:
    """Lines added and removed by each commit, in order."""
    counted = {one.id: 0 for one in found}
    for start in range(0, len(found), BATCH):
        given = _asked(found[start : start + BATCH])
        with closing(records(git_dir, *_DIFF, "-z", "--numstat", given=given)) as rows:
            commit = ""
            for row in rows:
                added, tab, rest = row.partition(b"\t")
                if not tab:
                    commit = added.decode("ascii", "replace").strip()
                else:
                    counted[commit] += _number(added) + _number(rest.partition(b"\t")[0])
    yield from (counted[one.id] for one in found)


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() else 0  # a dash: the file is binary


def read_targets(source: Source, one: Candidate, settings: MineSettings) -> dict[str, bytes] | Drop:
    """The targets' contents before the change, by path; or why they are no source code."""
    texts: dict[str, bytes] = {}
    for target in one.targets:
        content = source.blobs.read(target.blobs[0], settings.max_file_bytes)
        decoded = decode(content)
        if decoded is None:
            return Drop.BINARY
        if says_generated(content):
            return Drop.GENERATED
        texts[target.path] = decoded[0].encode()
    return texts


def patches(source: Source, found: Sequence[Candidate]) -> Iterator[dict[str, bytes]]:
    """For each commit the change of every file that was there before, by path, as `git diff` shows it."""
    for start in range(0, len(found), PATCHES):
        some = found[start : start + PATCHES]
        text = output(source.git_dir, *_DIFF, "--patch", "--diff-filter=MD", stdin=_asked(some))
        for one, part in zip(some, _parted(text, [one.id for one in some]), strict=True):
            there = [change.path for change in one.changes if change.status in {"M", "D"}]
            yield dict(zip(there, split_patch(part), strict=True))


def _parted(text: bytes, ids: Sequence[str]) -> Iterator[bytes]:
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
