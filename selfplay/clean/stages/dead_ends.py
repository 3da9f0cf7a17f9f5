"""Leave out dead ends: turns on which no later turn and no target rests.

What is left was not said in a row: a thought may look back on a search that is no longer there. So this is off unless
asked for, and a turn stays wherever the check of what is left finds more to object to than before.
"""

from collections.abc import Sequence

from selfplay.clean.stages.grounding import Grounding, grounding_of
from selfplay.clean.stages.turn_echoes import find_unseen, names_in
from selfplay.core.clean_trace import CleanTrace, DroppedTurn, DropReason
from selfplay.core.trace import Trace


def prune_dead_ends(trace: Trace, clean: CleanTrace, grounding: Grounding) -> CleanTrace:
    """The trace without its dead ends, as far as the rest stands without them; last to first."""
    for turn in reversed(grounding.graph.dead_ends):
        shorter = _remove_turn(clean, turn)
        if turn + 1 < len(clean.turns) and _is_rest_supported(trace, clean, shorter, turn):
            clean = shorter
    return clean


def _remove_turn(clean: CleanTrace, turn: int) -> CleanTrace:
    gone = DroppedTurn(step=clean.turns[turn].step, reason=DropReason.DEAD_END)
    dropped = tuple(sorted((*clean.dropped, gone), key=lambda d: d.step))
    return clean.model_copy(update={"turns": (*clean.turns[:turn], *clean.turns[turn + 1 :]), "dropped": dropped})


def _is_rest_supported(trace: Trace, before: CleanTrace, after: CleanTrace, turn: int) -> bool:
    """Whether the turns behind a removed one need nothing of it: no leap, no lost chain, no name seen only there."""
    old, new = grounding_of(trace, before), grounding_of(trace, after)
    if len(new.ungrounded_targets) > len(old.ungrounded_targets):
        return False
    later = range(turn, len(after.turns))
    if any(len(new.leaps_of(i)) > len(old.leaps_of(i + 1)) for i in later):
        return False
    return not any(_find_lost_names(before, after, i) for i in later)


def _find_lost_names(before: CleanTrace, after: CleanTrace, turn: int) -> tuple[str, ...]:
    """Names in a turn's words that were to be seen before and no longer are."""
    action = after.turns[turn].action
    names = names_in(f"{action.content}\n{action.reasoning or ''}")
    return tuple(
        set(find_unseen(names, _visible_texts(after, turn))) - set(find_unseen(names, _visible_texts(before, turn + 1)))
    )


def _visible_texts(clean: CleanTrace, turn: int) -> Sequence[str]:
    return [m.content for m in clean.conversation_before(turn) if m.role != "system"]
