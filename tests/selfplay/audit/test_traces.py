"""What in traces, from any source, should not be trained on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from selfplay.audit.traces import AuditCode, AuditedTrace, AuditSeverity, TraceAuditSummary, audit_traces
from selfplay.clean.across import AcrossSettings
from selfplay.clean.stages.strip import strip_supervision
from selfplay.cli.app import app
from selfplay.core.clean_trace import CleanTrace, Mask
from selfplay.core.errors import InputError
from selfplay.core.task_rows import row_of
from selfplay.core.trace import Quality
from selfplay.export.formats.openai_chat import openai_row
from selfplay.export.formats.trl import trl_row
from tests.selfplay.traces import a_call, a_contract, a_result, a_step, a_task, a_trace, finish

OFF = AcrossSettings(scanner="off", key_names=())
Row = dict[str, Any]
BEHIND = "lantern/respond.py:3: def write_headers(response):"


def a_grounded_search(episode: str = "e1", text: str = "The task speaks of a header.") -> CleanTrace:
    """A search in which every argument comes from the task or from a result."""
    one, two = a_call("grep", id="c1", pattern="header"), a_call("read_file", id="c2", path="lantern/respond.py")
    trace = a_trace(
        a_step(one, text=text, results=[a_result(one, BEHIND)]),
        a_step(two, text="A line there writes headers.", results=[a_result(two, "def write_headers(response): ...")]),
        a_step(finish(), text="This is the place."),
        episode=episode,
    )
    return strip_supervision(trace, a_contract())


def a_row() -> Row:
    return openai_row(a_grounded_search())


def audit(tmp_path: Path, *rows: object, settings: AcrossSettings = OFF) -> list[AuditedTrace]:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return list(audit_traces([path], settings))


def places_of(audited: AuditedTrace) -> list[tuple[AuditCode, str]]:
    return [(f.code, f.place) for f in audited.findings]


def test_a_row_of_ours_that_leans_on_nothing_passes(tmp_path: Path) -> None:
    [audited] = audit(tmp_path, a_row())
    assert audited.findings == ()
    assert audited.passes
    assert audited.format == "chat"


def in_turn(number: int, **changes: object) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        row["messages"][number] |= changes

    return change


def with_arguments(text: str) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        row["messages"][2]["tool_calls"][0]["function"]["arguments"] = text

    return change


def without(*numbers: int) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        row["messages"] = [m for n, m in enumerate(row["messages"]) if n not in numbers]

    return change


def with_user_turn(row: Row) -> None:
    row["messages"].insert(4, {"role": "user", "content": "Look at how responses are written."})


W = AuditCode.WEIGHT
CASES: dict[str, tuple[Callable[[Row], None], list[tuple[AuditCode, str]]]] = {
    "a user turn after the task": (with_user_turn, [(AuditCode.SUPERVISION, "messages[4]")]),
    "the mark of a hint": (
        in_turn(3, content=f"{BEHIND}\n\n[advice 0123456789abcdef] Try the wire."),
        [(AuditCode.SUPERVISION, "messages[3]")],
    ),
    "an echo": (
        in_turn(4, content="Thanks for the hint, that helps. A line there writes headers."),
        [(AuditCode.ECHO, "messages[4].content"), (W, "messages[4]")],
    ),
    "a leap": (
        with_arguments('{"pattern": "zygomorphic_flux"}'),
        [(AuditCode.LEAP, "messages[2].tool_calls[0].arguments.pattern"), (W, "messages[2]")],
    ),
    "arguments that are no object": (
        with_arguments('{"pattern": '),
        [(AuditCode.ARGUMENTS, "messages[2].tool_calls[0].arguments"), (W, "messages[2]")],
    ),
    "a call without its result": (
        without(5),
        [
            (AuditCode.UNPAIRED, "messages[4].tool_calls[0]"),
            (W, "messages[4]"),
            (AuditCode.ORDER, "messages[5]"),
            (W, "messages[5]"),
        ],
    ),
    "a result without its call": (
        in_turn(5, tool_call_id="other"),
        [(AuditCode.UNPAIRED, "messages[4].tool_calls[0]"), (W, "messages[4]"), (AuditCode.UNPAIRED, "messages[5]")],
    ),
    "a special token": (in_turn(3, content=f"{BEHIND} <|eot_id|>"), [(AuditCode.SPECIAL_TOKEN, "messages[3].content")]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_finding_says_what_and_where(tmp_path: Path, case: str) -> None:
    change, expected = CASES[case]
    row = a_row()
    change(row)
    [audited] = audit(tmp_path, row)
    assert places_of(audited) == expected
    assert not audited.passes


@pytest.mark.parametrize("case", ["an echo", "a leap", "arguments that are no object"])
def test_in_a_turn_that_is_not_learned_they_are_notes(tmp_path: Path, case: str) -> None:
    row = a_row()
    CASES[case][0](row)
    number = 4 if case == "an echo" else 2
    row["messages"][number]["weight"] = 0
    [audited] = audit(tmp_path, row)
    assert [f.severity for f in audited.findings] == [AuditSeverity.NOTE]
    assert audited.passes


def test_a_row_of_which_nothing_is_learned_is_a_finding(tmp_path: Path) -> None:
    row = a_row()
    for message in row["messages"]:
        message.pop("weight", None)
    assert audit(tmp_path, row)[0].passes
    for message in row["messages"]:
        if message["role"] == "assistant":
            message["weight"] = 0
    assert places_of(audit(tmp_path, row)[0]) == [(AuditCode.WEIGHT, "")]


def test_user_messages_are_no_fault_in_rows_of_other_projects(tmp_path: Path) -> None:
    row = a_row()
    with_user_turn(row)
    row["tools"] = row["tools"][:-1]
    assert audit(tmp_path, row)[0].passes


def test_duplicates_among_the_given_are_found_and_the_first_stays(tmp_path: Path) -> None:
    audited = audit(tmp_path, a_row(), a_row(), openai_row(a_grounded_search(text="Headers come to mind.")))
    assert [places_of(one) for one in audited] == [[], [(AuditCode.DUPLICATE, "")], [(AuditCode.NEAR_DUPLICATE, "")]]
    assert audited[1].findings[0].why.endswith("rows.jsonl:1")


def test_the_sides_of_a_pair_may_resemble_each_other(tmp_path: Path) -> None:
    row = a_row()
    before, last = row["messages"][:-1], row["messages"][-1:]
    pair = {"prompt": before, "chosen": last, "rejected": last, "tools": row["tools"]}
    assert [one.passes for one in audit(tmp_path, pair)] == [True, True]


def test_a_secret_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "abcdefgh-12345678")
    row = a_row()
    row["messages"].insert(4, {"role": "user", "content": "Use abcdefgh-12345678"})
    row["messages"][5]["content"] = "Good point: abcdefgh-1234\\u0035678, as suggested."
    [audited] = audit(tmp_path, row, settings=AcrossSettings(scanner="off", key_names=("MY_KEY",)))
    assert (AuditCode.SECRET, "messages[4].content") in places_of(audited)
    assert (AuditCode.SECRET, "messages[5].content") in places_of(audited)
    assert "12345678" not in json.dumps(audited.to_row()).replace("\\\\u0035", "5")


def test_a_clean_trace_is_read_with_its_masks(tmp_path: Path) -> None:
    clean = a_grounded_search()
    [audited] = audit(tmp_path, json.loads(clean.model_dump_json()))
    assert (audited.format, audited.findings) == ("clean", ())


def test_a_refused_call_that_is_learned_is_a_finding(tmp_path: Path) -> None:
    clean = a_grounded_search()
    turn = clean.turns[1]
    refused = turn.model_copy(update={"results": (turn.results[0].model_copy(update={"ok": False}),)})
    for masks, expected in (((), [(AuditCode.WEIGHT, "messages[4]")]), ((Mask.REFUSED,), [])):
        masked = clean.with_turn(1, refused.model_copy(update={"masks": masks}))
        assert places_of(audit(tmp_path, json.loads(masked.model_dump_json()))[0]) == expected


def test_weights_beside_rows_of_ours_count(tmp_path: Path) -> None:
    step = a_step(a_call("grep", id="c1", pattern="zygomorphic_flux"), quality=Quality.WASTEFUL)
    clean = strip_supervision(
        a_trace(step, a_step(a_call("grep", id="c2", pattern="header")), a_step(finish())), a_contract()
    )
    (tmp_path / "sft.jsonl").write_text(json.dumps(trl_row(clean)))
    path = tmp_path / "sft.jsonl"
    alone = next(audit_traces([path], OFF))
    (tmp_path / "rows.jsonl").write_text(json.dumps({"episode": "e1", "weights": clean.weights}) + "\n")
    beside = next(audit_traces([path], OFF))
    severities = [
        {f.place: f.severity for f in one.findings}["messages[2].tool_calls[0].arguments.pattern"]
        for one in (alone, beside)
    ]
    assert severities == [AuditSeverity.ERROR, AuditSeverity.NOTE]


def test_places_are_those_of_the_document_that_was_read(tmp_path: Path) -> None:
    call = {"tool_call_id": "a", "function_name": "grep", "arguments": {"pattern": "header"}}
    steps = [
        {"source": "user", "message": "Where is the header written?"},
        {
            "source": "agent",
            "message": "x",
            "tool_calls": [call],
            "observation": {"results": [{"source_call_id": "a", "content": "<|im_end|>"}]},
        },
    ]
    [audited] = audit(tmp_path, {"schema_version": "ATIF-v1.6", "session_id": "s", "agent": {}, "steps": steps})
    place = "steps[1].observation.results[0].content"
    assert places_of(audited) == [(AuditCode.SPECIAL_TOKEN, place)]
    assert audited.findings[0].why == f"<|im_end|> in {place} (tool)"


def test_what_cant_be_read_is_a_finding_in_its_place(tmp_path: Path) -> None:
    audited = audit(tmp_path, a_row(), {"rows": 3}, {"episode": "e", "contract": {}, "turns": 3})
    assert [[code for code, _ in places_of(one)] for one in audited] == [
        [],
        [AuditCode.UNREADABLE],
        [AuditCode.UNREADABLE],
    ]
    assert "'contract.tools_version' is missing" in audited[2].findings[0].why


def test_the_batch_does_not_change_what_is_found(tmp_path: Path) -> None:
    rows = [a_row(), {"rows": 3}, a_row(), a_row()]
    one = audit(tmp_path, *rows, settings=OFF.model_copy(update={"batch": 1}))
    assert [each.to_row() for each in one] == [each.to_row() for each in audit(tmp_path, *rows)]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder"):
        list(audit_traces([tmp_path], OFF))


def test_a_missing_file_is_reported_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(a_row()))
    with pytest.raises(InputError, match="missing: can't be read"):
        next(audit_traces([tmp_path / "rows.jsonl", tmp_path / "missing"], OFF))


def test_hostile_text_ends_nothing(tmp_path: Path) -> None:
    row = a_row()
    row["messages"][3]["content"] = "\0\x1b]0;x\x07\u202e" + "A" * 1_000_000 + "\U0010ffff"
    row["messages"][4]["content"] = "<" * 100_000 + "[" * 100_000 + "\\u00" * 50_000
    summary = TraceAuditSummary()
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    [audited] = audit_traces([path], OFF, summary)
    assert audited.format == "chat"
    assert summary.traces == 1


def test_length_and_benchmarks_are_asked_for_as_in_cleaning(tmp_path: Path) -> None:
    rows, listed = tmp_path / "clean.jsonl", tmp_path / "benchmarks.txt"
    rows.write_text(a_grounded_search().model_dump_json())
    listed.write_text("somebody/lantern")
    options = ["--scanner", "off", "--max-row-tokens", "20", "--benchmarks", str(listed)]
    done = CliRunner().invoke(app, ["audit", "traces", str(rows), *options])
    assert done.exit_code == 1
    codes = {finding["code"] for finding in json.loads(done.stdout)["findings"]}
    assert codes == {"too_long", "contaminated"}


def test_standard_input_stands_for_a_file(tmp_path: Path) -> None:
    rows = f"{json.dumps(a_row())}\n" * 2
    done = CliRunner().invoke(app, ["audit", "traces", "-", "--scanner", "off"], input=rows)
    first, again = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.exit_code, first["trace"], first["passes"]) == (1, "-:1", True)
    assert again["findings"][0]["why"].endswith("as -:1")
    twice = CliRunner().invoke(app, ["audit", "traces", "-", "-", "--scanner", "off"], input=rows)
    assert "only once" in str(twice.exception)
    wrong = CliRunner().invoke(app, ["audit", "echoes", "-"], input='{"text": "Thanks for the hint!"}\n{}\n')
    assert json.loads(wrong.stdout)["echo"] is True
    assert str(wrong.exception) == "-:2: the key 'text' is missing"
    hint = {"task": json.loads(row_of(a_task()).model_dump_json()), "hint": "Look into lantern/respond.py."}
    result = CliRunner().invoke(app, ["audit", "hints", "-", "--repos", str(tmp_path)], input=json.dumps(hint))
    assert json.loads(result.stdout)["reveals"] is True


def test_the_command_prints_a_row_each_and_ends_with_1_where_something_was_found(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(json.dumps(a_row()))
    row = a_row()
    with_user_turn(row)
    bad.write_text(json.dumps(row))
    options = ["--scanner", "off", "--near-duplicates", "0"]
    fine = CliRunner().invoke(app, ["audit", "traces", str(good), *options])
    assert (fine.exit_code, json.loads(fine.stdout)["passes"]) == (0, True)
    assert "1 of 1 traces pass" in fine.stderr
    wrong = CliRunner().invoke(app, ["audit", "traces", str(good), str(bad), *options])
    assert wrong.exit_code == 1
    rows = [json.loads(line) for line in wrong.stdout.splitlines()]
    assert [one["passes"] for one in rows] == [True, False]
    assert rows[1]["findings"][0] == {
        "code": "supervision",
        "severity": "error",
        "message": 4,
        "place": "messages[4]",
        "text": "Look at how responses are written.",
        "why": "a user turn after the task: no user speaks in use",
    }
    assert "errors: 1 duplicate, 1 supervision" in wrong.stderr


def test_a_row_that_is_nested_too_deeply_does_not_hide_the_others(tmp_path: Path) -> None:
    deep: list[object] = []
    for _ in range(400):
        deep = [deep]
    rows = [{"episode": "e", "contract": deep, "turns": []}, {"episode": "e", "contract": deep, "prefix": []}, a_row()]
    assert [audited.passes for audited in audit(tmp_path, *rows)] == [False, False, True]
