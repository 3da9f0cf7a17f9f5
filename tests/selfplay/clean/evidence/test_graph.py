"""Chains to targets, dead ends, and how both are drawn."""

from xml.etree import ElementTree as ET

import pytest

from selfplay.clean.evidence import EvidenceGraph, EvidenceSource, evidence_of, graph_of
from selfplay.clean.evidence.rendering import TraceEvidence, chain_lines, to_mermaid, to_svg
from selfplay.core.message import ToolCall
from selfplay.core.trace import Step, StopReason, ToolResult, Trace
from selfplay_tools.tools.tool import ShownRange
from tests.selfplay.traces import a_call, a_result, a_step, a_trace, finish

TARGET = "lantern/respond.py"


def make_showing_result(call: ToolCall, text: str, path: str = TARGET) -> ToolResult:
    shown = (ShownRange(path=path, first=1, last=9, how="read"),)
    return a_result(call, text).model_copy(update={"shown": shown})


def make_reading_step(call: ToolCall, *, hint: str | None = None) -> Step:
    step = a_step(
        call, results=[make_showing_result(call, f"{TARGET}: lines 1-9 of 9\n     1\tdef respond():")], hint=hint
    )
    return step.model_copy(update={"found": (0,)})


def make_searching_step(name: str, query: str, answer: str, *, hint: str | None = None) -> Step:
    call = a_call("search", id=name, query=query)
    return a_step(call, results=[a_result(call, answer)], hint=hint)


def graph(trace: Trace) -> EvidenceGraph:
    return graph_of(trace, evidence_of(trace.conversation))


def test_a_target_found_by_the_tasks_words_has_a_chain() -> None:
    trace = a_trace(
        make_searching_step("a", "server fingerprint", f"1. {TARGET}\n2. lantern/log.py"),
        a_step(a_call("read_file", id="b", path="lantern/log.py")),
        make_reading_step(a_call("read_file", id="c", path=TARGET)),
        a_step(finish()),
    )
    found = graph(trace)
    assert [(chain.steps, chain.is_grounded) for chain in found.chains] == [((0, 2), True)]
    assert found.dead_ends == (1,)


def test_a_target_behind_a_leap_has_no_grounded_chain() -> None:
    trace = a_trace(
        make_searching_step("a", "header", "lantern/log.py", hint="What seals an envelope?"),
        make_searching_step("b", "envelope", f"1. {TARGET}"),
        make_reading_step(a_call("read_file", id="c", path=TARGET)),
        a_step(finish()),
    )
    chain = graph(trace).chains[0]
    assert (chain.steps, chain.is_grounded) == ((1, 2), False)
    assert chain.weakest is not None
    assert (chain.weakest.text, chain.weakest.source) == ("envelope", EvidenceSource.HINT)


def test_a_second_way_without_a_leap_grounds_the_target() -> None:
    trace = a_trace(
        make_searching_step("a", "header", "lantern/log.py", hint="What seals an envelope?"),
        make_searching_step("b", "envelope", f"1. {TARGET}"),
        make_searching_step("c", "response", f"1. {TARGET}"),
        make_reading_step(a_call("read_file", id="d", path=TARGET)),
        a_step(finish()),
    )
    chain = graph(trace).chains[0]
    assert (chain.steps, chain.is_grounded) == ((2, 3), True)


def test_a_guessed_path_is_its_own_leap() -> None:
    trace = a_trace(make_reading_step(a_call("read_file", id="a", path=TARGET)), a_step(finish()))
    found = graph(trace)
    assert [(chain.steps, chain.is_grounded) for chain in found.chains] == [((0,), False)]
    assert found.dead_ends == ()


def test_an_unfinished_trace_without_a_target_has_dead_ends_only() -> None:
    found = graph(a_trace(make_searching_step("a", "header", "lantern/log.py"), stop=None))
    assert (found.chains, found.dead_ends) == ((), (0,))


def test_a_step_without_calls_is_no_dead_end() -> None:
    assert graph(a_trace(a_step(text="Hm."), stop=StopReason.STEPS)).dead_ends == ()


@pytest.fixture
def told() -> TraceEvidence:
    hostile = 'x"]; click s1 "javascript:alert(1)" <b>\x00'
    trace = a_trace(
        make_searching_step("a", f"fingerprint {hostile}", f"1. {TARGET}", hint="What seals an envelope?"),
        make_searching_step("b", "envelope", "nothing"),
        make_reading_step(a_call("read_file", id="c", path=TARGET)),
        a_step(finish()),
    )
    return TraceEvidence.from_trace(trace, evidence_of(trace.conversation))


def test_a_chart_has_each_step_the_task_and_the_target(told: TraceEvidence) -> None:
    lines = to_mermaid(told).splitlines()
    assert lines[0] == "flowchart TD"
    assert [line.split("[")[0].strip() for line in lines[1:7]] == ["task", "s1", "s2", "s3", "s4", "t1"]
    assert {"  task ==> s1", "  s1 ==> s3", "  s3 ==> t1"} <= set(lines)


def test_labels_of_a_chart_are_text(told: TraceEvidence) -> None:
    for line in to_mermaid(told).splitlines()[1:7]:
        label = line[line.index('["') + 2 : line.rindex('"]')]
        assert not set(label) & set("\"'[]<>()\x00")


def test_a_picture_is_well_formed(told: TraceEvidence) -> None:
    root = ET.fromstring(to_svg(told))  # noqa: S314  made here
    assert root.tag.endswith("svg")
    assert len([child for child in root if child.tag.endswith("rect")]) == 6


def test_lines_name_the_way_and_the_leaps(told: TraceEvidence) -> None:
    lines = list(chain_lines(told))
    assert lines[0].startswith(f"target {TARGET}: task -> step 1 -> step 3 -> {TARGET} (")
    assert lines[-1] == "dead ends: 2"
