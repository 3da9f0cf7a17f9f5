"""What explains a name or word, in the texts of one side: what the player can see, or the hints."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from selfplay.clean.evidence.common import common
from selfplay.clean.evidence.forms import forms_of
from selfplay.clean.evidence.links import Source
from selfplay.clean.evidence.units import Unit
from selfplay.clean.evidence.visible import (
    MAX_TOKEN_CHARS,
    Hit,
    Text,
    Visible,
    compact,
    parts_of,
)
from selfplay.gate.words import is_english

MIN_HALF = 3
"""Letters of each half of two words written as one: `requestid` is no case of it, `eventloop` is."""
MAX_LINES = 200
"""Lines of one text in which the words of a compound are looked for side by side."""
TEST_MARKS = frozenset("test tests spec".split())
MAX_LINE_CHARS = 2_000
"""Of such a line."""
MIN_PIECE = 3
"""Letters of a piece of a word that is looked for inside of others."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What explains a unit."""

    source: Source
    hit: Hit | None
    how: str


def name_in(unit: Unit, seen: Visible) -> Finding | None:
    """The best explanation of a name or word by texts: as it is, in another form, put together."""
    if len(unit.text) > MAX_TOKEN_CHARS:
        return None
    return _exact(unit, seen) or next(_derived(unit, seen), None)


def _exact(unit: Unit, seen: Visible) -> Finding | None:
    hit = seen.name(unit.text) or (_ignoring_case(unit.text, seen) if unit.ignores_case else None)
    if hit is None:
        return None
    return Finding(Source.TASK if hit.text.is_task else Source.RESULT, hit, "exact")


def _ignoring_case(name: str, seen: Visible) -> Hit | None:
    return next((hit for hit in seen.other_forms(name) if hit.found.lower() == name.lower()), None)


def _derived(unit: Unit, seen: Visible) -> Iterator[Finding]:
    parts = parts_of(unit.text)
    yield from _as_finding(seen.other_form(unit.text), "other writing of")
    if len(parts) == 1:
        yield from _one_part(parts[0], seen)
    elif parts:
        yield from _as_finding(seen.row(parts), "joined or part of")
        yield from _siblings(parts, seen)
        yield from _joined(parts, seen)
    if unit.is_open_left or unit.is_open_right:
        yield from _inside(unit, seen)
    if not unit.text.isascii():
        yield from _foreign(unit.text, seen)


def _foreign(word: str, seen: Visible) -> Iterator[Finding]:
    """A word outside ASCII: the same in other characters, in a text without blanks, with another ending."""
    yield from _as_finding(seen.same(word), "other writing of")
    yield from _as_finding(seen.inside(word), "part of a text without blanks:")
    yield from _as_finding(seen.form(word), "other ending of")
    hit = seen.made_of(word)
    if hit is not None:
        yield Finding(Source.DERIVED, hit, "joined words of the task")


def _as_finding(hit: Hit | None, how: str) -> Iterator[Finding]:
    if hit is not None:
        yield Finding(Source.DERIVED, hit, f"{how} {_quoted(hit.found)}")


def _quoted(text: str) -> str:
    return "'" + re.sub(r"\s+", " ", text) + "'"


def _one_part(part: str, seen: Visible) -> Iterator[Finding]:
    yield from _as_finding(seen.part(part), "part of a name:")
    for form, how in forms_of(part):
        if seen.has(form):
            yield from _as_finding(seen.part(form), how)
    yield from _halves(part, seen)


def _halves(word: str, seen: Visible) -> Iterator[Finding]:
    """Two words written as one, that stand side by side."""
    if is_english(word):
        return
    for cut in range(MIN_HALF, len(word) - MIN_HALF + 1):
        halves = (word[:cut], word[cut:])
        if all(map(seen.has, halves)):
            yield from _as_finding(seen.row(halves), "joined")


def _siblings(parts: Sequence[str], seen: Visible) -> Iterator[Finding]:
    """The same name with another word put around it (`setExpire` where `getExpire` was read), or a test of it."""
    affixes = common().affixes
    telling = tuple(part for part in parts if part not in affixes)
    if not telling or len(telling) == len(parts):
        return
    if len(telling) > 1:
        yield from _as_finding(seen.row(telling), "made of")
    inner = "".join(telling)
    if parts[0] in TEST_MARKS:
        yield from _as_finding(seen.other_form(inner), "test of")
    for affix in sorted(affixes):
        for name in (affix + inner, inner + affix):
            if seen.has(name):
                yield from _as_finding(seen.other_form(name), "made as")


