"""The clean trace as an episode that nobody supervised: what evidence is looked for in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from selfplay.clean.evidence import Evidence, EvidenceGraph, EvidenceLink, EvidenceSource, evidence_of, graph_of
from selfplay.core.clean_trace import CleanTrace, Repair
from selfplay.core.message import Message, Origin
from selfplay.core.trace import Judgement, Step, Stratum, Trace

LinkKey = tuple[str, str, tuple[int, int]]
"""A part of an argument: the call's id, the argument, the span."""


@dataclass(frozen=True, slots=True)
class HintInfluence:
    """What a trace's calls took from its hints, as long as these stand in the conversation."""

    links: Mapping[LinkKey, EvidenceLink] = field(default_factory=dict[LinkKey, EvidenceLink])
    """Parts of arguments that a hint explains best, or that a hint had as well."""
    is_strict: bool = False
    """Whether a hint's word in a query always breaks the chain of a target."""
    grounded_targets: frozenset[int] = frozenset()
    """Targets that something other than a hint led to all the same."""


@dataclass(frozen=True, slots=True)
class Grounding:
    """What a clean trace's calls rest on."""

    trace: Trace
    evidence: Evidence
    evidence_without_hints: Evidence
    """As if there had never been a hint."""
    graph: EvidenceGraph
    turn_positions: tuple[int, ...]
    """For each turn its position in the conversation."""
    ungrounded_targets: tuple[int, ...]
    """Targets (positions in the answer) that nothing visible leads to without a hint."""

    def leaps_of(self, turn: int) -> tuple[EvidenceLink, ...]:
        """The parts of a turn's arguments that only a hint, or nothing, explains."""
        return tuple(link for link in self.evidence.links_of(self.turn_positions[turn]) if link.source.is_leap)

    @property
    def hinted_turns(self) -> frozenset[int]:
        """Positions of the turns that took a part of an argument from a hint."""
        return frozenset(
            turn
            for turn in range(len(self.turn_positions))
            if any(x.source is EvidenceSource.HINT for x in self.leaps_of(turn))
        )

    def weakest_link(self, target: int) -> EvidenceLink | None:
        """The weakest link of what led to a target, if anything did."""
        return next((chain.weakest for chain in self.graph.chains if chain.target == target), None)


def find_hint_influence(trace: Trace, *, is_strict: bool = False) -> HintInfluence:
    """What of a trace's calls came from its hints: looked for in the conversation as the player had it.

    An ordinary word counts here where the player had it from a hint; without the hint nothing is odd about it.
    """
    if trace.stratum is Stratum.UNHINTED:
        return HintInfluence()
    conversation = trace.conversation
    evidence = evidence_of(conversation)
    hinted = (link for link in evidence.links if link.source is EvidenceSource.HINT or link.is_told)
    links = {_link_key(conversation, link): link for link in hinted}
    return HintInfluence(links, is_strict, _grounded_targets(graph_of(trace, evidence, is_strict=is_strict)))


def grounding_of(
    trace: Trace, clean: CleanTrace, hints: HintInfluence | None = None, unhinted: Evidence | None = None
) -> Grounding:
    """What the calls of a clean trace rest on.

    `trace` is the one that it was made of, `hints` the influence of its hints. What came from a hint stays a leap,
    except in a turn that the player repeated without the hint. `unhinted` is the evidence without hints, where it is
    known already.
    """
    hints = hints or HintInfluence()
    unsupervised = to_unsupervised_trace(trace, clean)
    positions = _find_turn_positions(unsupervised)
    conversation = unsupervised.conversation
    unhinted = unhinted or evidence_of(conversation)
    repeated = {positions[i] for i, turn in enumerate(clean.turns) if turn.repair is Repair.ASKED_AGAIN}
    played = (
        link if link.message in repeated else _restore_hint_source(link, hints.links.get(_link_key(conversation, link)))
        for link in unhinted.links
    )
    evidence = Evidence(links=tuple(played)) if hints.links else unhinted
    graph = graph_of(unsupervised, evidence, is_strict=hints.is_strict)
    grounded = _grounded_targets(graph)
    if hints.links:
        grounded = (grounded | hints.grounded_targets) & _grounded_targets(graph_of(unsupervised, unhinted))
    ungrounded = tuple(i for i in range(len(trace.task.answer.all_goals)) if i not in grounded)
    return Grounding(unsupervised, evidence, unhinted, graph, positions, ungrounded)


def _grounded_targets(graph: EvidenceGraph) -> frozenset[int]:
    return frozenset(chain.target for chain in graph.chains if chain.is_grounded)


def _restore_hint_source(link: EvidenceLink, hinted: EvidenceLink | None) -> EvidenceLink:
    if hinted is None or link.source.is_leap:
        return link
    if hinted.is_told:
        return link.model_copy(update={"is_told": True})
    return link.model_copy(update={"source": hinted.source, "place": None, "how": hinted.how})


def _link_key(conversation: Sequence[Message], link: EvidenceLink) -> LinkKey:
    return conversation[link.message].tool_calls[link.call].id, link.argument, link.span


def _find_turn_positions(unsupervised: Trace) -> tuple[int, ...]:
    positions: list[int] = []
    position = 2
    for step in unsupervised.steps:
        positions.append(position)
        position += 1 + len(step.results)
    return tuple(positions)


def to_unsupervised_trace(trace: Trace, clean: CleanTrace) -> Trace:
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


def supervisor_texts_before_turns(trace: Trace, clean: CleanTrace) -> tuple[tuple[str, ...], ...]:
    """For each turn what the supervisor's side wrote between the turn before and it, hints and nudges, in order."""
    texts: list[tuple[str, ...]] = []
    start = 0
    for turn in clean.turns:
        texts.append(tuple(m.content for step in trace.steps[start : turn.step] for m in step.messages_after))
        start = turn.step
    return tuple(texts)


def find_hinted_turns(trace: Trace, clean: CleanTrace) -> tuple[int, ...]:
    """Positions of the turns that a hint stood right before."""
    hinted: list[int] = []
    start = 0
    for number, turn in enumerate(clean.turns):
        between = trace.steps[start : turn.step]
        if any(m.origin is Origin.HINT for step in between for m in step.messages_after):
            hinted.append(number)
        start = turn.step
    return tuple(hinted)
