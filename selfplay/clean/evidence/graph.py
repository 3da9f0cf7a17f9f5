"""What rests on what: from each target back to the task; and which leaps break the way.

A call rests on the calls whose results explain its arguments, each by the one place that its link names (the task
before results; of results the earliest with the least doubt behind it). A call of which every part comes from the task,
from common knowledge, or from nowhere rests on the task. The chain of a target is the shortest way from the task to the
call that showed it; of several the one through the earliest calls.

`breaking_links` is the one place that decides which leaps break the way. A call shows what it shows because of all its
parts. A path, a name or a pattern that only a hint, or nothing, explains would not have been looked for. A query in
natural language is weaker than that: it is ranked by all of its words. It is *carried* by what is visible if at least
one distinctive word stands there that no hint had too, and if there are not more ordinary words that only a hint had
than such words. Then these words break nothing (they stay leaps: the turn is not learned). Else the query came from the
hint, and breaks the way like a path would.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from selfplay.clean.echoes.prose import COMMON
from selfplay.clean.evidence.links import Evidence, EvidenceChain, EvidenceGraph, EvidenceLink, EvidenceSource
from selfplay.clean.evidence.name_explanation import is_ordinary_word
from selfplay.clean.evidence.word_knowledge import common_knowledge
from selfplay.core.trace import Trace
from selfplay.environments.registry import kind_of

CallPosition = tuple[int, int]
"""Position of a step, and of a call in it."""


@dataclass(frozen=True)
class TraceLayout:
    """Where the steps of a trace stand in its conversation."""

    trace: Trace

    @cached_property
    def actions(self) -> dict[int, int]:
        """The step of each message of the player."""
        return {message: step for step, message in enumerate(self._starts)}

    @cached_property
    def results(self) -> dict[int, CallPosition]:
        """The call that each result answers."""
        found: dict[int, CallPosition] = {}
        for step, start in enumerate(self._starts):
            ids = [call.id for call in self.trace.steps[step].action.tool_calls]
            for i, result in enumerate(self.trace.steps[step].results):
                answered = result.message.tool_call_id
                found[start + 1 + i] = (step, ids.index(answered) if answered in ids else i)
        return found

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        starts: list[int] = []
        position = 2
        for step in self.trace.steps:
            starts.append(position)
            position += 1 + len(step.results) + len(step.messages_after)
        return tuple(starts)

    def action_position(self, step: int) -> int:
        """The position of the step's message of the player."""
        return self._starts[step]

    def calls_that_showed(self, target: int) -> list[CallPosition]:
        """The calls that showed the target, of the step that completed it; all of that step if none says so."""
        task = self.trace.task
        kind, goal = kind_of(task), task.answer.all_goals[target]
        for number, step in enumerate(self.trace.steps):
            if target in step.found:
                shown = [i for i, r in enumerate(step.results) if kind.shows_goal(goal, step.action, r)]
                return [(number, i) for i in shown or range(len(step.action.tool_calls))]
        return []


@dataclass(frozen=True)
class _CallDependencies:
    """What each call rests on."""

    layout: TraceLayout
    evidence: Evidence
    is_strict: bool = False

    @cached_property
    def links(self) -> dict[CallPosition, list[EvidenceLink]]:
        found: dict[CallPosition, list[EvidenceLink]] = {}
        for link in self.evidence.links:
            if link.message in self.layout.actions:
                found.setdefault((self.layout.actions[link.message], link.call), []).append(link)
        return found

    def breaking_links_of(self, calls: Iterable[CallPosition]) -> list[EvidenceLink]:
        """The links of these calls that break the way."""
        return [link for call in calls for link in breaking_links(self.links.get(call, ()), is_strict=self.is_strict)]

    def calls_behind(self, call: CallPosition) -> list[CallPosition]:
        """The calls whose results explain a part of it, in their order."""
        places = {link.place.message for link in self.links.get(call, ()) if link.place and not link.source.is_leap}
        return [self.layout.results[message] for message in sorted(places) if message in self.layout.results]

    def is_from_task(self, call: CallPosition) -> bool:
        """Whether a part of it, or all of it, comes from the task or from no text."""
        links = self.links.get(call, [])
        explained = [link for link in links if link.place is not None and not link.source.is_leap]
        return not explained or any(link.place and link.place.message not in self.layout.results for link in explained)

    def all_behind(self, calls: Sequence[CallPosition]) -> set[CallPosition]:
        """These calls and all that they rest on."""
        reached: set[CallPosition] = set()
        waiting = list(calls)
        while waiting:
            call = waiting.pop()
            if call not in reached:
                reached.add(call)
                waiting += self.calls_behind(call)
        return reached


