"""Traces of other projects on the way to rows, through the commands."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from selfplay.audit.traces import audit_traces
from selfplay.clean.across import AcrossSettings
from selfplay.clean.folder import CleanFolder
from selfplay.clean.funnel import CleaningFunnel
from selfplay.cli import main
from selfplay.core.clean_trace import CleanTrace, DropReason, Mask, Repair
from selfplay.core.drop_codes import DropCode, DroppedTrace

Capture = pytest.CaptureFixture[str]
SYSTEM = "You fix bugs with a shell."
TASK = "`pump` loses messages when the tank is full. Start with `ls pump`."
PARAMETERS = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
BASH: dict[str, Any] = {
    "type": "function",
    "function": {"name": "bash", "description": "A shell.", "parameters": PARAMETERS},
}
ASKED: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": TASK}]


def call(id: str, command: str = "ls pump", **arguments: object) -> dict[str, Any]:  # noqa: A002  the field's name
    written = json.dumps(arguments or {"command": command})
    return {"id": id, "type": "function", "function": {"name": "bash", "arguments": written}}


def assistant_turn(text: str, *calls: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {}), **more}


def result(id: str, text: str = "tank.py\nvalve.py") -> dict[str, Any]:  # noqa: A002  the field's name
    return {"role": "tool", "tool_call_id": id, "content": text}


def row(*turns: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"messages": [*ASKED, *turns], "tools": [BASH], **more}


LOOKED = (assistant_turn("I look.", call("a")), result("a"))
LOOKED_AGAIN = (assistant_turn("I look at pump.", call("b")), result("b"))
DONE = assistant_turn("It is in tank.py.")


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, " ".join(err.split())


def clean_documents(
    capsys: Capture, folder: Path, *documents: object, name: str = "rows.jsonl", options: tuple[str, ...] = ()
) -> list[CleanTrace | DroppedTrace]:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(d) + "\n" for d in documents), "utf-8")
    code, out, err = run(capsys, "clean", str(folder), "--imported", "--scanner", "off", "--json", *options)
    found = list(CleanFolder(folder / "clean").read_outcomes())
    assert code == (0 if any(isinstance(each, CleanTrace) for each in found) else 1), err
    assert CleaningFunnel.model_validate_json(out).traces == len(found)
    return found


def clean_one(capsys: Capture, folder: Path, document: object, **more: Any) -> CleanTrace:  # noqa: ANN401  passed on
    [found] = clean_documents(capsys, folder, document, **more)
    assert isinstance(found, CleanTrace), found
    return found


def drop_one(capsys: Capture, folder: Path, document: object, **more: Any) -> DroppedTrace:  # noqa: ANN401  passed on
    [found] = clean_documents(capsys, folder, document, **more)
    assert isinstance(found, DroppedTrace), found
    return found


def export_rows(capsys: Capture, place: Path, out: Path) -> list[dict[str, Any]]:
    code, _, err = run(capsys, "export", str(place), "--format", "openai", "-o", str(out))
    assert code == 0, err
    return [json.loads(line) for line in (out / "sft.jsonl").read_text().splitlines()]


def test_a_chat_row_becomes_a_row_that_passes_the_audit(tmp_path: Path, capsys: Capture) -> None:
    trace = clean_one(capsys, tmp_path / "runs", row(*LOOKED, DONE))
    assert (trace.episode, trace.contract.prompt, trace.weights) == ("rows.jsonl:1", SYSTEM, (1, 1))
    [made] = export_rows(capsys, tmp_path / "runs", tmp_path / "out")
    assert [m["role"] for m in made["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert made["tools"] == [BASH]
    assert all(audited.passes for audited in audit_traces([tmp_path / "out" / "sft.jsonl"], AcrossSettings()))


def test_echoes_are_taken_out_wherever_they_stand(tmp_path: Path, capsys: Capture) -> None:
    trace = clean_one(
        capsys, tmp_path / "runs", row(assistant_turn("Good point! I look.", call("a")), result("a"), DONE)
    )
    [first, _] = trace.turns
    assert (first.action.content, first.repair) == ("I look.", Repair.EXCISED)
    assert first.original is not None
    assert first.original.content == "Good point! I look."


def test_a_judge_hears_what_the_wordings_do_not(tmp_path: Path, capsys: Capture) -> None:
    quote = "Off to where somebody wants me."
    found = json.dumps({"echoes": [{"kind": "following", "quote": quote}]})
    quiet = json.dumps({"echoes": []})
    replies = [found, quiet, quiet]
    (tmp_path / "judge").write_text("".join(json.dumps({"say": r}) + "\n" for r in replies))
    document = row(assistant_turn(f"{quote} I look.", call("a")), result("a"), DONE)
    trace = clean_one(capsys, tmp_path / "runs", document, options=("--judge", f"scripted:{tmp_path / 'judge'}"))
    assert trace.turns[0].action.content == "I look."


def test_leaps_calls_that_are_none_and_what_the_file_says_are_masked(tmp_path: Path, capsys: Capture) -> None:
    document = row(
        assistant_turn("I look.", call("a")),
        result("a"),
        assistant_turn("There.", call("b", "grep -n zygomorphic_flux tank.py")),
        result("b", "12: zygomorphic_flux = 3"),
        assistant_turn("Hm.", call("c", path="tank.py")),
        result("c", "no such argument"),
        assistant_turn("Now.", call("d", "cat valve.py"), weight=0),
        result("d", "pass"),
        DONE,
    )
    masks = [turn.masks for turn in clean_one(capsys, tmp_path / "runs", document).turns]
    assert masks == [(), (Mask.LEAP,), (Mask.REFUSED,), (Mask.NOT_LEARNED,), ()]


def test_calls_without_results_are_left_out_and_results_come_in_the_order_of_their_calls(
    tmp_path: Path, capsys: Capture
) -> None:
    document = row(
        assistant_turn("Lost.", call("x")),
        assistant_turn("Two at once.", call("a"), call("b", "cat pump/tank.py")),
        result("b", "second"),
        result("a", "first"),
        DONE,
    )
    trace = clean_one(capsys, tmp_path / "runs", document)
    assert [(d.step, d.reason) for d in trace.dropped] == [(0, DropReason.UNPAIRED)]
    assert [r.message.content for r in trace.turns[0].results] == ["first", "second"]


def test_calls_whose_ids_begin_anew_in_each_turn_get_their_own(tmp_path: Path, capsys: Capture) -> None:
    looks = (assistant_turn("I look.", call("call_0")), result("call_0", "one"))
    two = (call("call_0", "ls pump/tank.py"), call("call_0", "ls pump/valve.py"))
    both = (assistant_turn("I look.", *two), result("call_0", "two"), result("call_0", "three"))
    clean = clean_one(capsys, tmp_path / "in", row(*looks, *both, *looks, DONE))
    ids = [c.id for turn in clean.turns for c in turn.action.tool_calls]
    assert len(set(ids)) == len(ids) == 4
    assert [r.message.tool_call_id for turn in clean.turns for r in turn.results] == ids
    assert [r.message.content for turn in clean.turns for r in turn.results] == ["one", "two", "three", "one"]


@pytest.mark.parametrize(
    ("document", "code", "detail"),
    [
        ({"messages": [*ASKED, *LOOKED, DONE]}, DropCode.NO_TOOLS, "--tools FILE"),
        (row(*LOOKED, DONE) | {"tools": [{"type": "function"}]}, DropCode.NO_TOOLS, "no function tools"),
        ({"messages": [ASKED[1], DONE], "tools": [BASH]}, DropCode.NO_OPENING, "no system prompt"),
        ({"messages": [ASKED[0], DONE], "tools": [BASH]}, DropCode.NO_OPENING, "no task"),
        (row(DONE, {"role": "user", "content": "Sure?"}, DONE), DropCode.SPOKEN_TO, "messages[3]: the user speaks"),
        (row(assistant_turn("Thanks!", weight=0)), DropCode.NOTHING_TO_LEARN, "not_learned"),
        ({"rows": 3}, DropCode.UNREADABLE, "not recognised"),
    ],
)
def test_what_a_row_needs_and_a_trace_lacks_is_reported(
    document: object, code: DropCode, detail: str, tmp_path: Path, capsys: Capture
) -> None:
    found = drop_one(capsys, tmp_path / "runs", document)
    assert found.code is code
    assert detail in found.detail


BLOCK = "I look.\n\n```bash\nls pump\n```"
MINI: dict[str, Any] = {
    "info": {"exit_status": "Submitted"},
    "instance_id": "pump-1",
    "messages": [
        *ASKED,
        assistant_turn("No command."),
        {"role": "user", "content": "Please always provide EXACTLY ONE action."},
        assistant_turn(BLOCK),
        {"role": "user", "content": "<output>\ntank.py\n</output>"},
        DONE,
    ],
}
SWE: dict[str, Any] = {
    "history": [
        {"role": "system", "content": SYSTEM, "agent": "main"},
        {"role": "user", "content": "Here is how it is done.", "agent": "main", "is_demo": True},
        {"role": "user", "content": TASK, "agent": "main"},
        {**assistant_turn("I look.", call("a")), "agent": "main", "thought": "I look.", "action": "ls pump"},
        {"role": "tool", "content": "tank.py", "agent": "main", "tool_call_ids": ["a"]},
        {**DONE, "agent": "main", "action": ""},
    ],
    "trajectory": [],
    "info": {},
}


@pytest.mark.parametrize(("name", "document"), [("a.traj.json", MINI), ("a.traj", SWE)])
def test_traces_without_schemas_need_them_to_be_given(
    name: str, document: dict[str, Any], tmp_path: Path, capsys: Capture
) -> None:
    missing = drop_one(capsys, tmp_path / "runs", document, name=name)
    assert missing.code is DropCode.NO_TOOLS
    assert "has no place for the tools' schemas" in missing.detail
    (tmp_path / "tools.json").write_text(json.dumps([BASH]))
    trace = clean_one(capsys, tmp_path / "runs", document, name=name, options=("--tools", str(tmp_path / "tools.json")))
    assert [c.name for t in trace.turns for c in t.action.tool_calls] == ["bash"]
    assert trace.opening.content.endswith(TASK)
    assert len(export_rows(capsys, tmp_path / "runs", tmp_path / "out")) == 1


def test_a_complaint_of_the_environment_goes_with_the_turn_that_it_answers(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "tools.json").write_text(json.dumps({"tools": [BASH]}))
    trace = clean_one(capsys, tmp_path / "runs", MINI, options=("--tools", str(tmp_path / "tools.json")))
    assert [(d.step, d.reason) for d in trace.dropped] == [(0, DropReason.NO_CALL)]
    assert trace.task == "pump-1"
    assert not any("EXACTLY ONE" in m.content for m in trace.conversation)


def test_atif_brings_its_own_tools(tmp_path: Path, capsys: Capture) -> None:
    steps: list[dict[str, Any]] = [
        {"source": "system", "message": SYSTEM},
        {"source": "user", "message": TASK},
        {
            "source": "agent",
            "message": "Look.",
            "reasoning_content": "Where?",
            "tool_calls": [{"tool_call_id": "a", "function_name": "bash", "arguments": {"command": "ls pump"}}],
            "observation": {"results": [{"source_call_id": "a", "content": "tank.py"}]},
        },
        {"source": "agent", "message": "It is in tank.py."},
    ]
    agent = {"name": "terminus", "version": "2", "tool_definitions": [BASH]}
    document = {"schema_version": "ATIF-v1.7", "session_id": "s1", "agent": agent, "steps": steps}
    trace = clean_one(capsys, tmp_path / "runs", document, name="t.json")
    assert (trace.task, trace.turns[0].action.reasoning, trace.weights) == ("s1", "Where?", (1, 1))


def test_of_a_preference_row_the_better_side_is_learned(tmp_path: Path, capsys: Capture) -> None:
    pair = {"prompt": ASKED, "chosen": [assistant_turn("Yes.")], "rejected": [assistant_turn("No.")], "tools": [BASH]}
    kept, worse = clean_documents(capsys, tmp_path / "runs", pair)
    assert (kept.episode, worse.episode) == ("rows.jsonl:1#chosen", "rows.jsonl:1#rejected")
    assert isinstance(worse, DroppedTrace)
    assert worse.code is DropCode.NOTHING_TO_LEARN


def test_traces_are_compared_and_the_same_command_writes_the_same_bytes(tmp_path: Path, capsys: Capture) -> None:
    rows = [row(*LOOKED, DONE), row(*LOOKED, DONE)]
    _, double = clean_documents(capsys, tmp_path / "runs", *rows)
    assert isinstance(double, DroppedTrace)
    assert double.code is DropCode.DUPLICATE
    before = {p.name: p.read_bytes() for p in (tmp_path / "runs" / "clean").iterdir()}
    clean_documents(capsys, tmp_path / "runs", *rows, options=("--jobs", "2"))
    assert {p.name: p.read_bytes() for p in (tmp_path / "runs" / "clean").iterdir()} == before


def test_a_cleaning_of_other_files_is_not_exported(tmp_path: Path, capsys: Capture) -> None:
    clean_one(capsys, tmp_path / "runs", row(*LOOKED, DONE))
    (tmp_path / "runs" / "more.jsonl").write_text("{}\n")
    code, _, err = run(capsys, "export", str(tmp_path / "runs"), "-o", str(tmp_path / "out"))
    assert code == 2
    assert "made of other files" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--imported", "--samples", "2"), "no player to ask"),
        (("--imported", "--repair", "models"), "no player to ask"),
        (("--imported", "--prune-dead-ends"), "no targets"),
        (("--imported",), "no .traj, .json or .jsonl file"),
        (("--imported", "--tools", "/nowhere.json"), "can't be read"),
        (("--tools", "tools.json"), "our journals hold theirs"),
    ],
)
def test_what_cant_be_done_is_reported_before_anything_is_done(
    options: tuple[str, ...], message: str, tmp_path: Path, capsys: Capture
) -> None:
    code, _, err = run(capsys, "clean", str(tmp_path), *options)
    assert code == 2
    assert message in err


@pytest.mark.parametrize("content", ["[]", "{}", "3", "[3]", '[{"type": "function"}]', "nonsense"])
def test_a_file_without_tools_is_reported(content: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "tools.json").write_text(content)
    code, _, err = run(capsys, "clean", str(tmp_path), "--imported", "--tools", str(tmp_path / "tools.json"))
    assert code == 2
    assert "tools.json: " in err


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("rows.jsonl", {"id": "pallets__click-2421"}),
        ("pallets__click-2421.traj", {}),
        ("x.json", {"id": "psf__requests-1"}),
    ],
)
def test_a_task_of_a_benchmark_is_recognised_by_its_name(
    name: str, more: dict[str, Any], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "list.txt").write_text("pallets/click\n")
    document = row(*LOOKED, DONE, **more)
    options = ("--benchmarks", str(tmp_path / "list.txt"))
    [found] = clean_documents(capsys, tmp_path / "runs", document, name=name, options=options)
    if name == "x.json":
        assert isinstance(found, CleanTrace)
    else:
        assert isinstance(found, DroppedTrace)
        assert found.code is DropCode.CONTAMINATED


DEEP: dict[str, Any] = {"command": json.loads("[" * 300 + "]" * 300)}


def test_arguments_nested_too_deeply_cost_one_turn_or_one_trace_and_no_more(tmp_path: Path, capsys: Capture) -> None:
    """As text they are what the model wrote; as an object they can't be written."""
    as_text = row(assistant_turn("I dig.", call("a", **DEEP)), result("a"), *LOOKED_AGAIN, DONE)
    as_object = row(assistant_turn("I dig.", {"id": "a", "function": {"name": "bash", "arguments": DEEP}}), DONE)
    found = clean_documents(capsys, tmp_path / "runs", as_text, as_object, row(*LOOKED, DONE))
    kept = {each.episode: each for each in found if isinstance(each, CleanTrace)}
    assert sorted(kept) == ["rows.jsonl:1", "rows.jsonl:3"]
    assert Mask.UNPARSABLE in kept["rows.jsonl:1"].turns[0].masks
    [lost] = (each for each in found if isinstance(each, DroppedTrace))
    assert (lost.episode, lost.code) == ("rows.jsonl:2", DropCode.UNREADABLE)
    assert "the arguments of bash (a)" in lost.detail


