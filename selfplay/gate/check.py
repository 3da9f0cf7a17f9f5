"""The gate's one question: what in a hint gives the answer away?"""

from collections.abc import Iterable, Iterator, Sequence

from selfplay.gate.definitions import definitions_in
from selfplay.gate.disguise import disguises_in
from selfplay.gate.excerpts import excerpts_in
from selfplay.gate.left_over import left_over_in
from selfplay.gate.mirrors import mirrors_in
from selfplay.gate.names import imports_in, names_in
from selfplay.gate.numbers import lines_in
from selfplay.gate.positions import positions_in
from selfplay.gate.quotes import quotes_in
from selfplay.gate.riddles import riddles_in
from selfplay.gate.roles import roles_in
from selfplay.gate.secret import Secret
from selfplay.gate.seen import Seen
from selfplay.gate.siblings import siblings_in
from selfplay.gate.text import normalised
from selfplay.gate.translate import translations_in
from selfplay.trace import Finding, FindingKind

_ORDER: tuple[FindingKind, ...] = (
    "path", "file_name", "module", "directory", "stem", "identifier", "literal", "quote", "line_number", "position",
    "translated", "disguised",
)  # fmt: skip
_FAMILY: dict[FindingKind, str] = {
    "path": "name", "file_name": "name", "module": "name", "directory": "name", "stem": "name", "translated": "name",
    "identifier": "content", "literal": "content", "quote": "content", "line_number": "line", "position": "position",
}  # fmt: skip

_TOGETHER = 16
"""So many of the hints before are read together with a new one."""


def findings(hint: str, secret: Secret, shown: Seen) -> tuple[Finding, ...]:
    """Everything in the hint that reveals a target, from left to right; empty for a hint that may be sent.

    Each finding's `text` is the part of the hint at its `span`, exactly as the hint has it.
    """
    view = normalised(hint)
    found = (
        *names_in(view, secret, shown),
        *imports_in(view, secret, shown),
        *roles_in(view, secret, shown),
        *mirrors_in(view, secret, shown),
        *definitions_in(view, secret, shown),
        *quotes_in(view, secret, shown),
        *lines_in(view, secret),
        *positions_in(view, secret),
        *siblings_in(view, secret, shown),
        *left_over_in(view, secret, shown),
        *excerpts_in(view, secret, shown),
        *riddles_in(view, secret, shown),
        *translations_in(view, secret, shown),
        *disguises_in(view, secret, shown),
    )
    return tuple(_largest(found))


def findings_together(hint: str, earlier: Sequence[str], secret: Secret, shown: Seen) -> tuple[Finding, ...]:
    """What a hint reveals only together with hints that were sent before it: a name that is told in pieces.

    A piece of the name stands in the hint, so each finding's span is the whole hint.
    """
    before = "\n\n".join(earlier[-_TOGETHER:])
    if not before:
        return ()
    start = len(before) + 2
    view = normalised(f"{before}\n\n{hint}")
    joining = (names_in, riddles_in, disguises_in)  # the others look at what is told whole, or in one sentence
    found = (finding for check in joining for finding in check(view, secret, shown))
    across = (f for f in found if f.span[0] < start < f.span[1])
    told = (f"together with earlier hints it {f.why}" for f in across)
    return tuple(Finding(kind="disguised", text=hint, span=(0, len(hint)), why=why) for why in dict.fromkeys(told))


def _largest(found: Iterable[Finding]) -> Iterator[Finding]:
    """Each finding that lies in no other of its family, in the order of the hint."""
    kept: list[Finding] = []
    by_size = sorted(found, key=lambda f: (f.span[0] - f.span[1], _ORDER.index(f.kind), f.span[0]))
    for one in by_size:
        if not any(_covers(other, one) for other in kept):
            kept.append(one)
    yield from sorted(kept, key=lambda f: (f.span, _ORDER.index(f.kind)))


def _covers(outer: Finding, inner: Finding) -> bool:
    is_inside = outer.span[0] <= inner.span[0] and inner.span[1] <= outer.span[1]
    if not is_inside:
        return False
    return inner.kind == "disguised" or _FAMILY.get(outer.kind) == _FAMILY.get(inner.kind)
