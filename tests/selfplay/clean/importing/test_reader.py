"""Traces of other projects: written here after their formats."""

import json
from pathlib import Path
from typing import Any

import pytest

from selfplay.clean.importing import ImportedTrace, UnreadDocument, read_traces
from selfplay.core.errors import InputError
from selfplay.core.message import Origin

TASK = "`pump` loses messages when the tank is full."
SYSTEM = "You fix bugs with a shell."


def write(tmp_path: Path, *documents: object, name: str = "file") -> Path:
    path = tmp_path / name
    texts = [json.dumps(d, indent=2 if len(documents) == 1 else None) for d in documents]
    path.write_text("\n".join(texts), "utf-8")
    return path


def read(tmp_path: Path, *documents: object) -> list[ImportedTrace]:
    found = list(read_traces(write(tmp_path, *documents)))
    assert all(isinstance(one, ImportedTrace) for one in found), found
    return [one for one in found if isinstance(one, ImportedTrace)]


def shape(trace: ImportedTrace) -> list[tuple[str, str, tuple[str, ...], str | None]]:
    return [(m.role, m.origin.value, tuple(c.arguments for c in m.tool_calls), m.tool_call_id) for m in trace.messages]


LS = '{"command":"ls pump"}'
SEARCHED = [
    ("system", "prompt", (), None),
    ("user", "task", (), None),
    ("assistant", "player", (LS,), None),
]


def call(id: str, command: str = "ls pump") -> dict[str, Any]:  # noqa: A002  the field's name
    function = {"name": "bash", "arguments": json.dumps({"command": command}, separators=(",", ":"))}
    return {"id": id, "type": "function", "function": function}


def opening_messages(content: object = SYSTEM) -> list[dict[str, Any]]:
    return [{"role": "system", "content": content}, {"role": "user", "content": TASK}]


# SWE-agent

HISTORY: list[dict[str, Any]] = [
    {"role": "system", "content": SYSTEM, "agent": "main", "message_type": "system_prompt"},
    {"role": "user", "content": "Here is how it is done: ...", "agent": "main", "is_demo": True},
    {"role": "user", "content": [{"type": "text", "text": TASK, "cache_control": {}}], "agent": "main"},
    {
        "role": "assistant",
        "content": "I look around.",
        "thought": "I look around.",
        "action": "ls pump",
        "agent": "main",
        "message_type": "action",
        "tool_calls": [call("c1")],
        "thinking_blocks": [{"type": "thinking", "thinking": "Where is the tank?", "signature": "x"}],
    },
    {"role": "tool", "content": "tank.py", "agent": "main", "tool_call_ids": ["c1"], "message_type": "observation"},
    {"role": "user", "content": "Is it any good?", "agent": "reviewer"},
]


def test_a_history_of_swe_agent_with_calls(tmp_path: Path) -> None:
    value = {"history": HISTORY, "trajectory": [], "info": {"exit_status": "submitted"}, "environment": "swe_main"}
    [trace] = read(tmp_path, value)
    assert trace.format == "swe-agent"
    assert shape(trace) == [
        ("system", "prompt", (), None),
        ("user", "prompt", (), None),
        ("user", "task", (), None),
        ("assistant", "player", (LS,), None),
        ("tool", "tool", (), "c1"),
    ]
    assert trace.messages[3].reasoning == "Where is the tank?"
    assert trace.places[4] == "history[4]"
    assert trace.about == {"exit_status": "submitted", "environment": "swe_main"}
    assert trace.notes == ("1 messages of other agents are left out, the first is history[5]",)


