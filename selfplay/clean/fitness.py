"""Why a trace gives no row, as far as it shows in the trace alone."""

from dataclasses import dataclass

from selfplay.clean.codes import DropCode, failed
from selfplay.clean.evidence import Link, Source
from selfplay.clean.ground import Ground
from selfplay.clean.settings import CleanSettings
from selfplay.clean.weights import extra_share
from selfplay.sample import CleanTrace, Mask
from selfplay.trace import Trace


@dataclass(frozen=True, slots=True)
class Unfit:
    """A reason, and where it shows."""

    code: DropCode
    detail: str = ""


def before_cleaning(trace: Trace, clean: CleanTrace, settings: CleanSettings) -> Unfit | None:
    """What no repair changes: how the episode ended, and what it answered."""
    if trace.stop is None:
        return Unfit(DropCode.UNFINISHED)
    if code := failed(trace.stop.reason):
        return Unfit(code, trace.stop.detail)
    if clean.answer is None:
        return Unfit(DropCode.NO_ANSWER)
    share = extra_share(trace, clean)
    if settings.imprecise_answers == "drop" and share > settings.extra_files:
        extra = sorted({file.path for file in clean.answer} - set(trace.task.answer.paths))
        return Unfit(DropCode.IMPRECISE_ANSWER, f"{share:.0%} of its files are no targets: {', '.join(extra)}")
    return None


def after_cleaning(trace: Trace, clean: CleanTrace, ground: Ground) -> Unfit | None:
    """What the evidence and the masks say: a target out of nowhere, an answer that leans on a hint, nothing left."""
    for target in ground.ungrounded:
        return Unfit(DropCode.NO_CHAIN, f"{trace.task.answer.targets[target]}: {_told(ground.weakest(target))}")
    last = len(clean.turns) - 1
    if leaps := ground.leaps(last):
        return Unfit(DropCode.LEAP, f"the answer: {_told(leaps[0])}")
    if {Mask.ECHO, Mask.UNSEEN} & set(clean.turns[last].masks):
        return Unfit(DropCode.ECHO, "the answer's own words answer a hint")
    return None if any(clean.weights) else Unfit(DropCode.NOTHING_TO_LEARN)


def _told(link: Link | None) -> str:
    if link is None:
        return "no step that showed it is left"
    what = "only a hint" if link.source is Source.HINT else "nothing visible"
    return f"{what} explains {link.text!r} in {link.argument!r}"
