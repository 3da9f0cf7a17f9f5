"""Leave out dead ends: turns on which no later turn and no target rests.

What is left was not said in a row: a thought may look back on a search that is no longer there. So this is off unless
asked for, and a turn stays wherever the check of what is left finds more to object to than before.
"""

from collections.abc import Sequence

from selfplay.clean.ground import Ground, ground_of
from selfplay.clean.naming import names_in, unseen
from selfplay.sample import CleanTrace, Dropped, DropReason
from selfplay.trace import Trace


def prune(trace: Trace, clean: CleanTrace, ground: Ground) -> CleanTrace:
    """The trace without its dead ends, as far as the rest stands without them; last to first."""
    for turn in reversed(ground.graph.dead_ends):
        shorter = _without(clean, turn)
        if turn + 1 < len(clean.turns) and _stands(trace, clean, shorter, turn):
            clean = shorter
    return clean


def _without(clean: CleanTrace, turn: int) -> CleanTrace:
    gone = Dropped(step=clean.turns[turn].step, reason=DropReason.DEAD_END)
    dropped = tuple(sorted((*clean.dropped, gone), key=lambda d: d.step))
    return clean.model_copy(update={"turns": (*clean.turns[:turn], *clean.turns[turn + 1 :]), "dropped": dropped})


def _stands(trace: Trace, before: CleanTrace, after: CleanTrace, turn: int) -> bool:
    """Whether the turns behind a removed one need nothing of it: no leap, no lost chain, no name seen only there."""
    old, new = ground_of(trace, before), ground_of(trace, after)
    if len(new.ungrounded) > len(old.ungrounded):
        return False
    later = range(turn, len(after.turns))
    if any(len(new.leaps(i)) > len(old.leaps(i + 1)) for i in later):
        return False
    return not any(_names_lost(before, after, i) for i in later)


def _names_lost(before: CleanTrace, after: CleanTrace, turn: int) -> tuple[str, ...]:
    """Names in a turn's words that were to be seen before and no longer are."""
    action = after.turns[turn].action
    names = names_in(f"{action.content}\n{action.reasoning or ''}")
    return tuple(set(unseen(names, _texts(after, turn))) - set(unseen(names, _texts(before, turn + 1))))


def _texts(clean: CleanTrace, turn: int) -> Sequence[str]:
    return [m.content for m in clean.before(turn) if m.role != "system"]
