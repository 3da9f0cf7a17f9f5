"""Commits that ask for the same thing twice: copied to another branch, landed again, or swept in a row."""

import hashlib
import re
from collections.abc import Iterable, Iterator

from selfplay.likeness import SketchIndex, word_ngrams, sketch_of
from selfplay.mine.drops import MiningDrop, MiningFunnel
from selfplay.mine.filters import CommitCandidate

WORDS_PER_RUN = 2
"""Words of a run: messages are short."""
_WORD = re.compile(r"\w+")


def drop_duplicates(found: Iterable[CommitCandidate], threshold: float | None, funnel: MiningFunnel) -> Iterator[CommitCandidate]:
    """The candidates without those that repeat an earlier one, in the given order: oldest first keeps the original.

    The same are two with one message, or with the same files changed from and to the same contents; nearly the same
    are two whose messages (by pairs of words) or changes (by files and contents) have `threshold` in common.
    """
    digests: set[bytes] = set()
    messages, changes = SketchIndex(), SketchIndex()
    for one in found:
        words = [word.casefold() for word in _WORD.findall(one.prompt.text)]
        touched = sorted(f"{change.path}\0{change.blobs[1]}" for change in one.changes)
        keys = {_digest(b"message", words), _digest(b"change", touched)}
        if keys & digests:
            funnel.drops[MiningDrop.DUPLICATE] += 1
            continue
        sketches = [(messages, sketch_of(word_ngrams(words, WORDS_PER_RUN))), (changes, sketch_of(touched))]
        if threshold is not None and any(s and shelf.find_nearest(s, threshold) for shelf, s in sketches):
            funnel.drops[MiningDrop.NEAR_DUPLICATE] += 1
            continue
        digests |= keys
        if threshold is not None:
            for shelf, sketch in sketches:
                if sketch:
                    shelf.add(one.id, sketch)
        yield one


def _digest(kind: bytes, parts: Iterable[str]) -> bytes:
    return hashlib.sha256(kind + b"\0" + "\0\0".join(parts).encode("utf-8", "replace")).digest()