def _joined(parts: Sequence[str], seen: Visible) -> Iterator[Finding]:
    """All parts are the task's, of one line of a result, or such as are put around any word."""
    each = list(dict.fromkeys(parts))
    telling = [part for part in each if part not in common().affixes] or each
    of_task = {part: hit for part in telling if (hit := _in_task(part, seen))}
    rest = [part for part in telling if part not in of_task]
    if not rest:
        yield Finding(Source.DERIVED, of_task[telling[0]], f"joined words of the task: {', '.join(telling)}")
        return
    written = {part: _written(part, seen) for part in rest}
    if all(written.values()) and (of_task or len(rest) > 1):
        yield from islice(_on_one_line([written[part] for part in rest], seen), 1)


def _in_task(part: str, seen: Visible) -> Hit | None:
    forms = (part, *(form for form, _ in forms_of(part)))
    return next((hit for form in forms if seen.has(form) and (hit := seen.part(form, is_task=True))), None)


def _written(part: str, seen: Visible) -> str:
    """The form in which the part was read, empty if in none."""
    return next((form for form in (part, *(form for form, _ in forms_of(part))) if seen.has(form)), "")


def _on_one_line(words: Sequence[str], seen: Visible) -> Iterator[Finding]:
    for text in seen.holding(words):
        hit = _line_with(text, words)
        if hit is not None:
            yield Finding(Source.DERIVED, hit, f"joined words of one line: {', '.join(words)}")


def _line_with(text: Text, words: Sequence[str]) -> Hit | None:
    """The first of the words, where it stands as a part of a name on a line with the others."""
    lower = text.content.lower()
    at = -1
    for _ in range(MAX_LINES):
        at = lower.find(words[0], at + 1)
        if at < 0:
            return None
        start, end = lower.rfind("\n", 0, at) + 1, lower.find("\n", at)
        line = text.content[start : end if end >= 0 else None][:MAX_LINE_CHARS]
        if set(words) <= set(parts_of(line)):
            return Hit(text, at, at + len(words[0]))
    return None


def _inside(unit: Unit, seen: Visible) -> Iterator[Finding]:
    """A piece of a pattern with more before or after it: part of any word that was read."""
    piece = compact(unit.text)
    if len(piece) < MIN_PIECE:
        return
    for word in seen.words():
        at = word.find(piece)
        if at >= 0 and (unit.is_open_left or at == 0) and (unit.is_open_right or at + len(piece) == len(word)):
            yield from _as_finding(seen.part(word), "piece of")


def commonly(unit: Unit) -> Finding | None:
    """The entry of the list that explains the name, None if there is none."""
    names = common().names
    entry = names.get(unit.text) or (names.get(unit.text.lower()) if unit.ignores_case else None)
    if unit.kind == "literal":
        entry = entry or common().paths.get(unit.text)
    return Finding(Source.COMMON, None, f"the list: {unit.text} ({entry})") if entry else None


def is_too_short(unit: Unit) -> bool:
    """Whether a piece of a word is too short to say anything."""
    return (unit.is_open_left or unit.is_open_right) and len(unit.text.strip("_")) < MIN_PIECE


def ordinarily(unit: Unit) -> Finding | None:
    """An ordinary English word that a query, pattern or glob tries; a path or a definition must have been seen."""
    if unit.kind not in {"words", "pattern", "literal"} or not is_ordinary(unit.text):
        return None
    return Finding(Source.DERIVED, None, "ordinary word")


def is_ordinary(name: str) -> bool:
    """Whether it is one ordinary English word."""
    parts = parts_of(name)
    return len(parts) == 1 and is_english(parts[0]) and not parts[0].isdigit()


def trace_in(text: str, hints: Visible, seen: Visible) -> Hit | None:
    """Where a hint has a telling part of a name that what is visible does not have; or, if all is visible, any part."""
    parts = [part for part in parts_of(text) if part not in common().affixes and len(part) >= MIN_PIECE]
    unseen = [part for part in parts if not _written(part, seen)]
    for part in unseen or parts:
        form = _written(part, hints)
        if form:
            hit = hints.part(form)
            if hit is not None:
                return hit
    return None
