import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.text import Text
from typer.main import get_command

from selfplay.cli.app import COMMANDS, app, load_command
from selfplay.journal.replay import read_trace
from tests.selfplay.cli.commands import run_command
from tests.selfplay.episodes import PROMPT, TARGETS, make_files

ROOT = Path(__file__).parents[3]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_files(tmp_path / "repo")


@pytest.fixture
def places(tmp_path: Path) -> Sequence[str]:
    return ("--out", str(tmp_path / "traces"), "--repos", str(tmp_path / "repos"))


def task_options(repo: Path) -> list[str]:
    targets = [part for path in TARGETS for part in ("--target", path)]
    return ["--repo", str(repo), "--commit", "worktree", "--task", PROMPT, *targets]


def test_an_episode_from_the_command_line_to_rows(
    repo: Path, places: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run_command(capsys, "run", *task_options(repo), *places, "--json")
    summary = json.loads(out)
    assert code == 0
    assert summary["stop"]["reason"] == "found"
    assert summary["found"] == list(TARGETS)
    assert "step 1" in err
    code, out, _ = run_command(capsys, "show", summary["trace"], "--check")
    assert code == 0
    assert "byte for byte" in out
    code, out, _ = run_command(capsys, "show", summary["trace"], "--stripped")
    assert "weight 1" in out
    for format_ in ("openai", "trl"):
        code, out, _ = run_command(
            capsys, "export", str(tmp_path / "traces"), "--format", format_, "-o", str(tmp_path / format_), "--json"
        )
        assert code == 0
        assert json.loads(out)["rows"] == 1
        assert (tmp_path / format_ / "contract.json").exists()


def test_the_same_command_again_prints_the_same_and_plays_nothing(
    repo: Path, places: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, first, _ = run_command(capsys, "run", *task_options(repo), *places, "--json", "--quiet")
    size = Path(json.loads(first)["trace"]).stat().st_size
    _, second, _ = run_command(capsys, "run", *task_options(repo), *places, "--json", "--quiet")
    assert first == second
    assert Path(json.loads(second)["trace"]).stat().st_size == size


def test_one_target_option_may_be_followed_by_several_paths(
    repo: Path, places: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--repo", str(repo), "--commit", "worktree", "--task", PROMPT, *places, "--json", "--quiet"]
    code, out, _ = run_command(capsys, "run", *base, "--target", *TARGETS)
    assert code == 0
    assert json.loads(out)["targets"] == list(TARGETS)


def test_not_found_is_exit_code_1(repo: Path, places: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "run", *task_options(repo), *places, "--steps", "1", "--json", "--quiet")
    assert code == 1
    assert json.loads(out)["stop"]["reason"] == "steps"


def test_after_miss_prints_both_attempts(repo: Path, places: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run_command(
        capsys, "run", *task_options(repo), *places, "--policy", "after_miss", "--steps", "2", "--json", "--quiet"
    )
    unhinted, hinted = (json.loads(line) for line in out.splitlines())
    assert unhinted["hints"] == 0
    assert hinted["hints"] > 0
    assert unhinted["trace"] != hinted["trace"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--repo", "x"], "--task is missing"),
        (["--task", "x", "--target", "y"], "--repo is missing"),
        (["--repo", "x", "--task", "@gone.md", "--target", "y"], "gone.md: can't be read: No such file"),
        (["--repo", "nowhere", "--task", "x", "--target", "y"], "nowhere"),
        (["--repo", ".", "--task", "x", "--target", "y", "--player", "gpt-5"], "openai:NAME, heuristic"),
        (["--repo", ".", "--task", "x", "--target", "y", "--player", "openai"], "'player.model': which model?"),
        (["--repo", ".", "--task", "x", "--target", "y", "--base-url", "localhost"], "base_url"),
        (["--tasks", "gone.jsonl"], "gone.jsonl"),
        (["--repo", ".", "--task", "\udcff", "--target", "y"], "not UTF-8"),
        (["--tasks", "gone.jsonl", "--repo", "x"], "one or the other"),
        (["--repo", ".", "--task", "x", "--target", "y", "--player", "scripted:gone.jsonl"], "gone.jsonl"),
        (["--repo", ".", "--task", "x", "--target", "y", "--player", "recorded:gone"], "gone"),
    ],
)
def test_what_cant_be_used_is_exit_code_2_and_says_what(
    arguments: list[str], says: str, places: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run_command(capsys, "run", *arguments, *places)
    assert code == 2
    assert says in re.sub(r"\s+", " ", err)
    assert "Traceback" not in out + err


def test_a_place_that_cant_be_written_is_exit_code_2(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    places = ("--out", str(tmp_path / "file"), "--repos", str(tmp_path / "repos"))
    code, _, err = run_command(capsys, "run", *task_options(repo), *places)
    assert code == 2
    assert "can't be written" in re.sub(r"\s+", " ", err)


def test_a_task_of_a_file_is_played_by_its_id(
    repo: Path, places: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = {"repo": str(repo), "commit": "worktree", "prompt": PROMPT, "targets": [{"path": p} for p in TARGETS]}
    file = tmp_path / "tasks.jsonl"
    bad = {**base, "targets": [{"path": "gone.py"}]}
    file.write_text("\n".join(json.dumps({"id": i, **row}) for i, row in (("good", base), ("bad", bad))))
    code, _, _ = run_command(capsys, "run", "--tasks", str(file), "--id", "good", *places, "--quiet")
    assert code == 0
    code, _, err = run_command(capsys, "run", "--tasks", str(file), "--id", "bad", *places, "--quiet")
    assert code == 2
    assert f"{file}:2" in re.sub(r"\n", "", err)
    code, _, err = run_command(capsys, "run", "--tasks", str(file), *places)
    assert "--id, one of good, bad" in re.sub(r"\s+", " ", err)


@pytest.mark.parametrize("channel", ["user", "tool"])
def test_recorded_models_play_an_episode_again(
    repo: Path, places: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], channel: str
) -> None:
    places = (*places, "--channel", channel)
    _, out, _ = run_command(capsys, "run", *task_options(repo), *places, "--json", "--quiet")
    (tmp_path / "traces" / "rows.jsonl").write_text('{"messages": []}\n')
    recorded = f"recorded:{tmp_path / 'traces'}"
    again = ("--player", recorded, "--supervisor", recorded, "--out", str(tmp_path / "again"))
    _, replayed, _ = run_command(capsys, "run", *task_options(repo), *places, *again, "--json", "--quiet")
    assert [json.loads(out)[k] for k in ("steps", "hints", "answer", "usage")] == [
        json.loads(replayed)[k] for k in ("steps", "hints", "answer", "usage")
    ]


def test_scripted_models_from_files_play_an_episode(
    repo: Path, places: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finish = {"name": "finish", "arguments": {"files": [{"path": p, "reason": "r"} for p in TARGETS]}}
    reads = [{"name": "read_file", "arguments": {"path": p}} for p in TARGETS]
    player, supervisor = tmp_path / "player.jsonl", tmp_path / "supervisor.jsonl"
    player.write_text("\n".join(json.dumps(x) for x in ({"say": "a", "calls": reads}, {"say": "b", "call": finish})))
    verdict = {"verdict": {"quality": "productive", "why": "w", "hint": None}}
    supervisor.write_text("\n".join(json.dumps(verdict) for _ in range(2)))
    models = ("--player", f"scripted:{player}", "--supervisor", f"scripted:{supervisor}")
    code, out, _ = run_command(capsys, "run", *task_options(repo), *places, *models, "--json", "--quiet")
    assert code == 0
    assert json.loads(out)["steps"] == 2


def test_a_model_out_of_reach_is_exit_code_3_and_the_command_goes_on_later(
    repo: Path, places: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.toml"
    config.write_text('[player]\nmodel = "openai:x"\nbase_url = "http://127.0.0.1:9/v1"\ntries = 1\n')
    code, _, err = run_command(capsys, "run", *task_options(repo), *places, "--config", str(config), "--quiet")
    assert code == 3
    assert "127.0.0.1:9" in err
    assert not [e for p in (tmp_path / "traces").iterdir() for e in p.read_bytes().split(b"\n") if b'"stop"' in e[:16]]


def test_a_named_key_that_is_not_set_is_warned_of_once(
    repo: Path,
    places: Sequence[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seat = 'model = "openai:x"\nbase_url = "http://127.0.0.1:9/v1"\ntries = 1\n'
    config = tmp_path / "run.toml"
    warning = "warning: api_key_env names TOY_KEY, and no such environment variable is set"
    for named, key, times in (("TOY_KEY", "", 1), ("TOY_KEY", "toy-key-1", 0), ("OPENAI_API_KEY", "", 0)):
        monkeypatch.setenv(named, key)
        table = f'{seat}api_key_env = "{named}"\n'
        config.write_text(f"[player]\n{table}[supervisor]\n{table}")
        code, _, err = run_command(capsys, "run", *task_options(repo), *places, "--config", str(config), "--quiet")
        assert (code, err.count(warning)) == (3, times)


def test_a_cost_limit_without_a_known_price_is_refused(
    repo: Path, places: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.toml"
    config.write_text(
        '[player]\nmodel = "openai:my-own"\nbase_url = "http://127.0.0.1:9/v1"\n[limits]\ncost_usd = 1.0\n'
    )
    code, _, err = run_command(capsys, "run", *task_options(repo), *places, "--config", str(config))
    assert code == 2
    assert "[player.price]" in err


def test_a_run_inside_the_directory_it_studies_shows_the_player_no_journal(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repo / "tasks.jsonl").write_text(json.dumps({"targets": list(TARGETS)}))
    inside = ("--out", str(repo / "traces"), "--repos", str(repo / "repos"), "--json", "--quiet")
    first = json.loads(run_command(capsys, "run", *task_options(repo), *inside)[1])
    elsewhere = repo / "old"
    elsewhere.mkdir()
    (elsewhere / "copy.jsonl").write_bytes(Path(first["trace"]).read_bytes())
    again = json.loads(run_command(capsys, "run", *task_options(repo), *inside)[1])
    assert first == again, "what was written in between is no part of the snapshot"
    unhinted = json.loads(
        run_command(capsys, "run", *task_options(repo), *inside, "--policy", "never", "--steps", "30")[1]
    )
    shown = "".join(str(m.content) for m in read_trace(Path(unhinted["trace"])).conversation)
    assert "traces/" not in shown
    assert "copy.jsonl" not in shown


def test_export_passes_over_what_is_no_whole_trace(
    repo: Path, places: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = Path(json.loads(run_command(capsys, "run", *task_options(repo), *places, "--json", "--quiet")[1])["trace"])
    start = good.read_bytes().split(b"\n", 1)[0]
    (good.parent / "killed.jsonl").write_bytes(start + b"\n")
    (good.parent / "changed.jsonl").write_bytes(good.read_bytes().replace(b'"nudge":', b'"nudged":'))
    (good.parent / "folder.jsonl").mkdir()
    code, out, _ = run_command(capsys, "export", str(good.parent), "-o", str(tmp_path / "out"), "--json")
    assert code == 0
    assert json.loads(out)["rows"] == 1
    assert json.loads(out)["skipped"] == {"unreadable": 2}
    skipped = [json.loads(line) for line in (tmp_path / "out/skipped.jsonl").read_text().splitlines()]
    assert {row["episode"] for row in skipped} == {"killed", "changed"}


def test_the_demo_leaves_other_traces_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "traces" / "lantern-mine.jsonl"
    mine.parent.mkdir()
    mine.write_text("mine")
    for _ in range(2):
        code, _, _ = run_command(capsys, "demo", "--out", str(mine.parent), "--repos", str(tmp_path / "repos"))
        assert code == 0
    assert mine.read_text() == "mine"
    assert len(list(mine.parent.glob("lantern-fingerprint-*.jsonl"))) == 1


def test_hints_are_audited(
    repo: Path, places: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = {"id": "t", "repo": str(repo), "commit": "worktree", "prompt": PROMPT, "targets": [{"path": TARGETS[0]}]}
    file = tmp_path / "hints.jsonl"
    texts = ("Open pump/tank.py.", "Where does a message rest?")
    file.write_text("\n".join(json.dumps({"task": task, "shown": [], "hint": hint}) for hint in texts))
    code, out, _ = run_command(capsys, "audit", "hints", str(file), *places[2:])
    first, second = (json.loads(line) for line in out.splitlines())
    assert code == 1
    assert (first["reveals"], second["reveals"]) == (True, False)
    start, end = first["findings"][0]["span"]
    assert texts[0][start:end] == first["findings"][0]["text"]
    file.write_text('{"hint": "x"}')
    code, _, err = run_command(capsys, "audit", "hints", str(file), *places[2:])
    assert code == 2
    assert "hints.jsonl:1" in re.sub(r"\n", "", err)


def test_echoes_are_audited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "turns.jsonl"
    rows = (
        {"text": "I read on. Good point!"},
        {"text": "Sure, I read on."},
        {"text": "Sure, I read on.", "hint": "Go on."},
    )
    file.write_text("\n".join(json.dumps(row) for row in rows))
    code, out, _ = run_command(capsys, "audit", "echoes", str(file))
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [one["echo"] for one in found] == [True, False, True]
    assert found[0]["findings"] == [{"kind": "agreement", "text": "Good point!", "span": [11, 22]}]
    file.write_text(json.dumps(rows[1]))
    assert run_command(capsys, "audit", "echoes", str(file))[0] == 0
    file.write_text('{"text": "x", "hints": "y"}')
    code, _, err = run_command(capsys, "audit", "echoes", str(file))
    assert code == 2
    assert "turns.jsonl:1" in re.sub(r"\n", "", err)


def test_showing_and_exporting_what_is_no_trace_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.jsonl").write_text('{"messages": []}\n')
    for arguments in (
        ("show", str(tmp_path / "x.jsonl")),
        ("show", str(tmp_path / "gone.jsonl")),
        ("export", str(tmp_path), "-o", str(tmp_path / "out")),
        ("export", str(tmp_path / "gone"), "-o", str(tmp_path / "out")),
    ):
        code, _, err = run_command(capsys, *arguments)
        assert code == 2
        assert err.startswith("error: ")


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        "demo",
        "run",
        "show",
        "export",
        "audit hints",
        "audit echoes",
        "mine",
        "import",
        "batch",
        "status",
        "report",
    ):
        code, out, _ = run_command(capsys, *command.split(), "--help")
        assert code == 0
        _, mark, examples = out.partition("Example")
        assert mark
        assert f"selfplay {command} " in examples


@pytest.mark.parametrize(("command", "table"), [("batch", "batch"), ("mine", "rewrite"), ("clean", "clean")])
def test_help_names_the_table_of_the_settings_file(
    command: str, table: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In brackets it would be taken for a style, and not be shown."""
    monkeypatch.setenv("COLUMNS", "200")
    assert f"`{table}`" in run_command(capsys, command, "--help")[1]


INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom selfplay.cli import main; main()"
)
"""The command, also where SIGINT is ignored, as a shell has it for what it puts in the background."""


def test_ctrl_c_leaves_an_episode_that_the_same_command_ends(repo: Path, tmp_path: Path) -> None:
    """The player's server hangs; Ctrl-C falls into that call; then the server answers."""
    from tests.loopback import LoopbackServer, hang, run_in_thread  # noqa: PLC0415  starts a server: only here

    finish = {"files": [{"path": p, "reason": "r"} for p in TARGETS]}
    turns = [[("read_file", {"path": p}) for p in TARGETS], [("finish", finish)]]

    def answer(request: dict[str, object]) -> dict[str, object]:
        turn = sum(m["role"] == "assistant" for m in request["messages"])  # type: ignore[index,union-attr] a list of objects
        calls = [
            {"id": f"c{turn}{i}", "type": "function", "function": {"name": name, "arguments": orjson.dumps(a).decode()}}
            for i, (name, a) in enumerate(turns[turn])
        ]
        return {"content": "so", "tool_calls": calls}

    with run_in_thread(LoopbackServer(answer, [None, hang(), None])) as server:
        command = [
            *(sys.executable, "-c", INTERRUPTIBLE, "run", *task_options(repo), "--policy", "never", "--json"),
            *("--player", "openai:x", "--base-url", server.base_url),
            *("--out", str(tmp_path / "traces"), "--repos", str(tmp_path / "repos")),
        ]
        first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ})
        while len(server.received) < 2:
            assert first.poll() is None, first.communicate()
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=60)
        assert first.returncode == 130
        assert b"run the same command again" in err
        second = subprocess.run(command, capture_output=True, check=True)
        assert len(server.received) == 3
    assert json.loads(second.stdout)["stop"]["reason"] == "found"


def test_ctrl_c_while_the_command_is_imported_ends_it_without_a_word() -> None:
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["selfplay"]
    assert script == "selfplay.__main__:main", "which is python -m selfplay as well"
    entry = INTERRUPTIBLE.replace("selfplay.cli", "selfplay.__main__")
    command = [sys.executable, "-X", "importtime", "-c", entry, "show", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as begun:
        assert begun.stderr is not None
        assert any("pydantic_core" in line for line in begun.stderr), "which is in the middle of it"
        begun.send_signal(signal.SIGINT)
        rest = [line for line in begun.stderr if not line.startswith("import time:")]
        assert begun.stdout is not None
        assert (begun.wait(), begun.stdout.read(), rest) == (130, "", [])


def help_texts(command: Any, name: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401  typer's own click
    """Every text of a command's help, and of the commands below it."""
    yield name, command.help or ""
    yield f"{name}, epilog", str(command.epilog or "")
    for parameter in command.params:
        yield f"{name} {parameter.name}", str(getattr(parameter, "help", None) or "")
    for below, each in getattr(command, "commands", {}).items():
        yield from help_texts(each, f"{name} {below}")


def test_no_word_of_the_help_is_taken_for_markup() -> None:
    texts = [text for name in COMMANDS for text in help_texts(load_command(name), name)]
    for where, text in [*help_texts(get_command(app), "selfplay"), *texts]:
        assert Text.from_markup(text).plain == text, where


def test_the_list_of_commands_shows_the_first_line_of_each_ones_help() -> None:
    first_lines = {name: (load_command(name).help or "").split("\n\n")[0].replace("\n", " ") for name in COMMANDS}
    assert {name: line for name, (_, line) in COMMANDS.items()} == first_lines


HEAVY = {"numpy", "pydantic", "openai", "tree_sitter", "tiktoken", "genai_prices", "anyio", "orjson"}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], []])
def test_what_plays_nothing_imports_no_more_than_the_command_line(arguments: list[str]) -> None:
    program = f"""
import atexit, sys
atexit.register(lambda: print("imported:", {HEAVY!r} & set(sys.modules), file=sys.stderr))
from selfplay.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.stderr == "imported: set()\n"
    assert "selfplay" in done.stdout


def test_without_arguments_the_command_shows_the_first_steps(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys)
    assert code == 2, "as for any command line that is not complete"
    assert max(map(len, out.splitlines())) <= 80
    assert len(out.splitlines()) <= 15
    named = re.findall(r"  selfplay ([a-z]+)", out)
    assert named == ["demo", "mine", "batch", "batch", "status", "clean", "export"]


def test_a_misspelt_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "statu")
    assert code == 2
    assert "Did you mean 'status'?" in err
