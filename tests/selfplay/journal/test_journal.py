from pathlib import Path

import orjson
import pytest

from selfplay.core.errors import ContextTooLong, JournalError, RequestRefused, TransientModelError
from selfplay.core.message import Message, Origin
from selfplay.core.trace import ToolResult
from selfplay.core.usage import Usage
from selfplay.journal.events import Event, message_event, parse_events, read_events
from selfplay.journal.journal import Journal
from selfplay.models.dialogue import Dialogue
from selfplay.models.protocol import ModelReply, ModelRequest

START: Event = {"event": "start", "journal": 1, "episode": "e"}


def a_request(text: str = "hello") -> ModelRequest:
    dialogue = Dialogue()
    dialogue.append(Message(role="user", content=text, origin=Origin.TASK))
    return dialogue.build_request({"model": "m", "temperature": 0.5}, Origin.PLAYER)


def a_reply(text: str = "hi") -> ModelReply:
    message = Message(role="assistant", content=text, origin=Origin.PLAYER)
    return ModelReply(message=message, usage=Usage(input_tokens=3, output_tokens=2), extra={"timing": 1.5})


async def answer(_: ModelRequest) -> ModelReply:
    return a_reply()


async def never(_: ModelRequest) -> ModelReply:
    raise AssertionError("asked again for what was recorded")


async def a_result() -> ToolResult:
    message = Message(role="tool", content="r", origin=Origin.TOOL, tool_call_id="c", name="grep")
    return ToolResult(message=message, ok=True)


async def no_result() -> ToolResult:
    raise AssertionError("carried out again")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "e.jsonl"


async def test_what_was_recorded_is_not_asked_again(path: Path) -> None:
    with Journal(path) as journal:
        journal.start(START)
        reply = await journal.call("player", a_request(), answer)
        result = await journal.run_tool(1, "c", a_result)
        spent = journal.seconds
    with Journal(path) as journal:
        journal.start(START)
        assert await journal.call("player", a_request(), never) == reply
        assert await journal.run_tool(1, "c", no_result) == result
        assert journal.seconds == spent
        await journal.call("player", a_request("more"), answer)
    assert [e["event"] for e in read_events(path)] == ["start", "call", "result", "resume", "call"]


async def test_a_call_that_got_no_reply_leaves_no_trace_and_is_made_again(path: Path) -> None:
    async def down(_: ModelRequest) -> ModelReply:
        raise TransientModelError("down")

    with Journal(path) as journal:
        journal.start(START)
        with pytest.raises(TransientModelError):
            await journal.call("player", a_request(), down)
    with Journal(path) as journal:
        journal.start(START)
        assert await journal.call("player", a_request(), answer) == a_reply()


async def test_a_refusal_that_the_episode_does_not_go_on_from_is_not_recorded(path: Path) -> None:
    async def refuse(_: ModelRequest) -> ModelReply:
        raise RequestRefused("no tools here")

    with Journal(path) as journal:
        journal.start(START)
        with pytest.raises(RequestRefused):
            await journal.call("player", a_request(), refuse, keeps=lambda _: False)
    with Journal(path) as journal:
        journal.start(START)
        assert await journal.call("player", a_request(), answer) == a_reply()


async def test_attempts_that_failed_and_waits_are_not_the_episodes_time(path: Path) -> None:
    with Journal(path) as journal:
        journal.start(START)

        async def late(_: ModelRequest) -> ModelReply:
            journal.record_retry("player", 1, "down", 3600.0)
            return a_reply()

        await journal.call("player", a_request(), late)
        assert journal.seconds == 0.0


async def test_what_cant_be_written_is_a_journal_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "e.jsonl", tmp_path):
        with pytest.raises(JournalError, match="can't be written"), Journal(place):
            pass


@pytest.mark.parametrize("error", [RequestRefused("no response_format here"), ContextTooLong("too long")])
async def test_a_refused_request_is_recorded_and_refused_again(path: Path, error: Exception) -> None:
    async def refuse(_: ModelRequest) -> ModelReply:
        raise error

    for live in (refuse, never):
        with Journal(path) as journal:
            journal.start(START)
            with pytest.raises(type(error), match=str(error)):
                await journal.call("supervisor", a_request(), live)


