"""`find_symbol`: where a name is defined."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import partial

from pydantic import Field

from selfplay_tools.code.code_file import (
    code_of,
    describe_unsearched,
    find_paths_with,
    find_texts_with,
    last_part_of,
    order_of,
    read_definitions_of,
    select_named,
    tidy_symbol,
)
from selfplay_tools.code.definitions import Definition
from selfplay_tools.code.languages import may_have_language
from selfplay_tools.code.likely_definitions import literal_of
from selfplay_tools.errors import BadArgument, NotReadable
from selfplay_tools.output import (
    DEFAULT_LIMITS,
    ResultLimits,
    clip,
    compose_fitting,
    count_fitting,
    format_count,
    quote,
)
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.scope import SearchScope, link_remark, scope_of
from selfplay_tools.text.lines import TextSpan
from selfplay_tools.tools.tool import CallResult, ShownRange, Tool, ToolArguments, bound_argument

MAX_DEFINITIONS = 100
LINES = ((3, 12), (8, 6), (100, 2))
"""Up to how many definitions, and how many lines of each are then shown."""
MAX_SEARCHED_BYTES = 256 << 20
"""Files that hold the word, in path order, that one call looks into."""
MAX_READ_BYTES = 1 << 20
"""Of files that are parsed for suggestions, in path order, per word."""
MAX_SUGGESTIONS = 5
MIN_PART_CHARS = 3
MIN_LIKENESS = 0.6

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class FindSymbol(ToolArguments):
    """Arguments of `find_symbol`."""

    name: str = Field(min_length=1, description='Exact name, or "Outer.name".')
    path: str = Field("", description="Folder or file; empty for all.")
    limit: int = Field(20, ge=1, le=MAX_DEFINITIONS, description="Definitions to show.")


@dataclass(frozen=True, slots=True)
class SymbolHit:
    """A definition and the file it stands in."""

    path: str
    definition: Definition


@dataclass(slots=True)
class _SymbolSurvey:
    """What a look through the files came upon."""

    hits: list[SymbolHit] = field(default_factory=list[SymbolHit])
    unparsed: list[str] = field(default_factory=list[str])
    """Files that may define the name and could not be parsed, each with the reason."""
    beyond: str = ""
    """The first file that was not looked into, if the files were too many."""


def find_symbol(snapshot: Snapshot, arguments: FindSymbol, limits: ResultLimits = DEFAULT_LIMITS) -> CallResult:
    """Definitions of a name: those it names in full first, mere declarations last, else in path order."""
    symbol = tidy_symbol(arguments.name)
    if not symbol or any(map(str.isspace, symbol.removeprefix("operator "))):
        raise BadArgument(f"{quote(arguments.name)} is not a name; use grep for patterns and search for words")
    scope = scope_of(snapshot, arguments.path)
    survey = _survey_files(snapshot, scope, last_part_of(symbol))
    link = link_remark(arguments.path, scope.root)
    hits = [hit for hit in survey.hits if select_named([hit.definition], symbol)]
    if survey.hits and not hits:
        link.append(f"nothing is defined as {symbol}; these are the definitions of {last_part_of(symbol)}")
        hits = survey.hits
    hits.sort(key=lambda hit: (order_of(hit.definition, symbol), hit.path, hit.definition.first))
    blocks, shown = _format_blocks(snapshot, hits[: arguments.limit], limits)
    head = _format_head(symbol, scope, len(hits))
    suggested = [] if hits else _suggest_names(snapshot, scope, last_part_of(symbol))
    text, count = compose_fitting(
        blocks,
        limits,
        lambda count: (head, [*link, *_list_remarks(scope, survey, limits, left=len(hits) - count), *suggested]),
    )
    return CallResult(text, shown=tuple(shown[:count]))


def _survey_files(snapshot: Snapshot, scope: SearchScope, name: str) -> _SymbolSurvey:
    survey = _SymbolSurvey()
    searched = 0
    for span in _find_texts(snapshot, scope, name):
        (path,) = span.paths
        searched += span.ends[0] - span.starts[0]
        if searched > MAX_SEARCHED_BYTES:
            survey.beyond = path
            break
        code = read_definitions_of(snapshot, path, name, span)
        survey.hits += [SymbolHit(path, one) for one in code.definitions]
        if code.problem:
            survey.unparsed.append(f"{path} ({code.problem})")
    return survey


def _find_texts(snapshot: Snapshot, scope: SearchScope, name: str) -> Iterator[TextSpan]:
    """Texts that hold the name and may be code."""
    with suppress(NotReadable):  # a single file that changed on disk since the snapshot was taken
        yield from (
            span for span in find_texts_with(snapshot, scope, literal_of(name)) if may_have_language(*span.paths)
        )


def _format_blocks(
    snapshot: Snapshot, hits: Sequence[SymbolHit], limits: ResultLimits
) -> tuple[list[str], list[ShownRange]]:
    per_hit = next(lines for most, lines in LINES if len(hits) <= most)
    room = limits.room_of_each(len(hits))
    blocks: list[str] = []
    shown: list[ShownRange] = []
    for hit in hits:
        one = hit.definition
        first = one.first if one.line < one.first + per_hit else one.line
        head = f"{hit.path}:{one.first}-{one.last} {one.kind} {one.qualified}"
        last = min(one.last, first + per_hit - 1)
        lines = snapshot.text_span(hit.path).lines_of(0)[first - 1 : last]
        rows = [f"{number:6}\t{clip(line, width=limits.row_chars)}" for number, line in enumerate(lines, first)]
        rows = rows[: count_fitting(rows, room - len(head))]
        last = first - 1 + len(rows)
        more = f"\n      \t… {format_count(one.last - last, 'more line')}" if last < one.last else ""
        blocks.append("\n".join([head, *rows]) + more)
        is_whole = (first, last) == (one.first, one.last)
        shown.append(ShownRange(path=hit.path, first=first, last=last, how="read" if is_whole else "outline"))
    return blocks, shown


def _format_head(symbol: str, scope: SearchScope, count: int) -> str:
    if not count:
        return f"No definition of {quote(symbol)} {scope.description}."
    return f"{format_count(count, 'definition')} of {quote(symbol)} {scope.description}"


def _list_remarks(scope: SearchScope, survey: _SymbolSurvey, limits: ResultLimits, *, left: int) -> Iterator[str]:
    if left > 0:
        yield f"{format_count(left, 'more definition')}: narrow it with path or Outer.name, or raise limit"
    if survey.beyond:
        yield f"too many files hold this word: those from {survey.beyond} on were not looked into; give a path"
    if survey.unparsed:
        more = ", …" if len(survey.unparsed) > limits.named else ""
        yield f"not parsed: {', '.join(survey.unparsed[: limits.named])}{more}; use grep there"
    yield from describe_unsearched(scope, limits.named)


def _suggest_names(snapshot: Snapshot, scope: SearchScope, name: str) -> list[str]:
    """A remark with the nearest names that are defined and where, or with what else to try."""
    places = {**_find_names_with(snapshot, scope, name)}
    near = sorted(found for found in places if found.lower() == name.lower())
    for part in sorted(set(map(str.lower, _PART.findall(name))), key=lambda part: (-len(part), part))[:3]:
        if near or len(part) < MIN_PART_CHARS:
            break
        places.update(_find_names_with(snapshot, scope, part))
        near = _select_nearest(name, places)
    if not near:
        return ["no defined name looks like it; find_references lists its uses, search takes words"]
    return [f"did you mean {', '.join(f'{found} ({places[found]})' for found in near[:MAX_SUGGESTIONS])}?"]


def _find_names_with(snapshot: Snapshot, scope: SearchScope, word: str) -> dict[str, str]:
    """Defined names that hold the word, whatever its case, each with its first place."""
    places: dict[str, str] = {}
    for found, place in _find_definitions(snapshot, scope, word):
        if word.lower() in found.lower():
            places.setdefault(found, place)
    return places


def _find_definitions(snapshot: Snapshot, scope: SearchScope, word: str) -> Iterator[tuple[str, str]]:
    read = 0
    for path in find_paths_with(snapshot, scope, word, ignore_case=True):
        entry = snapshot.entry(path)
        if entry is None or not may_have_language(path):
            continue
        read += entry.size
        if read > MAX_READ_BYTES:
            return
        try:
            code = code_of(snapshot, path)
        except NotReadable:  # it changed on disk since the snapshot was taken
            continue
        yield from ((one.name, f"{path}:{one.line}") for one in code.definitions)


def _select_nearest(name: str, places: dict[str, str]) -> list[str]:
    likeness = {found: SequenceMatcher(None, name.lower(), found.lower()).ratio() for found in places}
    return sorted((found for found in places if likeness[found] >= MIN_LIKENESS), key=lambda f: (-likeness[f], f))


def make_find_symbol(limits: ResultLimits = DEFAULT_LIMITS) -> Tool[FindSymbol]:
    """The tool for results within these limits."""
    return Tool(
        name="find_symbol",
        description=(
            "Find where a class, function, method, constant, type or macro is defined, by its exact name. Use it once "
            "a name is known: it tells definitions from uses. Returns path:first-last, kind, full name and the first "
            "lines."
        ),
        arguments=bound_argument(FindSymbol, "limit", min(MAX_DEFINITIONS, limits.max_rows)),
        run=partial(find_symbol, limits=limits),
        limits=limits,
        remake=make_find_symbol,
    )


FIND_SYMBOL = make_find_symbol()
