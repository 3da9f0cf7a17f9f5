"""Whether a word that also is ordinary English is used as a name."""

import re
from collections.abc import Callable

from selfplay.gate.text.mention import Enclosure, NameMention, NameShape
from selfplay.gate.text.words import (
    CODE_EXTENSIONS,
    DEFINITE,
    DOMAIN_NOUNS,
    FILE_NOUNS,
    FOLDER_NOUNS,
    INDEFINITE,
    MEMBER_NOUNS,
    NAMING_VERBS,
    PLACE_PREPOSITIONS,
    PLACE_VERBS,
    SOURCE_ADJECTIVES,
    TYPE_NOUNS,
    WORD_NOUNS,
    is_agent,
    is_common_pair,
    is_common_phrase,
    is_english,
)

_HEADER_EXTENSIONS = frozenset({"h", "hh", "hpp", "hxx"})
_HTTP_WORDS = frozenset(
    "request response http auth content cookie host server date location cache connection range".split()
)
_FILE_NOUN_IN_BRACKETS = re.compile(r"[`'\"*]*\s?\(\s?(?:the\s+|a\s+)?(?:module|file|script|package|class|source)\b")
_CLAUSE_STARTS = frozenset("and next first then now again instead before too also or for as closely carefully".split())
_VERBS_AFTER = frozenset(
    """is was are were has have had does do did holds keeps knows makes does can could will would should may might must
    looks seems sits lives and or then in on at to for from with decides handles""".split()
)
_VERBS_OF_SAYING = frozenset(
    "says say said mentions mention asks ask writes wrote reads speaks spoke talks calls".split()
)


def is_single_word_name(mention: NameMention, is_ordinary: Callable[[str], bool]) -> bool:
    """Whether a stem of one word is used as a name. `is_ordinary` is true for words and phrases of the domain."""
    return (
        is_introduced(mention)
        or (has_file_noun(mention) and not _is_usual_file(mention, is_ordinary))
        or is_quoted(mention, is_ordinary)
        or _is_emphasised_place(mention)
        or _is_bare_place(mention)
        or is_capitalised(mention)
        or _has_other_extension(mention)
    )


def _has_other_extension(mention: NameMention) -> bool:
    """`response.js` for `response.py`; with its own extension it is a file name, which is judged as such."""
    own = {path.rpartition(".")[2].lower() for path in mention.name.targets}
    return mention.member.lower() in CODE_EXTENSIONS - own


def is_introduced(mention: NameMention) -> bool:
    """`called response`, `by the name of response`, `the module: response`."""
    words = mention.before[:4]
    if not words:
        return _follows_place_colon(mention)
    if words[0] in NAMING_VERBS:
        return True
    text = " ".join(reversed(words))
    return text.endswith(("name of", "known as", "name is", "goes by", "name it", "spelled", "spelt", "name reads"))


def _follows_place_colon(mention: NameMention) -> bool:
    """`the file: response`, `name = response`: a noun for a place, a colon, and nothing more."""
    index = mention.match.first - 1
    if index < 0 or not mention.ends_clause:
        return False
    gap = mention.view.text_between(mention.tokens[index], mention.tokens[index + 1]).strip(" `'\"*")
    nouns = FILE_NOUNS | {"file", "name", "filename", "answer", "target", "stem", "basename", "solution"}
    return gap in {":", "=", "->", "=>", "→", ":="} and mention.tokens[index].text in nouns


def has_file_noun(mention: NameMention) -> bool:
    """`the response module`, `response's source file`, `the config file`; not `a config file`, `any module`."""
    if _FILE_NOUN_IN_BRACKETS.match(mention.view.text, mention.to):
        return True
    after = [word for word in mention.after[:4] if word != "s"]
    while len(after) > 1 and after[0] in SOURCE_ADJECTIVES and after[1] in FILE_NOUNS | TYPE_NOUNS:
        after = after[1:]
    if not after or mention.char_at(0) in {",", "."}:
        return False
    noun = after[0]
    if noun in {"header", "headers"}:
        return _is_header_file(mention) and not is_indefinite(mention)
    if noun in {"file", "one", "unit", "source", "init"} | TYPE_NOUNS:
        return is_definite(mention)
    return noun in FILE_NOUNS and not is_indefinite(mention)


