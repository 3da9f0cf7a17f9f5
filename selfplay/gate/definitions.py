"""Does a text name something that only the targets hold: an identifier, a string literal?"""

from collections.abc import Iterator
from itertools import pairwise

from selfplay.gate.elsewhere import Elsewhere
from selfplay.gate.names import others_named
from selfplay.gate.naming import are_all_words, has_member_noun, is_introduced, is_quoted
from selfplay.gate.needles import Needle
from selfplay.gate.place import Mark, Place, Shape
from selfplay.gate.secret import Secret
from selfplay.gate.seen import Seen
from selfplay.gate.text import View
from selfplay.gate.words import (
    DEFINING,
    DEFINITE,
    INDEFINITE,
    LOOSE_NOUNS,
    MEMBER_NOUNS,
    NOT_A_FILE,
    PLACE_VERBS,
    TYPE_NOUNS,
    is_common_pair,
    is_common_phrase,
    is_english,
    may_be_english,
)
from selfplay.trace import Finding, FindingKind

_MIN_SPLIT = 5
_MIN_CAPITALS = 4
"""Letters up to which a word in capitals is an acronym rather than a constant."""
_THINGS = frozenset("class function method struct interface trait constant".split())
_LOOSE = [[noun] for noun in LOOSE_NOUNS]
_NO_VERB = [[], *([noun] for noun in MEMBER_NOUNS | TYPE_NOUNS)]
_AFTER_NAMES = frozenset("of in on from that which is does".split())
_PHRASE = 3
"""Words of an identifier that are taken as its name also when they stand apart."""


def definitions_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """Every identifier or literal of the targets alone that the player has not been shown."""
    tokens = view.tokens
    covered = list(others_named(view, secret))
    for match in secret.definitions.matches(tokens):
        place = Place(view, tokens, match)
        if any(at <= place.at and place.to <= to for at, to in covered):
            continue
        if _is_name(place, secret, shown) and is_secret(place, secret, shown):
            yield definition_finding(place)


def definition_finding(place: Place) -> Finding:
    """The finding for an identifier or literal that was met."""
    one = place.needle
    is_disguised = place.is_rewritten or place.shape is Shape.SPLIT
    kind: FindingKind = "disguised" if is_disguised else one.kind
    where = ", ".join(sorted(one.targets))
    why = f"{one.written!r} stands only in {where} and was not shown to the player; describe what it is for instead"
    start, end = place.span
    return Finding(kind=kind, text=place.view.original[start:end], span=(start, end), why=why)


def is_secret(place: Place, secret: Secret, shown: Seen) -> bool:
    """Whether neither the task, nor what was shown, nor another file holds the name in the form of the hint."""
    one = place.needle
    return not any(_knows(seen, place, secret) for seen in (shown, secret.told)) and not _is_elsewhere(
        place, one, secret
    )


def _knows(seen: Seen, place: Place, secret: Secret) -> bool:
    one = place.needle
    is_exact = place.raw == one.written and place.raw.istitle() and not _is_of_domain(place)
    if len(one.words) == 1 and is_exact and secret.is_own(one.written):
        # `a response` is no word on the class `Response`.
        return one.written in seen.raw
    if place.shape in {Shape.SPACED, Shape.HYPHEN} or len(one.words) == 1:
        return seen.has_phrase(one.words) or one.compact in seen.compacts
    return one.compact in seen.compacts or (one.kind == "literal" and seen.has_phrase(one.words))


def _is_elsewhere(place: Place, one: Needle, secret: Secret) -> bool:
    if one.compact in secret.symbols or not secret.elsewhere.is_known:
        return False
    if _is_used_as_name(place) and secret.is_own(one.written) and not _is_other_case(place, secret):
        return False
    if one.kind == "identifier" and place.shape in {Shape.ONE, Shape.TIED} and _is_code_shaped(place):
        return any(map(secret.elsewhere.has_code, {one.written, place.raw}))
    return _is_mentioned(place, one, secret.elsewhere)


def _is_mentioned(place: Place, one: Needle, others: Elsewhere) -> bool:
    """Whether another file has the name, or the words that it is made of, in code or in prose."""
    has = others.has_token if one.kind == "identifier" else others.has_text
    raw = place.raw
    if _has_its_underscores(place):
        return has(one.written)
    if has(one.written) or (raw.lower() != one.written.lower() and place.shape is not Shape.SPLIT and has(raw)):
        return True
    if len(one.words) == 1:
        return others.has_word(one.compact)
    return place.shape in {Shape.SPACED, Shape.HYPHEN} and others.has_words(one.words)


def _is_used_as_name(place: Place) -> bool:
    """Whether nothing but a name can be meant: that others mention the word does not matter then."""
    word = place.raw.lower()
    if place.shape not in {Shape.ONE, Shape.TIED}:
        return _is_marked(place)
    if len(place.needle.words) > 1 or not may_be_english(word) or _is_capitalised(place):
        return True
    is_loose = not place.mark and not place.is_called and place.raw.islower() and place.after[:1] in _LOOSE
    return _is_marked(place) and not is_loose


def _is_code_shaped(place: Place) -> bool:
    """Whether it is written as no word of English is."""
    raw = place.raw
    is_camel = any(a.islower() and b.isupper() for a, b in pairwise(raw))
    has_digit = any(c.isdigit() for c in raw) and not raw.isdigit()
    return "_" in raw.strip("_") or is_camel or has_digit or place.is_called or _is_in_code_marks(place)


def _is_in_code_marks(place: Place) -> bool:
    return place.mark is Mark.QUOTES and "`" in {place.char(-1), place.char(0), place.char(2)}


