"""What in a hint gives the answer away: every check, in order, and what is left of their findings."""

from collections.abc import Iterable, Iterator, Sequence

from selfplay.core.trace import FindingKind, HintFinding
from selfplay.gate.checks.definitions import find_definitions
from selfplay.gate.checks.disguises import find_disguises
from selfplay.gate.checks.names import find_imports, find_names
from selfplay.gate.checks.positions import find_line_numbers, find_list_positions
from selfplay.gate.checks.quotes import find_quotes, find_short_quotes
from selfplay.gate.checks.related_names import find_framework_roles, find_test_file_names
from selfplay.gate.checks.siblings import find_eliminations, find_siblings
from selfplay.gate.checks.translations import find_translations
from selfplay.gate.checks.word_puzzles import find_word_puzzles
from selfplay.gate.guard import Check, Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.view import normalise

CHECKS: tuple[Check, ...] = (
    Check("names", find_names, reads_earlier_hints=True),
    Check("imports", find_imports),
    Check("framework_roles", find_framework_roles),
    Check("test_file_names", find_test_file_names),
    Check("definitions", find_definitions),
    Check("quotes", find_quotes),
    Check("line_numbers", find_line_numbers),
    Check("list_positions", find_list_positions),
    Check("siblings", find_siblings),
    Check("eliminations", find_eliminations),
    Check("short_quotes", find_short_quotes),
    Check("word_puzzles", find_word_puzzles, reads_earlier_hints=True),
    Check("translations", find_translations),
    Check("disguises", find_disguises, reads_earlier_hints=True),
)
"""The checks that ship; those of a guard (`Guard.extra_checks`) come after them."""

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
    checks = (*CHECKS, *guard.extra_checks)
    return tuple(_drop_covered(finding for check in checks for finding in check.find(view, guard, shown)))


def check_with_earlier_hints(
    hint: str, earlier: Sequence[str], guard: Guard, shown: ShownText
) -> tuple[HintFinding, ...]:
    """What a hint reveals only together with hints that were sent before it, such as a name given in pieces.

    Only one piece stands in the hint itself, so each finding's span is the whole hint.
    """
    before = "\n\n".join(earlier[-_MAX_EARLIER:])
    if not before:
        return ()
    start = len(before) + 2
    view = normalise(f"{before}\n\n{hint}")
    checks = (check for check in (*CHECKS, *guard.extra_checks) if check.reads_earlier_hints)
    found = (finding for check in checks for finding in check.find(view, guard, shown))
    reasons = (f"together with earlier hints it {f.why}" for f in found if f.span[0] < start < f.span[1])
    return tuple(
        HintFinding(kind="disguised", text=hint, span=(0, len(hint)), why=why) for why in dict.fromkeys(reasons)
    )


def _drop_covered(findings: Iterable[HintFinding]) -> Iterator[HintFinding]:
    """Each finding that lies in no other of its family, in the order of the hint."""
    largest: list[HintFinding] = []
    for finding in sorted(findings, key=lambda f: (f.span[0] - f.span[1], _rank(f.kind), f.span[0])):
        if not any(_covers(other, finding) for other in largest):
            largest.append(finding)
    yield from sorted(largest, key=lambda f: (f.span, _rank(f.kind)))


def _rank(kind: FindingKind) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _covers(outer: HintFinding, inner: HintFinding) -> bool:
    is_inside = outer.span[0] <= inner.span[0] and inner.span[1] <= outer.span[1]
    if not is_inside:
        return False
    return inner.kind == "disguised" or _FAMILY.get(outer.kind) == _FAMILY.get(inner.kind)