def _is_usual_file(mention: NameMention, is_ordinary: Callable[[str], bool]) -> bool:
    """`the config file` where the rest of the repository speaks of config files."""
    return mention.after[:1] == ["file"] and not mention.enclosure and is_ordinary(f"{mention.raw.lower()} file")


def _is_header_file(mention: NameMention) -> bool:
    is_c = any(path.rpartition(".")[2] in _HEADER_EXTENSIONS for path in mention.name.targets)
    is_http = bool(set(mention.name.words) & _HTTP_WORDS)
    return is_c and (not is_http or "file" in mention.after[1:2])


def has_folder_noun(mention: NameMention) -> bool:
    """`the errors package`, `the folder errors`."""
    after = [word for word in mention.after if word not in {"s", "app"}]
    if after and after[0] in FOLDER_NOUNS:
        return not is_indefinite(mention)
    return (
        bool(mention.before) and mention.before[0] in FOLDER_NOUNS and (mention.ends_clause or bool(mention.enclosure))
    )


def has_member_noun(mention: NameMention) -> bool:
    """`the banner function`, `the constant BANNER`; not `a function`."""
    after = mention.after[:1]
    if after and after[0] in MEMBER_NOUNS | TYPE_NOUNS:
        return bool(mention.before) and is_definite(mention)
    before = mention.before[:1]
    is_name = bool(mention.enclosure) or (mention.ends_clause and not mention.raw.islower())
    return bool(before) and before[0] in MEMBER_NOUNS | TYPE_NOUNS and is_name


def is_definite(mention: NameMention) -> bool:
    """Whether the noun phrase around it is about one certain thing, or has no article at all."""
    for word in mention.before[:3]:
        if word in DEFINITE:
            return True
        if word in INDEFINITE:
            return False
    return not mention.before or mention.before[0] in PLACE_VERBS | PLACE_PREPOSITIONS


def is_indefinite(mention: NameMention) -> bool:
    """Whether the noun phrase asks for any such thing: `each`, `any`, `which`."""
    for word in mention.before[:2]:
        if word in DEFINITE:
            return False
        if word in INDEFINITE - {"a", "an", "one", "another"}:
            return True
    return False


def is_quoted(mention: NameMention, is_ordinary: Callable[[str], bool]) -> bool:
    """Whether quotes or code marks stand around it, and neither the word nor an HTTP header of that name is meant."""
    if mention.enclosure is not Enclosure.QUOTES:
        return False
    word = mention.raw.lower()
    if mention.after[:1] and mention.after[0] in DOMAIN_NOUNS and not _is_header_file(mention):
        return not is_ordinary(word)
    before = mention.before[:2]
    if before and (before[0] in WORD_NOUNS or before[0] in _VERBS_OF_SAYING or set(before) == {"speaks", "of"}):
        return not is_ordinary(word)
    return True


def _is_emphasised_place(mention: NameMention) -> bool:
    return mention.enclosure is Enclosure.EMPHASIS and is_destination(mention)


def is_destination(mention: NameMention) -> bool:
    """Whether the words before it direct the player there: `look in the …`, `open …`, `it lives in …`."""
    words = [w for w in mention.before[:4] if w not in DEFINITE]
    if not words:
        return False
    if words[0] in {"open", "visit", "inspect", "read", "check", "into", "inside", "within", "explore", "see"}:
        return True
    return len(words) > 1 and words[0] in PLACE_PREPOSITIONS and words[1] in PLACE_VERBS


def _is_bare_place(mention: NameMention) -> bool:
    """`look in response.`, `open router next`: a countable noun without an article after a verb of going there."""
    if mention.after and mention.after[0] not in _CLAUSE_STARTS:
        return False
    words = mention.before[:2]
    if not words or mention.is_dotted:
        return False
    if words[0] in {"open", "visit", "inspect"}:
        return True
    return len(words) > 1 and words[0] in {"in", "into", "inside", "at", "to"} and words[1] in {
        "look", "go", "dive", "peek", "dig", "search", "start", "jump", "lives", "sits", "hides", "resides",
    }  # fmt: skip


