"""Where a turn is masked: every reason not to learn a turn of a clean trace.

A masked turn stays in the row as context, with weight 0. The masks come in the order of the pipeline:

- `masks_of_step`, while hints are removed (`strip.py`): what was judged, broken, cut or refused in the episode;
- `mask_turns`, after the repair: what still answers a hint or leans on one;
- `mask_imprecise_answer`, last: an answer with too many files that are no targets.

Three masks are set where their cause is seen: `edited` by `strip.py`, `not_learned` by `importing/clean_imported.py`,
and `echo` by `repair.py` too, for what the echo judge still finds in repaired words.
"""

from collections.abc import Iterable, Iterator, Sequence

from selfplay.clean.stages.grounding import Grounding
from selfplay.clean.stages.turn_echoes import find_turn_echoes, turn_context
from selfplay.core.clean_trace import CleanTrace, CleanTurn, Mask, Repair
from selfplay.core.trace import Quality, Step, Trace
from selfplay.environments.registry import kind_of

_VERDICT_MASKS = {Quality.WASTEFUL: Mask.WASTEFUL, Quality.MISTAKEN: Mask.MISTAKEN}


def add_masks(turn: CleanTurn, masks: Iterable[Mask]) -> CleanTurn:
    """The turn with these masks too, each once."""
    every = tuple(dict.fromkeys((*turn.masks, *masks)))
    return turn if every == turn.masks else turn.model_copy(update={"masks": every})


def masks_of_step(step: Step, *, is_answer: bool) -> Iterator[Mask]:
    """The masks that a step has from when it was played. No verdict counts against the answer that found everything."""
    verdict = step.judgement.verdict
    if verdict is not None and verdict.quality in _VERDICT_MASKS and not is_answer:
        yield _VERDICT_MASKS[verdict.quality]
    if any(call.parse_arguments() is None for call in step.action.tool_calls):
        yield Mask.UNPARSABLE
    if any(call.is_cut for call in step.action.tool_calls):
        yield Mask.CUT
    if not all(result.ok for result in step.results):
        yield Mask.REFUSED


def mask_turns(clean: CleanTrace, supervisor_texts: Sequence[tuple[str, ...]], grounding: Grounding) -> CleanTrace:
    """The trace with a mask on each turn that leans on what is not visible. Masks are only ever added.

    `supervisor_texts[i]` is what the supervisor's side wrote right before turn `i`.
    """
    turns = [
        add_masks(turn, _masks_of_turn(clean, number, supervisor_texts, grounding))
        for number, turn in enumerate(clean.turns)
    ]
    return clean.model_copy(update={"turns": tuple(turns)})


def _masks_of_turn(
    clean: CleanTrace, number: int, supervisor_texts: Sequence[tuple[str, ...]], grounding: Grounding
) -> Iterator[Mask]:
    turn = clean.turns[number]
    if grounding.leaps_of(number):
        yield Mask.LEAP
    echoes = find_turn_echoes(turn.action, turn_context(clean, number, supervisor_texts))
    if echoes.echoes:
        yield Mask.ECHO
    if _lost_its_words(turn):
        yield Mask.WORDLESS
    if echoes.borrowed:
        yield Mask.UNSEEN


def _lost_its_words(turn: CleanTurn) -> bool:
    """Whether the repair left nothing of its words. An answer gives its reasons within its call."""
    is_answer = any(result.answer is not None for result in turn.results)
    has_words = turn.action.content.strip() or (turn.action.reasoning or "").strip()
    return turn.repair is Repair.EXCISED and not has_words and not is_answer


def mask_imprecise_answer(trace: Trace, clean: CleanTrace, extra_files: float) -> CleanTrace:
    """The trace with its last turn masked where a larger share than this of the answer's files are no targets."""
    if surplus_share(trace, clean) <= extra_files:
        return clean
    last = len(clean.turns) - 1
    return clean.with_turn(last, add_masks(clean.turns[last], [Mask.IMPRECISE]))


def surplus_share(trace: Trace, clean: CleanTrace) -> float:
    """The share of what the answer names that is no goal; 0 without an answer."""
    kind, answer = kind_of(trace.task), clean.answer_result
    named = 0 if answer is None else kind.count_named(answer)
    return 0.0 if answer is None or not named else len(kind.list_surplus(trace.task, answer)) / named