def _is_other_case(place: Place, secret: Secret) -> bool:
    """Whether it is written as another name that other files have: `editor` where the target has `Editor`."""
    is_exact = place.mark is Mark.QUOTES or place.is_called
    return is_exact and place.raw != place.needle.written and secret.elsewhere.has_code(place.raw)


def _is_name(place: Place, secret: Secret, shown: Seen) -> bool:
    """Whether the words are used as the name, and not as the ordinary words that they may be."""
    one = place.needle
    if place.is_part:
        return False
    if place.shape is Shape.SPLIT:
        return len(one.compact) >= _MIN_SPLIT and not are_all_words(place) and _is_odd(one)
    if place.is_disguised and len(one.compact) >= _MIN_SPLIT:
        return not is_english(one.compact) or _is_marked(place)
    if len(one.words) == 1 or place.shape is Shape.ONE:
        return _is_single_named(place, secret) or _is_marked(place)
    if place.shape is Shape.TIED and ("_" in place.raw or one.kind == "literal"):
        return True
    is_hyphened = place.shape is Shape.HYPHEN and _is_hyphened_name(place)
    return is_hyphened or _is_marked(place) or _is_phrase(place, secret, shown)


def _is_hyphened_name(place: Place) -> bool:
    """`max-age` with a part that is no word, `Retry-After` exactly as written."""
    one = place.needle
    is_as_written = place.raw == one.written and any(c.isupper() for c in place.raw[1:])
    return is_as_written or not all(map(is_english, one.words))


def _is_phrase(place: Place, secret: Secret, shown: Seen) -> bool:
    """Whether words side by side are too many, or too rare, to stand so by chance."""
    one = place.needle
    if place.shape is Shape.TIED or not secret.elsewhere.is_known or is_common_phrase(one.words):
        return False
    is_verb = place.before[:1] in ([], ["to"]) and place.after[:1] not in _NO_VERB
    if is_verb and place.shape is Shape.SPACED and len(one.words) < _PHRASE and all(map(is_english, one.words)):
        # `Edit files as a user would`, `to render progress`: a verb and its object.
        return False
    return len(one.words) >= _PHRASE or any(_is_rare(word, secret, shown) for word in one.words)


def _is_rare(word: str, secret: Secret, shown: Seen) -> bool:
    """Whether a word stands in the targets alone."""
    knows = shown.has_phrase((word,)) or secret.told.has_phrase((word,))
    return len(word) > 2 and not knows and not secret.elsewhere.has_word(word)  # noqa: PLR2004  # `of`, `to`


def _is_single_named(place: Place, secret: Secret) -> bool:
    """Whether one word can only be the name: no ordinary word, or written as constants and camel-case names are."""
    one = place.needle
    word = place.raw.lower()
    if one.compact.isdigit() or _has_its_underscores(place):
        return True
    if is_english(word):
        is_constant = place.raw == one.written and place.raw.isupper() and len(word) > _MIN_CAPITALS
        if _is_capitalised(place) and secret.is_own(one.written):
            return True
        is_camel = len(one.words) > 1 and any(c.isupper() for c in place.raw[1:]) and not place.raw.isupper()
        return is_constant or is_camel
    if len(one.words) > 1:
        return True
    # Without the repository nobody knows whether a word that is not English stands elsewhere too.
    return one.kind == "identifier" and (secret.elsewhere.is_known or one.compact in secret.symbols)


def _is_capitalised(place: Place) -> bool:
    """`the Voucher` inside a sentence, where the definition is written so."""
    previous = place.previous_token()
    if previous is None or place.raw != place.needle.written or not place.raw.istitle():
        return False
    is_first = len(place.before) == 1 and previous.text in DEFINITE | INDEFINITE | PLACE_VERBS
    return (previous.raw[:1].islower() or is_first) and not _is_of_domain(place)


def _is_of_domain(place: Place) -> bool:
    """`the Server header`, `the Host field`."""
    return bool(place.after) and place.after[0] in NOT_A_FILE


def _has_its_underscores(place: Place) -> bool:
    """Whether a name that begins with an underscore stands there with it: `_incoming` is no English word."""
    return place.needle.written.startswith("_") and place.view.text.endswith(place.needle.written, 0, place.to)


def _is_marked(place: Place) -> bool:
    if place.mark is Mark.QUOTES:
        return is_quoted(place, lambda _: False)
    is_qualified = place.is_dotted and (place.char(-1) == "." or place.char(-1) == ":")
    is_wanted = place.ends_clause and len(place.before) > 1 and place.before[0] == "for"
    if is_wanted and place.before[1] in {"search", "grep", "query", "searching", "grepping"}:
        return True
    return place.is_called or is_qualified or _is_defined_there(place) or is_introduced(place) or has_member_noun(place)


def _is_defined_there(place: Place) -> bool:
    """`def place`, `the method apply of`, `the definition of apply`, `where apply is defined`."""
    before, after = place.before[:3], place.after[:2]
    if not before:
        return after == ["is", "defined"]
    if before[0] in DEFINING or before[:2] == ["of", "definition"]:
        return True
    if after == ["is", "defined"]:
        return before[0] not in DEFINITE | INDEFINITE
    is_noun = before[0] in _THINGS and not is_common_pair(before[0], place.raw.lower())
    return is_noun and before[1:2] == ["the"] and (not after or after[0] in _AFTER_NAMES)


def _is_odd(one: Needle) -> bool:
    """Whether an identifier is more than an ordinary word whose letters may fall together by chance."""
    return len(one.words) > 1 or not is_english(one.compact)