def test_a_history_of_swe_agent_with_commands_in_the_text(tmp_path: Path) -> None:
    history: list[dict[str, Any]] = [
        {"role": "system", "content": SYSTEM, "agent": "primary"},
        {"role": "user", "content": TASK, "agent": "primary"},
        {"role": "assistant", "content": "Look.\n```\nls pump\n```", "action": "ls pump\n", "agent": "primary"},
        {"role": "user", "content": "tank.py\n(Open file: n/a)", "agent": "primary"},
        {"role": "assistant", "content": "Hm.", "action": "", "agent": "primary"},
        {"role": "user", "content": "Your output was not formatted correctly.", "agent": "primary"},
    ]
    [trace] = read(tmp_path, {"history": history, "trajectory": [], "info": {}})
    assert shape(trace)[2:] == [
        ("assistant", "player", (LS,), None),
        ("tool", "tool", (), "action-2"),
        ("assistant", "player", (), None),
        ("user", "nudge", (), None),
    ]
    assert trace.messages[2].content == "Look.\n```\nls pump\n```"


def test_steps_of_swe_agent_without_a_history(tmp_path: Path) -> None:
    step: dict[str, Any] = {
        "response": "Look.",
        "thought": "Look.",
        "action": "ls pump\n",
        "observation": "tank.py",
        "state": {},
    }
    [trace] = read(
        tmp_path,
        {
            "trajectory": [
                {**step, "query": opening_messages()},
                {**step, "query": [*opening_messages(), {"role": "assistant"}]},
            ]
        },
    )
    assert shape(trace)[:3] == SEARCHED
    assert [m.tool_call_id for m in trace.messages[2:]] == [None, "action-0", None, "action-1"]
    assert trace.places[3] == "trajectory[0].observation"


def test_each_attempt_of_swe_agent_is_a_trace(tmp_path: Path) -> None:
    attempt: dict[str, Any] = {"history": HISTORY[:5], "trajectory": [], "info": {}}
    found = read(tmp_path, {"attempts": [attempt, attempt], "trajectory": [], "history": []})
    assert [one.where.partition("#")[2] for one in found] == ["attempts[0]", "attempts[1]"]
    empty: dict[str, Any] = {"history": []}
    mixed = list(read_traces(write(tmp_path, {"attempts": [empty, attempt]})))
    assert [(type(one).__name__, one.where.partition("#")[2]) for one in mixed] == [
        ("UnreadDocument", "attempts[0]"),
        ("ImportedTrace", "attempts[1]"),
    ]


# mini-swe-agent

BLOCK = "THOUGHT: look.\n\n```{}\nls pump\n```"


@pytest.mark.parametrize("language", ["bash", "mswea_bash_command"])
@pytest.mark.parametrize("is_bare", [True, False])
def test_mini_swe_agent_with_commands_in_the_text(tmp_path: Path, language: str, *, is_bare: bool) -> None:
    messages: list[dict[str, Any]] = [
        *opening_messages(),
        {"role": "assistant", "content": BLOCK.format(language)},
        {"role": "user", "content": "<returncode>0</returncode>\n<output>\ntank.py\n</output>"},
        {"role": "assistant", "content": "No command."},
        {"role": "user", "content": "Please always provide EXACTLY ONE action."},
    ]
    [trace] = read(tmp_path, messages if is_bare else {"info": {"exit_status": "LimitsExceeded"}, "messages": messages})
    assert trace.format == "mini-swe-agent"
    assert shape(trace) == [
        *SEARCHED,
        ("tool", "tool", (), "action-2"),
        ("assistant", "player", (), None),
        ("user", "nudge", (), None),
    ]


def test_mini_swe_agent_with_calls(tmp_path: Path) -> None:
    messages: list[dict[str, Any]] = [
        *opening_messages(),
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Where?",
            "tool_calls": [call("a"), call("b", "pwd")],
            "extra": {"actions": [{"command": "ls pump", "tool_call_id": "a"}], "cost": 0.1},
        },
        {"role": "tool", "content": "tank.py", "tool_call_id": "a", "extra": {"returncode": 0}},
        {"role": "tool", "content": "/src", "tool_call_id": "b"},
        {"role": "exit", "content": "", "extra": {"exit_status": "Submitted", "submission": "diff"}},
    ]
    info = {"mini_version": "2.2.0", "exit_status": "Submitted"}
    [trace] = read(tmp_path, {"info": info, "messages": messages, "trajectory_format": "mini-swe-agent-1.1"})
    assert shape(trace)[3:] == [("tool", "tool", (), "a"), ("tool", "tool", (), "b")]
    assert trace.messages[2].reasoning == "Where?"
    assert trace.about == {**info, "trajectory_format": "mini-swe-agent-1.1"}
    assert trace.notes == ("messages[5]: how the run ended, no part of the conversation",)


