"""`search`: files ranked by the words of a query."""

import math
from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest

from pydantic import Field

from selfplay_tools.enclosing import names_a_definition
from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.linear import compiled, escaped
from selfplay_tools.output import compose, counted, fitting, listed, quoted
from selfplay_tools.pages import ROW_CHARS, Group, Hits
from selfplay_tools.places import Scope, link_remark, scope_of, skipped_remark
from selfplay_tools.searched import Lines
from selfplay_tools.snapshot import Snapshot
from selfplay_tools.terms import stem, terms_of
from selfplay_tools.tool import Arguments, Result, Tool
from selfplay_tools.words import query_words

LINES_PER_FILE = 3
MOST_EQUAL = 100
"""Lines of one file, as good as each other, among which those that define something are looked for."""
_NO_LINES = Lines(b"", 0, 0)


class Search(Arguments):
    """Arguments of `search`."""

    query: str = Field(min_length=1, description="Words, in any order.")
    path: str = Field("", description="Folder to look in; empty for all.")
    limit: int = Field(10, ge=1, le=50)


def search(snapshot: Snapshot, arguments: Search) -> Result:
    """The best files, each with its best lines."""
    words = [term.word for term in terms_of(arguments.query)]
    if not words:
        raise BadArgument(f"the query {quoted(arguments.query)} has no words; use grep for signs and numbers")
    scope = scope_of(snapshot, arguments.path)
    ranked = snapshot.index.rank((arguments.query,), arguments.limit, scope.inside or snapshot.index.within(scope.root))
    hits = _best_lines(snapshot, [path for path, _ in ranked.best], words)
    groups = [_group(hit) for hit in hits]
    blocks = ["\n".join([f"{rank}. {group.hits.path}", *group.rows]) for rank, group in enumerate(groups, 1)]
    count = fitting(blocks)
    remarks = [
        *link_remark(arguments.path, scope.root),
        *_remarks(snapshot, words, scope, ranked.total, groups[:count]),
    ]
    shown = tuple(shown for group in groups[:count] for shown in group.shown)
    return Result(compose(_head(words, scope, ranked.total, count), blocks[:count], remarks), shown=shown)


def _best_lines(snapshot: Snapshot, paths: Sequence[str], words: Sequence[str]) -> list[Hits]:
    """For each file its lines with the most words of the query, words that few of these lines hold counting more."""
    texts = [_lines(snapshot, path) for path in paths]
    held = [_words_by_line(lines, words) for lines in texts]
    total = sum(map(len, held))
    frequency = dict.fromkeys(words, 0)
    for word in (word for lines in held for found in lines.values() for word in found):
        frequency[word] += 1
    weights = {word: math.log(1 + (total + 1) / (count + 1)) for word, count in frequency.items()}
    return [_chosen(*of, weights) for of in zip(paths, texts, held, strict=True)]


def _lines(snapshot: Snapshot, path: str) -> Lines:
    try:
        return snapshot.source(path).text(0)
    except NotReadable:  # it changed on disk since it was ranked
        return _NO_LINES


def _words_by_line(lines: Lines, words: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """By line number from 0: those of `words` in it, in whatever form, for lines with at least one."""
    wanted = {stem(word): word for word in words}
    found: dict[int, tuple[str, ...]] = {}
    for number, line in _likely(lines, words):
        found_here = (wanted.get(stem(word)) for word in query_words((line,)))
        here = tuple(dict.fromkeys(word for word in found_here if word))
        if here:
            found[number] = here
    return found


def _likely(lines: Lines, words: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Lines that may hold one of the words, with their numbers."""
    stems = tuple(map(_beginning, words))
    if all(map(str.isascii, stems)):
        yield from lines.matching(compiled("|".join(map(escaped, stems)), ignore_case=True))
        return
    for number, line in enumerate(lines):
        lower = line.lower()
        if any(stem in lower for stem in stems):
            yield number, line


def _chosen(path: str, lines: Lines, held: Mapping[int, Sequence[str]], weights: Mapping[str, float]) -> Hits:
    worths = {line: math.fsum(weights[word] for word in words) for line, words in held.items()}
    last = min(nlargest(LINES_PER_FILE, worths.values()), default=0.0)
    better = [line for line, worth in worths.items() if worth > last]
    equal = [line for line, worth in worths.items() if worth == last]
    columns = {line: _column(lines[line], held[line]) for line in (*better, *equal[:MOST_EQUAL])}
    equal.sort(key=lambda line: line not in columns or not names_a_definition(path, lines[line], columns[line]))
    best = sorted([*better, *equal][:LINES_PER_FILE])
    return Hits(path, lines, {line: columns[line] for line in best})


def _column(line: str, words: Sequence[str]) -> int:
    """Where the first of the words stands, as near as can be told."""
    lower = line.lower()
    return min((at for word in words if (at := lower.find(_beginning(word))) >= 0), default=0)


def _beginning(word: str) -> str:
    """What all forms of the word begin with: a text has `entries` where the query says `entry`."""
    return stem(word).removesuffix("y")


def _group(hits: Hits) -> Group:
    group = Group(hits)
    for line, window in hits.windows(context=0, skipped=0):
        heads = group.heads(line, line)
        group.add(group.rows_for(heads, window, with_gaps=False), line, heads, window)
    return group


def _head(words: Sequence[str], scope: Scope, total: int, shown: int) -> str:
    terms = ", ".join(words)
    if not total:
        return f"No file {scope.place} holds any of: {terms} ({counted(scope.count, 'file')} searched)."
    return f"{counted(total, 'file')} {scope.place} with any of: {terms}; the best {shown}:"


def _remarks(
    snapshot: Snapshot, words: Sequence[str], scope: Scope, total: int, groups: Sequence[Group]
) -> Iterator[str]:
    nowhere = snapshot.index.unknown(words)
    if nowhere:
        yield f"in no file at all: {listed(nowhere)}"
    if any(group.has_clipped for group in groups):
        yield f"a line of over {ROW_CHARS} characters is cut; [+n] stands for n of them"
    if total > len(groups):
        yield f"{counted(total - len(groups), 'more file')}: search with a larger limit, a path, or rarer words"
    yield from skipped_remark(scope)


SEARCH = Tool(
    name="search",
    description=(
        "Rank files by keywords; case does not matter, and `header` also finds ServerHeaders. Use it when the exact "
        "name is unknown. Returns the best files, each with its best lines as grep shows them."
    ),
    arguments=Search,
    run=search,
)
