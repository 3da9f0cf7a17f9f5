"""A task over documents: the tools of an MCP server in a process of its own, goals as conditions, hints, rows."""

import json
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

pytest.importorskip("mcp")

from selfplay.clean.journals import read_candidate
from selfplay.clean.pipeline import CleanedTrace, clean_offline
from selfplay.clean.settings import CleanSettings
from selfplay.cli.episode_view import EpisodeView
from selfplay.config import EpisodeLimits, HintConfig, McpConfig, RunConfig
from selfplay.core.contract import tool_name
from selfplay.core.errors import ConfigError, EndpointDown, JournalError, TaskError
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.task import Task
from selfplay.core.task_rows import parse_task, row_of
from selfplay.core.trace import StopReason, ToolResult
from selfplay.environments.goal_environment import guard_goals, note_goals_shown
from selfplay.environments.goals import is_met
from selfplay.environments.registry import kind_of
from selfplay.episode.play import set_up_episode
from selfplay.gate import ShownText, check_hint
from selfplay.journal.events import read_events
from selfplay.models.offline.scripted import ScriptLine, call, judges, says
from selfplay.repos.repositories import Repositories
from selfplay.tasks.check import check_tasks
from selfplay.tasks.prompt_leaks import LeakGrade
from tests.selfplay.episodes import EpisodeFixture

SERVER = Path(__file__).with_name("notes_server.py")
NOTES = {
    "returns.md": "# Returns\n\nWhat was bought can be sent back within 30 days. See shipping.md for who pays.\n",
    "shipping.md": "# Shipping\n\nThe buyer pays the way back, unless the goods are broken.\n",
    "jobs.md": "# Jobs\n\nWe look for drivers.\n",
}
ROW: dict[str, Any] = {
    "id": "who-pays",
    "environment": "mcp",
    "prompt": "A customer wants to send a lamp back. How long may they wait, and who pays?",
    "goals": [
        {
            "id": "the time",
            "tool": "read_note",
            "where": [
                {"at": "arguments.name", "op": "is", "value": "returns.md"},
                {"at": "text", "op": "contains", "value": "within 30 days"},
            ],
        },
        {"id": "the payer", "where": [{"value": "The buyer pays the way back"}]},
        {"id": "said so", "tool": "finish", "where": [{"at": "arguments.answer", "op": "matches", "value": "30 days"}]},
    ],
}
READ = says("It is about returns.", call("read_note", name="returns.md"))
PAYER = says("It names shipping.", call("read_note", name="shipping.md"))
ANSWER = says("Done.", call("finish", answer="30 days; the buyer pays, unless the lamp is broken."))
PLAYER: Sequence[ScriptLine] = [
    says("Where are returns told of?", call("find_notes", words="sent back")),
    READ,
    PAYER,
    ANSWER,
]
OK = judges("productive", "w")
SUPERVISOR: Sequence[ScriptLine] = [
    judges("neutral", "w", "Open returns.md."),
    judges("neutral", "w", "What happens when somebody changes their mind?"),
    OK,
    OK,
    OK,
]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / name).write_text(text)
    return folder


def make_fixture(notes: Path, row: dict[str, Any] | None = None, *, steps: int = 8, **more: object) -> EpisodeFixture:
    command = (sys.executable, str(SERVER), str(notes))
    mcp = McpConfig.model_validate({"command": command, **more})
    config = RunConfig(mcp=mcp, hints=HintConfig(policy="every_step"), limits=EpisodeLimits(steps=steps))
    task = parse_task(json.dumps(row or ROW), "tasks.jsonl:1")
    return EpisodeFixture(set_up_episode(task, None, config), notes.parent / "e.jsonl")


async def test_a_search_over_documents_is_played_hinted_stripped_and_a_row(notes: Path) -> None:
    fixture = make_fixture(notes)
    trace = await fixture.play(PLAYER, SUPERVISOR, is_used_up=False)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.FOUND, trace.stop.detail
    assert [step.found for step in trace.steps] == [(), (0,), (1,), (2,)]
    first = trace.steps[0].judgement
    assert first.attempts[0].findings, "the note's name is a secret"
    assert first.hint is not None
    assert first.hint.text == "What happens when somebody changes their mind?"
    candidate = read_candidate(fixture.path)
    cleaned = clean_offline(candidate, CleanSettings())
    assert isinstance(cleaned, CleanedTrace)
    assert cleaned.clean.contract.prompt.startswith("You find what a task asks for")
    assert [tool_name(tool) for tool in cleaned.clean.contract.tools] == [
        "find_notes", "read_note", "put_into_basket", "finish",
    ]  # fmt: skip
    assert "changes their mind" not in cleaned.clean.model_dump_json()


