"""Measure how much a trace leans on its hints: what the player does at the same point without one."""

from collections.abc import Sequence

from selfplay.clean.assist import Assistants, TurnPoint
from selfplay.clean.same import is_same_action
from selfplay.message import Message
from selfplay.sample import CleanTrace, Reliance

SampledTurns = dict[int, tuple[Message, ...]]
"""For each turn that was sampled, what the player did there without the hint."""


async def sample_hinted_turns(clean: CleanTrace, turns: Sequence[int], count: int, assistants: Assistants) -> SampledTurns:
    """Samples of these turns; a turn of which none was to be had is left out."""
    taken = {turn: await assistants.sample_turns(TurnPoint(clean, turn), count) for turn in turns if count}
    return {turn: samples for turn, samples in taken.items() if samples}


def measure_reliance(clean: CleanTrace, samples: SampledTurns) -> CleanTrace:
    """The trace with the reliance of each sampled turn."""
    for number, others in samples.items():
        turn = clean.turns[number]
        same = sum(is_same_action(turn.action, other) for other in others)
        reliance = Reliance(samples=len(others), same=same)
        clean = clean.with_turn(number, turn.model_copy(update={"reliance": reliance}))
    return clean
