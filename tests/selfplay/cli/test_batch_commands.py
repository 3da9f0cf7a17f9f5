import json
from pathlib import Path

import pytest

from selfplay.batch.run_folder import RunFolder
from selfplay.core.task import Answer, Target
from tests.loopback import LoopbackServer, answers, run_in_thread
from tests.selfplay.batch.chaos_server import answer_as_player
from tests.selfplay.batch.runs import make_repository, make_tasks, write_tasks
from tests.selfplay.cli.commands import run_command


@pytest.fixture
def played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run's folder."""
    tasks = write_tasks(tmp_path / "tasks.jsonl", make_tasks(make_repository(tmp_path / "pump.git"), 4))
    out = tmp_path / "run"
    code, output, _ = run_command(
        capsys, "batch", str(tasks), "-o", str(out), "--repos", str(tmp_path / "repos"), "--json"
    )
    assert code == 0
    assert json.loads(output)["totals"]["units"]["ended"] == 4
    return out


def test_a_run_of_which_every_task_is_unusable_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = make_repository(tmp_path / "pump.git")
    nowhere = Answer(targets=(Target(path="pump/none.py"),))
    wrong = [(where, task.model_copy(update={"answer": nowhere})) for where, task in make_tasks(repo, 2)]
    tasks = write_tasks(tmp_path / "tasks.jsonl", wrong)
    command = ("batch", str(tasks), "-o", str(tmp_path / "run"), "--repos", str(tmp_path / "repos"), "--json")
    for more in (("--dry-run", "1"), (), ()):
        code, out, err = run_command(capsys, *command, *more)
        assert code == 1
        assert "no attempt could be played" in err
        assert "'pump/none.py' does not exist" in err
    assert "'pump/none.py' does not exist" in json.loads(out)["unplayable"]
    write_tasks(tasks, [*wrong, *make_tasks(repo, 1, start=2)])
    code, out, _ = run_command(capsys, *command)
    assert (code, json.loads(out)["unplayable"]) == (0, "")


def test_a_run_that_comes_to_nothing_but_a_models_errors_is_no_success_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = write_tasks(tmp_path / "tasks.jsonl", make_tasks(make_repository(tmp_path / "pump.git"), 2))
    too_long = answers(400, {"error": {"message": "longer than 10 tokens", "code": "context_length_exceeded"}})
    with run_in_thread(LoopbackServer(answer_as_player, default_behaviour=too_long)) as server:
        command = ("--player", "openai:m", "--base-url", server.base_url, "--policy", "never")
        config = tmp_path / "run.toml"
        config.write_text('[batch.budget]\nunknown_price = "ignore"\n')
        out = ("-o", str(tmp_path / "run"), "--repos", str(tmp_path / "repos"), "--config", str(config))
        code, output, err = run_command(capsys, "batch", str(tasks), *command, *out)
    assert code == 1
    assert "2 ended with: " in output
    assert "every attempt was ended by an error of a model's server; most often: " in err
    assert "longer than 10 tokens" in err
    code, output, _ = run_command(capsys, "status", str(tmp_path / "run"), "--recount")
    assert (code, "longer than 10 tokens" in output) == (0, True)


def test_an_episode_is_not_played_into_a_runs_folder(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in played.rglob("*") if path.is_file()}
    repo = str(played.with_name("pump.git"))
    code, _, err = run_command(
        capsys, "run", "--repo", repo, "--task", "x", "--target", "pump/tank.py", "--out", str(played)
    )
    assert code == 2
    assert "holds a run of `selfplay batch`" in err
    assert {path: path.read_bytes() for path in played.rglob("*") if path.is_file()} == before


def test_a_quiet_run_prints_how_it_ended_and_what_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = write_tasks(tmp_path / "tasks.jsonl", make_tasks(make_repository(tmp_path / "pump.git"), 4))
    config = tmp_path / "run.toml"
    config.write_text("[batch.budget]\ntokens = 1\n")
    place = ("--repos", str(tmp_path / "repos"), "--quiet")
    small = ("batch", str(tasks), "-o", str(tmp_path / "small"), "--config", str(config), *place)
    code, out, err = run_command(capsys, *small)
    assert (code, err) == (4, "")
    assert "4 left (the budget" in " ".join(out.split())
    code, out, err = run_command(capsys, *small, "--json")
    assert (code, json.loads(out)["left"], err) == (4, 4, "")
    code, out, err = run_command(capsys, "batch", str(tasks), "-o", str(tmp_path / "try"), *place, "--dry-run", "3")
    assert (code, err) == (0, "")
    assert out.startswith("1 attempts left, as 3 that ended tell:\n")


def test_a_key_that_is_named_for_one_of_several_servers_and_not_set_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = write_tasks(tmp_path / "tasks.jsonl", make_tasks(make_repository(tmp_path / "pump.git"), 1))
    servers = """[batch.player]
    endpoints = [
      { base_url = "http://127.0.0.1:9/v1" },
      { base_url = "http://127.0.0.1:8/v1", api_key_env = "NO_TOY" },
    ]"""
    config = tmp_path / "run.toml"
    config.write_text(f'[player]\nmodel = "openai:x"\nprice = {{ input = 0, output = 0 }}\n{servers}\n')
    command = ("batch", str(tasks), "-o", str(tmp_path / "run"), "--config", str(config), "--dry-run", "0")
    code, _, err = run_command(capsys, *command)
    assert code == 0
    assert err == "warning: api_key_env names NO_TOY, and no such environment variable is set: its server gets no key\n"


def test_a_run_is_seen_from_another_shell(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "status", str(played), "--recount")
    assert code == 0
    assert "4 of 4" in out
    assert "found 4 (100%)" in out
    code, out, _ = run_command(capsys, "status", str(played), "--json", "--watch")
    assert json.loads(out)["results"]["outcomes"] == {"found": 4}


def test_ledgers_that_do_not_fit_the_journals_are_reported(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = min((played / "episodes").rglob("*.jsonl"))
    first.unlink()
    code, _, err = run_command(capsys, "status", str(played), "--recount")
    assert code == 1
    assert "the journals say something else than the ledgers: units 3 in the journals and 4 in the ledgers" in err


def test_a_report_is_one_file(played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "report", str(played))
    assert code == 0
    assert out.strip().replace("\n", "") == str(played / "report.html")
    assert (played / "report.html").read_bytes().startswith(b"<!doctype html>")
    code, out, _ = run_command(capsys, "report", str(played), "-o", str(tmp_path / "night.html"), "--json")
    assert json.loads(out)["totals"]["units"]["ended"] == 4
    assert (tmp_path / "night.html").exists()


def test_the_other_commands_take_a_runs_folder(
    played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(capsys, "report", str(played))[0] == 0, "a report in the folder is no journal"
    code, out, _ = run_command(capsys, "show", str(played), "--check", "--json")
    assert (code, len(out.splitlines())) == (0, 4)
    code, out, _ = run_command(capsys, "clean", str(played), "--json")
    rows = json.loads(out)["rows"]
    assert (code, json.loads(out)["traces"]) == (0, 4)
    code, out, _ = run_command(capsys, "export", str(played), "-o", str(tmp_path / "sft"), "--json")
    assert (code, json.loads(out)["rows"]) == (0, rows)


@pytest.mark.parametrize("command", ["status", "report"])
def test_a_folder_without_a_run_is_refused(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, command, str(tmp_path))
    assert code == 2
    assert "no run in it" in err.replace("\n", " ")
    assert not list(RunFolder(tmp_path).root.iterdir()), "and nothing is made there"