async def test_a_resumed_episode_makes_its_calls_again_and_compares(notes: Path) -> None:
    """The basket is the server's: a new server has to be told again what was in it."""
    player = [says(word, call("put_into_basket", name=word)) for word in ("lamp", "rope", "nail")]
    fixture = make_fixture(notes, steps=3)
    whole = await fixture.play(player, [OK] * 3, is_used_up=False)
    data = fixture.path.read_bytes()
    third = data.index(b"in the basket: lamp, rope, nail")
    fixture.path.write_bytes(data[: data.rindex(b"\n", 0, third) + 1])
    resumed = await fixture.play(player, [OK] * 3, is_used_up=False)
    assert resumed.steps[2].results[0].message.content == "in the basket: lamp, rope, nail"
    assert resumed == whole


async def test_a_server_that_answers_otherwise_is_noticed_when_an_episode_is_resumed(notes: Path) -> None:
    fixture = make_fixture(notes)
    await fixture.play(PLAYER, SUPERVISOR, is_used_up=False)
    data = fixture.path.read_bytes()
    fixture.path.write_bytes(data[: data.index(b'{"event":"stop"')])
    (notes / "returns.md").write_text("# Returns\n\nNothing is taken back.\n")
    with pytest.raises(JournalError, match="went another way"):
        await fixture.play(PLAYER, SUPERVISOR, is_used_up=False)


async def test_recorded_results_are_taken_from_the_journal_where_tools_change_nothing(notes: Path) -> None:
    fixture = make_fixture(notes, replay="recorded")
    whole = await fixture.play(PLAYER, SUPERVISOR, is_used_up=False)
    data = fixture.path.read_bytes()
    fixture.path.write_bytes(data[: data.index(b'{"event":"stop"')])
    (notes / "returns.md").write_text("gone")
    assert await fixture.play(PLAYER, SUPERVISOR, is_used_up=False) == whole


async def test_what_the_player_gets_wrong_is_a_result(notes: Path) -> None:
    fixture = make_fixture(notes)
    player = [
        says("a", call("open_note", name="x")),
        says("b", call("read_note", nome="x")),
        says("c", call("read_note", name="none.md")),
        says("d", call("finish", text="x")),
        says("e", call("finish", answer="I do not know.")),
    ]
    trace = await fixture.play(player, None, is_used_up=False)
    results = [step.results[0] for step in trace.steps]
    assert not any(result.ok for result in results[:4])
    assert "There is no tool 'open_note'" in results[0].message.content
    assert results[4].answer == ()
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.GAVE_UP


def test_names_and_words_of_goals_are_guarded_and_other_hints_pass() -> None:
    task = parse_task(json.dumps(ROW), "t:1")
    guard, shown = guard_goals(task), ShownText()
    for bad in ("Open returns.md.", "Read the note `returns`.", "It says 'The buyer pays the way back' somewhere."):
        assert check_hint(bad, guard, shown), bad
    for good in ("What would a customer ask?", "You have read about jobs. Does that help?"):
        assert not check_hint(good, guard, shown), good


def test_a_goal_that_is_met_frees_its_own_names_and_no_others() -> None:
    payer = {"id": "the payer", "where": [{"at": "arguments.name", "op": "is", "value": "shipping.md"}]}
    task = parse_task(json.dumps(ROW | {"goals": [ROW["goals"][0], payer]}), "t:1")
    guard, shown = guard_goals(task), ShownText()
    one = ToolCall(id="1", name="read_note", arguments='{"name":"returns.md"}')
    action = Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=(one,))
    text = NOTES["returns.md"]
    message = Message(role="tool", content=text, origin=Origin.TOOL, tool_call_id="1", name="read_note")
    note_goals_shown(task, shown, action, ToolResult(message=message, ok=True))
    assert not check_hint("Go back to returns.md.", guard, shown)
    assert check_hint("Open shipping.md.", guard, shown)


