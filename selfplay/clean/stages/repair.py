"""Repair turns that answer a hint or lean on one; their calls and results stay the ones that were made.

In this order, each only where the one before it did not do: the player's own words, asked for again without the hint,
if it makes the same calls; words written anew by a model, held against what was visible; the same words without the
sentences that answer. What still answers after that is masked, see `selfplay.clean.stages.turn_masks`.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from selfplay.clean.assistants.protocol import Assistants, TurnPoint
from selfplay.clean.echoes import EchoFinding, EchoKind, without_echoes
from selfplay.clean.stages.resampled_turns import is_same_action
from selfplay.clean.stages.turn_echoes import (
    WORDS_FIELDS,
    TurnContext,
    TurnEchoes,
    WordsField,
    find_turn_echoes,
    find_unseen,
    names_in,
    turn_context,
    words_of,
)
from selfplay.core.clean_trace import CleanTrace, CleanTurn, Mask, Repair
from selfplay.core.message import Message


async def repair_turns(
    clean: CleanTrace,
    supervisor_texts: Sequence[tuple[str, ...]],
    hinted: Collection[int],
    assistants: Assistants,
    *,
    is_imported: bool = False,
) -> CleanTrace:
    """The trace with each turn repaired that needs it, first to last: later ones rest on repaired ones.

    A turn needs it for its words, or because its call took something from a hint (`hinted`): of the latter only the
    player itself can clear it, by making the same call without the hint. Turns before any hint or nudge stay
    as they are (in a trace from elsewhere it is not known what was one: there every turn is looked at), and so do turns
    that were repaired before. `supervisor_texts` is as in `turn_context`.
    """
    for number, turn in enumerate(clean.turns):
        context = turn_context(clean, number, supervisor_texts)
        echoes = (
            await find_echoes_with_judge(turn.action, context, assistants)
            if context.hints_so_far or is_imported
            else TurnEchoes()
        )
        if echoes.needs_repair or (number in hinted and turn.repair is not Repair.ASKED_AGAIN):
            clean = clean.with_turn(number, await _repair_turn(TurnPoint(clean, number), context, echoes, assistants))
    return clean


async def _repair_turn(point: TurnPoint, context: TurnContext, echoes: TurnEchoes, assistants: Assistants) -> CleanTurn:
    turn = point.clean.turns[point.turn]
    action, how = await _ask_again(point, context, assistants), Repair.ASKED_AGAIN
    if action is None and not echoes.needs_repair:
        return turn
    if action is None:
        action, how = await _ask_for_rewrite(point, context, echoes, assistants), Repair.REWRITTEN
    masks = turn.masks
    if action is None:
        action, how = excise_echoes(turn.action, echoes), Repair.EXCISED
        if Mask.ECHO not in masks and (await find_echoes_with_judge(action, context, assistants)).needs_repair:
            masks = (*masks, Mask.ECHO)
    original = turn.original or turn.action
    return turn.model_copy(update={"action": action, "repair": how, "original": original, "masks": masks})


async def find_echoes_with_judge(action: Message, context: TurnContext, assistants: Assistants) -> TurnEchoes:
    """What answers a hint by the wordings; in content and reasoning also what the judge finds, if there is one."""
    echoes = find_turn_echoes(action, context)
    found: dict[WordsField, tuple[EchoFinding, ...]] = {}
    for part in WORDS_FIELDS:
        text = words_of(action, part)
        more = await assistants.find_echoes(text, context.hint) if text.strip() else ()
        every = {(f.span, f.kind): f for f in (*echoes.echoes_in(part), *more)}
        found[part] = tuple(every[key] for key in sorted(every))
    return replace(echoes, content=found["content"], reasoning=found["reasoning"])


async def _ask_again(point: TurnPoint, context: TurnContext, assistants: Assistants) -> Message | None:
    action = point.clean.turns[point.turn].action
    for other in await assistants.sample_turns(point, 1):
        if (
            is_same_action(action, other)
            and not (await find_echoes_with_judge(other, context, assistants)).needs_repair
        ):
            return action.model_copy(update={"content": other.content, "reasoning": other.reasoning})
    return None


async def _ask_for_rewrite(
    point: TurnPoint, context: TurnContext, echoes: TurnEchoes, assistants: Assistants
) -> Message | None:
    """The action with other words in each part that needs them; None where some can't be had or do not pass."""
    action = point.clean.turns[point.turn].action
    new: dict[str, str] = {}
    for part in _fields_to_repair(action, echoes):
        left = _remove_sentences(words_of(action, part), echoes.echoes_in(part), echoes.borrowed)
        words = (await assistants.rewrite(point, action, left) or "").strip()
        if not words or not _names_only_visible(words, action, context):
            return None
        new[part] = words
    rewritten = action.model_copy(update=new)
    return None if (await find_echoes_with_judge(rewritten, context, assistants)).needs_repair else rewritten


def _fields_to_repair(action: Message, echoes: TurnEchoes) -> Iterator[WordsField]:
    for part in WORDS_FIELDS:
        if echoes.echoes_in(part) or any(_find_names(words_of(action, part), echoes.borrowed)):
            yield part


def _names_only_visible(words: str, action: Message, context: TurnContext) -> bool:
    """Whether words name nothing but what was to be seen, and what the action's own calls name."""
    own = (call.arguments for call in action.tool_calls)
    return not find_unseen(names_in(words), (*context.visible, *own))


def excise_echoes(action: Message, echoes: TurnEchoes) -> Message:
    """The action without the sentences that answer a hint, or name what only a hint had."""
    new = {
        part: _remove_sentences(words_of(action, part), echoes.echoes_in(part), echoes.borrowed)
        for part in WORDS_FIELDS
    }
    return action.model_copy(update={"content": new["content"], "reasoning": new["reasoning"] or None})


def _remove_sentences(text: str, findings: Sequence[EchoFinding], borrowed: Sequence[str]) -> str:
    left = without_echoes(text, findings) if findings else text
    while names := tuple(_find_names(left, borrowed)):
        shorter = without_echoes(left, names)
        left = shorter if len(shorter) < len(left) else ""
    return left


def _find_names(text: str, names: Sequence[str]) -> Iterator[EchoFinding]:
    """Where names stand in a text, as restatements of a hint."""
    for name in names:
        for match in re.finditer(re.escape(name), text, re.IGNORECASE):
            yield EchoFinding(kind=EchoKind.RESTATED, text=match[0], span=match.span())
