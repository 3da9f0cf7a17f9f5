"""Does a text name something that only the targets hold: an identifier, a string literal?"""

from collections.abc import Iterator
from itertools import pairwise

from selfplay.core.trace import FindingKind, HintFinding
from selfplay.gate.checks.names import find_other_paths
from selfplay.gate.guard import Guard
from selfplay.gate.other_files import OtherContent
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.forbidden_names import ForbiddenName
from selfplay.gate.text.mention import Enclosure, NameMention, NameShape
from selfplay.gate.text.ordinary_words import are_pieces_ordinary_words, has_member_noun, is_introduced, is_quoted
from selfplay.gate.text.view import TextView
from selfplay.gate.text.words import (
    DEFINING_KEYWORDS,
    DEFINITE,
    DOMAIN_NOUNS,
    INDEFINITE,
    LOOSE_NOUNS,
    MEMBER_NOUNS,
    PLACE_VERBS,
    TYPE_NOUNS,
    is_common_pair,
    is_common_phrase,
    is_english,
    may_be_english,
)

_MIN_SPLIT = 5
_MIN_CAPITALS = 4
"""Letters up to which a word in capitals is an acronym rather than a constant."""
_THINGS = frozenset("class function method struct interface trait constant".split())
_LOOSE = [[noun] for noun in LOOSE_NOUNS]
_NO_VERB = [[], *([noun] for noun in MEMBER_NOUNS | TYPE_NOUNS)]
_AFTER_NAMES = frozenset("of in on from that which is does".split())
_MIN_PHRASE = 3
"""Words of an identifier that are taken as its name also when they stand apart."""