def is_capitalised(mention: NameMention) -> bool:
    """`Response` inside a sentence, where the file is called so: English has no capital there."""
    stem = mention.name.written
    if not stem[:1].isupper() or stem.isupper() or mention.raw != stem:
        return False
    previous, following = mention.previous_token(), mention.next_token()
    if previous is None or previous.raw[:1].isupper():
        return False
    if following is None:
        return True
    return following.raw[:1].islower() and following.text not in DOMAIN_NOUNS


def is_phrase_name(mention: NameMention) -> bool:
    """Whether several words side by side are the name, not an ordinary phrase.

    A phrase that English often has (`error handling`), or whose words are ordinary and whose head is no agent
    (`rate limit`), counts only where the hint directs there; one whose head is an agent (`response writer`) counts
    where it is definite; a longer one counts always, if English does not often have it.
    """
    words = mention.name.words
    if mention.enclosure is Enclosure.QUOTES or is_introduced(mention) or has_file_noun(mention) or _is_title(mention):
        return True
    if _is_subject_of_file(mention):
        return True
    if is_common_phrase(words) or _has_small_word_inside(words):
        return is_agent(words[-1]) and is_definite(mention) and not is_common_phrase(words)
    if len(words) != 2 or not all(map(is_english, words)):  # noqa: PLR2004  # two words make a phrase by chance
        return True
    if is_agent(words[-1]):
        return is_definite(mention) and not (mention.after and mention.after[0] in {"of", "for", "that", "which"})
    return is_destination(mention) and mention.before[:1] not in (["check"], ["see"], ["into"])


def _is_subject_of_file(mention: NameMention) -> bool:
    """`the file for form mapping`, `the module about the rate limit`."""
    words = [word for word in mention.before[:4] if word not in {"the", "a", "an"}]
    return len(words) > 1 and words[0] in {"for", "about", "of", "on"} and words[1] in FILE_NOUNS - {"one"} | {"file"}


def is_ordinary_compound(mention: NameMention) -> bool:
    """Whether words tied by a hyphen are a common pair, or describe a noun after them: `rate-limit header`."""
    words = mention.name.words
    if len(words) != 2 or not all(map(is_english, words)):  # noqa: PLR2004  # see is_phrase_named
        return False
    if is_common_phrase(words):
        return True
    return (
        not is_agent(words[-1])
        and bool(mention.after)
        and mention.after[0] not in _VERBS_AFTER | FILE_NOUNS | TYPE_NOUNS
    )


def _has_small_word_inside(words: tuple[str, ...]) -> bool:
    """Three words and more that hold a preposition or the like, as sentences do: `end of file`."""
    small = {"of", "to", "in", "on", "by", "and", "or", "the", "a", "is", "not", "for", "with", "from", "as", "at"}
    return len(words) > 2 and bool(small & set(words[1:-1]))  # noqa: PLR2004  # see is_phrase_named


def _is_title(mention: NameMention) -> bool:
    """`Response Writer` inside a sentence."""
    tokens = mention.tokens[mention.match.first : mention.match.last + 1]
    previous = mention.previous_token()
    if previous is None or not all(t.raw[:1].isupper() and not t.raw.isupper() for t in tokens):
        return False
    return previous.raw[:1].islower() and mention.shape is NameShape.SPACED


def are_pieces_ordinary_words(mention: NameMention) -> bool:
    """Whether the pieces of a split name are ordinary words, parted by what parts words in a sentence."""
    pieces = [t.text for t in mention.tokens[mention.match.first : mention.match.last + 1]]
    if mention.gaps[-1][1] in {"'", "’"} and pieces[-1] in {"s", "t", "d", "m", "re", "ll", "ve"}:
        return True
    if any(gap.strip() not in {"", "-", ",", ".", "/", ";", ":"} for _, gap in mention.gaps):
        return False
    if all(len(p) == 1 for p in pieces):
        return False
    return all(map(is_english, pieces)) or (len(pieces) == 2 and is_common_pair(pieces[0], pieces[1]))  # noqa: PLR2004  # a pair
