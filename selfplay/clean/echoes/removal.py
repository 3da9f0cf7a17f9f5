"""Take echoes out of a text: whole sentences, or a clause where the rest stands as a sentence."""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from selfplay.clean.echoes.prose import FoldedText, Stretch, fold_text, split_clauses, split_sentences
from selfplay.clean.echoes.wordings import EchoFinding, EchoKind

_LINK = re.compile(r"(?:and|so|then|but|therefore|thus|also|hence),? (?=i\b|i'|let\b|let's|we\b)")
"""What ties a clause to the one before it."""
_STANDS = re.compile(
    r"(?:i|i'll|i'd|i'm|i've|let me|let's|lemme|we|we'll|my next|next i|now i|first i|"
    r"ich|wir|jetzt|nun|je|nous|voyons|regardons|voy|vamos|veamos|yo|primero|miro|busco|abro|reviso)\b|j'|"
    r"[\u6211\u8ba9\u73b0\u5148\u3040-\u30ff]|\u63a5\u4e0b"
)
"""How a clause begins, folded, that may stand alone: in the first person. Another one may be what the hint had said."""
_MIN_CHARS = 8
_LONG_HEAD_CHARS = 60
_POINTS_BACK = re.compile(r"\b(?:it|that|them|this|there|those|these)\b")
_MARKS = "*_#~"
_PARENTHESIS = re.compile(r"\([^()]{1,200}\)")
_ITEM = re.compile(r"^[ \t]*(?:[-+*\u2022]|\d{1,3}[.)]|>+|#+)[ \t]+$")


@dataclass(frozen=True, slots=True)
class RemainingText:
    """What is left of a text."""

    text: str
    origins: Sequence[int]
    """For each character of it the index in the text that it comes from."""


def without_echoes(text: str, findings: Sequence[EchoFinding]) -> str:
    """The text with the sentences of the findings taken out, or only their clause where the rest is a sentence.

    Blanks are closed up; what is not touched stays byte for byte. Empty if nothing is left.
    """
    return remove_echoes(text, findings).text


def remove_echoes(text: str, findings: Sequence[EchoFinding]) -> RemainingText:
    """As `without_echoes`, with where each character comes from: those of the text in order, some made capitals."""
    if not findings:
        return RemainingText(text, range(len(text)))
    view = fold_text(text)
    cuts, capitals = _find_cuts(view, findings)
    ends = (*view.origins, len(text))  # marks on a letter go with it
    spans = sorted(
        [(ends[start], ends[end]) for start, end in cuts] + [f.span for f in findings if _is_invisible(view, f)]
    )
    kept: list[int] = []
    at = 0
    for start, end in _merge_cuts(text, spans):
        kept += range(at, max(at, start))
        at = max(at, end)
    kept += range(at, len(text))
    raised = {view.origins[i] for i in capitals}
    return RemainingText("".join(_capitalize(text[i]) if i in raised else text[i] for i in kept), kept)


def _is_invisible(view: FoldedText, finding: EchoFinding) -> bool:
    start, end = view.to_folded(finding.span)
    return start == end


def _capitalize(char: str) -> str:
    return char.upper() if len(char.upper()) == 1 else char


def _find_cuts(view: FoldedText, findings: Sequence[EchoFinding]) -> tuple[list[Stretch], list[int]]:
    """Stretches to take out, and the places where a sentence begins anew."""
    cuts: list[Stretch] = []
    capitals: list[int] = []
    places = deque(sorted((*view.to_folded(f.span), f.kind) for f in findings))
    for sentence in split_sentences(view):
        while places and places[0][1] <= sentence[0]:
            cuts.append(places.popleft()[:2])
        near = takewhile(lambda place: place[0] < sentence[1], places)  # noqa: B023  # used up at once
        inside = [place for place in near if place[1] > sentence[0]]
        if inside:
            part, anew = _cut_sentence(view, sentence, inside)
            cuts += part
            cuts += (place[:2] for place in inside if place[0] < sentence[0] or place[1] > sentence[1])
            capitals += anew
            while places and places[0][1] <= sentence[1]:
                places.popleft()
    return [cut for cut in (*cuts, *(place[:2] for place in places)) if cut[0] < cut[1]], capitals


