"""Decide what of a clean trace is learned: every reason not to learn a turn becomes a mask on it."""

from collections.abc import Iterable, Iterator, Sequence

from selfplay.clean.stages.grounding import Grounding
from selfplay.clean.stages.repair import turn_context
from selfplay.clean.stages.turn_echoes import find_turn_echoes
from selfplay.core.clean_trace import CleanTrace, CleanTurn, Mask, Repair
from selfplay.core.message import Message
from selfplay.core.trace import Trace
from selfplay.environments.registry import kind_of


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


def surplus_share(trace: Trace, clean: CleanTrace) -> float:
    """The share of what the answer names that is no goal; 0 without an answer."""
    kind, answer = kind_of(trace.task), clean.answer_result
    named = 0 if answer is None else kind.count_named(answer)
    return 0.0 if answer is None or not named else len(kind.list_surplus(trace.task, answer)) / named
