"""Preference pairs: at one point of a search the hinted action, and a worse one that was taken without the hint.

The chosen side is a turn of the clean trace with weight 1: each part of its calls rests on the prefix that both sides
share, so it leans neither on a hint nor on what the rejected action would have returned, which is in no prefix.
"""

from collections.abc import Iterator, Sequence

from selfplay.clean.assistants.protocol import Assistants, TurnPoint
from selfplay.clean.stages.action_equality import is_same_action
from selfplay.core.clean_trace import CleanTrace, PreferencePair, Reliance
from selfplay.core.message import Message
from selfplay.core.trace import Quality, Verdict

SampledTurns = dict[int, tuple[Message, ...]]
"""For each turn that was sampled, what the player did there without the hint."""


async def sample_hinted_turns(
    clean: CleanTrace, turns: Sequence[int], count: int, assistants: Assistants
) -> SampledTurns:
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


WORTH = {quality: worth for worth, quality in enumerate(reversed(Quality))}
"""productive above neutral above wasteful above mistaken."""


async def find_preference_pairs(
    clean: CleanTrace, samples: SampledTurns, assistants: Assistants
) -> tuple[PreferencePair, ...]:
    """The pairs of a trace: for each learned turn that was sampled, one for each different action that is judged worse.

    Both sides are judged alike, in conversations of their own.
    """
    found: list[PreferencePair] = []
    for number, others in samples.items():
        turn = clean.turns[number]
        different = tuple(_different_actions(turn.action, others))
        if turn.weight and different:
            point = TurnPoint(clean, number)
            verdicts = await assistants.judge_actions(point, (turn.action, *different))
            found += _pairs_from_verdicts(point, different, verdicts)
    return tuple(found)


def _different_actions(action: Message, others: Sequence[Message]) -> Iterator[Message]:
    """The other actions, each once; those that called nothing or could not be carried out prefer nothing."""
    seen = [action]
    for other in others:
        is_whole = other.tool_calls and all(c.parse_arguments() is not None and not c.is_cut for c in other.tool_calls)
        if is_whole and not any(is_same_action(other, known) for known in seen):
            seen.append(other)
            yield other


def _pairs_from_verdicts(
    point: TurnPoint, different: Sequence[Message], verdicts: Sequence[Verdict | None]
) -> Iterator[PreferencePair]:
    chosen, *rest = verdicts
    if chosen is None or chosen.quality not in {Quality.PRODUCTIVE, Quality.NEUTRAL}:
        return
    clean, turn = point.clean, point.clean.turns[point.turn]
    for other, verdict in zip(different, rest, strict=True):
        if verdict is not None and WORTH[verdict.quality] < WORTH[chosen.quality]:
            yield PreferencePair(
                episode=clean.episode,
                task=clean.task,
                step=turn.step,
                contract=clean.contract,
                prefix=point.prefix,
                chosen=turn.action,
                rejected=other,
                chosen_verdict=chosen,
                rejected_verdict=verdict,
            )
