"""`search`: files ranked by the words of a query, each with the lines that show best why.

A line is worth the weights of the words in it; a word weighs more the rarer it is in the files that are shown. Words
are looked for from the weightiest on, and a text is left as soon as no line with only the others can be as good. What
is found may hold a word only by its letters (`string` for `ring`), so the best lines are read, and may turn out to be
worth less.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from itertools import chain, islice

from pydantic import Field

from selfplay_tools.code.enclosing_definitions import names_a_definition
from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.index.query_terms import stem, terms_of
from selfplay_tools.index.words import find_identifiers, words_of
from selfplay_tools.output import (
    DEFAULT_LIMITS,
    ResultLimits,
    clip,
    compose_fitting,
    format_count,
    format_names,
    quote,
)
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.scope import SearchScope, link_remark, scope_of, skipped_remark
from selfplay_tools.text.lines import TextLines
from selfplay_tools.tools.match_page import FileHits, FileRows
from selfplay_tools.tools.tool import CallResult, Tool, ToolArguments, bound_argument

MAX_FILES = 50
LINES_PER_FILE = 3
WEIGHED_BYTES = 64 << 10
"""Of each file, from its beginning: there the words are counted, for how rare they are."""
MAX_LINES_PER_WORD = 250
"""Lines of one file with the same word that are looked at, the first ones."""
MAX_TIES = 50
"""Lines of one file, as good as each other, among which those that define something are looked for."""

_NO_LINES = TextLines(b"", 0, 0)


class Search(ToolArguments):
    """Arguments of `search`."""

    query: str = Field(min_length=1, description="Words, in any order.")
    path: str = Field("", description="Folder to look in; empty for all.")
    limit: int = Field(10, ge=1, le=MAX_FILES)


def search(snapshot: Snapshot, arguments: Search, limits: ResultLimits = DEFAULT_LIMITS) -> CallResult:
    """The best files, each with its best lines."""
    words = [term.word for term in terms_of(arguments.query)]
    if not words:
        raise BadArgument(f"the query {quote(arguments.query)} has no words; use grep for signs and numbers")
    scope = scope_of(snapshot, arguments.path)
    ranked = snapshot.index.rank(
        (arguments.query,), arguments.limit, scope.selection or snapshot.index.select(scope.root)
    )
    hits = select_snippets([(path, _read_lines(snapshot, path)) for path, _ in ranked.best], words)
    room = limits.room_of_each(len(hits))
    groups = [_make_rows(replace(hit, row_chars=limits.row_chars), room) for hit in hits]
    blocks = ["\n".join([_format_path(rank, group, limits), *group.rows]) for rank, group in enumerate(groups, 1)]
    link, nowhere = link_remark(arguments.path, scope.root), snapshot.index.find_unknown(words)
    text, count = compose_fitting(
        blocks,
        limits,
        lambda count: (
            _format_head(words, scope, ranked.total, count),
            [*link, *_list_remarks(nowhere, scope, ranked.total, groups[:count], limits)],
        ),
    )
    return CallResult(text, shown=tuple(shown for group in groups[:count] for shown in group.shown))


def _read_lines(snapshot: Snapshot, path: str) -> TextLines:
    try:
        return snapshot.text_span(path).lines_of(0)
    except NotReadable:  # it changed on disk since it was ranked
        return _NO_LINES


def _make_rows(hits: FileHits, room: int) -> FileRows:
    """The lines, with what they lie in, as far as `room` characters go; the first line in any case."""
    group = FileRows(hits)
    for line, window in hits.list_windows(context=0, skipped=0):
        heads = group.list_heads(line, line)
        rows = group.format_rows(heads, window, with_gaps=False)
        if sum(map(len, rows)) > room:
            if group.rows:
                break
            heads, rows = [], group.format_rows([], window, with_gaps=False)
        group.add(rows, line, heads, window)
        room -= sum(map(len, rows))
    return group


def _format_path(rank: int, group: FileRows, limits: ResultLimits) -> str:
    return f"{rank}. {clip(group.hits.path, width=limits.path_chars)}"


def _format_head(words: Sequence[str], scope: SearchScope, total: int, shown: int) -> str:
    terms = ", ".join(words)
    if not total:
        return f"No file {scope.description} holds any of: {terms} ({format_count(scope.count, 'file')} searched)."
    return f"{format_count(total, 'file')} {scope.description} with any of: {terms}; the best {shown}:"


def _list_remarks(
    nowhere: Sequence[str], scope: SearchScope, total: int, groups: Sequence[FileRows], limits: ResultLimits
) -> Iterator[str]:
    if nowhere:
        yield f"in no file at all: {format_names(nowhere)}"
    if any(group.has_clipped for group in groups):
        yield f"a line of over {limits.row_chars} characters is cut; [+n] stands for n of them"
    if total > len(groups):
        yield f"{format_count(total - len(groups), 'more file')}: search with a larger limit, a path, or rarer words"
    yield from skipped_remark(scope, limits.named)


def select_snippets(texts: Sequence[tuple[str, TextLines]], words: Sequence[str]) -> list[FileHits]:
    """For each path and its text, at most `LINES_PER_FILE` lines."""
    sought = _SoughtWords.from_words(words)
    weights = sought.compute_weights([lines.content(WEIGHED_BYTES).lower() for _, lines in texts])
    return [_make_hits(path, lines, sought, weights) for path, lines in texts]


def _make_hits(path: str, lines: TextLines, sought: "_SoughtWords", weights: Mapping[str, float]) -> FileHits:
    content = lines.content()
    places = _SnippetSource(path, content, sought, weights).find_best()
    columns = [
        sought.column_of(line, sought.find_words(line))
        for line in (_decode_line_at(content, place) for place in places)
    ]
    numbers = lines.number_places(lines.start + place for place in places)
    return FileHits(path, lines, {number: column for (number, _), column in zip(numbers, columns, strict=True)})


@dataclass(frozen=True, slots=True)
class _SoughtWords:
    """The words of a query, and how they are found."""

    beginnings: Mapping[str, str]
    """By word what all of its forms begin with: a text has `entries` where the query says `entry`."""
    encoded: Mapping[str, tuple[bytes, ...]]
    """The same in UTF-8, for texts whose ASCII letters are small."""
    _stems: Mapping[str, str]
    """The word of each stem."""
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The words that identifiers hold."""

    @classmethod
    def from_words(cls, words: Sequence[str]) -> "_SoughtWords":
        beginnings = {word: stem(word).removesuffix("y") for word in words}
        encoded = {word: _encode_forms(beginning) for word, beginning in beginnings.items()}
        return cls(beginnings, encoded, {stem(word): word for word in words})

    def compute_weights(self, texts: Sequence[bytes]) -> dict[str, float]:
        """The weight of each word: the rarer, the more."""
        counts = {
            word: sum(text.count(form) for form in forms for text in texts) for word, forms in self.encoded.items()
        }
        every = sum(counts.values())
        return {word: math.log(1 + (every + 1) / (count + 1)) for word, count in counts.items()}

    def find_words(self, line: str) -> set[str]:
        """The words in a line, in whatever form."""
        return set(chain.from_iterable(map(self._words_in, find_identifiers(line))))

    def column_of(self, line: str, words: Iterable[str]) -> int:
        """Where the first of the words stands, or 0 where none is found as it is written."""
        lower = line.lower()
        return min((at for word in words if (at := lower.find(self.beginnings[word])) >= 0), default=0)

    def _words_in(self, identifier: str) -> tuple[str, ...]:
        words = self._known.get(identifier)
        if words is None:
            found = (self._stems.get(stem(word)) for word in words_of(identifier))
            words = self._known[identifier] = tuple(word for word in found if word)
        return words


