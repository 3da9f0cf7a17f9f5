"""All echoes of a text: look, take out what was found, look again at what is left."""

from collections.abc import Sequence
from functools import lru_cache

from selfplay.clean.echoes.finding import EchoFinding
from selfplay.clean.echoes.folding import fold_text
from selfplay.clean.echoes.removal import remove_echoes
from selfplay.clean.echoes.restating import HintRestatement
from selfplay.clean.echoes.spotting import spot_echoes

ROUNDS = 12
"""Looks at one text; one that still has echoes after so many is an echo as a whole."""
REMEMBERED = 512
"""Texts of which the echoes are kept: cleaning asks about each turn before and after its repair."""


def find_echoes(
    text: str, hint: str | None = None, visible: Sequence[str] = (), told: Sequence[str] = ()
) -> tuple[EchoFinding, ...]:
    """Each part of a player's text that answers, thanks for, restates or leans on a hint, in order of place.

    `hint` is what stood before the turn, if anything did: right after one less is needed ("Understood"), and its words
    count as restated. `visible` is what the player could see without it (the task, earlier results): their words
    count for nothing. `told` is all that hints had said so far: of these longer turns of phrase count. The same
    arguments give the same findings, and what `without_echoes` leaves has none.
    """
    return _find_echoes_cached(text, hint, tuple(visible), tuple(told))


@lru_cache(maxsize=REMEMBERED)
def _find_echoes_cached(text: str, hint: str | None, visible: tuple[str, ...], told: tuple[str, ...]) -> tuple[EchoFinding, ...]:
    restating = HintRestatement(hint, told, visible) if told or (hint and hint.strip()) else None
    found: list[EchoFinding] = []
    for _ in range(ROUNDS):
        rest = remove_echoes(text, found)
        view = fold_text(rest.text)
        new = list(spot_echoes(view, restating))
        if not new:
            return tuple(sorted(found, key=lambda f: (f.span, f.kind)))
        for spot in new:
            start, end = view.to_original(spot.start, spot.end)
            span = rest.origins[start], rest.origins[end - 1] + 1
            found.append(EchoFinding(kind=spot.kind, text=text[slice(*span)], span=span))
    return (EchoFinding(kind=found[-1].kind, text=text, span=(0, len(text))),)
