"""`selfplay explain` on journals of real episodes of the heuristic pair."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.selfplay.cli.commands import run_command
from tests.selfplay.episodes import PROMPT, TARGETS, make_files


@pytest.fixture
def journal(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Path:
    repo = make_files(tmp_path / "repo")
    targets = [part for path in TARGETS for part in ("--target", path)]
    about = ["--repo", str(repo), "--commit", "worktree", "--task", PROMPT, *targets]
    _, out, _ = run_command(capfdbinary, "run", *about, "--out", str(tmp_path / "traces"), "--json")
    return Path(json.loads(out)["trace"])


def run_explain(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str | Path) -> tuple[int, str, str]:
    return run_command(capfdbinary, "explain", *map(str, arguments))


def test_every_step_and_every_target_is_explained(journal: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, _ = run_explain(capfdbinary, journal)
    assert code == 0
    assert "\nstep 2\n" in out
    assert all(f"target {path}: task -> step" in out for path in TARGETS)
    assert "<- task, line 1: exact" in out


def test_json_has_the_same_by_option_and_by_format(journal: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    _, out, _ = run_explain(capfdbinary, journal, "--json")
    assert run_explain(capfdbinary, journal, "--format", "json")[1] == out
    output = json.loads(out)
    assert [chain["target"] for chain in output["chains"]] == [0, 1]
    _, one, _ = run_explain(capfdbinary, journal, "--json", "--step", "1")
    assert json.loads(one)["links"] == [link for link in output["links"] if link["message"] == 2]


@pytest.mark.parametrize(("shape", "begin"), [("mermaid", "flowchart TD\n"), ("svg", "<svg ")])
def test_the_graph_goes_to_standard_output(
    shape: str, begin: str, journal: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    code, out, err = run_explain(capfdbinary, journal, "--format", shape)
    assert (code, err) == (0, "")
    assert out.startswith(begin)


def test_a_journal_cut_anywhere_is_explained_as_far_as_it_goes(
    journal: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    played: list[int] = []
    for count in range(5, len(lines), 4):
        journal.write_bytes(b"".join(lines[:count]) + lines[count][:7])
        code, out, _ = run_explain(capfdbinary, journal)
        assert code == 0
        played.append(out.count("\nstep ") + out.startswith("step "))
    assert played == sorted(played)


@pytest.mark.parametrize(
    ("arguments", "complaint"), [(["--step", "99"], "no step 99"), (["nowhere.jsonl"], "can't be read")]
)
def test_what_cant_be_used_is_exit_code_2(
    arguments: Sequence[str], complaint: str, journal: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    given = arguments if "--step" not in arguments else [journal, *arguments]
    code, _, err = run_explain(capfdbinary, *given)
    assert code == 2
    assert complaint in err


def test_of_a_folder_one_of_its_journals_is_named(journal: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, _, err = run_command(capfdbinary, "explain", str(journal.parent))
    assert code == 2
    assert f"a folder; give one journal, such as {journal}" in err


def test_several_traces_follow_one_another(journal: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    again = journal.with_name("again.jsonl")
    again.write_bytes(journal.read_bytes())
    _, alone, _ = run_explain(capfdbinary, journal)
    code, out, err = run_explain(capfdbinary, journal, again)
    assert (code, out, err) == (0, f"{journal}\n{alone}\n{again}\n{alone}", "")
    _, alone, _ = run_explain(capfdbinary, journal, "--json")
    assert run_explain(capfdbinary, journal, again, "--json") == (0, alone * 2, "")
    code, out, err = run_explain(capfdbinary, journal, again, "--format", "svg")
    assert (code, out) == (2, "")
    assert "a graph shows one" in err
