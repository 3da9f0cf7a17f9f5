"""Every problem is shown on a good row with one thing changed."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from selfplay.clean.stages.strip import strip_supervision
from selfplay.export.formats import FORMATS
from selfplay.export.formats.trl import TRL
from selfplay.export.lint import Supervision, supervision_of
from selfplay.export.row_models import RowProblem, RowProblemKind
from tests.selfplay.traces import TASK_TEXT, a_contract, a_search, a_step, a_tool, a_trace, finish

CLEAN = strip_supervision(a_search(), a_contract())
Change = Callable[[dict[str, Any]], object]


def make_row(kind: str) -> dict[str, Any]:
    return orjson.loads(orjson.dumps(FORMATS[kind].make_row(CLEAN)))


def find_problems(kind: str, change: Change, supervision: Supervision | None = None) -> tuple[RowProblem, ...]:
    row = make_row(kind)
    change(row)
    weights = CLEAN.weights if kind == "trl" else None
    return FORMATS[kind].lint(row, weights=weights, supervision=supervision)


def kinds_of(found: tuple[RowProblem, ...]) -> set[RowProblemKind]:
    return {problem.kind for problem in found}


@pytest.mark.parametrize("kind", FORMATS)
def test_an_exported_row_has_no_problem(kind: str) -> None:
    assert (
        FORMATS[kind].lint(make_row(kind), weights=CLEAN.weights, supervision=supervision_of(a_search(), "[advice 1]"))
        == ()
    )


def call_of(row: dict[str, Any], number: int) -> dict[str, Any]:
    return row["messages"][number]["tool_calls"][0]["function"]


def schema_of(row: dict[str, Any]) -> dict[str, Any]:
    return row["tools"][0]["function"]["parameters"]


def set_arguments(row: dict[str, Any], number: int, values: dict[str, Any]) -> None:
    function = call_of(row, number)
    function["arguments"] = orjson.dumps(values).decode() if isinstance(function["arguments"], str) else values


SPOILT: list[tuple[Change, RowProblemKind, str]] = [
    (lambda r: r.update(id="e1"), RowProblemKind.SHAPE, "id"),
    (lambda r: r.pop("tools"), RowProblemKind.SHAPE, "tools"),
    (lambda r: r["messages"][1].update(role="developer"), RowProblemKind.SHAPE, "messages[1]"),
    (lambda r: r["messages"][1].update(content=None), RowProblemKind.SHAPE, "messages[1].content"),
    (lambda r: r["messages"][1].update(name="me"), RowProblemKind.SHAPE, "messages[1].name"),
    (lambda r: r["messages"][2].update(tool_calls=[]), RowProblemKind.SHAPE, "messages[2].tool_calls"),
    (lambda r: r["messages"][2].update(tool_calls=None), RowProblemKind.SHAPE, "messages[2].tool_calls"),
    (lambda r: r["messages"][-1].update(content="", tool_calls=[]), RowProblemKind.SHAPE, "messages[11].tool_calls"),
    (lambda r: r["messages"][3].update(content="a\0b"), RowProblemKind.TEXT, "messages[3].content"),
    (lambda r: r["messages"][2].update(content="\ud83d"), RowProblemKind.TEXT, "messages[2].content"),
    (lambda r: r["messages"].pop(0), RowProblemKind.ORDER, "messages[0]"),
    (lambda r: r["messages"].pop(1), RowProblemKind.ORDER, "messages[1]"),
    (lambda r: r["messages"].insert(4, r["messages"][0]), RowProblemKind.ORDER, "messages[4]"),
    (lambda r: r["messages"].pop(3), RowProblemKind.ORDER, "messages[3]"),
    (lambda r: r["messages"].pop(), RowProblemKind.ENDING, "messages"),
    (lambda r: r["messages"].clear(), RowProblemKind.ENDING, "messages"),
    (lambda r: r["messages"].pop(6), RowProblemKind.PAIRING, "messages[6]"),
    (lambda r: r["messages"].insert(5, r["messages"].pop(6)), RowProblemKind.PAIRING, "messages[5]"),
    (lambda r: r["messages"].insert(4, r["messages"][3]), RowProblemKind.PAIRING, "messages[4]"),
    (lambda r: r["messages"][3].update(tool_call_id="c9"), RowProblemKind.PAIRING, "messages[3]"),
    (lambda r: r["messages"][4]["tool_calls"][0].update(id="c1"), RowProblemKind.PAIRING, "messages[4].tool_calls[0]"),
    (lambda r: call_of(r, 2).update(name="ls"), RowProblemKind.ARGUMENTS, "messages[2].tool_calls[0]"),
    (lambda r: r["tools"].clear(), RowProblemKind.ARGUMENTS, "messages[2].tool_calls[0]"),
    (lambda r: set_arguments(r, 2, {}), RowProblemKind.ARGUMENTS, "messages[2].tool_calls[0].arguments"),
    (
        lambda r: set_arguments(r, 2, {"pattern": 1}),
        RowProblemKind.ARGUMENTS,
        "messages[2].tool_calls[0].arguments.pattern",
    ),
    (lambda r: schema_of(r).update(type="nonsense"), RowProblemKind.SHAPE, "tools"),
    (lambda r: schema_of(r).update({"$ref": "https://example.invalid/x"}), RowProblemKind.SHAPE, "tools"),
]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("change", "expected", "where"), SPOILT)
def test_a_spoilt_row_is_refused(kind: str, change: Change, expected: RowProblemKind, where: str) -> None:
    assert (expected, where) in {(p.kind, p.where) for p in find_problems(kind, change)}


@pytest.mark.parametrize("raw", ["", "[]", '{"pattern": ', "null", {"pattern": "x"}])
def test_openai_arguments_are_text_that_parses_to_an_object(raw: object) -> None:
    found = find_problems("openai", lambda row: call_of(row, 7).update(arguments=raw))
    assert kinds_of(found) <= {RowProblemKind.ARGUMENTS, RowProblemKind.SHAPE}
    assert found


@pytest.mark.parametrize("raw", ['{"pattern": "x"}', None, []])
def test_trl_arguments_are_an_object(raw: object) -> None:
    assert kinds_of(find_problems("trl", lambda row: call_of(row, 2).update(arguments=raw))) == {RowProblemKind.SHAPE}


@pytest.mark.parametrize("key", ["content", "reasoning_content"])
def test_trl_has_no_nulls(key: str) -> None:
    assert kinds_of(find_problems("trl", lambda row: row["messages"][2].update({key: None}))) == {RowProblemKind.SHAPE}


@pytest.mark.parametrize("weight", [None, 2, -1, True, 1.0, "1"])
def test_a_weight_is_0_or_1(weight: object) -> None:
    assert kinds_of(find_problems("openai", lambda row: row["messages"][2].update(weight=weight))) == {
        RowProblemKind.SHAPE
    }


def test_a_weight_stands_on_every_turn_of_the_model_and_on_no_other() -> None:
    assert kinds_of(find_problems("openai", lambda row: row["messages"][2].pop("weight"))) == {RowProblemKind.SHAPE}
    assert kinds_of(find_problems("openai", lambda row: row["messages"][1].update(weight=1))) == {RowProblemKind.SHAPE}
    assert kinds_of(find_problems("trl", lambda row: row["messages"][2].update(weight=1))) == {RowProblemKind.SHAPE}


def test_something_is_to_be_learned() -> None:
    def forget(row: dict[str, Any]) -> None:
        for message in row["messages"]:
            if message["role"] == "assistant":
                message["weight"] = 0

    assert kinds_of(find_problems("openai", forget)) == {RowProblemKind.WEIGHT}
    assert kinds_of(TRL.lint(make_row("trl"), weights=[0] * 5)) == {RowProblemKind.WEIGHT}


@pytest.mark.parametrize("weights", [[], [1], [1] * 6, [1, 1, 1, 1, 2]])
def test_weights_beside_a_row_fit_its_turns(weights: list[int]) -> None:
    assert RowProblemKind.WEIGHT in kinds_of(TRL.lint(make_row("trl"), weights=weights))


def test_a_call_of_no_known_tool_may_stay_as_context() -> None:
    assert find_problems("openai", lambda row: call_of(row, 7).update(name="ls")) == ()
    assert find_problems("trl", lambda row: call_of(row, 7).update(name="ls")) == ()


def test_calls_are_not_held_against_schemas_where_weights_are_unknown() -> None:
    row = make_row("trl")
    call_of(row, 2).update(name="ls")
    assert TRL.lint(row) == ()


# Words of the supervisor

HINT = "Think about where a response gets its headers."


def find_supervision_places(change: Change, supervision: Supervision) -> set[str]:
    found = [p for kind in FORMATS for p in find_problems(kind, change, supervision)]
    assert kinds_of(tuple(found)) <= {RowProblemKind.SUPERVISION}
    return {p.where for p in found}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_user_turn_after_the_task_is_a_hint_or_a_nudge(kind: str) -> None:
    found = find_problems(kind, lambda row: row["messages"].insert(4, {"role": "user", "content": "Go on."}))
    assert [(p.kind, p.where) for p in found] == [(RowProblemKind.SUPERVISION, "messages[4]")]


def test_a_hint_at_the_end_of_a_result_is_found() -> None:
    assert find_supervision_places(lambda r: append_text(r, 3, f"\n\n{HINT}"), Supervision([HINT])) == {"messages[3]"}


def test_the_mark_of_a_hint_is_found_wherever_it_stands() -> None:
    mark = Supervision(mark="[advice 123]")
    assert find_supervision_places(lambda r: append_text(r, 3, "\n[advice 123] Hm. And more"), mark) == {"messages[3]"}
    assert find_supervision_places(lambda r: append_text(r, 2, "It says [advice 123]"), mark) == {"messages[2]"}


def append_text(row: dict[str, Any], number: int, text: str) -> None:
    message = row["messages"][number]
    message["content"] = (message["content"] or "") + text


def test_a_hint_that_the_model_repeats_is_found_whatever_its_case_and_spacing() -> None:
    assert find_supervision_places(
        lambda r: append_text(r, 2, f" So: {HINT.upper()}".replace(" ", "\n")), Supervision([HINT])
    ) == {"messages[2]"}


def test_a_hint_inside_the_arguments_of_a_call_is_found() -> None:
    assert find_supervision_places(lambda r: set_arguments(r, 2, {"pattern": HINT}), Supervision([HINT])) == {
        "messages[2]"
    }


def test_a_hint_inside_the_reasoning_is_found() -> None:
    found = find_problems(
        "trl", lambda r: r["messages"][2].update(reasoning_content=f"I see. {HINT}"), Supervision([HINT])
    )
    assert [(p.kind, p.where) for p in found] == [(RowProblemKind.SUPERVISION, "messages[2]")]


def test_a_nudge_inside_a_file_that_was_read_is_no_problem() -> None:
    """The player may have read the very file that the words stand in."""
    assert (
        find_supervision_places(lambda r: append_text(r, 3, f"\n1: {HINT}\n2: and more"), Supervision([HINT])) == set()
    )


def test_words_of_the_task_itself_are_no_problem() -> None:
    assert find_supervision_places(lambda r: append_text(r, 2, TASK_TEXT), Supervision([TASK_TEXT])) == set()


PARTS = Supervision(["Look wider. Where does a response get its headers from? That is all."])


@pytest.mark.parametrize("end", [": I read on.", "", "... and so on"])
def test_a_sentence_of_a_hint_is_found_whatever_stands_behind_it(end: str) -> None:
    said = f" Where does a response get its headers from{end}"
    assert find_supervision_places(lambda r: append_text(r, 2, said), PARTS) == {"messages[2]"}
    assert find_supervision_places(
        lambda r: append_text(r, 2, said), Supervision(["Where does a response get its headers from?"])
    )


def test_a_sentence_in_a_script_without_blanks_is_found() -> None:
    hint = Supervision(["想一想。压缩后的数据在离开之前最后经过的是哪个函数里面的代码\uff1f"])
    said = "压缩后的数据在离开之前最后经过的是哪个函数里面的代码\uff0c我去看看。"
    assert find_supervision_places(lambda r: append_text(r, 2, said), hint) == {"messages[2]"}


def test_a_sentence_that_a_result_had_shown_is_no_problem() -> None:
    said = " Where does a response get its headers from"

    def read(row: dict[str, Any]) -> None:
        append_text(row, 3, f"\n1: #{said}\n2: and more")
        append_text(row, 7, said)

    assert find_supervision_places(read, PARTS) == set()


def test_a_short_sentence_of_a_hint_is_no_problem() -> None:
    assert find_supervision_places(lambda r: append_text(r, 2, " Look wider. That is all."), PARTS) == set()


def test_a_short_hint_is_not_looked_for() -> None:
    assert (
        find_supervision_places(lambda r: append_text(r, 2, "Look at the tests."), Supervision(["Look at the tests."]))
        == set()
    )


def test_hints_and_nudges_are_taken_from_the_trace() -> None:
    trace = a_trace(a_step(finish(), hint="A hint.", nudge="A nudge."))
    assert supervision_of(trace, "[m]") == Supervision(("A hint.", "A nudge."), "[m]")


def test_a_tool_that_refers_to_a_part_of_its_own_schema_is_fine() -> None:
    tool = a_tool("grep", "pattern")
    function: Any = tool["function"]
    function["parameters"] = {
        "type": "object",
        "properties": {"pattern": {"$ref": "#/$defs/text"}},
        "$defs": {"text": {"type": "string"}},
    }
    found = find_problems("openai", lambda row: row["tools"].__setitem__(0, tool))
    assert found == ()
