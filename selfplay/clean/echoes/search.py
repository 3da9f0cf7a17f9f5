"""All echoes of a text: search, take out what was found, search what is left, until nothing is found."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from selfplay.clean.echoes.prose import FENCES, FoldedText, Stretch, fold_text, split_sentences
from selfplay.clean.echoes.removal import remove_echoes
from selfplay.clean.echoes.restatement import HintRestatement
from selfplay.clean.echoes.wordings import EchoFinding, EchoKind, Wording, WordingPosition, load_wordings, regex_for
from selfplay_tools.text.regex import Regex


@dataclass(frozen=True, slots=True)
class EchoSpot:
    """An echo as a stretch of a view."""

    kind: EchoKind
    start: int
    end: int


def spot_echoes(view: FoldedText, restatement: HintRestatement | None) -> Iterator[EchoSpot]:
    """Echoes in order; `restatement` is about the hints so far, None where there were none."""
    is_opening = True
    is_hinted = restatement is not None and restatement.is_hinted
    for sentence in split_sentences(view):
        if view.raw[slice(*sentence)].lstrip().startswith(FENCES):
            is_opening = False
            continue
        found = list(_spot_in_sentence(view, sentence, is_opening=is_opening, is_hinted=is_hinted))
        if restatement is not None and restatement.is_restated_in(view.text[slice(*sentence)]):
            found.append(EchoSpot(EchoKind.RESTATED, *sentence))
        is_opening = is_opening and _is_whole_sentence(found, sentence)
        yield from found


def _is_whole_sentence(found: Sequence[EchoSpot], sentence: Stretch) -> bool:
    """Whether nothing of a sentence is left beside the echoes."""
    return sum(spot.end - spot.start for spot in found) >= sentence[1] - sentence[0] - 1


def _spot_in_sentence(view: FoldedText, sentence: Stretch, *, is_opening: bool, is_hinted: bool) -> Iterator[EchoSpot]:
    start, end = sentence
    text = _SentenceBytes(view.prose[start:end].replace("\n", " "))
    matched = [
        (where, hinted)
        for where in (WordingPosition.ANY, WordingPosition.SENTENCE, *([WordingPosition.OPENING] if is_opening else []))
        for hinted in ((False, True) if is_hinted else (False,))
        if text.is_match(regex_for(where, is_hinted=hinted))
    ]
    if not matched:
        return
    found = [
        (wording, span)
        for wording in load_wordings()
        if wording.kind and (wording.where, wording.is_hinted) in matched
        for span in text.spans_of(wording.regex())
    ]
    excused = sorted(s for w in load_wordings() if w.kind is None for s in text.spans_of(w.regex())) if found else []
    begins, ends = [a for a, _ in excused], list(accumulate((b for _, b in excused), max))
    for wording, (at, to) in _keep_longest(found):
        before = bisect_right(begins, at)
        if wording.kind and not (before and to <= ends[before - 1]):
            yield EchoSpot(wording.kind, start + at, start + to)


def _keep_longest(found: Sequence[tuple[Wording, Stretch]]) -> list[tuple[Wording, Stretch]]:
    """Of wordings that overlap the longest, in order of place."""
    kept: list[tuple[Wording, Stretch]] = []
    for pair in sorted(found, key=lambda pair: (pair[1][0], -pair[1][1])):
        start, end = pair[1]
        if not kept or start >= kept[-1][1][1]:
            kept.append(pair)
        elif end - start > kept[-1][1][1] - kept[-1][1][0]:
            kept[-1] = pair
    return kept


class _SentenceBytes:
    """A sentence in the engine's bytes, with places in characters."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode("utf-8", "replace")
        self._text = text
        self._places: list[int] | None = None

    def is_match(self, regex: Regex) -> bool:
        return regex.search(self._bytes) is not None

    def spans_of(self, regex: Regex) -> Iterator[Stretch]:
        for start, end in regex.find_spans(self._bytes):
            yield self._character_at(start), self._character_at(end)

    def _character_at(self, count: int) -> int:
        """How many characters so many bytes are."""
        if len(self._bytes) == len(self._text):
            return count
        if self._places is None:
            sizes = (len(char.encode("utf-8", "replace")) for char in self._text)
            self._places = [i for i, size in enumerate(sizes) for _ in range(size)]
        return self._places[count] if count < len(self._places) else len(self._text)


ROUNDS = 12
"""Searches of one text; one that still has echoes after so many is an echo as a whole."""
REMEMBERED = 512
"""Texts whose echoes are cached: cleaning asks about each turn before and after its repair."""


def find_echoes(
    text: str, hint: str | None = None, visible: Sequence[str] = (), hints_so_far: Sequence[str] = ()
) -> tuple[EchoFinding, ...]:
    """Each part of a player's text that answers, thanks for, restates or leans on a hint, in order of place.

    `hint` is what stood before the turn, if anything did: right after one less is needed ("Understood"), and its words
    count as restated. `visible` is what the player could see without it (the task, earlier results): their words
    count for nothing. `hints_so_far` is all that hints had said: of these longer turns of phrase count. The same
    arguments give the same findings, and what `without_echoes` leaves has none.
    """
    return _find_echoes_cached(text, hint, tuple(visible), tuple(hints_so_far))


@lru_cache(maxsize=REMEMBERED)
def _find_echoes_cached(
    text: str, hint: str | None, visible: tuple[str, ...], hints_so_far: tuple[str, ...]
) -> tuple[EchoFinding, ...]:
    restatement = HintRestatement(hint, hints_so_far, visible) if hints_so_far or (hint and hint.strip()) else None
    found: list[EchoFinding] = []
    for _ in range(ROUNDS):
        rest = remove_echoes(text, found)
        view = fold_text(rest.text)
        new = list(spot_echoes(view, restatement))
        if not new:
            return tuple(sorted(found, key=lambda f: (f.span, f.kind)))
        for spot in new:
            start, end = view.to_original(spot.start, spot.end)
            span = rest.origins[start], rest.origins[end - 1] + 1
            found.append(EchoFinding(kind=spot.kind, text=text[slice(*span)], span=span))
    return (EchoFinding(kind=found[-1].kind, text=text, span=(0, len(text))),)