async def test_an_episode_does_not_go_on_as_another_one(path: Path) -> None:
    with Journal(path) as journal:
        journal.start({**START, "config": {"limits": {"steps": 3}}})
        await journal.call("player", a_request(), answer)
    with Journal(path) as journal, pytest.raises(JournalError, match=r"config\.limits\.steps was 3, is 4"):
        journal.start({**START, "config": {"limits": {"steps": 4}}})
    with Journal(path) as journal:
        journal.start({**START, "config": {"limits": {"steps": 3}}})
        with pytest.raises(JournalError, match="went another way"):
            await journal.call("player", a_request("something else"), never)


def test_two_processes_do_not_play_one_episode(path: Path) -> None:
    with Journal(path), pytest.raises(JournalError, match="another process"), Journal(path):
        pass
    with Journal(path):
        pass


def test_a_half_written_last_line_is_dropped(path: Path) -> None:
    message = message_event("player", Message(role="user", content="zeile", origin=Origin.TASK))
    with Journal(path) as journal:
        journal.start(START)
        journal.record(message)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with Journal(path) as journal:
            journal.start(START)
            journal.record(message)
        events = [e for e in read_events(path) if e["event"] != "resume"]
        assert [e["event"] for e in events] == ["start", "message"]
        assert events[1] == message


def test_a_damaged_line_in_the_middle_is_an_error_with_its_number() -> None:
    data = orjson.dumps(START) + b"\n{broken\n" + orjson.dumps({"event": "stop"}) + b"\n"
    with pytest.raises(JournalError, match=r"e\.jsonl:2: damaged"):
        parse_events(data, "e.jsonl")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"event":"call"}\n', "not a journal"),
        (b'{"messages":[]}\n', "not a journal"),
        (b"[1]\n", "not a journal"),
        (b"[1]", "not a journal"),
        (bytes(range(128, 228)), "not a journal"),
        (b'{"event":"start","journal":99}\n', "version 99"),
    ],
)
def test_a_foreign_file_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(JournalError, match=says):
        parse_events(data, "x.jsonl")


@pytest.mark.parametrize("data", [b"", orjson.dumps(START), orjson.dumps(START)[:9], b'{"eve\0\0\0', b"\0" * 99])
def test_a_start_that_a_kill_or_a_power_loss_cut_is_no_event_yet(data: bytes) -> None:
    assert parse_events(data, "e.jsonl") == ([], 0)


async def test_the_head_of_a_request_is_written_once_while_it_stays_the_same(path: Path) -> None:
    with Journal(path) as journal:
        journal.start(START)
        for text in ("a", "b"):
            await journal.call("player", a_request(text), answer)
    heads = [e.get("head") for e in read_events(path) if e["event"] == "call"]
    assert heads == [{"model": "m", "temperature": 0.5}, None]


async def test_watchers_hear_everything_and_know_what_is_old(path: Path) -> None:
    heard: list[tuple[str, bool]] = []
    for _ in range(2):
        with Journal(path, lambda event, is_recorded: heard.append((event["event"], is_recorded))) as journal:
            journal.start(START)
            await journal.call("player", a_request(), answer)
    assert heard == [("start", False), ("call", False), ("start", True), ("call", True)]


async def test_watchers_hear_of_attempts_that_failed_before_too_each_in_its_place(path: Path) -> None:
    heard: list[str] = []

    def watched() -> Journal:
        heard.clear()
        return Journal(path, lambda event, _: heard.append(event["event"]))

    with watched() as journal:
        journal.start(START)
        journal.record_retry("player", 1, "down", 0.0)
        await journal.call("player", a_request(), answer)
        journal.record_retry("player", 1, "down", 0.0)
    with watched() as journal:
        journal.start(START)
        await journal.call("player", a_request(), never)
        journal.record({"event": "stop"})
    assert heard == ["start", "retry", "call", "retry", "resume", "stop"]
    with watched() as journal:
        journal.start(START)
        journal.replay_rest()
    assert heard == ["start", "retry", "call", "retry", "resume", "stop"]
    assert [event["event"] for event in read_events(path)] == heard


@pytest.mark.parametrize("version", [1, 2])
def test_journals_of_both_versions_are_read(version: int) -> None:
    start = {**START, "journal": version}
    assert parse_events(orjson.dumps(start) + b"\n", "e.jsonl")[0] == [start]


async def test_calls_of_the_judge_are_recorded_like_others(path: Path) -> None:
    for live in (answer, never):
        with Journal(path) as journal:
            journal.start(START)
            assert await journal.call("judge", a_request(), live) == a_reply()