def graph_of(trace: Trace, evidence: Evidence, *, is_strict: bool = False) -> EvidenceGraph:
    """The chain to each target that was found, and the dead ends. `evidence` is that of `trace.conversation`.

    If strict, every word of a query that only a hint had breaks a chain.
    """
    dependencies = _CallDependencies(TraceLayout(trace), evidence, is_strict)
    chains = tuple(_find_chain(dependencies, target) for target in sorted(trace.found_targets))
    return EvidenceGraph(chains=chains, dead_ends=tuple(_find_dead_ends(trace, dependencies)))


def edges_of(trace: Trace, evidence: Evidence) -> tuple[tuple[int | None, int], ...]:
    """What rests on what by steps: pairs of an earlier step (None: the task) and the one that rests on it, in order."""
    dependencies = _CallDependencies(TraceLayout(trace), evidence)
    found: set[tuple[int | None, int]] = set()
    for number, step in enumerate(trace.steps):
        for i in range(len(step.action.tool_calls)):
            found.update((earlier, number) for earlier, _ in dependencies.calls_behind((number, i)))
            if dependencies.is_from_task((number, i)):
                found.add((None, number))
    return tuple(sorted(found, key=lambda edge: (edge[1], -1 if edge[0] is None else edge[0])))


def _find_chain(dependencies: _CallDependencies, target: int) -> EvidenceChain:
    shown = dependencies.layout.calls_that_showed(target)
    needed = sorted(dependencies.all_behind(shown))
    links = [link for call in needed for link in dependencies.links.get(call, ())]
    breaks = dependencies.breaking_links_of(needed)
    return EvidenceChain(
        target=target,
        steps=tuple(dict.fromkeys(step for step, _ in _find_shortest_way(dependencies, shown))),
        is_grounded=bool(shown) and not breaks,
        weakest=max(breaks or links, key=lambda link: (link.source.rank, -link.message, -link.call), default=None),
    )


def _find_shortest_way(dependencies: _CallDependencies, shown: Sequence[CallPosition]) -> list[CallPosition]:
    """The shortest way from a call that rests on the task to one of these; of several that through the earliest."""
    later: dict[CallPosition, CallPosition | None] = dict.fromkeys(shown)
    waiting = deque(shown)
    while waiting:
        call = waiting.popleft()
        if dependencies.is_from_task(call):
            return _follow_way(call, later)
        for earlier in dependencies.calls_behind(call):
            if earlier not in later:
                later[earlier] = call
                waiting.append(earlier)
    return list(shown[:1])


def _follow_way(call: CallPosition | None, later: dict[CallPosition, CallPosition | None]) -> list[CallPosition]:
    way: list[CallPosition] = []
    while call is not None:
        way.append(call)
        call = later[call]
    return way


def _find_dead_ends(trace: Trace, dependencies: _CallDependencies) -> Iterator[int]:
    """Steps with calls on which nothing rests, an accepted answer left aside."""
    needed: set[int] = {
        step for target in trace.found_targets for step, _ in dependencies.layout.calls_that_showed(target)
    }
    for call in dependencies.links:
        needed.update(step for step, _ in dependencies.calls_behind(call) if step != call[0])
    for number, step in enumerate(trace.steps):
        is_answer = any(result.answer is not None for result in step.results)
        if step.action.tool_calls and not is_answer and number not in needed:
            yield number


def breaking_links(links: Sequence[EvidenceLink], *, is_strict: bool = False) -> Iterator[EvidenceLink]:
    """Of the links of one call those that break the way to a target; if strict, every leap does."""
    carried = frozenset[str]() if is_strict else frozenset(_find_carried_queries(links))
    for link in links:
        if link.source.is_leap and not (link.argument in carried and _is_hinted_ordinary_word(link)):
            yield link


def _find_carried_queries(links: Sequence[EvidenceLink]) -> Iterator[str]:
    """The arguments that are queries and carried by what is visible."""
    for argument in dict.fromkeys(link.argument for link in links if link.kind == "words"):
        words = [link for link in links if link.argument == argument]
        carrying = _distinct_words(link for link in words if _is_visible_distinctive_word(link))
        if carrying and len(carrying) >= len(_distinct_words(link for link in words if _is_hinted_ordinary_word(link))):
            yield argument


def _is_hinted_ordinary_word(link: EvidenceLink) -> bool:
    """An ordinary word that only a hint had. One that is none is a name, wherever it stands."""
    return link.kind == "words" and link.source is EvidenceSource.HINT and is_ordinary_word(link.text)


def _is_visible_distinctive_word(link: EvidenceLink) -> bool:
    """A distinctive word that stands in the task, or in a result and in no hint."""
    if link.kind != "words" or link.place is None or link.source.is_leap or link.is_told:
        return False
    word = link.text.lower()
    return word not in COMMON and word not in common_knowledge().names


def _distinct_words(links: Iterable[EvidenceLink]) -> frozenset[str]:
    return frozenset(link.text.lower() for link in links)
