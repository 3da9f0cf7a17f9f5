"""What explains a name or word, in the texts of one side: what the player can see, or the hints."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from selfplay.clean.evidence.argument_units import ArgumentUnit
from selfplay.clean.evidence.links import EvidenceSource
from selfplay.clean.evidence.visible_texts import (
    MAX_TOKEN_CHARS,
    TextHit,
    VisibleText,
    VisibleTexts,
    parts_of,
    squeeze_name,
)
from selfplay.clean.evidence.word_knowledge import common_knowledge, forms_of
from selfplay.gate.text.words import is_english

MIN_HALF = 3
"""Letters of each half of two words written as one: `eventloop` has such halves, `requestid` has not."""
MAX_LINES = 200
"""Lines of one text in which the words of a compound are looked for side by side."""
TEST_MARKS = frozenset("test tests spec".split())
MAX_LINE_CHARS = 2_000
"""Of such a line."""
MIN_PIECE = 3
"""Letters of a piece of a word that is looked for inside of others."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What explains a unit."""

    source: EvidenceSource
    hit: TextHit | None
    how: str


def explain_name(unit: ArgumentUnit, texts: VisibleTexts) -> Explanation | None:
    """The best explanation of a name or word by texts: as it is, in another form, put together."""
    if len(unit.text) > MAX_TOKEN_CHARS:
        return None
    return _explain_exact(unit, texts) or next(_explain_derived(unit, texts), None)


def _explain_exact(unit: ArgumentUnit, texts: VisibleTexts) -> Explanation | None:
    hit = texts.find_name(unit.text) or (_find_ignoring_case(unit.text, texts) if unit.ignores_case else None)
    if hit is None:
        return None
    return Explanation(EvidenceSource.TASK if hit.text.is_task else EvidenceSource.RESULT, hit, "exact")


def _find_ignoring_case(name: str, texts: VisibleTexts) -> TextHit | None:
    return next((hit for hit in texts.find_other_forms(name) if hit.matched_text.lower() == name.lower()), None)


def _explain_derived(unit: ArgumentUnit, texts: VisibleTexts) -> Iterator[Explanation]:
    parts = parts_of(unit.text)
    yield from _to_explanation(texts.find_other_form(unit.text), "other writing of")
    if len(parts) == 1:
        yield from _explain_single_part(parts[0], texts)
    elif parts:
        yield from _to_explanation(texts.find_row(parts), "joined or part of")
        yield from _explain_siblings(parts, texts)
        yield from _explain_joined_words(parts, texts)
    if unit.is_open_left or unit.is_open_right:
        yield from _explain_piece(unit, texts)
    if not unit.text.isascii():
        yield from _explain_non_ascii(unit.text, texts)


def _explain_non_ascii(word: str, texts: VisibleTexts) -> Iterator[Explanation]:
    """A word outside ASCII: the same in other characters, in a text without blanks, with another ending."""
    yield from _to_explanation(texts.find_same_word(word), "other writing of")
    yield from _to_explanation(texts.find_inside(word), "part of a text without blanks:")
    yield from _to_explanation(texts.find_other_ending(word), "other ending of")
    hit = texts.find_made_of(word)
    if hit is not None:
        yield Explanation(EvidenceSource.DERIVED, hit, "joined words of the task")


def _to_explanation(hit: TextHit | None, how: str) -> Iterator[Explanation]:
    if hit is not None:
        yield Explanation(EvidenceSource.DERIVED, hit, f"{how} {_quote(hit.matched_text)}")


def _quote(text: str) -> str:
    return "'" + re.sub(r"\s+", " ", text) + "'"


def _explain_single_part(part: str, texts: VisibleTexts) -> Iterator[Explanation]:
    yield from _to_explanation(texts.find_part(part), "part of a name:")
    for form, how in forms_of(part):
        if texts.has(form):
            yield from _to_explanation(texts.find_part(form), how)
    yield from _explain_halves(part, texts)


def _explain_halves(word: str, texts: VisibleTexts) -> Iterator[Explanation]:
    """Two words written as one, that stand side by side."""
    if is_english(word):
        return
    for cut in range(MIN_HALF, len(word) - MIN_HALF + 1):
        halves = (word[:cut], word[cut:])
        if all(map(texts.has, halves)):
            yield from _to_explanation(texts.find_row(halves), "joined")