def _cut_sentence(
    view: FoldedText, sentence: Stretch, inside: Sequence[tuple[int, int, EchoKind]]
) -> tuple[list[Stretch], list[int]]:
    whole: tuple[list[Stretch], list[int]] = [sentence], []
    if any(kind is EchoKind.RESTATED and (a, b) == sentence for a, b, kind in inside):
        return whole
    if aside := _find_parenthesis(view, sentence, inside):
        return [aside], []
    parts = split_clauses(view, sentence)
    begins, ends = [a for a, _, _ in inside], list(accumulate((b for _, b, _ in inside), max))
    is_echo = [(n := bisect_left(begins, end)) > 0 and ends[n - 1] > start for start, end in parts]
    if all(is_echo) or not any(is_echo):
        return whole
    first, last = is_echo.index(False), len(is_echo) - 1 - is_echo[::-1].index(False)
    if any(is_echo[first : last + 1]) or not _can_stand_alone(view, (parts[first][0], parts[last][1])):
        return whole
    return _cut_clauses(view, sentence, parts, first, last) or whole


def _find_parenthesis(
    view: FoldedText, sentence: Stretch, inside: Sequence[tuple[int, int, EchoKind]]
) -> Stretch | None:
    """The one parenthesis that all the echoes stand in."""
    for match in _PARENTHESIS.finditer(view.prose, *sentence):
        is_around = all(match.start() < a and b < match.end() for a, b, _ in inside)
        if is_around and match.start() > sentence[0] and match.end() < sentence[1]:
            return match.span()
    return None


def _cut_clauses(
    view: FoldedText, sentence: Stretch, parts: Sequence[Stretch], first: int, last: int
) -> tuple[list[Stretch], list[int]] | None:
    """Cut the clauses before `first` and after `last`. None where the rest would not stand alone."""
    cuts: list[Stretch] = []
    begin = parts[first][0]
    rest = view.prose[begin : parts[last][1]]
    if first:
        if begin - sentence[0] > _LONG_HEAD_CHARS and _POINTS_BACK.search(rest):
            return None
        link = _LINK.match(view.prose, begin)
        begin = link.end() if link else begin
        cuts.append((sentence[0], begin))
    if last + 1 < len(parts):
        end = sentence[0] + len(view.prose[slice(*sentence)].rstrip(".!?\u3002"))
        cuts.append((parts[last][1], max(end, parts[-1][0])))
    return cuts, [begin] if first else []


def _can_stand_alone(view: FoldedText, rest: Stretch) -> bool:
    link = _LINK.match(view.prose, *rest)
    text = view.prose[link.end() if link else rest[0] : rest[1]]
    return len(text) >= (_MIN_CHARS if text.isascii() else _MIN_CHARS // 2) and _STANDS.match(text) is not None


def _merge_cuts(text: str, spans: Sequence[Stretch]) -> Iterator[Stretch]:
    """The cuts with the blanks and marks around them that are no longer needed."""
    merged: list[list[int]] = []
    for start, end in spans:
        if merged and not text[merged[-1][1] : start].strip(" \t\n" + _MARKS):
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    for start, end in merged:
        yield _extend_over_blanks(text, *_extend_over_emphasis(text, start, end))


def _extend_over_emphasis(text: str, start: int, end: int) -> Stretch:
    """The cut with the emphasis around it that would be left with nothing, or with one end, inside."""
    left = start - len(text[max(start - 3, 0) : start]) + len(text[max(start - 3, 0) : start].rstrip(_MARKS))
    marks = text[left:start]
    if not marks:
        return start, end
    if text[start:end].count(marks) % 2:
        return left, end
    return (left, end + len(marks)) if text.startswith(marks, end) else (start, end)


def _extend_over_blanks(text: str, start: int, end: int) -> Stretch:
    """The cut with the blanks of one side: those with fewer line ends."""
    line = text.rfind("\n", 0, start) + 1
    after = end
    while after < len(text) and text[after].isspace():
        after += 1
    ends_line = after == len(text) or "\n" in text[end:after]
    if ends_line and _ITEM.match(text[line:start]):
        start = line
    before = start
    while before and text[before - 1].isspace():
        before -= 1
    if after == len(text) or before == 0:
        return (before if after == len(text) else 0), after
    if text[start:end].lstrip()[:1] in {",", ";", "(", "-", "\u2014", "\u2013"} and text[end : end + 1] in {
        ".",
        "!",
        "?",
    }:
        return before, end
    return (start, after) if text.count("\n", before, start) >= text.count("\n", end, after) else (before, end)
