"""Take the supervisor out of a trace.

What is left is the conversation as if no supervisor had spoken, under the contract's prompt. Nothing is rewritten: a
turn is kept as it is, kept as context only, or left out; the one change inside a turn (an early `finish` taken out from
among other calls) is recorded on it.

Not covered here: words of the player that answer a hint, and arguments that only a hint could have suggested.
"""

from selfplay.clean.stages.turn_masks import masks_of_step
from selfplay.core.clean_trace import CleanTrace, CleanTurn, DroppedTurn, DropReason, Mask
from selfplay.core.contract import Contract
from selfplay.core.message import Message, Origin
from selfplay.core.trace import Step, StopReason, Trace


def strip_supervision(trace: Trace, contract: Contract) -> CleanTrace:
    """The trace without hints, nudges and what they left behind, under the contract's system prompt.

    Its conversation starts with system prompt and task, pairs each call with its result, never has two turns of the
    player in a row, and ends with a turn of the player (if any turn is left). Works on a trace in any state; only one
    whose `answer` is set shows how a search is brought to its end.
    """
    turns: list[CleanTurn] = []
    dropped: list[DroppedTurn] = []
    end = _find_answer_step(trace)
    for number in range(len(trace.steps)):
        match _clean_step(trace, number, end):
            case CleanTurn() as turn:
                turns.append(turn)
            case DropReason() as reason:
                dropped.append(DroppedTurn(step=number, reason=reason))
    return CleanTrace(
        episode=trace.episode,
        task=trace.task.brief.id,
        repo=trace.task.brief.repo,
        commit=trace.task.brief.commit,
        contract=contract,
        prompt=Message(role="system", content=contract.prompt, origin=Origin.PROMPT),
        opening=trace.opening,
        turns=tuple(turns),
        dropped=tuple(dropped),
    )


def _find_answer_step(trace: Trace) -> int | None:
    """The step whose `finish` ended the episode well, None where none did."""
    if trace.stop is None or trace.stop.reason is not StopReason.FOUND:
        return None
    return max(
        (n for n, step in enumerate(trace.steps) if any(r.answer is not None for r in step.results)), default=None
    )


def _clean_step(trace: Trace, number: int, end: int | None) -> CleanTurn | DropReason:
    step = trace.steps[number]
    if end is not None and number >= end:
        return DropReason.AFTER_ANSWER if number > end else _keep_step(number, step, is_answer=True)
    if number + 1 == len(trace.steps) and not step.messages_after:
        return _keep_step(number, step, is_answer=False)
    if not step.action.tool_calls:
        return DropReason.NO_CALL
    if [c.id for c in step.action.tool_calls] != [r.message.tool_call_id for r in step.results]:
        return DropReason.UNPAIRED
    return _remove_early_finish(number, step)


def _keep_step(number: int, step: Step, *, is_answer: bool) -> CleanTurn:
    masks = tuple(masks_of_step(step, is_answer=is_answer))
    return CleanTurn(step=number, action=step.action, results=step.results, masks=masks)


def _remove_early_finish(number: int, step: Step) -> CleanTurn | DropReason:
    pairs = list(zip(step.action.tool_calls, step.results, strict=True))
    kept = [(call, result) for call, result in pairs if result.answer is None]
    if not kept:
        return DropReason.EARLY_FINISH
    removed = tuple(call for call, result in pairs if result.answer is not None)
    return CleanTurn(
        step=number,
        action=step.action.model_copy(update={"tool_calls": tuple(call for call, _ in kept)}),
        results=tuple(result for _, result in kept),
        masks=(*masks_of_step(step, is_answer=False), *([Mask.EDITED] if removed else [])),
        removed=removed,
    )
