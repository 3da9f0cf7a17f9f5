"""What the player does at a hinted turn when it is asked again without the hint, and what follows from it.

The share of samples that take the same action is the turn's reliance on its hint. A sample that takes another, worse
action makes a preference pair. Its chosen side is a turn of the clean trace with weight 1: each part of its calls rests
on the prefix that both sides share, so it leans neither on a hint nor on what the rejected action would have returned,
which is in no prefix.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, cast

import orjson

from selfplay.clean.assistants.protocol import Assistants, TurnPoint
from selfplay.core.clean_trace import CleanTrace, PreferencePair, Reliance
from selfplay.core.message import Message, ToolCall
from selfplay.core.trace import Quality, Verdict
from selfplay.environments.environment import ANSWER_TOOL


def is_same_action(one: Message, other: Message) -> bool:
    """Whether two turns make the same calls, in whatever order and words.

    Arguments are compared as JSON values; one that is null equals one that is left out. Two answers (`finish`) are the
    same when they name the same files: the reasons are words. Two turns without a call are never the same action.
    """
    return bool(one.tool_calls) and Counter(map(_canonical_call, one.tool_calls)) == Counter(
        map(_canonical_call, other.tool_calls)
    )


def _canonical_call(call: ToolCall) -> tuple[str, bytes]:
    values = call.parse_arguments()
    if values is None or call.is_cut:
        return call.name, call.arguments.encode("utf-8", "surrogatepass")
    arguments = {key: value for key, value in values.items() if value is not None}
    if call.name == ANSWER_TOOL:
        arguments["files"] = _answer_paths(arguments.get("files"))
    return call.name, orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)


def _answer_paths(files: object) -> object:
    """The paths of an answer, sorted; anything else as it is."""
    if not isinstance(files, list):
        return files
    named = [cast("dict[str, Any]", f).get("path") for f in cast("list[object]", files) if isinstance(f, dict)]
    return sorted(path for path in named if isinstance(path, str))


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
