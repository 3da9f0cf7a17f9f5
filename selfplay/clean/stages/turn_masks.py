"""Decide what of a clean trace is learned: every reason not to learn a turn becomes a mask on it."""

from collections.abc import Iterable, Iterator, Sequence

from selfplay.clean.stages.grounding import Grounding
from selfplay.clean.stages.repair import turn_context
from selfplay.clean.stages.turn_echoes import find_turn_echoes
from selfplay.core.clean_trace import CleanTrace, CleanTurn, Mask, Repair
from selfplay.core.message import Message
from selfplay.core.trace import Trace


def mask_turns(clean: CleanTrace, said: Sequence[tuple[str, ...]], ground: Grounding) -> CleanTrace:
    """The trace with a mask on each turn that leans on what is not visible. Masks are only ever added."""
    turns = [add_masks(turn, _masks_for(turn, number, clean, said, ground)) for number, turn in enumerate(clean.turns)]
    return clean.model_copy(update={"turns": tuple(turns)})


def add_masks(turn: CleanTurn, masks: Iterable[Mask]) -> CleanTurn:
    """The turn with these masks too, each once."""
    every = tuple(dict.fromkeys((*turn.masks, *masks)))
    return turn if every == turn.masks else turn.model_copy(update={"masks": every})


def _masks_for(
    turn: CleanTurn, number: int, clean: CleanTrace, said: Sequence[tuple[str, ...]], ground: Grounding
) -> Iterator[Mask]:
    if ground.leaps_of(number):
        yield Mask.LEAP
    heard = find_turn_echoes(turn.action, turn_context(clean, number, said))
    if heard.echoes:
        yield Mask.ECHO
    if _is_wordless_now(turn):
        yield Mask.WORDLESS
    if heard.borrowed:
        yield Mask.UNSEEN


def _is_wordless_now(turn: CleanTurn) -> bool:
    """Whether nothing was left of its words. An answer gives its reasons within its call."""
    is_answer = any(result.answer is not None for result in turn.results)
    return turn.repair is Repair.EXCISED and not _has_words(turn.action) and not is_answer


def _has_words(action: Message) -> bool:
    return bool(action.content.strip() or (action.reasoning or "").strip())


def extra_file_share(trace: Trace, clean: CleanTrace) -> float:
    """The share of the answer's files that are no targets; 0 without an answer."""
    named = {file.path for file in clean.answer or ()}
    return len(named - set(trace.task.answer.paths)) / len(named) if named else 0.0