def test_mini_swe_agent_with_the_responses_protocol(tmp_path: Path) -> None:
    output: list[dict[str, Any]] = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Where?"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Look."}]},
        {"type": "function_call", "call_id": "a", "name": "bash", "arguments": LS},
        {"type": "web_search_call"},
    ]
    messages: list[dict[str, Any]] = [
        *opening_messages(),
        {"object": "response", "output": output, "extra": {"cost": 0.1}},
        {"type": "function_call_output", "call_id": "a", "output": "tank.py", "extra": {}},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Wrong."}],
            "extra": {"interrupt_type": "FormatError"},
        },
    ]
    [trace] = read(tmp_path, {"info": {}, "messages": messages, "trajectory_format": "mini-swe-agent-1.1"})
    assert shape(trace) == [*SEARCHED, ("tool", "tool", (), "a"), ("user", "nudge", (), None)]
    assert (trace.messages[2].content, trace.messages[2].reasoning) == ("Look.", "Where?")
    assert trace.notes == ("messages[2].output[3]: an item of type 'web_search_call' is left out",)


# ATIF


def atif(*steps: dict[str, Any], version: str = "ATIF-v1.7", **more: object) -> dict[str, Any]:
    numbered = [{"step_id": n, **step} for n, step in enumerate(steps, 1)]
    agent = {"name": "terminus", "version": "2", "model_name": "m", "tool_definitions": [{"type": "function"}]}
    return {"schema_version": version, "session_id": "s1", "agent": agent, "steps": numbered, **more}


TURN: dict[str, Any] = {
    "source": "agent",
    "message": "Look.",
    "reasoning_content": "Where?",
    "tool_calls": [{"tool_call_id": "a", "function_name": "bash", "arguments": {"command": "ls pump"}}],
    "observation": {"results": [{"source_call_id": "a", "content": "tank.py"}]},
}
SAID = ({"source": "system", "message": SYSTEM}, {"source": "user", "message": TASK})


@pytest.mark.parametrize("version", ["ATIF-v1.0", "ATIF-v1.4", "ATIF-v1.7"])
def test_atif(tmp_path: Path, version: str) -> None:
    [trace] = read(tmp_path, atif(*SAID, TURN, version=version))
    assert (trace.format, trace.id) == ("atif", "s1")
    assert shape(trace) == [*SEARCHED, ("tool", "tool", (), "a")]
    assert trace.messages[3].name == "bash"
    assert trace.places[3] == "steps[2].observation.results[0]"
    assert trace.about["model"] == "m"


def test_atif_copied_steps_are_context_and_parts_without_text_are_noted(tmp_path: Path) -> None:
    pictured = [{"type": "text", "text": "See."}, {"type": "image", "source": {"path": "a.png"}}]
    [trace] = read(tmp_path, atif(*SAID, {**TURN, "is_copied_context": True}, {"source": "agent", "message": pictured}))
    assert trace.weights == (None, None, 0, None, None)
    assert trace.messages[-1].content == "See."
    assert trace.notes == ("steps[3].message[1]: a part of type 'image' is left out",)


def test_atif_results_of_no_call_come_from_the_environment(tmp_path: Path) -> None:
    step: dict[str, Any] = {"source": "agent", "message": "ls", "observation": {"results": [{"content": "tank.py"}]}}
    [trace] = read(tmp_path, atif(*SAID, step))
    assert (trace.messages[-1].role, trace.messages[-1].origin) == ("user", Origin.TOOL)


