"""Journals whose lines are JSON, and not what this program writes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from selfplay.audit.traces.inputs import read_file
from selfplay.clean.importing import UnreadDocument
from selfplay.clean.journals import CleaningCandidate, UnreadableJournal, key_names_of, read_candidate_or_reason
from selfplay.cli import main
from selfplay.core.errors import JournalError
from selfplay.journal.events import Event, read_events
from selfplay.journal.replay import rebuild_requests
from tests.selfplay.episodes import PROMPT, TARGETS, make_files

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of one episode."""
    root = tmp_path_factory.mktemp("whole")
    repo = make_files(root / "repo")
    targets = [part for path in TARGETS for part in ("--target", path)]
    about = ["--repo", str(repo), "--commit", "worktree", "--task", PROMPT, *targets]
    with pytest.raises(SystemExit):
        main(["run", *about, "--out", str(root / "traces"), "--repos", str(root / "repos"), "--quiet"])
    return next((root / "traces").glob("*.jsonl"))


def write_damaged(whole: Path, at: Path, damage: Callable[[list[Event]], object]) -> Path:
    events = list(read_events(whole))
    damage(events)
    at.mkdir(exist_ok=True)
    path = at / "bad.jsonl"
    path.write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in events))
    return path


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


NEEDED = ("episode", "task", "snapshot", "mark", "reasoning", "production_prompt", "tools", "selfplay")
VALUES: tuple[Any, ...] = (5, None, [7], {"a": 1})


@pytest.mark.parametrize("key", NEEDED)
def test_a_start_without_what_a_sample_needs_is_unreadable(whole: Path, tmp_path: Path, key: str) -> None:
    def setting(value: object) -> Callable[[list[Event]], object]:
        return lambda events: events[0].update({key: value})

    def leave_out(events: list[Event]) -> None:
        del events[0][key]

    damages = (leave_out, *map(setting, VALUES))
    for damage in damages:
        each = read_candidate_or_reason(write_damaged(whole, tmp_path, damage))
        assert isinstance(each, UnreadableJournal)
        assert each.name == "bad"
        assert f"{tmp_path / 'bad.jsonl'}:1: not what this program writes: " in each.detail
        assert key in each.detail


def test_a_whole_journal_is_a_candidate(whole: Path, tmp_path: Path) -> None:
    assert isinstance(read_candidate_or_reason(write_damaged(whole, tmp_path, len)), CleaningCandidate)


@pytest.mark.parametrize("found", [[99], [-1], ["x"], 5])
def test_a_target_that_the_task_has_not_is_said_with_its_line(whole: Path, tmp_path: Path, found: object) -> None:
    lines: list[int] = []

    def find(events: list[Event]) -> None:
        lines.append(next(n for n, e in enumerate(events) if e["event"] == "step"))
        events[lines[0]]["found"] = found

    result = read_candidate_or_reason(write_damaged(whole, tmp_path, find))
    assert isinstance(result, UnreadableJournal)
    assert f"bad.jsonl:{lines[0] + 1}: " in result.detail


@pytest.mark.parametrize("key", ["channel", "mark", "reasoning"])
def test_calls_of_a_damaged_journal_are_not_rebuilt(whole: Path, tmp_path: Path, key: str) -> None:
    path = write_damaged(whole, tmp_path, lambda events: events[0].pop(key))
    with pytest.raises(JournalError, match=rf"bad.jsonl:1: .*the key '{key}' is missing"):
        list(rebuild_requests(read_events(path), str(path)))


@pytest.mark.parametrize("config", [5, None, [7], {"player": 5}])
def test_names_of_keys_are_looked_for_as_far_as_they_go(whole: Path, tmp_path: Path, config: object) -> None:
    assert key_names_of([write_damaged(whole, tmp_path, lambda events: events[0].update(config=config))]) == ()


def test_one_damaged_journal_does_not_hide_the_others(whole: Path, tmp_path: Path, capsys: Capture) -> None:
    traces = tmp_path / "traces"
    bad = write_damaged(whole, traces, lambda events: events[0].update(task=5))
    (traces / "good.jsonl").write_bytes(whole.read_bytes())
    code, out, _ = run(capsys, "clean", str(traces), "--scanner", "off", "--json")
    funnel = orjson.loads(out)
    assert (code, funnel["traces"], funnel["rows"]) == (0, 2, 1)
    [unread] = read_file(bad)
    assert isinstance(unread, UnreadDocument)
    for command in (["explain"], ["show"], ["show", "--check"], ["show", "--stripped"]):
        code, _, err = run(capsys, *command, str(bad))
        assert code == 2
        assert "bad.jsonl:1: not what this program writes" in "".join(err.splitlines())


def test_a_journal_whose_name_is_no_utf8_is_named_by_its_bytes(whole: Path, tmp_path: Path, capsys: Capture) -> None:
    traces = tmp_path / "traces"
    bad = write_damaged(whole, traces, lambda events: events[0].pop("mark")).rename(
        traces / os.fsdecode(b"bad\xff.jsonl")
    )
    good = traces / os.fsdecode(b"good\xff.jsonl")
    good.write_bytes(whole.read_bytes())
    code, out, _ = run(capsys, "clean", str(traces), "--scanner", "off", "--json")
    assert (code, orjson.loads(out)["rows"]) == (0, 1)
    assert rb"bad\\xff" in (traces / "clean" / "dropped.jsonl").read_bytes()
    assert [one.where for one in read_file(bad)] == [str(traces / r"bad\xff.jsonl")]
    assert run(capsys, "show", "--json", str(good))[0] == 0


def test_a_call_of_nobody_is_not_shown(whole: Path, tmp_path: Path, capsys: Capture) -> None:
    path = write_damaged(whole, tmp_path, lambda events: next(e for e in events if e["event"] == "call").pop("seat"))
    code, _, err = run(capsys, "show", str(path))
    assert code == 2
    assert "the key 'seat' is missing" in " ".join(err.split())
