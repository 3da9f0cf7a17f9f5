"""A format of rows, as one object: how a row and a pair are made, what each looks like, and what makes one unfit."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from selfplay.core.clean_trace import CleanTrace, PreferencePair
from selfplay.export.lint import Supervision
from selfplay.export.row_models import RowProblem, RowProblemKind, walk_strings

Row = BaseModel | Mapping[str, Any]
RowCheck = Callable[[Any, Sequence[int] | None, Supervision], Iterable[RowProblem]]
"""Problems of a row that was read as its format's model, given the weights of the model's turns, if they are known."""
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def _check_nothing(_row: object, _weights: Sequence[int] | None, _supervision: Supervision) -> Iterable[RowProblem]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """What `selfplay export` has to know of a format. `row` and `pair` are pure functions."""

    name: str
    description: str
    """A few words for the command line's help."""
    card: str = ""
    """What a file of it is, and how it is loaded: shown after an export."""
    row: Callable[[CleanTrace], Row]
    """Makes the row of a trace."""
    row_model: type[BaseModel]
    """Each row is read again as this before it is written; what does not fit is not written."""
    check: RowCheck = _check_nothing
    """Finds what else is wrong with a row; `selfplay.export.lint.check_conversation` does it for conversations."""
    pair: Callable[[PreferencePair], Row] | None = None
    """Makes the row of a preference pair; None for a format without any."""
    pair_model: type[BaseModel] | None = None
    """The same for pairs. Set exactly where `pair` is."""
    keeps_reasoning: bool = True
    """Whether a row holds the reasoning of its turns. Where it does not, the summary says how many had some."""

    def __post_init__(self) -> None:
        if (self.pair is None) != (self.pair_model is None):
            raise ValueError(f"format {self.name!r}: give both of pair and pair_model, or neither")

    def make_row(self, clean: CleanTrace) -> dict[str, Any]:
        """The row of a trace, as JSON."""
        return _as_object(self.row(clean))

    def lint(
        self, row: Mapping[str, Any], *, weights: Sequence[int] | None = None, supervision: Supervision | None = None
    ) -> tuple[RowProblem, ...]:
        """Everything that is wrong with a row; nothing for a row that can be trained on.

        Takes any JSON object, so that rows from elsewhere can be checked too. `weights` are those of the model's turns,
        where the format has no place for them. Where a turn's weight is not known, its calls' names and arguments are
        not held against the tools' schemas: refused calls stay as context.
        """
        parsed = _read_as(self.row_model, row)
        if isinstance(parsed, tuple):
            return parsed
        return tuple(self.check(parsed, weights, supervision or Supervision()))

    def make_pair(self, pair: PreferencePair) -> dict[str, Any]:
        """The row of a pair, as JSON. Only for a format with `pair`."""
        if self.pair is None:
            raise ValueError(f"the format {self.name!r} has no preference pairs")
        return _as_object(self.pair(pair))

    def lint_pair(self, pair: PreferencePair) -> tuple[RowProblem, ...]:
        """Everything that is wrong with either side, read as a row of its own whose last turn is learned.

        If nothing is: what is wrong with the shape of the pair's row.
        """
        problems: list[RowProblem] = []
        for name, action in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            clean = pair.side_as_trace(action)
            weights = [0] * (len(clean.turns) - 1) + [1]
            of_side = self.lint(self.make_row(clean), weights=weights)
            problems += (problem.model_copy(update={"where": f"{name}: {problem.where}"}) for problem in of_side)
        if problems or self.pair_model is None:
            return tuple(problems)
        parsed = _read_as(self.pair_model, self.make_pair(pair))
        return parsed if isinstance(parsed, tuple) else ()


def _read_as(model: type[BaseModel], row: Mapping[str, Any]) -> BaseModel | tuple[RowProblem, ...]:
    """The row as this model, or why it can't be read as one."""
    if problems := tuple(_find_unreadable_text(row)):
        return problems
    try:
        return model.model_validate(row)
    except ValidationError as error:
        return tuple(_describe_shape_errors(error))


def _as_object(row: Row) -> dict[str, Any]:
    return row.model_dump(mode="json") if isinstance(row, BaseModel) else dict(row)


def _find_unreadable_text(row: Mapping[str, Any]) -> Iterator[RowProblem]:
    for where, text in walk_strings(row):
        if match := _NO_TEXT.search(text):
            what = "a NUL character" if match[0] == "\0" else "a lone surrogate: there is no UTF-8 for it"
            yield RowProblem(kind=RowProblemKind.TEXT, where=where, text=what)


def _describe_shape_errors(error: ValidationError) -> Iterator[RowProblem]:
    """Pydantic's findings. Their places name a message's role after its number, which is left out."""
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        steps = [s for i, s in enumerate(each["loc"]) if i != 2 or each["loc"][0] != "messages"]  # noqa: PLR2004  see above
        where = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).lstrip(".")
        yield RowProblem(kind=RowProblemKind.SHAPE, where=where, text=each["msg"])