def test_atif_sub_agents_are_traces_of_their_own(tmp_path: Path) -> None:
    inner = atif(*SAID, TURN)
    found = read(tmp_path, atif(*SAID, TURN, subagent_trajectories=[inner], continued_trajectory_ref="t2.json"))
    assert [one.where.partition("#")[2] for one in found] == ["", "subagent_trajectories[0]"]
    assert found[0].notes == ("goes on in t2.json, which is not read with it",)


@pytest.mark.parametrize("bad", [{"steps": "no"}, {"steps": [SAID[0]]}, {"steps": [], "schema_version": "ATIF-v9.0"}])
def test_an_atif_sub_agent_that_cant_be_read_is_reported_with_its_own_place(
    tmp_path: Path, bad: dict[str, Any]
) -> None:
    inner = atif(*SAID, TURN)
    path = write(tmp_path, atif(*SAID, TURN, subagent_trajectories=[inner, bad, inner]))
    found = [(type(one).__name__, one.where.partition("#")[2]) for one in read_traces(path)]
    sub = "subagent_trajectories"
    assert found == [
        ("ImportedTrace", ""),
        ("ImportedTrace", f"{sub}[0]"),
        ("UnreadDocument", f"{sub}[1]"),
        ("ImportedTrace", f"{sub}[2]"),
    ]


def test_sub_agents_of_sub_agents_without_end_are_read_as_far_as_it_goes(tmp_path: Path) -> None:
    level = json.dumps(atif(*SAID, TURN))[:-1] + ', "subagent_trajectories": ['
    (tmp_path / "f").write_text(level * 490 + "]}" * 490)
    places = [one.where for one in read_traces(tmp_path / "f")]
    assert len(set(places)) == len(places) > 1


def test_a_later_atif_is_not_guessed_at(tmp_path: Path) -> None:
    [found] = read_traces(write(tmp_path, atif(*SAID, TURN, version="ATIF-v2.0")))
    assert isinstance(found, UnreadDocument)
    assert "ATIF-v2.0" in found.reason


# chat rows


def test_chat_rows_one_a_line(tmp_path: Path) -> None:
    row: dict[str, Any] = {
        "messages": [
            *opening_messages([{"type": "text", "text": SYSTEM}]),
            {"role": "assistant", "content": None, "tool_calls": [call("a"), call("b")], "weight": 0},
            {"role": "tool", "tool_call_id": "b", "content": "second"},
            {"role": "tool", "tool_call_id": "a", "content": "first"},
            {"role": "assistant", "content": "Done.", "weight": 1},
        ],
        "tools": [{"type": "function", "function": {"name": "bash"}}],
        "parallel_tool_calls": True,
    }
    trl: dict[str, Any] = {
        "messages": [
            *opening_messages(),
            {
                "role": "assistant",
                "content": "",
                "reasoning_content": "Hm.",
                "tool_calls": [{"type": "function", "function": {"name": "bash", "arguments": {"command": "ls pump"}}}],
            },
            {"role": "tool", "name": "bash", "content": "x"},
        ]
    }
    first, second = read(tmp_path, row, trl)
    assert first.weights == (None, None, 0, None, None, 1)
    assert [m.tool_call_id for m in first.messages] == [None, None, None, "b", "a", None]
    assert first.tools[0]["type"] == "function"
    assert shape(second) == [*SEARCHED, ("tool", "tool", (), "call-2-0")]
    assert second.where.endswith("file:2")


def test_both_sides_of_a_preference_row_are_read_and_only_the_better_is_learned(tmp_path: Path) -> None:
    turns: list[dict[str, Any]] = [
        *opening_messages(),
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "b"},
    ]
    better, worse = [{"role": "assistant", "content": "yes"}], [{"role": "assistant", "content": "no"}]
    pairs = (
        {"input": {"messages": turns, "tools": []}, "preferred_output": better, "non_preferred_output": worse},
        {"prompt": turns, "chosen": better, "rejected": worse},
    )
    found = read(tmp_path, *pairs)
    assert [(one.messages[-1].content, one.weights[2:]) for one in found] == [
        ("yes", (0, None, 1)),
        ("no", (0, None, 0)),
    ] * 2