def find_definitions(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every identifier or literal of the targets alone that the player has not been shown."""
    tokens = view.tokens
    covered = list(find_other_paths(view, guard))
    for match in guard.definitions.find_matches(tokens):
        mention = NameMention(view, tokens, match)
        if any(at <= mention.at and mention.to <= to for at, to in covered):
            continue
        if _is_name(mention, guard, shown) and is_only_in_targets(mention, guard, shown):
            yield make_definition_finding(mention)


def make_definition_finding(mention: NameMention) -> HintFinding:
    """The finding for an identifier or literal that a hint uses."""
    name = mention.name
    is_disguised = mention.is_rewritten or mention.shape is NameShape.SPLIT
    kind: FindingKind = "disguised" if is_disguised else name.kind
    where = ", ".join(sorted(name.targets))
    why = f"{name.written!r} stands only in {where} and was not shown to the player; describe what it is for instead"
    return mention.view.make_finding(mention.at, mention.to, kind, why)


def is_only_in_targets(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
    """Whether neither the task, nor what was shown, nor another file holds the name in the form of the hint."""
    name = mention.name
    return not any(
        _is_known_from(text, mention, guard) for text in (shown, guard.task_text)
    ) and not _is_in_other_files(mention, name, guard)


def _is_known_from(shown: ShownText, mention: NameMention, guard: Guard) -> bool:
    name = mention.name
    is_exact = mention.raw == name.written and mention.raw.istitle() and not _is_of_domain(mention)
    if len(name.words) == 1 and is_exact and guard.is_defined_only_in_targets(name.written):
        # `a response` is no word on the class `Response`.
        return name.written in shown.raw_words
    if mention.shape in {NameShape.SPACED, NameShape.HYPHEN} or len(name.words) == 1:
        return shown.has_phrase(name.words) or name.compact in shown.compact_words
    return name.compact in shown.compact_words or (name.kind == "literal" and shown.has_phrase(name.words))


def _is_in_other_files(mention: NameMention, name: ForbiddenName, guard: Guard) -> bool:
    if name.compact in guard.target_symbols or not guard.other_content.is_readable:
        return False
    if (
        _is_used_as_name(mention)
        and guard.is_defined_only_in_targets(name.written)
        and not _is_other_case(mention, guard)
    ):
        return False
    if name.kind == "identifier" and mention.shape in {NameShape.ONE, NameShape.TIED} and _is_code_shaped(mention):
        return any(map(guard.other_content.has_identifier_in_code, {name.written, mention.raw}))
    return _is_mentioned_in_other_files(mention, name, guard.other_content)


def _is_mentioned_in_other_files(mention: NameMention, name: ForbiddenName, other_content: OtherContent) -> bool:
    """Whether another file has the name, or the words that it is made of, in code or in prose."""
    has = other_content.has_identifier if name.kind == "identifier" else other_content.has_text
    raw = mention.raw
    if _has_its_underscores(mention):
        return has(name.written)
    if has(name.written) or (raw.lower() != name.written.lower() and mention.shape is not NameShape.SPLIT and has(raw)):
        return True
    if len(name.words) == 1:
        return other_content.has_word(name.compact)
    return mention.shape in {NameShape.SPACED, NameShape.HYPHEN} and other_content.has_word_run(name.words)


def _is_used_as_name(mention: NameMention) -> bool:
    """Whether nothing but a name can be meant: that others mention the word does not matter then."""
    word = mention.raw.lower()
    if mention.shape not in {NameShape.ONE, NameShape.TIED}:
        return _is_marked_as_name(mention)
    if len(mention.name.words) > 1 or not may_be_english(word) or _is_capitalised(mention):
        return True
    is_loose = not mention.enclosure and not mention.is_called and mention.raw.islower() and mention.after[:1] in _LOOSE
    return _is_marked_as_name(mention) and not is_loose


def _is_code_shaped(mention: NameMention) -> bool:
    """Whether it is written as no word of English is."""
    raw = mention.raw
    is_camel = any(a.islower() and b.isupper() for a, b in pairwise(raw))
    has_digit = any(c.isdigit() for c in raw) and not raw.isdigit()
    return "_" in raw.strip("_") or is_camel or has_digit or mention.is_called or _is_in_code_marks(mention)


def _is_in_code_marks(mention: NameMention) -> bool:
    return mention.enclosure is Enclosure.QUOTES and "`" in {
        mention.char_at(-1),
        mention.char_at(0),
        mention.char_at(2),
    }


def _is_other_case(mention: NameMention, guard: Guard) -> bool:
    """Whether it is written as another name that other files have: `editor` where the target has `Editor`."""
    is_exact = mention.enclosure is Enclosure.QUOTES or mention.is_called
    return is_exact and mention.raw != mention.name.written and guard.other_content.has_identifier_in_code(mention.raw)


def _is_name(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
    """Whether the words are used as the name, and not as the ordinary words that they may be."""
    name = mention.name
    if mention.is_part_of_word:
        return False
    if mention.shape is NameShape.SPLIT:
        return len(name.compact) >= _MIN_SPLIT and not are_pieces_ordinary_words(mention) and _is_uncommon(name)
    if mention.is_disguised and len(name.compact) >= _MIN_SPLIT:
        return not is_english(name.compact) or _is_marked_as_name(mention)
    if len(name.words) == 1 or mention.shape is NameShape.ONE:
        return _is_one_word_name(mention, guard) or _is_marked_as_name(mention)
    if mention.shape is NameShape.TIED and ("_" in mention.raw or name.kind == "literal"):
        return True
    is_hyphened = mention.shape is NameShape.HYPHEN and _is_hyphened_name(mention)
    return is_hyphened or _is_marked_as_name(mention) or _is_rare_phrase(mention, guard, shown)


def _is_hyphened_name(mention: NameMention) -> bool:
    """`max-age` with a part that is no word, `Retry-After` exactly as written."""
    name = mention.name
    is_as_written = mention.raw == name.written and any(c.isupper() for c in mention.raw[1:])
    return is_as_written or not all(map(is_english, name.words))


def _is_rare_phrase(mention: NameMention, guard: Guard, shown: ShownText) -> bool:
    """Whether words side by side are too many, or too rare, to stand so by chance."""
    name = mention.name
    if mention.shape is NameShape.TIED or not guard.other_content.is_readable or is_common_phrase(name.words):
        return False
    is_verb = mention.before[:1] in ([], ["to"]) and mention.after[:1] not in _NO_VERB
    if (
        is_verb
        and mention.shape is NameShape.SPACED
        and len(name.words) < _MIN_PHRASE
        and all(map(is_english, name.words))
    ):
        # `Edit files as a user would`, `to render progress`: a verb and its object.
        return False
    return len(name.words) >= _MIN_PHRASE or any(_is_rare(word, guard, shown) for word in name.words)


def _is_rare(word: str, guard: Guard, shown: ShownText) -> bool:
    """Whether a word stands in the targets alone."""
    return len(word) > 2 and not guard.is_ordinary(word, shown)  # noqa: PLR2004  # `of`, `to`


def _is_one_word_name(mention: NameMention, guard: Guard) -> bool:
    """Whether one word can only be the name: no ordinary word, or written as constants and camel-case names are."""
    name = mention.name
    word = mention.raw.lower()
    if name.compact.isdigit() or _has_its_underscores(mention):
        return True
    if is_english(word):
        is_constant = mention.raw == name.written and mention.raw.isupper() and len(word) > _MIN_CAPITALS
        if _is_capitalised(mention) and guard.is_defined_only_in_targets(name.written):
            return True
        is_camel = len(name.words) > 1 and any(c.isupper() for c in mention.raw[1:]) and not mention.raw.isupper()
        return is_constant or is_camel
    if len(name.words) > 1:
        return True
    # Without the repository it is unknown whether a word that is not English stands elsewhere too.
    return name.kind == "identifier" and (guard.other_content.is_readable or name.compact in guard.target_symbols)


def _is_capitalised(mention: NameMention) -> bool:
    """`the Voucher` inside a sentence, where the definition is written so."""
    previous = mention.previous_token()
    if previous is None or mention.raw != mention.name.written or not mention.raw.istitle():
        return False
    is_first = len(mention.before) == 1 and previous.text in DEFINITE | INDEFINITE | PLACE_VERBS
    return (previous.raw[:1].islower() or is_first) and not _is_of_domain(mention)


def _is_of_domain(mention: NameMention) -> bool:
    """`the Server header`, `the Host field`."""
    return bool(mention.after) and mention.after[0] in DOMAIN_NOUNS


def _has_its_underscores(mention: NameMention) -> bool:
    """Whether a name that begins with an underscore stands there with it: `_incoming` is no English word."""
    return mention.name.written.startswith("_") and mention.view.text.endswith(mention.name.written, 0, mention.to)


def _is_marked_as_name(mention: NameMention) -> bool:
    if mention.enclosure is Enclosure.QUOTES:
        return is_quoted(mention, lambda _: False)
    is_qualified = mention.is_dotted and (mention.char_at(-1) == "." or mention.char_at(-1) == ":")
    is_wanted = mention.ends_clause and len(mention.before) > 1 and mention.before[0] == "for"
    if is_wanted and mention.before[1] in {"search", "grep", "query", "searching", "grepping"}:
        return True
    return (
        mention.is_called
        or is_qualified
        or _has_definition_wording(mention)
        or is_introduced(mention)
        or has_member_noun(mention)
    )


def _has_definition_wording(mention: NameMention) -> bool:
    """`def place`, `the method apply of`, `the definition of apply`, `where apply is defined`."""
    before, after = mention.before[:3], mention.after[:2]
    if not before:
        return after == ["is", "defined"]
    if before[0] in DEFINING_KEYWORDS or before[:2] == ["of", "definition"]:
        return True
    if after == ["is", "defined"]:
        return before[0] not in DEFINITE | INDEFINITE
    is_noun = before[0] in _THINGS and not is_common_pair(before[0], mention.raw.lower())
    return is_noun and before[1:2] == ["the"] and (not after or after[0] in _AFTER_NAMES)


def _is_uncommon(name: ForbiddenName) -> bool:
    """Whether an identifier is more than an ordinary word whose letters may fall together by chance."""
    return len(name.words) > 1 or not is_english(name.compact)
