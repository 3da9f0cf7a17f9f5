"""The clean trace as an episode that nobody supervised: what evidence is looked for in."""

from dataclasses import dataclass

from selfplay.clean.evidence import Evidence, Graph, Link, evidence_of, graph_of
from selfplay.message import Origin
from selfplay.sample import CleanTrace
from selfplay.trace import Judgement, Step, Trace


@dataclass(frozen=True, slots=True)
class Ground:
    """What a clean trace's calls rest on."""

    trace: Trace
    evidence: Evidence
    graph: Graph
    positions: tuple[int, ...]
    """For each turn its position in the conversation."""

    def leaps(self, turn: int) -> tuple[Link, ...]:
        """The parts of a turn's arguments that nothing visible explains."""
        return tuple(link for link in self.evidence.of(self.positions[turn]) if link.source.is_leap)

    @property
    def ungrounded(self) -> tuple[int, ...]:
        """Targets (positions in the answer) that nothing visible leads to."""
        grounded = {chain.target for chain in self.graph.chains if chain.is_grounded}
        return tuple(i for i in range(len(self.trace.task.answer.targets)) if i not in grounded)

    def weakest(self, target: int) -> Link | None:
        """The weakest link of what led to a target, if anything did."""
        return next((chain.weakest for chain in self.graph.chains if chain.target == target), None)


def ground_of(trace: Trace, clean: CleanTrace) -> Ground:
    """What the calls of a clean trace rest on, without any hint. `trace` is the one that it was made of."""
    silent = unsupervised(trace, clean)
    evidence = evidence_of(silent.conversation)
    positions: list[int] = []
    at = 2
    for step in silent.steps:
        positions.append(at)
        at += 1 + len(step.results)
    return Ground(silent, evidence, graph_of(silent, evidence), tuple(positions))


def unsupervised(trace: Trace, clean: CleanTrace) -> Trace:
    """The clean trace in the form of a trace: its turns as steps, with their verdicts and what they found."""
    steps = [
        Step(
            action=turn.action,
            results=turn.results,
            found=trace.steps[turn.step].found,
            judgement=Judgement(verdict=trace.steps[turn.step].judgement.verdict),
        )
        for turn in clean.turns
    ]
    return trace.model_copy(update={"steps": tuple(steps), "prompt": clean.prompt})


def said_before(trace: Trace, clean: CleanTrace) -> tuple[tuple[str, ...], ...]:
    """For each turn what the supervisor's side said between the turn before and it, hints and nudges, in order."""
    said: list[tuple[str, ...]] = []
    start = 0
    for turn in clean.turns:
        said.append(tuple(m.content for step in trace.steps[start : turn.step] for m in step.after))
        start = turn.step
    return tuple(said)


def hinted_turns(trace: Trace, clean: CleanTrace) -> tuple[int, ...]:
    """Positions of the turns that a hint stood right before."""
    hinted: list[int] = []
    start = 0
    for number, turn in enumerate(clean.turns):
        between = trace.steps[start : turn.step]
        if any(m.origin is Origin.HINT for step in between for m in step.after):
            hinted.append(number)
        start = turn.step
    return tuple(hinted)
