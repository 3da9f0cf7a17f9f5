"""Does a sentence repeat what only the hints had said?"""

from collections.abc import Iterator, Sequence

from selfplay.clean.echoes.folding import fold_characters
from selfplay.clean.echoes.known import index_texts
from selfplay.clean.echoes.tokens import is_distinctive, tokens_of

_RUN = 5
"""Words in a row that nobody says in this order by chance, if two of them say something."""
_MOST = 0.6
_MUCH = 0.4
_FEW = 2
_MANY = 4


def _word_runs(tokens: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(tokens[i : i + _RUN]) for i in range(len(tokens) - _RUN + 1))


class HintRestatement:
    """What hints said that the player could not know otherwise: telling words of the last, turns of phrase of all."""

    def __init__(self, hint: str | None, told: Sequence[str] = (), visible: Sequence[str] = ()) -> None:
        """`hint` stood right before, `told` any time before; `visible` could be seen without them."""
        self.is_hinted = bool(hint and hint.strip())
        tokens = tokens_of(fold_characters(hint or ""))
        self._told, self._seen = index_texts(told), index_texts(visible)
        self._distinctive = {token for token in tokens if is_distinctive(token) and not self._seen.has(token)}
        self._hint_runs = frozenset(_word_runs(tokens))

    def is_restated_in(self, sentence: str) -> bool:
        """Whether a folded sentence has most of the telling words, many of them, or a turn of phrase."""
        tokens = tokens_of(sentence)
        said = self._distinctive.intersection(tokens)
        share = len(said) / len(self._distinctive) if said else 0.0
        if (len(said) >= _FEW and share >= _MOST) or (len(said) >= _MANY and share >= _MUCH):
            return True
        return any(self._is_hint_run(run) for run in _word_runs(tokens))

    def _is_hint_run(self, run: tuple[str, ...]) -> bool:
        if len({token for token in run if is_distinctive(token)}) < _FEW:
            return False
        return (run in self._hint_runs or self._told.has_run(run)) and not self._seen.has_run(run)
