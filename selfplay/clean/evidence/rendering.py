"""Evidence for people: as lines of text, as a Mermaid flow chart, as an SVG picture. Steps are counted from 1."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from selfplay.clean.evidence.graph import TraceLayout, breaking_links, edges_of, graph_of
from selfplay.clean.evidence.links import Evidence, EvidenceGraph, EvidenceLink
from selfplay.core.trace import Trace

LABEL_CHARS = 40
LINE_CHARS = 100


@dataclass(frozen=True, slots=True)
class TraceEvidence:
    """A trace with its evidence."""

    trace: Trace
    evidence: Evidence
    graph: EvidenceGraph

    @classmethod
    def from_trace(cls, trace: Trace, evidence: Evidence) -> "TraceEvidence":
        """With the graph worked out."""
        return cls(trace, evidence, graph_of(trace, evidence))

    def links_of(self, step: int) -> tuple[EvidenceLink, ...]:
        """Those of one step, by its position."""
        return self.evidence.links_of(TraceLayout(self.trace).action_position(step))

    def has_leap(self, step: int) -> bool:
        """Whether one of the step's links is a leap."""
        return any(link.source.is_leap for link in self.links_of(step))


def step_lines(shown: TraceEvidence, step: int) -> Iterator[str]:
    """The calls of a step, and what each of their parts rests on."""
    calls = shown.trace.steps[step].action.tool_calls
    yield f"step {step + 1}" + ("" if calls else ": no call")
    for number, call in enumerate(calls):
        yield f"  {call.name} {_shorten(call.arguments, LINE_CHARS)}"
        links = [link for link in shown.links_of(step) if link.call == number]
        breaks = tuple(breaking_links(links))
        yield from (f"    {link_line(shown.trace, link)}{_leap_remark(link, breaks)}" for link in links)


def _leap_remark(link: EvidenceLink, breaks: Sequence[EvidenceLink]) -> str:
    """A remark on a leap: whether the query that it stands in is carried by its other words."""
    if not link.source.is_leap:
        return ""
    return "  LEAP" if link in breaks else "  LEAP, carried by the rest of the query"


def link_line(trace: Trace, link: EvidenceLink) -> str:
    """`query words 'header' <- task, line 1: exact`."""
    return (
        f"{link.argument} {link.kind} {link.text!r} <- {_describe_place(trace, link)}: {_shorten(link.how, LINE_CHARS)}"
    )


def _describe_place(trace: Trace, link: EvidenceLink) -> str:
    if link.place is None:
        return link.source.value
    line = f"line {link.place.line}"
    layout = TraceLayout(trace)
    if link.place.message in layout.results:
        step, call = layout.results[link.place.message]
        of = trace.steps[step].action.tool_calls[call].name
        return f"{link.source.value}, step {step + 1} ({of}), {line}"
    return f"{link.source.value}, {line}"


def chain_lines(shown: TraceEvidence) -> Iterator[str]:
    """One line for each target, then one about leaps and one about dead ends."""
    chains = {chain.target: chain for chain in shown.graph.chains}
    for number, target in enumerate(shown.trace.task.answer.all_goals):
        chain = chains.get(number)
        if chain is None:
            yield f"target {target}: not found"
            continue
        way = " -> ".join(["task", *(f"step {step + 1}" for step in chain.steps), str(target)])
        weakest = (
            f"; {'weakest' if chain.is_grounded else 'broken by'}: {link_line(shown.trace, chain.weakest)}"
            if chain.weakest
            else ""
        )
        yield f"target {target}: {way} ({'grounded' if chain.is_grounded else 'not grounded'}{weakest})"
    yield f"leaps: {len(shown.evidence.leaps)} of {len(shown.evidence.links)} links"
    ends = ", ".join(str(step + 1) for step in shown.graph.dead_ends)
    yield f"dead ends: {ends or 'none'}"


@dataclass(frozen=True, slots=True)
class _EvidenceNode:
    id: str
    label: str
    style: str
    """`task`, `step`, `leap`, `dead` or `target`."""


def _nodes(shown: TraceEvidence) -> Iterator[_EvidenceNode]:
    yield _EvidenceNode("task", "task", "task")
    for number, step in enumerate(shown.trace.steps):
        calls = ", ".join(call.name for call in step.action.tool_calls) or "no call"
        texts = ", ".join(dict.fromkeys(link.text for link in shown.links_of(number)))
        style = "leap" if shown.has_leap(number) else "dead" if number in shown.graph.dead_ends else "step"
        yield _EvidenceNode(f"s{number + 1}", _shorten(f"{number + 1} {calls}: {texts}", LABEL_CHARS), style)
    for number, target in enumerate(shown.trace.task.answer.all_goals):
        yield _EvidenceNode(f"t{number + 1}", _shorten(str(target), LABEL_CHARS), "target")


