"""Which words and phrases are ordinary English, and which words make a name of their neighbour."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import pairwise

MIN_COUNT = 2_000_000
"""Occurrences in the corpus behind the word list from which a word of at most four letters counts: short rare
entries of the list are fragments (`resp`, `ser`, `auth`)."""
SHORT_WORD = 4

PROGRAMMING_WORDS = frozenset(
    """
    api apis app apps arg args async backend backends boolean browser browsers byte bytes cache caches callback
    callbacks changelog checksum checksums cli client clients codebase codec codecs config configs cookie cookies cors
    cpu crypto css csrf csv daemon database databases datetime debug decoder decorator decorators dependency deserialize
    dev docker docs docstring encoder endpoint endpoints enum env filename filenames filesystem fixture fixtures
    framework frontend getter git grep gui gzip handler handlers hash hashes hostname html http https hyperlink init
    inline int json jwt kernel lexer linter linux localhost lockfile login logout lookup lookups metadata middleware
    middlewares mime mock mocks mutex namespace namespaces oauth onboarding online param params parser parsers
    password passwords payload payloads pipeline plugin plugins pointer postgres preview proxy proxies queue queues
    readme refactor regex regexes repo repos router routers runtime schema schemas scheduler sdk serializer serializers
    serialize setter setup shell signup smtp socket sockets sql ssh ssl startup stdin stdout stderr str struct structs
    subclass subclasses subprocess substring syntax tcp timeout timeouts timestamp timestamps tls token tokens tokenizer
    toolbar tooltip traceback tty tuple tuples udp ui unicode unix uri uris url urls user users username usernames
    ascii ci cpu csv db dns gpu grpc id ids ip jpeg jpg lru markdown mb kb os otp pdf png pr ram rpc sha ssh svg
    ttl tz ux vm ws attr attrs bool buf btn cfg char chars cmd ctx dict dir dst elif elem env fmt fn func idx img impl
    io iter iterable
    kwargs len lib libs msg num obj os param pkg ptr repr req src stdlib sys tmp val vals var vars
    utf util utils uuid validator validators webhook webhooks webpage websocket websockets whitespace widget widgets
    wildcard workflow workflows xml yaml zip a i
    """.split()
)
"""Ordinary words of the trade that the general list lacks or counts too low."""

FILE_NOUNS = frozenset("module script package crate file source unit namespace one init".split())
"""`the X module` names a place."""
TYPE_NOUNS = frozenset("class component struct interface trait controller singleton mixin".split())
"""`the X class` names a definition."""
MEMBER_NOUNS = frozenset(
    """function method class variable constant field attribute helper property macro struct enum trait interface symbol
    decorator hook fixture identifier routine procedure callback type flag setting option parameter argument event
    selector import macro define annotation""".split()
)
"""`the X function` names a definition."""
DEFINING_KEYWORDS = frozenset("def func fn".split())
"""`def X`: no word of English, so that a name follows."""
LOOSE_NOUNS = frozenset("type event flag option setting parameter argument attribute variable selector import".split())
"""Of those, the ones that ordinary words often describe: `the join type`."""
FOLDER_NOUNS = frozenset("folder directory dir package module namespace subfolder subdirectory subpackage tree".split())
NAMING_VERBS = frozenset("called named titled entitled labelled labeled dubbed termed christened".split())
DEFINITE = frozenset("the that this your its their our his her's".split())
INDEFINITE = frozenset("a an any each every some which what no another other all many most few several one".split())
SOURCE_ADJECTIVES = frozenset(
    "source python java go golang ruby typescript javascript rust cpp c header code main own py ts js rb rs".split()
)
DOMAIN_NOUNS = frozenset(
    """header headers field fields key keys parameter parameters argument arguments flag option keyword word attribute
    column status value values variable object tag element string event verb term phrase label text line""".split()
)
"""After a quoted ordinary word these say that it is a word of the domain, not a file."""
WORD_NOUNS = frozenset("word words term terms phrase keyword string field header tag status label verb noun".split())
PLACE_VERBS = frozenset(
    """look open check read inspect see visit try examine start go dive peek search dig enter view study find explore
    consult turn return jump head navigate lives sits hides is resides pick choose take click select follow
    grep""".split()
)
PLACE_PREPOSITIONS = frozenset("in into inside within at under to from with through up open read".split())
AGENT_EXCEPTIONS = frozenset(
    """server user header number error buffer parameter filter timer counter order letter folder layer character vector
    cursor author customer member owner computer partner browser container pointer integer register trigger cluster
    calendar router power color colour other after over never under water paper master matter offer answer center
    centre consumer producer worker client tracer paper""".split()
)
AGENTS = frozenset(
    """store service factory registry repository adapter controller model view middleware serializer presenter mailer
    gateway facade proxy bridge engine dispatcher orchestrator queue pool strategy policy mapper codec guard""".split()
)
"""Heads that make a component of a phrase, beside words in -er and -or."""
ROLE_FOLDERS = frozenset(
    """controllers models views services handlers helpers jobs mailers serializers validators components hooks stores
    reducers commands tasks plugins adapters drivers routes layouts templates policies concerns parsers filters
    decorators resolvers schemas entities repositories middleware middlewares guards pipes modules providers
    presenters workers workflows listeners subscribers factories mappers stages steps checks rules""".split()
)
"""Folders whose name says what each file in them is: `models/user` is the user model."""
KEYWORDS = frozenset(
    """abstract alias and any as assert async await auto begin bool boolean break byte case catch chan char class const
    constexpr continue def default defer del delete do double each elif else elsif end ensure enum except exception
    export extends extern false final finally float fn for foreach from func function global go goto if impl implements
    import in include instanceof int integer interface internal is lambda let list long loop main map match method mod
    module move mut namespace new nil none nonlocal not null number object of or override package pass private
    protected pub public raise range readonly ref require rescue return self short sizeof static string struct super
    switch template then this throw throws trait true try type typedef typeof undefined union unless unsafe unsigned
    until use using val value var virtual void volatile when where while with yield""".split()
)
"""Words of programming languages: no hint reveals anything with them."""
GENERIC_NAMES = frozenset(
    """__init__ init index main mod lib util utils helper helpers test tests common base core types type constants
    const consts setup app __main__ package doc docs readme makefile build conftest version license changelog
    cmakelists""".split()
)
"""Names that identify a file only together with their folder."""
CODE_EXTENSIONS = frozenset(
    """py pyi pyx js jsx mjs cjs ts tsx mts cts java kt kts go rs rb erb rake c h cc cpp cxx hpp hh hxx cs fs php swift
    scala clj ex exs erl hs ml lua pl pm r jl dart vue svelte sh bash zsh ps1 sql proto thrift graphql json yaml yml
    toml ini cfg conf xml html css scss less md rst txt csv lock gradle cmake mk tf j2 tmpl haml slim zig nim asm s
    m mm gemspec properties env""".split()
)
WORDLIKE_EXTENSIONS = frozenset(
    "go c h r s m java swift dart scala text properties lock env less slim php d in ex".split()
)
"""Extensions that a sentence may hold after the stem: they need their dot."""


@cache
def _load_word_counts() -> Mapping[str, int]:
    text = resources.files("symspellpy").joinpath("frequency_dictionary_en_82_765.txt").read_text("utf-8-sig")
    rows = (line.split(" ") for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows}


@cache
def _load_english_words() -> frozenset[str]:
    return frozenset(
        word for word, count in _load_word_counts().items() if len(word) > SHORT_WORD or count >= MIN_COUNT
    )


@cache
def _load_word_pairs() -> frozenset[str]:
    text = resources.files("symspellpy").joinpath("frequency_bigramdictionary_en_243_342.txt").read_text("utf-8-sig")
    return frozenset(line.rpartition(" ")[0] for line in text.splitlines())


def is_english(word: str) -> bool:
    """Whether a word in lower case is ordinary English, or ordinary among programmers."""
    if word in PROGRAMMING_WORDS or word.isdigit():
        return True
    if len(word) == 1:
        return False
    return word in _load_english_words() or (
        word.endswith("s") and len(word) > SHORT_WORD and word[:-1] in _load_english_words()
    )


def may_be_english(word: str) -> bool:
    """Whether a word in lower case is ordinary English, or a rare short entry of the list: `emit`, but also `resp`."""
    return is_english(word) or word in _load_word_counts()


def is_common_pair(left: str, right: str) -> bool:
    """Whether two words in lower case often stand side by side in English."""
    return f"{left} {right}" in _load_word_pairs()


def is_common_phrase(parts: tuple[str, ...]) -> bool:
    """Whether each neighbouring pair of the words is common English."""
    return all(is_common_pair(a, b) for a, b in pairwise(parts))


def is_agent(word: str) -> bool:
    """Whether a word names a thing that does something, as components are named: writer, validator, store."""
    if word in AGENT_EXCEPTIONS:
        return False
    return word in AGENTS or (len(word) > SHORT_WORD and word.endswith(("er", "or")))


def singular_of(word: str) -> str:
    """The word without its plural ending."""
    if word.endswith("ies") and len(word) > SHORT_WORD:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else word  # noqa: PLR2004  # "is", "us"


def number_forms_of(word: str) -> set[str]:
    """The word in singular and plural."""
    one = singular_of(word)
    many = one[:-1] + "ies" if one.endswith("y") and one[-2:-1] not in "aeiou" else one + "s"
    return {word, one, many}