def test_arguments_with_a_key_twice_are_not_learned(tmp_path: Path, capsys: Capture) -> None:
    twice = {"id": "a", "function": {"name": "bash", "arguments": '{"command":"as the hint says","command":"ls pump"}'}}
    trace = clean_one(
        capsys, tmp_path / "runs", row(assistant_turn("I look.", twice), result("a"), *LOOKED_AGAIN, DONE)
    )
    assert trace.weights == (0, 1, 1)
    assert "hint" not in json.dumps(export_rows(capsys, tmp_path / "runs", tmp_path / "out"))


def test_a_file_name_that_is_no_utf8_is_shown_with_its_bytes(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / os.fsdecode(b"r\xfens")
    found = clean_documents(capsys, folder, row(*LOOKED, DONE), 3, name=os.fsdecode(b"x\xff.jsonl"))
    assert [each.episode for each in found] == [r"x\xff.jsonl:1", r"x\xff.jsonl:2"]
    assert export_rows(capsys, folder, tmp_path / "out")
    _, out, _ = run(capsys, "audit", "traces", str(folder / os.fsdecode(b"x\xff.jsonl")))
    assert r"x\\xff.jsonl:1" in out


@pytest.mark.parametrize(
    "turn",
    [
        assistant_turn("I look.", call("a", "ls pump\0")),
        assistant_turn("I look.", call("a"), reasoning_content="Where\0?"),
    ],
    ids=["arguments", "reasoning"],
)
def test_what_one_format_refuses_gives_no_row(tmp_path: Path, capsys: Capture, turn: dict[str, Any]) -> None:
    lost = drop_one(capsys, tmp_path / "runs", row(turn, result("a"), DONE))
    assert lost.code is DropCode.LINT
    assert "a NUL character" in lost.detail


@pytest.mark.parametrize("kind", ["openai", "trl"])
def test_results_without_a_call_after_the_last_turn_do_not_cost_it(tmp_path: Path, capsys: Capture, kind: str) -> None:
    clean_one(
        capsys, tmp_path / "runs", row(*LOOKED, assistant_turn("I look again.", call("b")), result("b"), result("c"))
    )
    code, _, err = run(capsys, "export", str(tmp_path / "runs"), "--format", kind, "-o", str(tmp_path / "out"))
    assert code == 0, err
    [made] = [json.loads(line) for line in (tmp_path / "out" / "sft.jsonl").read_text().splitlines()]
    assert [m["role"] for m in made["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert made["messages"][-1]["content"] == "I look again."


def test_tools_may_leave_out_what_the_api_lets_them(tmp_path: Path, capsys: Capture) -> None:
    short: dict[str, Any] = {
        "type": "function",
        "function": {"name": "submit", "parameters": None, "description": None},
    }
    strict = {**BASH, "function": {**BASH["function"], "strict": None}}
    tools = [strict, short, {"type": "function", "function": {"name": "undo"}}]
    submitted = assistant_turn(
        "Done.", {"id": "b", "type": "function", "function": {"name": "submit", "arguments": "{}"}}
    )
    trace = clean_one(capsys, tmp_path / "runs", row(*LOOKED, submitted) | {"tools": tools})
    assert trace.weights == (1, 1)
    [made] = export_rows(capsys, tmp_path / "runs", tmp_path / "out")
    none: dict[str, Any] = {"type": "object", "properties": {}}
    assert [tool["function"] for tool in made["tools"]] == [
        BASH["function"],
        {"name": "submit", "parameters": none},
        {"name": "undo", "parameters": none},
    ]


def test_rows_of_an_edited_file_are_not_exported(tmp_path: Path, capsys: Capture) -> None:
    """Not even if it is as long as before."""
    runs = tmp_path / "runs"
    clean_one(capsys, runs, row(*LOOKED, DONE))
    before = (runs / "clean" / "funnel.json").read_bytes()
    clean_one(capsys, runs, row(*LOOKED, DONE))
    assert (runs / "clean" / "funnel.json").read_bytes() == before
    text = (runs / "rows.jsonl").read_text()
    (runs / "rows.jsonl").write_text(text.replace("tank", "pipe"))
    code, _, err = run(capsys, "export", str(runs), "-o", str(tmp_path / "out"))
    assert code == 2
    assert "made of other files than there are now" in err
    (runs / "rows.jsonl").write_text(text)
    assert export_rows(capsys, runs, tmp_path / "out")


@pytest.mark.parametrize("out", ["sft", "rows/of/mine.jsonl"])
def test_an_export_into_the_imported_folder_is_not_imported(tmp_path: Path, capsys: Capture, out: str) -> None:
    runs = tmp_path / "runs"
    clean_one(capsys, runs, row(*LOOKED, DONE))
    code, _, err = run(capsys, "export", str(runs), "-o", str(runs / out))
    assert code == 0, err
    code, _, err = run(capsys, "export", str(runs), "-o", str(runs / out))
    assert code == 0, err
    code, printed, err = run(capsys, "clean", str(runs), "--imported", "--scanner", "off", "--json")
    assert (code, json.loads(printed)["traces"]) == (0, 1)
    assert "left out: 4 files that exports wrote" in err


def test_files_beside_another_contract_are_imported(tmp_path: Path, capsys: Capture) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "contract.json").write_text("{}")
    assert len(clean_documents(capsys, runs, row(*LOOKED, DONE), name="sft.jsonl")) == 2


def test_a_folder_with_nothing_but_an_export_says_so(tmp_path: Path, capsys: Capture) -> None:
    clean_one(capsys, tmp_path / "runs", row(*LOOKED, DONE))
    export_rows(capsys, tmp_path / "runs", tmp_path / "out")
    code, _, err = run(capsys, "clean", str(tmp_path / "out"), "--imported")
    assert code == 2
    assert "but what exports wrote" in err
    code, _, err = run(capsys, "clean", str(tmp_path / "out" / "sft.jsonl"), "--imported", "-o", str(tmp_path / "c"))
    assert code == 0, err
