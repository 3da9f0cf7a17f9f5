"""The definitions of a text, or of a part of it (see `cutting`): the same, whatever else of it is read."""

from collections.abc import Sequence
from time import thread_time

from selfplay_tools.cutting import may_have_parts, blank_unmatched_conditions, split_parts
from selfplay_tools.definitions import Definition, find_definitions
from selfplay_tools.errors import NotReadable
from selfplay_tools.languages import Language
from selfplay_tools.syntax import MAX_PARSER_S, MAX_PARSER_WORK, require_parsable, parse

_LEAST_WORK = 500
_WORK_PER_KB = 100
"""What a parser may do for a part, in the unit of `MAX_PARSER_WORK`: several times what real code makes."""


def read_definitions(language: Language, source: bytes) -> tuple[tuple[Definition, ...], str]:
    """All that the text defines, in its order, and if a part of it could not be read, why."""
    try:
        if not may_have_parts(language.name, source):
            return find_definitions(language, parse(language, source), source), ""
        require_parsable(source)
    except NotReadable as problem:
        return (), str(problem)
    found: list[Definition] = []
    problem = ""
    until = thread_time() + MAX_PARSER_S
    row = 0
    for start, end in split_parts(language.name, source):
        try:
            found += read_part_definitions(language, source[start:end], row, until)
        except NotReadable as refused:
            problem = problem or str(refused)
        row += source.count(b"\n", start, end)
    return tuple(found), problem


def read_part_definitions(language: Language, part: bytes, row: int, until: float | None = None) -> Sequence[Definition]:
    """What a part defines that begins at that row of its text, from 0; `until` as in `parse`. Raises NotReadable."""
    text = blank_unmatched_conditions(part)
    work = min(_LEAST_WORK + _WORK_PER_KB * len(text) // 1024, MAX_PARSER_WORK)
    return find_definitions(language, parse(language, text, most_work=work, until=until), text, row=row)