# what can't be read

BAD: dict[str, tuple[str, str]] = {
    "no JSON": ("{oops", "not JSON"),
    "cut off": ('{"messages": [{"role": "user"', "not JSON"),
    "a number": ("3", "not recognised: a int"),
    "another object": ('{"rows": 3}', "not recognised: an object with the keys rows"),
    "nothing said by a model": ('{"messages": [{"role": "user", "content": "x"}]}', "no turn of a model"),
    "an unknown role": ('{"messages": [{"role": "wizard", "content": "x"}]}', "messages[0].role"),
    "a content that is a number": ('{"messages": [{"role": "assistant", "content": 3}]}', "messages[0].content"),
    "a half weight": ('{"messages": [{"role": "assistant", "content": "x", "weight": 0.5}]}', "messages[0].weight"),
    "a lone surrogate": ('{"messages": [{"role": "assistant", "content": "\\ud800"}]}', "not JSON"),
    "steps that are no list": ('{"schema_version": "ATIF-v1.2", "steps": 3}', "steps"),
    "an empty trajectory": ('{"trajectory": [], "info": {}}', "neither history nor trajectory"),
    "nested too deeply": ("[" * 100_000, "not JSON"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cant_be_read_is_reported_with_its_place(tmp_path: Path, case: str) -> None:
    text, reason = BAD[case]
    (tmp_path / "bad").write_text(text)
    [found] = read_traces(tmp_path / "bad")
    assert isinstance(found, UnreadDocument)
    assert found.where.startswith(str(tmp_path / "bad"))
    assert reason in found.reason


def test_a_bad_line_does_not_hide_the_others(tmp_path: Path) -> None:
    good = json.dumps({"messages": [*opening_messages(), {"role": "assistant", "content": "x"}]})
    (tmp_path / "f").write_text(f"\ufeff{good}\n\nnonsense\n{good}\n", "utf-8")
    found = list(read_traces(tmp_path / "f"))
    assert [(type(one).__name__, one.where.rpartition(":")[2]) for one in found] == [
        ("ImportedTrace", "1"),
        ("UnreadDocument", "3"),
        ("ImportedTrace", "4"),
    ]


@pytest.mark.parametrize("first", ['{"messages": [', "nonsense", '{"messages": [{"content": "\\ud800"}]}', "[1]"])
def test_a_bad_first_line_does_not_hide_the_others(tmp_path: Path, first: str) -> None:
    good = json.dumps(
        {"messages": [*opening_messages(), {"role": "assistant", "content": "x\u2028y"}]}, ensure_ascii=False
    )
    (tmp_path / "f").write_text(f"\n{first}\r\n{good}\r\nnonsense\n\n{good}\n", "utf-8")
    found = list(read_traces(tmp_path / "f"))
    assert [(type(one).__name__, one.where.rpartition(":")[2]) for one in found] == [
        ("UnreadDocument", "2"),
        ("ImportedTrace", "3"),
        ("UnreadDocument", "4"),
        ("ImportedTrace", "6"),
    ]


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_a_damaged_document_of_many_lines_is_one(tmp_path: Path, indent: int | None) -> None:
    row: dict[str, Any] = {"messages": [*opening_messages(), {"role": "assistant", "content": "x", "extra": {}}]}
    (tmp_path / "f").write_text("[" + json.dumps(row, indent=indent) + ",\n" + json.dumps(row, indent=indent) + ",\n{}")
    [found] = read_traces(tmp_path / "f")
    assert isinstance(found, UnreadDocument)
    assert found.where == str(tmp_path / "f")


def test_an_empty_file_holds_no_trace_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    assert list(read_traces(tmp_path / "empty")) == []
    with pytest.raises(InputError, match="can't be read"):
        list(read_traces(tmp_path / "missing"))
