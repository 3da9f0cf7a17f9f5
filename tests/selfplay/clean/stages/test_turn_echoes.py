"""Restatements of a hint and names that only a hint had are found however much later and wherever they stand."""

import subprocess
import sys

import pytest

from selfplay.clean.echoes import EchoKind, find_echoes
from selfplay.clean.echoes.restatement import AT_HAND, MOST_KEPT, index_texts
from selfplay.clean.journals import CleaningCandidate
from selfplay.clean.pipeline import CleanedTrace, clean_offline
from selfplay.clean.settings import CleanSettings
from selfplay.clean.stages.turn_echoes import TurnContext, TurnEchoes, find_turn_echoes, names_in
from selfplay.core.clean_trace import Mask
from selfplay.core.drop_codes import DropCode, DroppedTrace
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.trace import Trace
from selfplay_tools.tools.tool import ShownRange
from tests.selfplay.traces import a_call, a_contract, a_result, a_step, a_trace, finish


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I read `the list` in src/pump/tank.py now.", ("the list", "src/pump/tank.py")),
        ("tank.py calls drain_slowly and openValve, e.g. twice.", ("tank.py", "drain_slowly", "openValve")),
        ("tests/test_tank.py::TestTank.empty fails", ("tests/test_tank.py", "TestTank.empty")),
        ("crate::pump::tank.rs or std::fs", ("crate::pump::tank.rs",)),
        ("HTTPServer and JSONEncoder, MyHTTPServer2", ("HTTPServer", "JSONEncoder", "MyHTTPServer2")),
        ("ask the APIs of two GPUs, re-read HTTP", ()),
        ("调用send_headers写入src/wire.py的HTTPServer。", ("send_headers", "src/wire.py", "HTTPServer")),
        ("send_headersを呼ぶ", ("send_headers",)),
        ("вызови send_headers и größe_neu", ("send_headers", "größe_neu")),
        ("nothing that is a name", ()),
    ],
)
def test_paths_file_names_and_identifiers_are_names(text: str, names: tuple[str, ...]) -> None:
    assert names_in(text) == names


@pytest.mark.parametrize("piece", ["a", "_", "a::", "1.", "a-", "a.-", "A", "Aa", "AAa", "a/", "é"])
def test_a_model_that_repeats_itself_for_ever_is_read_in_no_time(piece: str) -> None:
    """Of its own process: what takes minutes is ended, not waited for."""
    code = f"from selfplay.clean.stages.turn_echoes import names_in; names_in({piece!r} * 60_000)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


TARGET = "lantern/respond.py"
HINT = "Think about where the payload gets squeezed shortly before its departure."
TURN = "where the payload gets squeezed shortly before its departure"


def answer(reason: str) -> ToolCall:
    return a_call("finish", id="end", files=[{"path": TARGET, "reason": reason}])


def make_search(hint: str, text: str = "I open the next file.", end: ToolCall | None = None, shown: str = "") -> Trace:
    """A search with one hint; the text comes two turns behind it, the answer three."""
    layout, wire, target = (
        a_call("grep", id="layout", pattern="fingerprint"),
        a_call("read_file", id="w", path="lantern/wire.py"),
        a_call("read_file", id="target", path=TARGET),
    )
    opened = a_result(target, "def respond(): ...").model_copy(
        update={"shown": (ShownRange(path=TARGET, first=1, last=1, how="read"),)}
    )
    return a_trace(
        a_step(layout, text="I search.", results=[a_result(layout, f"{TARGET}\nlantern/wire.py")], hint=hint),
        a_step(wire, text="I open the wire.", results=[a_result(wire, f"class Wire: pass {shown}")]),
        a_step(target, text=text, results=[opened]).model_copy(update={"found": (0,)}),
        a_step(end or finish()),
    )


def outcome(trace: Trace) -> CleanedTrace | DroppedTrace:
    return clean_offline(CleaningCandidate(trace, a_contract()), CleanSettings())


def content(trace: Trace) -> str:
    cleaned = outcome(trace)
    assert isinstance(cleaned, CleanedTrace)
    return cleaned.clean.turns[2].action.content


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (HINT, f"Think about {TURN}: that is next. I open the next file."),
        (
            "Think about departures. What squeezes the payload before it leaves?",
            "What squeezes the payload before it leaves? I open the next file.",
        ),
    ],
)
def test_a_hints_turn_of_phrase_is_taken_out_of_later_turns(hint: str, text: str) -> None:
    assert content(make_search(hint, text)) == "I open the next file."


