"""What rests on what: from each target back to the task.

A call rests on the calls whose results explain its arguments, each by the one place that its link names (the task
before results; of results the earliest with the least doubt behind it). A call of which every part
comes from the task, from common knowledge, or from nowhere rests on the task. The chain of a target is the shortest way
from the task to the call that showed it; of several the one through the earliest calls.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from selfplay.clean.evidence.carried import breaking
from selfplay.clean.evidence.links import Chain, Evidence, Graph, Link
from selfplay.trace import Trace

Call = tuple[int, int]
"""Position of a step, and of a call in it."""


@dataclass(frozen=True)
class Layout:
    """Where the steps of a trace stand in its conversation."""

    trace: Trace

    @cached_property
    def actions(self) -> dict[int, int]:
        """The step of each message of the player."""
        return {message: step for step, message in enumerate(self._starts)}

    @cached_property
    def results(self) -> dict[int, Call]:
        """The call that each result answers."""
        found: dict[int, Call] = {}
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
            position += 1 + len(step.results) + len(step.after)
        return tuple(starts)

    def message(self, step: int) -> int:
        """The position of the step's message of the player."""
        return self._starts[step]

    def shown_by(self, target: int) -> list[Call]:
        """The calls that showed the target's file, of the step that completed it; all of that step if none says so."""
        path = self.trace.task.answer.targets[target].path
        for number, step in enumerate(self.trace.steps):
            if target in step.found:
                shown = [i for i, result in enumerate(step.results) if any(s.path == path for s in result.shown)]
                return [(number, i) for i in shown or range(len(step.action.tool_calls))]
        return []


@dataclass(frozen=True)
class _Rests:
    """What each call rests on."""

    layout: Layout
    evidence: Evidence
    is_strict: bool = False

    @cached_property
    def links(self) -> dict[Call, list[Link]]:
        found: dict[Call, list[Link]] = {}
        for link in self.evidence.links:
            if link.message in self.layout.actions:
                found.setdefault((self.layout.actions[link.message], link.call), []).append(link)
        return found

    def breaking(self, calls: Iterable[Call]) -> list[Link]:
        """The links of these calls that break the way."""
        return [link for call in calls for link in breaking(self.links.get(call, ()), is_strict=self.is_strict)]

    def on(self, call: Call) -> list[Call]:
        """The calls whose results explain a part of it, in their order."""
        places = {link.place.message for link in self.links.get(call, ()) if link.place and not link.source.is_leap}
        return [self.layout.results[message] for message in sorted(places) if message in self.layout.results]

    def on_task(self, call: Call) -> bool:
        """Whether a part of it, or all of it, comes from the task or from no text."""
        links = self.links.get(call, [])
        explained = [link for link in links if link.place is not None and not link.source.is_leap]
        return not explained or any(link.place and link.place.message not in self.layout.results for link in explained)

    def all_of(self, calls: Sequence[Call]) -> set[Call]:
        """These calls and all that they rest on."""
        reached: set[Call] = set()
        waiting = list(calls)
        while waiting:
            call = waiting.pop()
            if call not in reached:
                reached.add(call)
                waiting += self.on(call)
        return reached


def graph_of(trace: Trace, evidence: Evidence, *, is_strict: bool = False) -> Graph:
    """The chain to each target that was found, and the dead ends. `evidence` is that of `trace.conversation`.

    If strict, every word of a query that only a hint had breaks a chain.
    """
    rests = _Rests(Layout(trace), evidence, is_strict)
    chains = tuple(_chain(rests, target) for target in sorted(trace.found))
    return Graph(chains=chains, dead_ends=tuple(_dead_ends(trace, rests)))


def edges_of(trace: Trace, evidence: Evidence) -> tuple[tuple[int | None, int], ...]:
    """What rests on what by steps: pairs of an earlier step (None: the task) and the one that rests on it, in order."""
    rests = _Rests(Layout(trace), evidence)
    found: set[tuple[int | None, int]] = set()
    for number, step in enumerate(trace.steps):
        for i in range(len(step.action.tool_calls)):
            found.update((earlier, number) for earlier, _ in rests.on((number, i)))
            if rests.on_task((number, i)):
                found.add((None, number))
    return tuple(sorted(found, key=lambda edge: (edge[1], -1 if edge[0] is None else edge[0])))


def _chain(rests: _Rests, target: int) -> Chain:
    shown = rests.layout.shown_by(target)
    needed = sorted(rests.all_of(shown))
    links = [link for call in needed for link in rests.links.get(call, ())]
    breaks = rests.breaking(needed)
    return Chain(
        target=target,
        steps=tuple(dict.fromkeys(step for step, _ in _shortest(rests, shown))),
        is_grounded=bool(shown) and not breaks,
        weakest=max(breaks or links, key=lambda link: (link.source.rank, -link.message, -link.call), default=None),
    )


def _shortest(rests: _Rests, shown: Sequence[Call]) -> list[Call]:
    """The shortest way from a call that rests on the task to one of these; of several that through the earliest."""
    later: dict[Call, Call | None] = dict.fromkeys(shown)
    waiting = deque(shown)
    while waiting:
        call = waiting.popleft()
        if rests.on_task(call):
            return _way(call, later)
        for earlier in rests.on(call):
            if earlier not in later:
                later[earlier] = call
                waiting.append(earlier)
    return list(shown[:1])


def _way(call: Call | None, later: dict[Call, Call | None]) -> list[Call]:
    way: list[Call] = []
    while call is not None:
        way.append(call)
        call = later[call]
    return way


def _dead_ends(trace: Trace, rests: _Rests) -> Iterator[int]:
    """Steps with calls on which nothing rests, an accepted answer left aside."""
    needed: set[int] = {step for target in trace.found for step, _ in rests.layout.shown_by(target)}
    for call in rests.links:
        needed.update(step for step, _ in rests.on(call) if step != call[0])
    for number, step in enumerate(trace.steps):
        is_answer = any(result.answer is not None for result in step.results)
        if step.action.tool_calls and not is_answer and number not in needed:
            yield number
