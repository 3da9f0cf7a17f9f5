"""The clean trace as an episode that nobody supervised: what evidence is looked for in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from selfplay.clean.evidence import Evidence, Graph, Link, Source, evidence_of, graph_of
from selfplay.message import Message, Origin
from selfplay.sample import CleanTrace, Repair
from selfplay.trace import Judgement, Step, Stratum, Trace

Key = tuple[str, str, tuple[int, int]]
"""A part of an argument: the call's id, the argument, the span."""


@dataclass(frozen=True, slots=True)
class FromHints:
    """What a trace's calls took from its hints, as long as these stand in the conversation."""

    links: Mapping[Key, Link] = field(default_factory=dict[Key, Link])
    """Parts of arguments that a hint explains best, or that a hint had said as well."""
    is_strict: bool = False
    """Whether a hint's word in a query always breaks the chain of a target."""
    grounded: frozenset[int] = frozenset()
    """Targets that something other than a hint led to all the same."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a clean trace's calls rest on."""

    trace: Trace
    evidence: Evidence
    alone: Evidence
    """As if there had never been a hint."""
    graph: Graph
    positions: tuple[int, ...]
    """For each turn its position in the conversation."""
    ungrounded: tuple[int, ...]
    """Targets (positions in the answer) that nothing visible leads to without a hint."""

    def leaps(self, turn: int) -> tuple[Link, ...]:
        """The parts of a turn's arguments that only a hint, or nothing, explains."""
        return tuple(link for link in self.evidence.of(self.positions[turn]) if link.source.is_leap)

    @property
    def hinted(self) -> frozenset[int]:
        """Positions of the turns that took a part of an argument from a hint."""
        return frozenset(
            turn for turn in range(len(self.positions)) if any(x.source is Source.HINT for x in self.leaps(turn))
        )

    def weakest(self, target: int) -> Link | None:
        """The weakest link of what led to a target, if anything did."""
        return next((chain.weakest for chain in self.graph.chains if chain.target == target), None)


def from_hints(trace: Trace, *, is_strict: bool = False) -> FromHints:
    """What of a trace's calls came from its hints: looked for in the conversation as the player had it.

    A word that anybody might try counts here, where the player had it from a hint; without the hint there is nothing
    odd about it any more.
    """
    if trace.stratum is Stratum.UNHINTED:
        return FromHints()
    conversation = trace.conversation
    evidence = evidence_of(conversation)
    heard = (link for link in evidence.links if link.source is Source.HINT or link.is_told)
    links = {_key(conversation, link): link for link in heard}
    return FromHints(links, is_strict, _grounded(graph_of(trace, evidence, is_strict=is_strict)))


def ground_of(trace: Trace, clean: CleanTrace, hints: FromHints | None = None, alone: Evidence | None = None) -> Ground:
    """What the calls of a clean trace rest on. `trace` is the one that it was made of, `hints` its `from_hints`.

    What came from a hint stays a leap, except in a turn that the player repeated without the hint. `alone` is the
    evidence without hints, where it is known already.
    """
    hints = hints or FromHints()
    silent = unsupervised(trace, clean)
    positions = _positions(silent)
    conversation = silent.conversation
    alone = alone or evidence_of(conversation)
    own = {positions[i] for i, turn in enumerate(clean.turns) if turn.repair is Repair.ASKED_AGAIN}
    played = (
        link if link.message in own else _as_played(link, hints.links.get(_key(conversation, link)))
        for link in alone.links
    )
    evidence = Evidence(links=tuple(played)) if hints.links else alone
    graph = graph_of(silent, evidence, is_strict=hints.is_strict)
    grounded = _grounded(graph)
    if hints.links:
        grounded = (grounded | hints.grounded) & _grounded(graph_of(silent, alone))
    ungrounded = tuple(i for i in range(len(trace.task.answer.targets)) if i not in grounded)
    return Ground(silent, evidence, alone, graph, positions, ungrounded)


def _grounded(graph: Graph) -> frozenset[int]:
    return frozenset(chain.target for chain in graph.chains if chain.is_grounded)


def _as_played(link: Link, hinted: Link | None) -> Link:
    if hinted is None or link.source.is_leap:
        return link
    if hinted.is_told:
        return link.model_copy(update={"is_told": True})
    return link.model_copy(update={"source": hinted.source, "place": None, "how": hinted.how})


def _key(conversation: Sequence[Message], link: Link) -> Key:
    return conversation[link.message].tool_calls[link.call].id, link.argument, link.span


def _positions(silent: Trace) -> tuple[int, ...]:
    positions: list[int] = []
    at = 2
    for step in silent.steps:
        positions.append(at)
        at += 1 + len(step.results)
    return tuple(positions)


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
