"""The gate's one question: what in a hint gives the answer away?"""

from collections.abc import Iterable, Iterator, Sequence

from selfplay.core.trace import FindingKind, HintFinding
from selfplay.gate.checks.definitions import find_definitions
from selfplay.gate.checks.disguises import find_disguises
from selfplay.gate.checks.elimination import find_eliminations
from selfplay.gate.checks.framework_roles import find_framework_roles
from selfplay.gate.checks.line_numbers import find_line_numbers
from selfplay.gate.checks.list_positions import find_list_positions
from selfplay.gate.checks.names import find_imports, find_names
from selfplay.gate.checks.quotes import find_quotes, find_short_quotes
from selfplay.gate.checks.siblings import find_siblings
from selfplay.gate.checks.test_file_names import find_test_file_names
from selfplay.gate.checks.translations import find_translations
from selfplay.gate.checks.word_puzzles import find_word_puzzles
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.view import normalise

_ORDER: tuple[FindingKind, ...] = (
    "path", "file_name", "module", "directory", "stem", "identifier", "literal", "quote", "line_number", "position",
    "translated", "disguised",
)  # fmt: skip
_FAMILY: dict[FindingKind, str] = {
    "path": "name", "file_name": "name", "module": "name", "directory": "name", "stem": "name", "translated": "name",
    "identifier": "content", "literal": "content", "quote": "content", "line_number": "line", "position": "position",
}  # fmt: skip

_MAX_EARLIER = 16
"""So many of the hints before are read together with a new one."""


def check_hint(hint: str, guard: Guard, shown: ShownText) -> tuple[HintFinding, ...]:
    """Everything in the hint that reveals a target, from left to right; empty for a hint that may be sent.

    Each finding's `text` is the part of the hint at its `span`, exactly as the hint has it.
    """
    view = normalise(hint)
    found = (
        *find_names(view, guard, shown),
        *find_imports(view, guard, shown),
        *find_framework_roles(view, guard, shown),
        *find_test_file_names(view, guard, shown),
        *find_definitions(view, guard, shown),
        *find_quotes(view, guard, shown),
        *find_line_numbers(view, guard),
        *find_list_positions(view, guard),
        *find_siblings(view, guard, shown),
        *find_eliminations(view, guard, shown),
        *find_short_quotes(view, guard, shown),
        *find_word_puzzles(view, guard, shown),
        *find_translations(view, guard, shown),
        *find_disguises(view, guard, shown),
    )
    return tuple(_drop_covered(found))


def check_with_earlier_hints(
    hint: str, earlier: Sequence[str], guard: Guard, shown: ShownText
) -> tuple[HintFinding, ...]:
    """What a hint reveals only together with hints that were sent before it: a name that is told in pieces.

    A piece of the name stands in the hint, so each finding's span is the whole hint.
    """
    before = "\n\n".join(earlier[-_MAX_EARLIER:])
    if not before:
        return ()
    start = len(before) + 2
    view = normalise(f"{before}\n\n{hint}")
    joining = (
        find_names,
        find_word_puzzles,
        find_disguises,
    )  # the others look at what is told whole, or in one sentence
    found = (finding for check in joining for finding in check(view, guard, shown))
    across = (f for f in found if f.span[0] < start < f.span[1])
    told = (f"together with earlier hints it {f.why}" for f in across)
    return tuple(HintFinding(kind="disguised", text=hint, span=(0, len(hint)), why=why) for why in dict.fromkeys(told))


def _drop_covered(found: Iterable[HintFinding]) -> Iterator[HintFinding]:
    """Each finding that lies in no other of its family, in the order of the hint."""
    kept: list[HintFinding] = []
    by_size = sorted(found, key=lambda f: (f.span[0] - f.span[1], _ORDER.index(f.kind), f.span[0]))
    for one in by_size:
        if not any(_covers(other, one) for other in kept):
            kept.append(one)
    yield from sorted(kept, key=lambda f: (f.span, _ORDER.index(f.kind)))


def _covers(outer: HintFinding, inner: HintFinding) -> bool:
    is_inside = outer.span[0] <= inner.span[0] and inner.span[1] <= outer.span[1]
    if not is_inside:
        return False
    return inner.kind == "disguised" or _FAMILY.get(outer.kind) == _FAMILY.get(inner.kind)