def _explain_siblings(parts: Sequence[str], texts: VisibleTexts) -> Iterator[Explanation]:
    """The same name with another word put around it (`setExpire` where `getExpire` was read), or a test of it."""
    affixes = common_knowledge().affixes
    distinctive = tuple(part for part in parts if part not in affixes)
    if not distinctive or len(distinctive) == len(parts):
        return
    if len(distinctive) > 1:
        yield from _to_explanation(texts.find_row(distinctive), "made of")
    inner = "".join(distinctive)
    if parts[0] in TEST_MARKS:
        yield from _to_explanation(texts.find_other_form(inner), "test of")
    for affix in sorted(affixes):
        for name in (affix + inner, inner + affix):
            if texts.has(name):
                yield from _to_explanation(texts.find_other_form(name), "made as")


def _explain_joined_words(parts: Sequence[str], texts: VisibleTexts) -> Iterator[Explanation]:
    """All parts are the task's, of one line of a result, or such as are put around any word."""
    each = list(dict.fromkeys(parts))
    distinctive = [part for part in each if part not in common_knowledge().affixes] or each
    of_task = {part: hit for part in distinctive if (hit := _find_in_task(part, texts))}
    rest = [part for part in distinctive if part not in of_task]
    if not rest:
        yield Explanation(
            EvidenceSource.DERIVED, of_task[distinctive[0]], f"joined words of the task: {', '.join(distinctive)}"
        )
        return
    written = {part: _find_written_form(part, texts) for part in rest}
    if all(written.values()) and (of_task or len(rest) > 1):
        yield from islice(_explain_words_of_one_line([written[part] for part in rest], texts), 1)


def _find_in_task(part: str, texts: VisibleTexts) -> TextHit | None:
    forms = (part, *(form for form, _ in forms_of(part)))
    return next((hit for form in forms if texts.has(form) and (hit := texts.find_part(form, is_task=True))), None)


def _find_written_form(part: str, texts: VisibleTexts) -> str:
    """The form in which the part was read, empty if in none."""
    return next((form for form in (part, *(form for form, _ in forms_of(part))) if texts.has(form)), "")


def _explain_words_of_one_line(words: Sequence[str], texts: VisibleTexts) -> Iterator[Explanation]:
    for text in texts.texts_holding(words):
        hit = _find_line_with(text, words)
        if hit is not None:
            yield Explanation(EvidenceSource.DERIVED, hit, f"joined words of one line: {', '.join(words)}")


def _find_line_with(text: VisibleText, words: Sequence[str]) -> TextHit | None:
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
            return TextHit(text, at, at + len(words[0]))
    return None


def _explain_piece(unit: ArgumentUnit, texts: VisibleTexts) -> Iterator[Explanation]:
    """A piece of a pattern with more before or after it: part of any word that was read."""
    piece = squeeze_name(unit.text)
    if len(piece) < MIN_PIECE:
        return
    for word in texts.words():
        at = word.find(piece)
        if at >= 0 and (unit.is_open_left or at == 0) and (unit.is_open_right or at + len(piece) == len(word)):
            yield from _to_explanation(texts.find_part(word), "piece of")


def explain_by_common_knowledge(unit: ArgumentUnit) -> Explanation | None:
    """The entry of the list that explains the name, None if there is none."""
    names = common_knowledge().names
    entry = names.get(unit.text) or (names.get(unit.text.lower()) if unit.ignores_case else None)
    if unit.kind == "literal":
        entry = entry or common_knowledge().paths.get(unit.text)
    return Explanation(EvidenceSource.COMMON, None, f"the list: {unit.text} ({entry})") if entry else None


def is_too_short(unit: ArgumentUnit) -> bool:
    """Whether a piece of a word is too short to say anything."""
    return (unit.is_open_left or unit.is_open_right) and len(unit.text.strip("_")) < MIN_PIECE


def explain_as_ordinary_word(unit: ArgumentUnit) -> Explanation | None:
    """An ordinary English word in a query, pattern or glob; a path or a definition must have been seen."""
    if unit.kind not in {"words", "pattern", "literal"} or not is_ordinary_word(unit.text):
        return None
    return Explanation(EvidenceSource.DERIVED, None, "ordinary word")


def is_ordinary_word(name: str) -> bool:
    """Whether it is one ordinary English word."""
    parts = parts_of(name)
    return len(parts) == 1 and is_english(parts[0]) and not parts[0].isdigit()


def find_hinted_part(text: str, hints: VisibleTexts, visible: VisibleTexts) -> TextHit | None:
    """Where a hint has a distinctive part of a name that no visible text has; or, if all are visible, any part."""
    parts = [part for part in parts_of(text) if part not in common_knowledge().affixes and len(part) >= MIN_PIECE]
    unseen = [part for part in parts if not _find_written_form(part, visible)]
    for part in unseen or parts:
        form = _find_written_form(part, hints)
        if form:
            hit = hints.find_part(form)
            if hit is not None:
                return hit
    return None
