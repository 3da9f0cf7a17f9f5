"""Files that a query rarely asks for: tests, documentation, and what was not written here.

They hold the words of every change, so they would crowd out the sources that the change is made in. A query that says
`test` asks for tests, and then they count in full.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.linear import Regex, compile_regex


@dataclass(frozen=True, slots=True)
class LowPriorityKind:
    """One kind of such files."""

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
    found = [[match.start() for match in byway.pattern.finditer(joined)] for byway in LOW_PRIORITY_KINDS]
    places = [np.unique(np.searchsorted(ends, np.array(starts, np.intp), side="right")) for starts in found]
    return [(byway.words, files) for byway, files in zip(LOW_PRIORITY_KINDS, places, strict=True)]