def test_rows_round_trip_and_say_what_is_wrong() -> None:
    task = parse_task(json.dumps(ROW), "t:1")
    assert parse_task(row_of(task).model_dump_json(exclude_defaults=True), "t:1") == task
    assert Task.model_validate_json(task.model_dump_json()) == task
    with pytest.raises(Exception, match="the key 'goals' is missing"):
        parse_task(json.dumps({k: v for k, v in ROW.items() if k != "goals"}), "t:1")
    with pytest.raises(TaskError, match="unknown environment 'mpc'; known: find_files, mcp"):
        kind_of(parse_task(json.dumps(ROW | {"environment": "mpc"}), "t:1"))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"at": "structured.document.id", "op": "is", "value": "7"}, True),
        ({"at": "structured.tags", "op": "prefix", "value": "bl"}, True),
        ({"at": "structured.tags.1", "op": "is", "value": "blue"}, True),
        ({"at": "structured.tags.9", "op": "is", "value": "blue"}, False),
        ({"at": "structured.none.id", "op": "is", "value": "7"}, False),
        ({"at": "arguments.url", "op": "glob", "value": "https://x.test/*"}, True),
        ({"at": "arguments.url", "op": "matches", "value": "^http:"}, False),
        ({"at": "text", "op": "contains", "value": '"id":7'}, True),
    ],
)
def test_conditions(condition: dict[str, str], *, holds: bool) -> None:
    goal = {"id": "g", "where": [condition]}
    task = parse_task(json.dumps(ROW | {"goals": [goal]}), "t:1")
    one = ToolCall(id="1", name="open", arguments='{"url":"https://x.test/a"}')
    text = '{"document":{"id":7},"tags":["red","blue"]}'
    message = Message(role="tool", content=text, origin=Origin.TOOL, tool_call_id="1", name="open")
    assert is_met(task.answer.goals[0], one, ToolResult(message=message, ok=True)) is holds
    assert not is_met(task.answer.goals[0], one, ToolResult(message=message, ok=False))


def test_settings_that_can_not_work_are_refused_in_words(notes: Path) -> None:
    task = parse_task(json.dumps(ROW), "tasks.jsonl:1")
    with pytest.raises(ConfigError, match=r"needs an MCP server; give \[mcp\]"):
        set_up_episode(task, None, RunConfig(), "tasks.jsonl:1")
    with pytest.raises(ConfigError, match="the server has no tool 'read'; it has find_notes, read_note"):
        make_fixture(notes, only=["read"])
    with pytest.raises(ConfigError, match="MY_SECRET is not set"):
        make_fixture(notes, env=["MY_SECRET"])
    with pytest.raises(EndpointDown, match="can't be reached"):
        set_up_episode(task, None, RunConfig(mcp=McpConfig(command=("selfplay-no-such-server",))))
    wrong = ROW | {"goals": [{"id": "g", "where": [{"op": "matches", "value": "("}]}]}
    with pytest.raises(TaskError, match="goal 'g': '\\(' is no regular expression"):
        make_fixture(notes, wrong)


async def test_the_view_of_an_episode_names_its_environment_and_goals(notes: Path) -> None:
    fixture = make_fixture(notes)
    await fixture.play(PLAYER, SUPERVISOR, is_used_up=False)
    console = Console(file=StringIO(), width=200)
    view = EpisodeView(console)
    for event in read_events(fixture.path):
        view.show_event(event, False)
    shown = cast("StringIO", console.file).getvalue()
    assert "played in" in shown
    assert "3, known to the supervisor only: the time, the payer, said so" in shown


async def test_the_journal_says_which_prompts_and_tools_were_used(notes: Path) -> None:
    fixture = make_fixture(notes, only=["read_note"], replay="recorded")
    await fixture.play([says("I stop.", call("finish", answer="x"))], None, is_used_up=False)
    [start, *_] = read_events(fixture.path)
    assert [tool["function"]["name"] for tool in start["tools"]] == ["read_note", "finish"]
    assert start["snapshot"].startswith("mcp:")
    assert start["production_prompt"].startswith("You find what a task asks for")


async def test_a_task_file_with_goals_is_checked_without_a_repository(tmp_path: Path) -> None:
    rows = [
        ROW,
        ROW | {"id": "b", "environment": "mpc", "prompt": "Which of the goods that we sell are broken?"},
        ROW | {"id": "c", "goals": [ROW["goals"][0]] * 2, "prompt": "How many drivers does the shop look for now?"},
    ]
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    checked = await check_tasks(file, Repositories(tmp_path / "repos"), LeakGrade.FILE_NAME, lambda _done, _all: None)
    assert [(problem.task, problem.kind) for problem in checked.problems] == [("b", "environment"), ("c", "goals")]
    assert [task.brief.id for task in checked.good] == ["who-pays"]
