"""Look across clean traces: duplicates, secrets, special tokens, length, benchmarks."""

from collections.abc import Iterable, Iterator

from selfplay.clean.across.check import Checks, Fault
from selfplay.clean.across.parts import Subject, rejected_side, subject_of
from selfplay.clean.across.settings import DEFAULT_KEY_NAMES, AcrossSettings
from selfplay.clean.codes import DropCode
from selfplay.message import Noun
from selfplay.sample import CleanTrace, PreferencePair

__all__ = [
    "DEFAULT_KEY_NAMES",
    "AcrossSettings",
    "Checks",
    "Fault",
    "Rejected",
    "Subject",
    "across",
    "faults_of_pairs",
    "subject_of",
]

LISTED = 5
"""Faults that a rejection names; of more it says how many."""


class Rejected(Noun):
    """A trace that gives no row."""

    episode: str
    code: DropCode
    detail: str
    """What was found and where; never a secret itself."""


def across(traces: Iterable[CleanTrace], settings: AcrossSettings) -> Iterator[Rejected]:
    """The traces that give no row, in order; the others may be kept together.

    Deterministic: of two doubles the later is rejected. Memory grows by some kilobytes for each trace that is kept;
    whole traces are held only so many at once as `settings.batch` says. Raises InputError for settings that can't be
    used, and ScanError if the secret scanner fails: then nothing is known of the rest.
    """
    for subject, faults in Checks(settings).faults(map(subject_of, traces)):
        if faults:
            same = [f.detail for f in faults if f.code is faults[0].code]
            more = f" and {len(same) - LISTED} more" if len(same) > LISTED else ""
            yield Rejected(episode=subject.id, code=faults[0].code, detail="; ".join(same[:LISTED]) + more)


def faults_of_pairs(pairs: Iterable[PreferencePair], settings: AcrossSettings) -> Iterator[tuple[Fault, ...]]:
    """For each pair what is wrong with its rejected side, in order; the other side and the prefix are the trace's.

    Raises as `across` does.
    """
    return (faults for _, faults in Checks(settings).faults(map(rejected_side, pairs)))