def _encode_forms(beginning: str) -> tuple[bytes, ...]:
    """Beyond ASCII small letters and capitals are different bytes, so both are looked for."""
    forms = (beginning, beginning.upper(), beginning.capitalize())
    return tuple(dict.fromkeys(form.encode("utf-8", "replace").lower() for form in forms))


@dataclass(slots=True)
class _SnippetSource:
    """A text whose best lines are looked for; a line is known by the place where it begins."""

    path: str
    content: bytes
    sought: _SoughtWords
    weights: Mapping[str, float]
    """Of the words."""
    _heap: list[tuple[float, int, bool]] = field(default_factory=list[tuple[float, int, bool]])
    """The best lines first: the negative of their worth (while they are not read, of its bound), place, if read."""

    def find_best(self) -> list[int]:
        """The places of the best lines, in order; of equals those come first that define what the query names."""
        self._collect_candidates()
        top = self._take_best()
        last = -top[-1][0] if top else 0.0
        better = [place for worth, place in top if -worth > last]
        equal = [place for worth, place in top if -worth == last]
        if len(top) == LINES_PER_FILE:
            equal = sorted((*equal, *self._take_ties(last)), key=lambda place: (not self._is_definition(place), place))
        true = (place for place in equal if self._worth_of(place) == last)
        return sorted([*better, *islice(true, LINES_PER_FILE - len(better))])

    def _collect_candidates(self) -> None:
        """Find lines until no other can be among the best."""
        small = self.content.lower()
        words = sorted(self.weights, key=lambda word: (-self.weights[word], word))
        seen: set[int] = set()
        for at, word in enumerate(words, 1):
            # What holds a word before this one was seen, or is left out for good.
            rest = [(form, self.weights[other]) for other in words[at:] for form in self.sought.encoded[other]]
            for form in self.sought.encoded[word]:
                for start, line in _find_lines_with(small, form):
                    if start not in seen:
                        seen.add(start)
                        most = math.fsum([self.weights[word], *[weight for each, weight in rest if each in line]])
                        heappush(self._heap, (-most, start, False))
            top = self._take_best()
            for worth, place in top:
                heappush(self._heap, (worth, place, True))
            if len(top) == LINES_PER_FILE and -top[-1][0] > math.fsum(self.weights[word] for word in words[at:]):
                return

    def _take_best(self) -> list[tuple[float, int]]:
        """Take the best lines off the heap: the negative of what they are worth, and their places."""
        found: list[tuple[float, int]] = []
        while self._heap and len(found) < LINES_PER_FILE:
            worth, place, is_read = heappop(self._heap)
            if is_read:
                found.append((worth, place))
            elif worth := self._worth_of(place):
                heappush(self._heap, (-worth, place, True))
        return found

    def _take_ties(self, worth: float) -> Iterator[int]:
        """Lines left that may be worth as much, the first ones."""
        count = 0
        while self._heap and -self._heap[0][0] >= worth and count < MAX_TIES:
            count += 1
            yield heappop(self._heap)[1]

    def _worth_of(self, place: int) -> float:
        held = self.sought.find_words(_decode_line_at(self.content, place))
        return math.fsum(self.weights.get(word, 0.0) for word in held)

    def _is_definition(self, place: int) -> bool:
        line = _decode_line_at(self.content, place)
        return names_a_definition(self.path, line, self.sought.column_of(line, self.weights))


def _find_lines_with(small: bytes, form: bytes) -> Iterator[tuple[int, bytes]]:
    """The first lines with a form of a word, and where they begin."""
    end = 0
    for _ in range(MAX_LINES_PER_WORD):
        place = small.find(form, end)
        if place < 0:
            return
        start = small.rfind(b"\n", end, place) + 1 or end
        end = small.find(b"\n", place)
        yield start, small[start:end]


def _decode_line_at(content: bytes, place: int) -> str:
    return content[place : content.find(b"\n", place)].decode("utf-8", "replace")


def make_search(limits: ResultLimits = DEFAULT_LIMITS) -> Tool[Search]:
    """The tool for results within these limits."""
    return Tool(
        name="search",
        description=(
            "Rank files by keywords; case does not matter, and `header` also finds ServerHeaders. Use it when the "
            "exact name is unknown. Returns the best files, each with its best lines as grep shows them."
        ),
        arguments=bound_argument(Search, "limit", min(MAX_FILES, limits.max_rows)),
        run=partial(search, limits=limits),
        limits=limits,
        remake=make_search,
    )


SEARCH = make_search()
