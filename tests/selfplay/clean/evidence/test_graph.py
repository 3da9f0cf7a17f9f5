"""Chains to targets, dead ends, and how both are drawn."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.clean.assistants.protocol import NoAssistants, run_without_waiting
from selfplay.clean.evidence import EvidenceGraph, EvidenceSource, evidence_of, graph_of
from selfplay.clean.evidence.graph import breaking_links
from selfplay.clean.evidence.rendering import TraceEvidence, chain_lines, to_mermaid, to_svg
from selfplay.clean.pipeline import repair_and_mask
from selfplay.clean.settings import CleanSettings
from selfplay.clean.stages.grounding import grounding_of
from selfplay.clean.stages.strip import strip_supervision
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.trace import Step, StopReason, ToolResult, Trace
from selfplay_tools.tools.tool import ShownRange
from tests.selfplay.traces import a_call, a_contract, a_result, a_step, a_trace, finish

TARGET = "lantern/respond.py"
TASK = "The voucher is printed twice when a customer pays. See the error in the code."
SEEN = "tills/spooler.py\n12:    def flush(self, receipt):"
HINT = "Think of a drain that empties, and who would flush a receipt on paper. Which line?"


def find_breaking_words(query: str, *, is_strict: bool = False) -> set[str]:
    """The words of a query that break the way, after a task, a result and a hint."""
    grep = a_call("grep", id="a", pattern="voucher")
    search = a_call("search", id="b", query=query)
    conversation = (
        Message(role="user", content=TASK, origin=Origin.TASK),
        Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=(grep,)),
        Message(role="tool", content=SEEN, origin=Origin.TOOL, tool_call_id="a"),
        Message(role="user", content=HINT, origin=Origin.HINT),
        Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=(search,)),
    )
    return {link.text for link in breaking_links(evidence_of(conversation).links_of(4), is_strict=is_strict)}


TABLE = [
    ("voucher customer", set[str](), "nothing of a hint"),
    ("drain", {"drain"}, "a hint's word alone"),
    ("drain empties", {"drain", "empties"}, "only a hint's words"),
    ("voucher drain", set[str](), "as many of the task's as of the hint's"),
    ("vouchers drain", set[str](), "another form of the task's word"),
    ("voucher customer drain", set[str](), "mostly the task's"),
    ("voucher drain empties", {"drain", "empties"}, "mostly the hint's"),
    ("voucher voucher drain empties", {"drain", "empties"}, "a word twice is one word"),
    ("spooler drain", set[str](), "a word that only a result had"),
    ("receipt flush drain", {"drain"}, "words of a result that the hint had said as well"),
    ("voucher receipt drain empties", {"drain", "empties"}, "of which one is the task's"),
    ("code error drain", {"drain"}, "words of the task that say nothing"),
    ("which drain", {"drain"}, "little words carry nothing"),
    ("elephant drain", {"drain"}, "the player's own idea carries nothing"),
    ("voucher customer zzqx", {"zzqx"}, "a name that nothing has always breaks"),
    ("receipt flush", set[str](), "a hint takes nothing away that a result shows"),
]


@pytest.mark.parametrize(("query", "broken"), [row[:2] for row in TABLE], ids=[row[2] for row in TABLE])
def test_a_query_leads_on_if_what_is_visible_carries_it(query: str, broken: set[str]) -> None:
    assert find_breaking_words(query) == broken


@pytest.mark.parametrize("query", [row[0] for row in TABLE if "drain" in row[0]])
def test_strictly_each_hinted_word_breaks(query: str) -> None:
    assert {"drain"} <= find_breaking_words(query, is_strict=True) <= {"drain", "empties"}


def test_a_hinted_name_in_a_pattern_is_carried_by_nothing() -> None:
    """Neither by the query beside it, nor by words of the task in the pattern."""
    call = a_call("grep", id="a", pattern="fingerprint.*quux", query="fingerprint header")
    trace = a_trace(a_step(hint="Is there a quux?"), a_step(call, results=[a_result(call)]))
    links = evidence_of(trace.conversation).links
    assert {link.text for link in breaking_links(links)} == {"quux"}


HINTS = st.sampled_from([None, "What seals an envelope?", "Think of a drain for headers.", "Envelope and response."])
QUERIES = st.lists(st.sampled_from("fingerprint headers response envelope drain seals elephant".split()), min_size=1)
ANSWERS = st.sampled_from([f"1. {TARGET}", "1. lantern/log.py\n3:    drain(envelope)", "nothing"])


@st.composite
def searches(draw: st.DrawFn) -> Trace:
    """Queries after hints, of which some show the target, which is read then."""
    played: list[Step] = []
    for number in range(draw(st.integers(1, 5))):
        call = a_call("search", id=f"s{number}", query=" ".join(draw(QUERIES)))
        played.append(a_step(call, text="I search.", results=[a_result(call, draw(ANSWERS))], hint=draw(HINTS)))
    opened = a_call("read_file", id="t", path=TARGET)
    shown = (ShownRange(path=TARGET, first=1, last=1, how="read"),)
    result = a_result(opened, "def respond(): ...").model_copy(update={"shown": shown})
    read = a_step(opened, text="I read.", results=[result]).model_copy(update={"found": (0,)})
    return a_trace(*played, read, a_step(finish(), text="That is it."))


@given(searches(), st.sampled_from(["carried", "drop"]))
def test_explaining_and_cleaning_agree_on_what_is_grounded(trace: Trace, queries: str) -> None:
    settings = CleanSettings.model_validate({"hinted_queries": queries})
    graph = graph_of(trace, evidence_of(trace.conversation), is_strict=queries == "drop")
    clean = strip_supervision(trace, a_contract())
    _, ground = run_without_waiting(repair_and_mask(trace, clean, settings, NoAssistants(), grounding_of(trace, clean)))
    assert {chain.target for chain in graph.chains if not chain.is_grounded} == set(ground.ungrounded_targets)


@given(searches())
def test_what_stands_strictly_stands(trace: Trace) -> None:
    evidence = evidence_of(trace.conversation)
    for strict, chain in zip(
        graph_of(trace, evidence, is_strict=True).chains, graph_of(trace, evidence).chains, strict=True
    ):
        assert chain.is_grounded or not strict.is_grounded


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
def explained() -> TraceEvidence:
    hostile = 'x"]; click s1 "javascript:alert(1)" <b>\x00'
    trace = a_trace(
        make_searching_step("a", f"fingerprint {hostile}", f"1. {TARGET}", hint="What seals an envelope?"),
        make_searching_step("b", "envelope", "nothing"),
        make_reading_step(a_call("read_file", id="c", path=TARGET)),
        a_step(finish()),
    )
    return TraceEvidence.from_trace(trace, evidence_of(trace.conversation))


def test_a_chart_has_each_step_the_task_and_the_target(explained: TraceEvidence) -> None:
    lines = to_mermaid(explained).splitlines()
    assert lines[0] == "flowchart TD"
    assert [line.split("[")[0].strip() for line in lines[1:7]] == ["task", "s1", "s2", "s3", "s4", "t1"]
    assert {"  task ==> s1", "  s1 ==> s3", "  s3 ==> t1"} <= set(lines)


def test_labels_of_a_chart_are_text(explained: TraceEvidence) -> None:
    for line in to_mermaid(explained).splitlines()[1:7]:
        label = line[line.index('["') + 2 : line.rindex('"]')]
        assert not set(label) & set("\"'[]<>()\x00")


def test_a_picture_is_well_formed(explained: TraceEvidence) -> None:
    root = ET.fromstring(to_svg(explained))  # noqa: S314  made here
    assert root.tag.endswith("svg")
    assert len([child for child in root if child.tag.endswith("rect")]) == 6


def test_lines_name_the_way_and_the_leaps(explained: TraceEvidence) -> None:
    lines = list(chain_lines(explained))
    assert lines[0].startswith(f"target {TARGET}: task -> step 1 -> step 3 -> {TARGET} (")
    assert lines[-1] == "dead ends: 2"
