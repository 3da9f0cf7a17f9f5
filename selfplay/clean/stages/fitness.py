"""Why a trace gives no row, as far as it shows in the trace alone."""

from dataclasses import dataclass

from selfplay.clean.evidence import EvidenceLink, EvidenceSource
from selfplay.clean.settings import CleanSettings
from selfplay.clean.stages.grounding import Grounding
from selfplay.clean.stages.turn_masks import surplus_share
from selfplay.core.clean_trace import CleanTrace, Mask
from selfplay.core.drop_codes import DropCode, drop_code_of
from selfplay.core.trace import Trace
from selfplay.environments.registry import kind_of


@dataclass(frozen=True, slots=True)
class UnfitReason:
    """A reason, and where it shows."""

    code: DropCode
    detail: str = ""


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


def check_evidence(trace: Trace, clean: CleanTrace, ground: Grounding) -> UnfitReason | None:
    """What the evidence and the masks say: a target out of nowhere, an answer that leans on a hint, nothing left."""
    for target in ground.ungrounded_targets:
        return UnfitReason(
            DropCode.NO_CHAIN, f"{trace.task.answer.all_goals[target]}: {_describe_link(ground.weakest_link(target))}"
        )
    last = len(clean.turns) - 1
    if leaps := ground.leaps_of(last):
        return UnfitReason(DropCode.LEAP, f"the answer: {_describe_link(leaps[0])}")
    if {Mask.ECHO, Mask.UNSEEN} & set(clean.turns[last].masks):
        return UnfitReason(DropCode.ECHO, "the answer's own words answer a hint")
    return None if any(clean.weights) else UnfitReason(DropCode.NOTHING_TO_LEARN)


def _describe_link(link: EvidenceLink | None) -> str:
    if link is None:
        return "no step that showed it is left"
    what = "only a hint" if link.source is EvidenceSource.HINT else "nothing visible"
    return f"{what} explains {link.text!r} in {link.argument!r}"
