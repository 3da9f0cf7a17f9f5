"""One trace from raw to clean: strip, look for what leans on hints, repair, look again, weigh, measure, pair.

The stages in their order are those of `clean_trace`; each is a function of its own. Masks are set in
`selfplay.clean.stages.turn_masks`; why a trace gives no row, as far as it shows in the trace alone, is decided here.
The same trace, settings and replies give the same clean trace.
"""

from dataclasses import dataclass

from selfplay.clean.assistants.protocol import Assistants, EchoJudgeOnly, NoAssistants, run_without_waiting
from selfplay.clean.evidence import EvidenceLink, EvidenceSource
from selfplay.clean.journals import CleaningCandidate
from selfplay.clean.settings import CleanSettings
from selfplay.clean.stages.dead_ends import prune_dead_ends
from selfplay.clean.stages.grounding import (
    Grounding,
    find_hint_influence,
    find_hinted_turns,
    grounding_of,
    supervisor_texts_before_turns,
)
from selfplay.clean.stages.repair import repair_turns
from selfplay.clean.stages.resampled_turns import find_preference_pairs, measure_reliance, sample_hinted_turns
from selfplay.clean.stages.strip import strip_supervision
from selfplay.clean.stages.turn_masks import mask_imprecise_answer, mask_turns, surplus_share
from selfplay.core.clean_trace import CleanTrace, Mask, PreferencePair
from selfplay.core.drop_codes import DropCode, DroppedTrace, drop_code_of
from selfplay.core.trace import Trace
from selfplay.environments.registry import kind_of


@dataclass(frozen=True, slots=True)
class UnfitReason:
    """Why a trace gives no row, and where it shows."""

    code: DropCode
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CleanedTrace:
    """A trace worth training on."""

    clean: CleanTrace
    pairs: tuple[PreferencePair, ...] = ()
    hinted_turns: int = 0
    """Of its turns, those that a hint stood right before."""


async def clean_trace(
    candidate: CleaningCandidate, settings: CleanSettings, assistants: Assistants
) -> CleanedTrace | DroppedTrace:
    """What of a trace is worth training on, or why it gives no row.

    Nothing is asked of models for a trace that gives no row whatever they say. Raises what the assistants raise.
    """
    trace = candidate.trace
    clean = strip_candidate(candidate)
    if problem := check_outcome(trace, clean, settings):
        return _drop(trace, problem)
    unhinted = grounding_of(trace, clean)
    if problem := check_evidence(trace, clean, unhinted):
        return _drop(trace, problem)
    clean, grounding = await repair_and_mask(trace, clean, settings, assistants, unhinted)
    if problem := check_evidence(trace, clean, grounding):
        return _drop(trace, problem)
    hinted = find_hinted_turns(trace, clean)
    samples = await sample_hinted_turns(clean, hinted, settings.samples, assistants)
    clean = measure_reliance(clean, samples)
    pairs = await find_preference_pairs(clean, samples, assistants) if settings.pairs else ()
    return CleanedTrace(clean, pairs, len(hinted))


def _drop(trace: Trace, problem: UnfitReason) -> DroppedTrace:
    return DroppedTrace(episode=trace.episode, task=trace.task.brief.id, code=problem.code, detail=problem.detail)


def clean_offline(candidate: CleaningCandidate, settings: CleanSettings) -> CleanedTrace | DroppedTrace:
    """The same without any model: words are repaired by taking sentences out, and nothing is measured."""
    return run_without_waiting(clean_trace(candidate, settings, NoAssistants()))


def strip_candidate(candidate: CleaningCandidate) -> CleanTrace:
    """The trace without its supervisor, with what is known of where it comes from."""
    clean = strip_supervision(candidate.trace, candidate.contract)
    return clean.model_copy(update={"snapshot": candidate.snapshot, "stratum": candidate.trace.stratum})


async def repair_and_mask(
    trace: Trace, clean: CleanTrace, settings: CleanSettings, assistants: Assistants, unhinted: Grounding
) -> tuple[CleanTrace, Grounding]:
    """The trace pruned if that was asked for, repaired, and masked by what is left then; and what it rests on.

    `unhinted` is what it rests on without its hints.
    """
    hints = find_hint_influence(trace, is_strict=settings.hinted_queries == "drop")
    grounding = grounding_of(trace, clean, hints, unhinted.evidence)
    if settings.prune_dead_ends:
        clean = prune_dead_ends(trace, clean, grounding)
        grounding = grounding_of(trace, clean, hints)
    helpers = assistants if settings.repair == "models" else EchoJudgeOnly(assistants)
    repaired = await repair_turns(clean, supervisor_texts_before_turns(trace, clean), grounding.hinted_turns, helpers)
    if repaired != clean:
        clean, grounding = repaired, grounding_of(trace, repaired, hints, grounding.evidence_without_hints)
    clean = mask_turns(clean, supervisor_texts_before_turns(trace, clean), grounding)
    return mask_imprecise_answer(trace, clean, settings.extra_files), grounding


def check_outcome(trace: Trace, clean: CleanTrace, settings: CleanSettings) -> UnfitReason | None:
    """What no repair changes: how the episode ended, and what it answered."""
    if trace.stop is None:
        return UnfitReason(DropCode.UNFINISHED)
    if code := drop_code_of(trace.stop.reason):
        return UnfitReason(code, trace.stop.detail)
    if clean.answer_result is None:
        return UnfitReason(DropCode.NO_ANSWER)
    share = surplus_share(trace, clean)
    if settings.imprecise_answers == "drop" and share > settings.extra_files:
        extra = kind_of(trace.task).list_surplus(trace.task, clean.answer_result)
        return UnfitReason(DropCode.IMPRECISE_ANSWER, f"{share:.0%} of its files are no targets: {', '.join(extra)}")
    return None


def check_evidence(trace: Trace, clean: CleanTrace, grounding: Grounding) -> UnfitReason | None:
    """What the evidence and the masks say: a target out of nowhere, an answer that leans on a hint, nothing left."""
    for target in grounding.ungrounded_targets:
        return UnfitReason(
            DropCode.NO_CHAIN,
            f"{trace.task.answer.all_goals[target]}: {_describe_link(grounding.weakest_link(target))}",
        )
    last = len(clean.turns) - 1
    if leaps := grounding.leaps_of(last):
        return UnfitReason(DropCode.LEAP, f"the answer: {_describe_link(leaps[0])}")
    if {Mask.ECHO, Mask.UNSEEN} & set(clean.turns[last].masks):
        return UnfitReason(DropCode.ECHO, "the answer's own words answer a hint")
    return None if any(clean.weights) else UnfitReason(DropCode.NOTHING_TO_LEARN)


def _describe_link(link: EvidenceLink | None) -> str:
    if link is None:
        return "no step that showed it is left"
    what = "only a hint" if link.source is EvidenceSource.HINT else "nothing visible"
    return f"{what} explains {link.text!r} in {link.argument!r}"
