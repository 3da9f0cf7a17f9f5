"""Files of a snapshot as code: their language, their text, and what they define, cached by content."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from selfplay_tools.code.c_source import find_part_around, may_have_parts
from selfplay_tools.code.definitions import Definition, read_definitions, read_part_definitions
from selfplay_tools.code.languages import (
    LANGUAGES,
    Language,
    has_suffix_of_code,
    language_of,
    likely_languages,
    may_have_language,
    name_and_suffix,
)
from selfplay_tools.code.likely_definitions import find_likely_definitions, may_define
from selfplay_tools.code.serialization import note_key_of, pack_code, unpack_code
from selfplay_tools.code.syntax import ByteRanges, find_non_code, parse, require_parsable
from selfplay_tools.errors import NoSuchPath, NotReadable
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.scope import SearchScope, skipped_remark
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.text.literals import LiteralNeed
from selfplay_tools.text.regex import compile_regex, escape_regex

MAX_CACHED_BYTES = 64 << 20
"""Bytes, as estimated, that cached files take; those least recently asked about go first."""


@dataclass(frozen=True, slots=True)
class CodeFile:
    """What is known of one file once it was read as code."""

    language: Language | None
    """None where no grammar fits."""
    definitions: tuple[Definition, ...] = ()
    non_code: ByteRanges | None = None
    """Comments and the text in strings, where they were asked for."""
    names: frozenset[str] = frozenset()
    """Of all that it defines."""
    problem: str = ""
    """Why definitions of a file in a known language are lacking here: it could not be parsed, or not all of it."""


def _estimate_bytes(code: CodeFile) -> int:
    return 1000 + 600 * len(code.definitions) + 16 * len(code.non_code.starts if code.non_code else ())


class _CodeCache:
    """What files define, by content and kind of name. Safe to use from several threads."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._codes: OrderedDict[tuple[str, str], CodeFile] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[str, str]) -> CodeFile | None:
        with self._lock:
            code = self._codes.get(key)
            if code is not None:
                self._codes.move_to_end(key)
            return code

    def put(self, key: tuple[str, str], code: CodeFile) -> None:
        with self._lock:
            before = self._codes.pop(key, None)
            self._codes[key] = code
            self._held += _estimate_bytes(code) - (_estimate_bytes(before) if before else 0)
            while self._held > self._capacity:
                self._held -= _estimate_bytes(self._codes.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._codes.clear()
            self._held = 0


_CACHE = _CodeCache(MAX_CACHED_BYTES)


def clear_cache() -> None:
    """Empty the cache of this process; what is noted with a repository stays."""
    _CACHE.clear()


def code_of(snapshot: Snapshot, path: str, *, with_non_code: bool = False) -> CodeFile:
    """What the file at exactly that path defines, and if asked where it is not code.

    Raises NoSuchPath, NotReadable (no text to read).
    """
    known = _find_cached(snapshot, path)
    if known is not None and _is_sufficient(known, with_non_code=with_non_code):
        return known
    return _load_or_parse(snapshot, path, _read_bytes(snapshot, path), with_non_code=with_non_code)


def _is_sufficient(known: CodeFile, *, with_non_code: bool) -> bool:
    return bool(known.non_code or known.problem or not (with_non_code and known.language))


def read_definitions_of(snapshot: Snapshot, path: str, name: str, span: TextSpan) -> CodeFile:
    """As `code_of`, with the definitions of that name only, on lines that look like one (see `likely_definitions`).

    A file without such lines is not parsed, and what was read before makes no difference. `span` is
    `snapshot.text_span(path)`.
    """
    code = _find_cached(snapshot, path)
    if code is None or code.problem:
        likely = ("c", "cpp") if name_and_suffix(path)[1] == ".h" else likely_languages(path)
        if all(next(find_likely_definitions(language, name, span), None) is None for language in likely):
            return CodeFile(None)
        source = _bytes_of(span)
        language = language_of(path, source)
        if language is None or not may_define(language.name, name, span):
            return CodeFile(language)
        code = code or _load_or_parse(snapshot, path, source)
    if code.language is None or name not in code.names:
        return CodeFile(code.language, problem=code.problem)
    places = find_likely_definitions(code.language.name, name, span)
    lines = {number + 1 for number, _ in span.lines_of(0).number_places(places)}
    found = tuple(one for one in code.definitions if one.name == name and one.line in lines)
    return CodeFile(code.language, found, problem=code.problem)


def _find_cached(snapshot: Snapshot, path: str) -> CodeFile | None:
    return CodeFile(None) if not may_have_language(path) else _CACHE.get(_cache_key_of(snapshot, path))


def _load_noted(snapshot: Snapshot, key: tuple[str, str]) -> CodeFile | None:
    """What an earlier process found out."""
    data = snapshot.notes.get(note_key_of(*key))
    if data is None:
        return None
    name, found, non_code, problem = unpack_code(data)
    return CodeFile(LANGUAGES[name], found, non_code, frozenset(one.name for one in found), problem=problem)


def _cache_key_of(snapshot: Snapshot, path: str) -> tuple[str, str]:
    """The same content may be C in one place and C++ in another: the suffix, or the whole name, belongs to the key."""
    entry = snapshot.entry(path)
    if entry is None:
        raise NoSuchPath(path, snapshot.nearest_paths(path))
    name, suffix = name_and_suffix(path)
    return entry.oid, suffix or name


def _load_or_parse(snapshot: Snapshot, path: str, source: bytes, *, with_non_code: bool = False) -> CodeFile:
    key = _cache_key_of(snapshot, path)
    if not key[0].strip("0"):  # an id of zeros stands for what could not be read
        return parse_code(path, source, with_non_code=with_non_code)
    code = _load_noted(snapshot, key) if may_have_language(path) else None
    if code is None or not _is_sufficient(code, with_non_code=with_non_code):
        code = parse_code(path, source, with_non_code=with_non_code)
        if code.language is not None:
            snapshot.notes.put(
                note_key_of(*key), pack_code(code.language.name, code.definitions, code.non_code, code.problem)
            )
    _CACHE.put(key, code)
    return code


def parse_code(path: str, source: bytes, *, with_non_code: bool = False) -> CodeFile:
    """What a text of that name defines, read now."""
    language = language_of(path, source)
    if language is None:
        return CodeFile(None)
    found, problem = read_definitions(language, source)
    non_code = None
    if with_non_code:
        try:
            non_code = find_non_code(language, parse(language, source))
        except NotReadable as refused:
            problem = problem or str(refused)
    return CodeFile(language, found, non_code, frozenset(one.name for one in found), problem)


def find_definitions_around(
    snapshot: Snapshot, path: str, source: bytes, places: Sequence[int]
) -> Sequence[Definition]:
    """Of the definitions of `code_of`, those at least that stand at or around places in the code of a text.

    `source` is the text of the file at exactly that path; the places are in order.
    """
    language = language_of(path, source)
    known = _find_cached(snapshot, path)
    if known is not None or language is None or not may_have_parts(language.name, source):
        return (known or code_of(snapshot, path)).definitions
    try:
        require_parsable(source)
    except NotReadable:
        return ()
    found: list[Definition] = []
    end = row = counted_to = 0
    for place in places:
        if place < end:
            continue
        start, end = find_part_around(language.name, source, place)
        row, counted_to = row + source.count(b"\n", counted_to, start), start
        found += _read_part(_cache_key_of(snapshot, path), language, source, (start, end), row)
    return found


def _read_part(
    key: tuple[str, str], language: Language, source: bytes, part: tuple[int, int], row: int
) -> Sequence[Definition]:
    oid, suffix = key
    place = oid, f"{suffix} from {part[0]}"
    known = _CACHE.get(place) if oid.strip("0") else None
    if known is None:
        try:
            known = CodeFile(language, tuple(read_part_definitions(language, source[slice(*part)], row)))
        except NotReadable as problem:
            known = CodeFile(language, problem=str(problem))
        if oid.strip("0"):
            _CACHE.put(place, known)
    return known.definitions


def _read_bytes(snapshot: Snapshot, path: str) -> bytes:
    return _bytes_of(snapshot.text_span(path))


def _bytes_of(span: TextSpan) -> bytes:
    return span.buffer[span.starts[0] : span.ends[0]]


def _require_definitions(snapshot: Snapshot, path: str) -> CodeFile:
    """The file's definitions. Raises NoSuchPath, NotReadable."""
    code = code_of(snapshot, path)
    if code.language is None:
        raise NotReadable(f"{path!r} is in no language whose definitions can be read; name lines of it instead")
    if code.problem:
        raise NotReadable(f"{path!r} can't be read for definitions: {code.problem}; name lines of it instead")
    return code


def find_symbol_lines(snapshot: Snapshot, path: str, symbol: str) -> tuple[int, int] | None:
    """First and last line of a definition in the file at exactly that path; None where it defines no such name.

    `symbol` is a name, or names parted by `.`, `::` or `#`: `Outer.name`. Of several, the one that `symbol` names in
    full comes first, then one with a body, then the first in the text. Raises NoSuchPath, and NotReadable for a file
    whose definitions can't be read: no grammar for its language, binary, or too large to parse.
    """
    code = _require_definitions(snapshot, path)
    found = sorted(select_named(code.definitions, symbol), key=lambda one: (order_of(one, symbol), one.first))
    return (found[0].first, found[0].last) if found else None


def find_symbol_places(snapshot: Snapshot, path: str, symbol: str) -> tuple[tuple[int, int], ...]:
    """Where `symbol` is defined in the file, as `find_symbol_lines` says, each place once, in order.

    Definitions that `symbol` names in full stand for all; ones without a body, or marked as `@overload`, count only
    where there is no other.
    """
    code = _require_definitions(snapshot, path)
    found = select_named(code.definitions, symbol)
    best = min((order_of(one, symbol) for one in found), default=None)
    real = [one for one in found if order_of(one, symbol) == best and not _is_overload(snapshot, path, one)]
    places = real or [one for one in found if order_of(one, symbol) == best]
    return tuple(dict.fromkeys((one.first, one.last) for one in sorted(places, key=lambda one: one.first)))


def _is_overload(snapshot: Snapshot, path: str, one: Definition) -> bool:
    lines = snapshot.text(path).lines[one.first - 1 : one.line]
    return any(line.strip().startswith("@") and line.strip().endswith("overload") for line in lines)


def find_paths_with(snapshot: Snapshot, scope: SearchScope, word: str, *, ignore_case: bool = False) -> Iterator[str]:
    """Files of the scope that may hold the word, in path order."""
    if scope.only is not None:
        yield scope.only
        return
    for span in snapshot.index.find_spans(LiteralNeed(word, ignore_case), scope.selection):
        yield from span.paths


def find_texts_with(snapshot: Snapshot, scope: SearchScope, word: str) -> Iterator[TextSpan]:
    """The texts in which the word occurs, also within other words, one by one in path order.

    Of a scope that is one file its text, whatever it holds. Raises NotReadable for that file if it changed on disk
    since the snapshot was taken.
    """
    if scope.only is not None:
        yield snapshot.text_span(scope.only)
        return
    literal = compile_regex(escape_regex(word))
    for span in snapshot.index.find_spans(LiteralNeed(word), scope.selection):
        for which in span.find_texts(literal):
            yield TextSpan(span.buffer, (span.paths[which],), (span.starts[which],), (span.ends[which],))


def describe_unsearched(scope: SearchScope, named: int) -> list[str]:
    """One remark on files that may be code and were not searched, or none."""
    may_be_code = [entry for entry in scope.skipped if has_suffix_of_code(entry.path)]
    return skipped_remark(replace(scope, skipped=may_be_code), named)


def tidy_symbol(symbol: str) -> str:
    """A name as a model may write it, in the form of `Definition.qualified`: `A::b(x)` is `A.b`."""
    symbol = symbol.strip().strip("`'\"")
    if "operator" not in symbol:
        symbol = symbol.partition("(")[0]
    for separator in ("::", "->", "#"):
        symbol = symbol.replace(separator, ".") if not symbol.startswith("#") else symbol
    return symbol.strip(".: ")


def last_part_of(symbol: str) -> str:
    """The name alone of a tidy symbol."""
    return symbol.rpartition(".")[2]


def select_named(among: Sequence[Definition], symbol: str) -> list[Definition]:
    """Definitions that the symbol can mean: the same name, within what the symbol says that it belongs to."""
    symbol = tidy_symbol(symbol)
    return [one for one in among if one.qualified == symbol or one.qualified.endswith(f".{symbol}")]


def order_of(one: Definition, symbol: str) -> int:
    """0 for what the symbol names in full, else 1; 2 more for a mere declaration."""
    return (one.qualified != tidy_symbol(symbol)) + 2 * (one.kind == "declaration")