def _edges(shown: TraceEvidence) -> Iterator[tuple[str, str, bool]]:
    """From, to, and whether the edge is part of a target's chain."""
    ways = {edge for chain in shown.graph.chains for edge in _edges_along(chain.steps)}
    for earlier, later in edges_of(shown.trace, shown.evidence):
        yield _node_id(earlier), _node_id(later), (earlier, later) in ways
    for chain in shown.graph.chains:
        yield _node_id(chain.steps[-1] if chain.steps else None), f"t{chain.target + 1}", True


def _edges_along(steps: Sequence[int]) -> Iterator[tuple[int | None, int]]:
    before: int | None = None
    for step in steps:
        yield before, step
        before = step


def _node_id(step: int | None) -> str:
    return "task" if step is None else f"s{step + 1}"


def _shorten(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def to_mermaid(shown: TraceEvidence) -> str:
    """A flow chart in Mermaid's language, with thick edges on the chains to the targets."""
    rows = ["flowchart TD"]
    rows += [f'  {node.id}["{_escape_for_mermaid(node.label)}"]:::{node.style}' for node in _nodes(shown)]
    rows += [f"  {start} {'==>' if is_way else '-->'} {end}" for start, end, is_way in _edges(shown)]
    rows += [f"  classDef {name} fill:{colour},stroke:#444,color:#111" for name, colour in COLOURS.items()]
    return "\n".join(rows) + "\n"


def _escape_for_mermaid(text: str) -> str:
    """Quotes, brackets and signs of markup as Mermaid's entities."""
    return "".join(char if char.isalnum() or char in " ./_-,:…" else f"#{ord(char)};" for char in text)


COLOURS = {"task": "#cfe3ff", "step": "#ffffff", "leap": "#ffc9c9", "dead": "#e6e6e6", "target": "#c9f2cf"}
_WIDTH, _HEIGHT, _GAP, _LEFT = 330, 26, 18, 130


def to_svg(shown: TraceEvidence) -> str:
    """A picture: the task, the steps and the targets from top to bottom, with an arc for each edge."""
    nodes = list(_nodes(shown))
    rows = {node.id: 10 + i * (_HEIGHT + _GAP) for i, node in enumerate(nodes)}
    height = 20 + len(nodes) * (_HEIGHT + _GAP)
    shapes = [_draw_arc(rows[start], rows[end], is_way=is_way) for start, end, is_way in _edges(shown)]
    shapes += [_draw_box(node, rows[node.id]) for node in nodes]
    size = f'width="{_LEFT + _WIDTH + 20}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">\n' + (
        "\n".join(shapes) + "\n</svg>\n"
    )


def _draw_arc(start: int, end: int, *, is_way: bool) -> str:
    top, bottom = start + _HEIGHT // 2, end + _HEIGHT // 2
    bend = _LEFT - min(120, 12 + (bottom - top) // 4)
    stroke = 'stroke="#1a7f37" stroke-width="2.5"' if is_way else 'stroke="#999"'
    return f'<path d="M{_LEFT} {top} C{bend} {top} {bend} {bottom} {_LEFT} {bottom}" fill="none" {stroke}/>'


def _draw_box(node: _EvidenceNode, top: int) -> str:
    size = f'x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" rx="4"'
    box = f'<rect {size} fill="{COLOURS[node.style]}" stroke="#444"/>'
    return f'{box}<text x="{_LEFT + 8}" y="{top + 17}">{escape(_replace_unprintable(node.label))}</text>'


def _replace_unprintable(text: str) -> str:
    """The text without characters that XML has no place for."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def to_json_values(shown: TraceEvidence, step: int | None) -> dict[str, object]:
    """What was found, as JSON values, the links of all steps or of one; positions count from 0, as in the trace."""
    links = shown.evidence.links if step is None else shown.links_of(step)
    return {
        "episode": shown.trace.episode,
        "steps": len(shown.trace.steps),
        "links": [{**link.model_dump(mode="json"), "is_leap": link.source.is_leap} for link in links],
        "chains": [chain.model_dump(mode="json") for chain in shown.graph.chains],
        "dead_ends": list(shown.graph.dead_ends),
        "edges": [list(edge) for edge in edges_of(shown.trace, shown.evidence)],
    }
