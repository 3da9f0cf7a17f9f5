"""What paths give to ranking: words of a file's name and of its folder, and which kinds of file count for less."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.ranking import PathFields
from selfplay_tools.index.store.word_index import Postings, WordIndex
from selfplay_tools.text.regex import Regex, compile_regex


@dataclass(frozen=True, slots=True)
class LowPriorityKind:
    """A kind of file that counts for less, unless a query asks for it."""

    pattern: Regex
    words: frozenset[str]
    """With which a query asks for them."""


def _compile_for_lines(source: str) -> Regex:
    return compile_regex(f"(?m){source}", ignore_case=True)


LOW_PRIORITY_KINDS = (
    LowPriorityKind(
        _compile_for_lines(
            r"(^|/)(tests?|testsuite|testing|testdata|specs?|__tests__|test-[^/]*|fixtures?|e2e)/"
            r"|(^|[/_.-])(tests?|specs?)([_.-][^/]*)?$|(^|/)test[^/]*$|(^|/)conftest\.py$|Tests?\.(java|kt|cs)$"
        ),
        frozenset("test tested testing tester spec fixture conftest pytest unittest".split()),
    ),
    LowPriorityKind(
        _compile_for_lines(
            r"(^|/)(docs?|documentation|website|examples?|samples?|demos?|man)/"
            r"|\.(md|rst|txt|adoc|po|pot|ipynb)$|(^|/)(changes|changelog|history|news|authors|contributors)[^/]*$"
        ),
        frozenset("doc docs docstring documentation document readme changelog example sample demo tutorial".split()),
    ),
    LowPriorityKind(
        _compile_for_lines(
            r"(^|/)(vendor|vendored|_vendor|third_?party|deps|external|node_modules|dist|build|generated|locales?"
            r"|migrations)/|\.min\.|\.lock$|-lock\.|\.(svg|json|csv|xml|snap|map)$|(^|/)\."
        ),
        frozenset("vendor vendored dependency dep generated migration locale translation build json xml svg".split()),
    ),
)
"""A file that is of several kinds counts less for each of them."""


def find_low_priority_paths(paths: Sequence[str]) -> list[tuple[frozenset[str], NDArray[np.intp]]]:
    """For each kind the words that ask for it, and the places of its paths."""
    lines = [path.replace("\n", " ").encode("utf-8", "replace") for path in paths]
    ends = np.cumsum([len(line) + 1 for line in lines])
    joined = b"\n".join(lines)
    found = [[match.start() for match in kind.pattern.finditer(joined)] for kind in LOW_PRIORITY_KINDS]
    places = [np.unique(np.searchsorted(ends, np.array(starts, np.intp), side="right")) for starts in found]
    return [(kind.words, files) for kind, files in zip(LOW_PRIORITY_KINDS, places, strict=True)]


def make_path_fields(paths: Sequence[str]) -> PathFields:
    """The fields of these paths, in their order."""
    parted = [path.rpartition("/") for path in paths]
    return PathFields(
        words=WordIndex.from_fields(
            Postings.from_names([strip_suffix(name) for _, _, name in parted]),
            Postings.from_names([folder for folder, _, _ in parted]),
        ).fields,
        low_priority=find_low_priority_paths(paths),
    )


def strip_suffix(name: str) -> str:
    """The name up to its first dot: `app.test.ts` is app, `.travis.yml` stays."""
    return name if name.startswith(".") else name.partition(".")[0]