def test_an_answer_in_a_hints_words_gives_no_row_however_long_ago_it_was() -> None:
    dropped = outcome(make_search(HINT, end=answer(f"this is {TURN}")))
    assert isinstance(dropped, DroppedTrace)
    assert dropped.code is DropCode.ECHO


def test_words_that_a_result_has_too_are_no_restatement() -> None:
    text = f"That is {TURN}. I open the next file."
    assert content(make_search(HINT, text, shown=f"# {TURN}")) == text


def test_single_words_of_an_earlier_hint_are_no_restatement() -> None:
    text = "The payload is squeezed here, a departure."
    assert [f.kind for f in find_echoes(text, HINT)] == [EchoKind.RESTATED]
    assert find_echoes(text, hints_so_far=[HINT]) == ()
    assert find_echoes("Right, so I look.", hints_so_far=[HINT]) == ()


@pytest.mark.parametrize(
    "reason",
    [
        "谢谢你的提示\uff0c我找到了写入响应头的位置。",
        "ヒントをありがとうございます。",
        "Thanks for your hint, I found it.",
    ],
)
def test_an_answer_that_thanks_within_its_call_gives_no_row_in_any_script(reason: str) -> None:
    dropped = outcome(make_search(HINT, end=answer(reason)))
    assert isinstance(dropped, DroppedTrace)
    assert dropped.code is DropCode.ECHO


def test_an_answer_without_thanks_is_kept_in_a_script_without_blanks() -> None:
    assert isinstance(outcome(make_search(HINT, end=answer("在这里写入响应头。"))), CleanedTrace)


TELLING = "Consider which code calls send_headers. It matters."


def test_an_answer_that_names_within_its_call_what_only_a_hint_had_gives_no_row() -> None:
    named = answer("send_headers is called in here")
    dropped = outcome(make_search(TELLING, end=named))
    assert isinstance(dropped, DroppedTrace)
    assert dropped.code is DropCode.ECHO
    assert isinstance(outcome(make_search(TELLING, end=named, shown="def send_headers")), CleanedTrace)


def test_names_with_an_acronym_are_names() -> None:
    text = "The HTTPServer class must be next. I open the next file."
    assert content(make_search("Consider the HTTPServer.", text)) == "I open the next file."
    assert content(make_search("Consider the HTTPServer.", text, shown="class HTTPServer")) == text


def test_a_name_inside_a_call_masks_its_turn_and_leaves_its_words_as_they_are() -> None:
    noted = a_call("note", id="n", text="send_headers may be called in there")
    trace = make_search(TELLING)
    steps = (*trace.steps[:2], a_step(noted, text="I take a note.", results=[a_result(noted, "")]), *trace.steps[2:])
    cleaned = outcome(trace.model_copy(update={"steps": steps}))
    assert isinstance(cleaned, CleanedTrace)
    turn = cleaned.clean.turns[2]
    assert (turn.action.content, turn.repair, turn.masks) == ("I take a note.", None, (Mask.UNSEEN,))


def test_a_name_that_is_searched_for_is_a_matter_of_evidence() -> None:
    """Words of the task in another writing: the call is grounded, so it is learned."""
    action = Message(
        role="assistant",
        content="",
        origin=Origin.PLAYER,
        tool_calls=(a_call("bash", id="b", command="grep -rn send_headers src lib"),),
    )
    task = Message(role="user", content="Who send headers twice?", origin=Origin.TASK)
    assert find_turn_echoes(action, TurnContext((task,), hints_so_far=(TELLING,))) == TurnEchoes()


def test_texts_that_only_grow_are_read_once() -> None:
    texts = tuple(f"line {n} of a result" for n in range(5))
    few = index_texts(texts[:2])
    every = index_texts(texts)
    assert every.index is few.index is index_texts(texts[:3]).index
    assert index_texts((texts[0], "another result")).index is not every.index
    assert (few.has("4"), every.has("4")) == (False, True)
    run = ("line", "4", "of")
    assert (few.has_run(run), every.has_run(run), every.has_run(("4", "line", "of"))) == (False, True, False)


def test_no_more_than_some_texts_are_kept_read() -> None:
    first = index_texts(("the first",))
    for n in range(MOST_KEPT):
        index_texts((f"another {n}",))
    assert index_texts(("the first",)).index is not first.index
    assert MOST_KEPT > AT_HAND
