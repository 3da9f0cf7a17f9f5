"""One trace from raw to clean: strip, look for what leans on hints, repair, look again, weigh, measure, pair.

The stages in their order are those of `clean_trace`; each is a function of its own. The same trace, settings and
replies give the same clean trace.
"""

from dataclasses import dataclass

from selfplay.clean.assist import Assistants, Nobody, OnlyJudge, at_once
from selfplay.clean.candidate import Candidate
from selfplay.clean.codes import DropCode
from selfplay.clean.fitness import after_cleaning, before_cleaning
from selfplay.clean.ground import Ground, from_hints, ground_of, hinted_turns, said_before
from selfplay.clean.pairs import preference_pairs
from selfplay.clean.prune import prune
from selfplay.clean.reliance import measured, sampled
from selfplay.clean.repair import repair
from selfplay.clean.settings import CleanSettings
from selfplay.clean.strip import strip
from selfplay.clean.weights import extra_share, masked, weigh
from selfplay.message import Noun
from selfplay.sample import CleanTrace, Mask, PreferencePair
from selfplay.trace import Trace


class DroppedTrace(Noun):
    """A trace that gives no row."""

    episode: str
    task: str = ""
    """The task's id; empty where the journal can't be read."""
    code: DropCode
    detail: str = ""
    """In words: where, and what was found."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A trace worth training on."""

    clean: CleanTrace
    pairs: tuple[PreferencePair, ...] = ()
    hinted_turns: int = 0
    """Of its turns, those that a hint stood right before."""


async def clean_trace(candidate: Candidate, settings: CleanSettings, assistants: Assistants) -> Cleaned | DroppedTrace:
    """What of a trace is worth training on, or why it gives no row.

    Nothing is asked of models for a trace that gives no row whatever they say. Raises what the assistants raise.
    """
    trace = candidate.trace
    clean = stripped(candidate)
    if problem := before_cleaning(trace, clean, settings):
        return DroppedTrace(episode=trace.episode, task=clean.task, code=problem.code, detail=problem.detail)
    alone = ground_of(trace, clean)
    if problem := after_cleaning(trace, clean, alone):
        return DroppedTrace(episode=trace.episode, task=clean.task, code=problem.code, detail=problem.detail)
    clean, ground = await mended(trace, clean, settings, assistants, alone)
    if problem := after_cleaning(trace, clean, ground):
        return DroppedTrace(episode=trace.episode, task=clean.task, code=problem.code, detail=problem.detail)
    hinted = hinted_turns(trace, clean)
    samples = await sampled(clean, hinted, settings.samples, assistants)
    clean = measured(clean, samples)
    pairs = await preference_pairs(clean, samples, assistants) if settings.pairs else ()
    return Cleaned(clean, pairs, len(hinted))


def clean_offline(candidate: Candidate, settings: CleanSettings) -> Cleaned | DroppedTrace:
    """The same without any model: words are repaired by taking sentences out, and nothing is measured."""
    return at_once(clean_trace(candidate, settings, Nobody()))


def stripped(candidate: Candidate) -> CleanTrace:
    """The trace without its supervisor, with what is known of where it comes from."""
    clean = strip(candidate.trace, candidate.contract)
    return clean.model_copy(update={"snapshot": candidate.snapshot, "stratum": candidate.trace.stratum})


async def mended(
    trace: Trace, clean: CleanTrace, settings: CleanSettings, assistants: Assistants, alone: Ground
) -> tuple[CleanTrace, Ground]:
    """The trace pruned if that was asked for, repaired, and weighed by what is left then; and what it rests on.

    `alone` is what it rests on without its hints.
    """
    hints = from_hints(trace, is_strict=settings.hinted_queries == "drop")
    ground = ground_of(trace, clean, hints, alone.evidence)
    if settings.prune_dead_ends:
        clean = prune(trace, clean, ground)
        ground = ground_of(trace, clean, hints)
    helpers = assistants if settings.repair == "models" else OnlyJudge(assistants)
    repaired = await repair(clean, said_before(trace, clean), ground.hinted, helpers)
    if repaired != clean:
        clean, ground = repaired, ground_of(trace, repaired, hints, ground.alone)
    clean = weigh(clean, said_before(trace, clean), ground)
    if extra_share(trace, clean) > settings.extra_files:
        last = len(clean.turns) - 1
        clean = clean.with_turn(last, masked(clean.turns[last], [Mask.IMPRECISE]))
    return clean, ground
