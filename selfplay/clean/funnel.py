"""What became of every trace: how many are left after each stage, and what of the rest is learned."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import Field

from selfplay.core.clean_trace import CleanTrace, DropReason, Mask, Repair
from selfplay.core.drop_codes import DropCode
from selfplay.core.message import Noun
from selfplay.core.trace import Stratum

STAGES: tuple[tuple[str, frozenset[DropCode]], ...] = (
    ("readable", frozenset({DropCode.UNREADABLE, DropCode.NO_OPENING, DropCode.NO_TOOLS, DropCode.SPOKEN_TO})),
    ("ended", frozenset({DropCode.UNFINISHED})),
    (
        "found",
        frozenset(
            {
                DropCode.GAVE_UP,
                DropCode.STEPS,
                DropCode.TOKENS,
                DropCode.TIME,
                DropCode.COST,
                DropCode.CONVERSATION,
                DropCode.MODEL_ERROR,
                DropCode.TOOL_ERROR,
                DropCode.CANCELLED,
                DropCode.BUG,
            }
        ),
    ),
    ("answered precisely", frozenset({DropCode.NO_ANSWER, DropCode.IMPRECISE_ANSWER})),
    ("grounded", frozenset({DropCode.NO_CHAIN, DropCode.LEAP, DropCode.ECHO})),
    ("worth learning", frozenset({DropCode.NOTHING_TO_LEARN, DropCode.LINT})),
    (
        "fit for a trainer",
        frozenset({DropCode.SECRET, DropCode.SPECIAL_TOKEN, DropCode.TOO_LONG, DropCode.CONTAMINATED}),
    ),
    ("no duplicate", frozenset({DropCode.DUPLICATE, DropCode.NEAR_DUPLICATE})),
    ("wanted", frozenset({DropCode.SURPLUS})),
)
"""What is left after each stage is not dropped for its codes, nor for those of the stages before."""

BUCKETS = ("0", "0-1/4", "1/4-1/2", "1/2-3/4", "3/4-1", "1")
"""Of hint reliance: the share of samples that take the same action without the hint; bounds go to the lower one."""


class FunnelStage(Noun):
    """One line of the funnel."""

    name: str
    left: int
    dropped: dict[DropCode, int]
    """Traces that ended here, by reason."""


class CleaningSpending(Noun):
    """What models were asked."""

    asked: int = 0
    """Calls made now."""
    found: int = 0
    """Calls answered from the file of samples."""
    remaining: int = 0
    """Calls not made for want of budget; more may follow from them."""
    tokens: int = 0
    """Of all calls in the file, earlier ones included."""
    usd: float = 0.0
    """Likewise, as far as prices are known."""
    faults: dict[str, int] = Field(default_factory=dict[str, int])
    """Answers of the echo judge that could not be used or could not be had, by what was wrong."""


class CleaningFunnel(Noun):
    """The outcome of cleaning."""

    traces: int
    stages: tuple[FunnelStage, ...]
    rows: int
    strata: dict[Stratum, int]
    """Of the rows."""
    turns: int
    """Of the model, in all rows."""
    learned_turns: int
    """Those with weight 1."""
    hinted_turns: int
    """Those that a hint stood right before."""
    masks: dict[Mask, int]
    """Turns that are only context, by reason; one counts for each of its reasons."""
    repairs: dict[Repair, int]
    """Turns whose words were repaired, by how."""
    left_out: dict[DropReason, int]
    """Turns of the raw traces that the rows have not."""
    reliance: dict[str, int]
    """Sampled turns by the share of samples that take the same action without the hint."""
    mean_reliance: float | None
    """That share over all samples; None without any."""
    pairs: int
    dropped_pairs: dict[DropCode, int] = Field(default_factory=dict[DropCode, int])
    """Pairs of kept traces whose rejected side must not stand in a row."""
    spent: CleaningSpending = CleaningSpending()
    sources: str = ""
    """sha256 of the names and sizes of the journals, or names and contents of imported files: what it is made of."""
    is_imported: bool = False
    """Whether it was made of traces from elsewhere, and not of journals."""


@dataclass(slots=True)
class FunnelCount:
    """What has been counted so far."""

    dropped: Counter[DropCode] = field(default_factory=Counter[DropCode])
    dropped_pairs: Counter[DropCode] = field(default_factory=Counter[DropCode])
    strata: Counter[Stratum] = field(default_factory=Counter[Stratum])
    masks: Counter[Mask] = field(default_factory=Counter[Mask])
    repairs: Counter[Repair] = field(default_factory=Counter[Repair])
    left_out: Counter[DropReason] = field(default_factory=Counter[DropReason])
    reliance: Counter[str] = field(default_factory=Counter[str])
    numbers: Counter[str] = field(default_factory=Counter[str])

    def keep(self, clean: CleanTrace, hinted_turns: int, pairs: int) -> None:
        """Count a trace that gives a row."""
        self.numbers.update(rows=1, turns=len(clean.turns), learned=sum(clean.weights))
        self.numbers.update(hinted=hinted_turns, pairs=pairs)
        self.strata.update([clean.stratum] if clean.stratum else [])
        self.masks += clean.mask_counts
        self.left_out += clean.drop_counts
        self.repairs.update(turn.repair for turn in clean.turns if turn.repair)
        for turn in clean.turns:
            if turn.reliance is not None:
                self.reliance[reliance_bucket(turn.reliance.share)] += 1
                self.numbers.update(samples=turn.reliance.samples, same=turn.reliance.same)

    def to_funnel(self, spent: CleaningSpending, sources: str) -> CleaningFunnel:
        """All of it, in an order that does not depend on that of the traces."""
        samples = self.numbers["samples"]
        return CleaningFunnel(
            traces=self.numbers["rows"] + self.dropped.total(),
            stages=tuple(_count_stages(self.numbers["rows"] + self.dropped.total(), self.dropped)),
            rows=self.numbers["rows"],
            strata=dict(sorted(self.strata.items())),
            turns=self.numbers["turns"],
            learned_turns=self.numbers["learned"],
            hinted_turns=self.numbers["hinted"],
            masks=dict(sorted(self.masks.items())),
            repairs=dict(sorted(self.repairs.items())),
            left_out=dict(sorted(self.left_out.items())),
            reliance={name: self.reliance[name] for name in BUCKETS if samples},
            mean_reliance=self.numbers["same"] / samples if samples else None,
            pairs=self.numbers["pairs"],
            dropped_pairs=dict(sorted(self.dropped_pairs.items())),
            spent=spent,
            sources=sources,
        )


def reliance_bucket(share: float) -> str:
    """The name of the bucket that a share falls into."""
    if share in {0.0, 1.0}:
        return BUCKETS[0] if share == 0 else BUCKETS[-1]
    return BUCKETS[1 + sum(share > bound for bound in (0.25, 0.5, 0.75))]


def _count_stages(traces: int, dropped: Counter[DropCode]) -> Iterable[FunnelStage]:
    left = traces
    for name, codes in STAGES:
        here = {code: dropped[code] for code in DropCode if code in codes and dropped[code]}
        left -= sum(here.values())
        yield FunnelStage(name=name, left=left, dropped=here)
