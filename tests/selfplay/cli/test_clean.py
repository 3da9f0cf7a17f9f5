"""`selfplay clean` and what `selfplay export` takes of it, on episodes of the offline pair."""

import json
import shutil
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import anyio
import orjson
import pytest

from selfplay.audit.traces import audit_traces
from selfplay.clean.across import AcrossSettings
from selfplay.clean.assistants.protocol import NoAssistants, TurnPoint
from selfplay.clean.folder import CleanFolder
from selfplay.clean.funnel import CleaningFunnel
from selfplay.clean.run import CleaningWork, clean_to
from selfplay.clean.settings import CleanSettings
from selfplay.cli import main
from selfplay.core.clean_trace import CleanTrace
from selfplay.core.drop_codes import DropCode
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.trace import Quality, Stratum, Verdict
from selfplay.export.formats import FORMATS
from tests.selfplay.cli.commands import run_command
from tests.selfplay.episodes import TARGETS, make_files

Capture = pytest.CaptureFixture[str]
WORDS = ("count every message that is lost", "release the pressure when it is full", "take a message and fill the tank")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository and the journals of three tasks."""
    root = tmp_path_factory.mktemp("played")
    make_files(root / "repo")
    targets = [part for path in TARGETS for part in ("--target", path)]
    for words in WORDS:
        about = ["--repo", str(root / "repo"), "--commit", "worktree", "--task", words, *targets]
        with pytest.raises(SystemExit):
            main(["run", *about, "--out", str(root / "traces"), "--repos", str(root / "repos"), "--quiet"])
    return root


@pytest.fixture
def traces(played: Path, tmp_path: Path) -> Path:
    """The journals, in a folder of the test's own."""
    return Path(shutil.copytree(played / "traces", tmp_path / "traces"))


def run_clean(capsys: Capture, traces: Path, *options: str) -> CleaningFunnel:
    repos = ("--repos", str(traces.parent / "repos"))
    code, out, _ = run_command(capsys, "clean", str(traces), *repos, "--scanner", "off", "--json", *options)
    funnel = CleaningFunnel.model_validate_json(out)
    assert code == (0 if funnel.rows else 1)
    return funnel


def read_contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def read_kept(traces: Path) -> list[CleanTrace]:
    return [each for each in CleanFolder(traces / "clean").read_outcomes() if isinstance(each, CleanTrace)]


def test_clean_writes_beside_the_journals_and_never_over_them(traces: Path, capsys: Capture) -> None:
    before = read_contents(traces)
    funnel = run_clean(capsys, traces)
    assert {p.name: p.read_bytes() for p in traces.iterdir() if p.is_file()} == before
    assert sorted(read_contents(traces / "clean")) == ["dropped.jsonl", "funnel.json", "pairs.jsonl", "traces.jsonl"]
    assert funnel.traces == len(WORDS)
    assert funnel.rows == len(read_kept(traces))


def test_the_same_command_again_writes_the_same_bytes(traces: Path, capsys: Capture) -> None:
    run_clean(capsys, traces)
    before = read_contents(traces / "clean")
    run_clean(capsys, traces)
    assert read_contents(traces / "clean") == before


def test_several_processes_write_the_same_bytes(traces: Path, capsys: Capture) -> None:
    run_clean(capsys, traces)
    before = read_contents(traces / "clean")
    run_clean(capsys, traces, "--jobs", "2")
    assert read_contents(traces / "clean") == before


def test_the_funnel_accounts_for_every_trace(traces: Path, capsys: Capture) -> None:
    (traces / "damaged.jsonl").write_bytes(b'{"event":"start"}\n')
    funnel = run_clean(capsys, traces)
    left = [funnel.traces, *(stage.left for stage in funnel.stages)]
    assert [a - b for a, b in pairwise(left)] == [sum(stage.dropped.values()) for stage in funnel.stages]
    assert left[-1] == funnel.rows
    assert funnel.stages[0].dropped == {DropCode.UNREADABLE: 1}


HOUSE_KEY = "release the pressure"


def name_key_in_journals(traces: Path) -> tuple[str, ...]:
    for path in traces.glob("*.jsonl"):
        first, _, rest = path.read_bytes().partition(b"\n")
        start = orjson.loads(first)
        start["config"]["supervisor"] = {"api_key_env": "HOUSE_KEY"}
        path.write_bytes(orjson.dumps(start) + b"\n" + rest)
    return ()


def name_key_in_file(traces: Path) -> tuple[str, ...]:
    file = traces.parent / "run.toml"
    file.write_text(
        "[clean.across]\nkey_names = []\n"
        '[batch.player]\nendpoints = [{ base_url = "http://127.0.0.1:9/v1", api_key_env = "HOUSE_KEY" }]\n'
    )
    return ("--config", str(file))


@pytest.mark.parametrize("name_it", [name_key_in_journals, name_key_in_file, None])
def test_the_keys_that_a_run_was_played_with_stand_in_no_row(
    name_it: Callable[[Path], tuple[str, ...]] | None, traces: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSE_KEY" if name_it else "OPENAI_API_KEY", HOUSE_KEY)
    funnel = run_clean(capsys, traces, *(name_it(traces) if name_it else ()))
    assert [stage.dropped[DropCode.SECRET] for stage in funnel.stages if DropCode.SECRET in stage.dropped] == [1]
    written = read_contents(traces / "clean")
    assert not any(HOUSE_KEY.encode() in data for data in written.values())
    assert (b"the key in HOUSE_KEY" if name_it else b"the key in OPENAI_API_KEY") in written["dropped.jsonl"]


def test_samples_are_asked_once_and_their_budget_is_kept(traces: Path, capsys: Capture) -> None:
    first = run_clean(capsys, traces, "--samples", "2", "--repair", "models").spent
    assert first.asked > 0
    before = read_contents(traces / "clean")
    again = run_clean(capsys, traces, "--samples", "2", "--repair", "models").spent
    assert (again.asked, again.remaining) == (0, 0)
    assert read_contents(traces / "clean") == before
    more = run_clean(capsys, traces, "--samples", "3", "--max-tokens", "1").spent
    assert more.asked == 0
    assert more.remaining > 0
    assert more.tokens == first.tokens


def test_a_cleaning_that_was_killed_asks_only_for_what_it_lost(traces: Path, capsys: Capture) -> None:
    """As a kill leaves it: half of the samples, the last line torn, and no results yet."""
    whole = run_clean(capsys, traces, "--samples", "2").spent.asked
    before = read_contents(traces / "clean")
    samples = traces / "clean" / "samples.jsonl"
    lines = samples.read_bytes().splitlines(keepends=True)
    for path in CleanFolder(traces / "clean").results:
        path.unlink()
    half = whole // 2
    samples.write_bytes(b"".join(lines[:half]) + lines[half][:20])
    assert run_clean(capsys, traces, "--samples", "2").spent.asked == whole - half
    after = read_contents(traces / "clean")
    assert {n: after[n] for n in ("traces.jsonl", "pairs.jsonl")} == {
        n: before[n] for n in ("traces.jsonl", "pairs.jsonl")
    }


def test_hinted_turns_have_their_reliance(traces: Path, capsys: Capture) -> None:
    funnel = run_clean(capsys, traces, "--samples", "2")
    measured = [t.reliance for trace in read_kept(traces) for t in trace.turns if t.reliance is not None]
    assert len(measured) == funnel.hinted_turns
    assert {reliance.samples for reliance in measured} == {2}


def test_unhinted_traces_come_first_and_are_kept_before_others(played: Path, traces: Path, capsys: Capture) -> None:
    about = ["--repo", str(played / "repo"), "--commit", "worktree", "--task", WORDS[0], "--policy", "never"]
    targets = [part for path in TARGETS for part in ("--target", path)]
    code, _, _ = run_command(
        capsys, "run", *about, *targets, "--out", str(traces), "--repos", str(played / "repos"), "--quiet"
    )
    assert code == 0
    run_clean(capsys, traces)
    assert [trace.stratum for trace in read_kept(traces)] == [
        Stratum.UNHINTED,
        *[Stratum.HINTED] * (len(read_kept(traces)) - 1),
    ]
    run_clean(capsys, traces, "--per-task", "1")
    tasks = [trace.task for trace in read_kept(traces)]
    assert len(tasks) == len(set(tasks))
    assert read_kept(traces)[0].stratum is Stratum.UNHINTED


@pytest.mark.parametrize("form", FORMATS)
def test_exports_with_and_without_a_cleaning_before_are_the_same(
    form: str, traces: Path, tmp_path: Path, capsys: Capture
) -> None:
    code, _, _ = run_command(capsys, "export", str(traces), "--format", form, "-o", str(tmp_path / "raw"))
    assert code == 0
    run_clean(capsys, traces)
    for place in (traces, traces / "clean"):
        shutil.rmtree(tmp_path / "cleaned", ignore_errors=True)
        run_command(capsys, "export", str(place), "--format", form, "-o", str(tmp_path / "cleaned"))
        assert read_contents(tmp_path / "cleaned") == read_contents(tmp_path / "raw")
    assert all(audited.passes for audited in audit_traces([tmp_path / "raw" / "sft.jsonl"], AcrossSettings()))


def test_a_cleaning_of_other_journals_is_not_exported(traces: Path, tmp_path: Path, capsys: Capture) -> None:
    run_clean(capsys, traces)
    next(iter(sorted(traces.glob("*.jsonl")))).unlink()
    code, _, err = run_command(capsys, "export", str(traces), "-o", str(tmp_path / "out"))
    assert code == 2
    assert "made of other journals" in " ".join(err.split())


def test_where_no_trace_gives_a_row_the_exit_code_is_1_and_the_reasons_are_named(
    traces: Path, tmp_path: Path, capsys: Capture
) -> None:
    for path in traces.glob("*.jsonl"):
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    for where, command in ((traces, "export"), (traces, "clean"), (traces, "export"), (traces / "clean", "export")):
        out = () if command == "clean" else ("-o", str(tmp_path / "sft"))
        code, _, err = run_command(capsys, command, str(where), *out)
        message = "dropped.jsonl says why of each" if command == "clean" else "of the traces 3 unfinished"
        assert (code, message in " ".join(err.split())) == (1, True)
    assert CleanFolder(traces / "clean").read_funnel().rows == 0
    assert not (tmp_path / "sft").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_pairs_are_exported_in_both_formats(form: str, traces: Path, tmp_path: Path, capsys: Capture) -> None:
    funnel = run_clean(capsys, traces, "--samples", "2")
    assert funnel.pairs
    out = tmp_path / "dpo"
    code, output, _ = run_command(capsys, "export", str(traces), "--pairs", "--format", form, "-o", str(out), "--json")
    assert (code, json.loads(output)["rows"]) == (0, funnel.pairs)
    rows = (out / "pairs.jsonl").read_bytes().splitlines()
    pairs = list(CleanFolder(traces / "clean").read_pairs())
    for line, pair in zip(rows, pairs, strict=True):
        model = FORMATS[form].pair_model
        assert model is not None
        assert model.model_validate_json(line)
        assert orjson.loads(line) == FORMATS[form].make_pair(pair)
        assert FORMATS[form].lint_pair(pair) == ()


class CarelessAssistants(NoAssistants):
    """Without a hint the player does worse, and says what no row may hold in every other sample."""

    async def sample_turns(self, point: TurnPoint, count: int) -> tuple[Message, ...]:
        said = (
            f"I think.<|im_end|> {point.turn}",
            "I think of zebras.",
            "The key is k3y/with-odd-characters-and-more.",
        )
        calls = [ToolCall(id=f"z{n}", name="search", arguments=f'{{"query":"zebra {n}"}}') for n in range(count)]
        return tuple(
            Message(role="assistant", origin=Origin.PLAYER, content=words, tool_calls=(call,))
            for words, call in zip(said, calls, strict=False)
        )

    async def judge_actions(self, point: TurnPoint, actions: tuple[Message, ...]) -> tuple[Verdict | None, ...]:  # noqa: ARG002  as the protocol says
        worse = Verdict(quality=Quality.MISTAKEN, why="w")
        return (Verdict(quality=Quality.PRODUCTIVE, why="w"), *(worse for _ in actions[1:]))


def test_a_rejected_action_that_no_row_may_hold_takes_its_pair_along_and_no_other(
    traces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k3y/with-odd-characters-and-more")

    @asynccontextmanager
    async def careless(_journal: Path, _candidate: object) -> AsyncGenerator[CarelessAssistants]:
        yield CarelessAssistants()

    settings = CleanSettings(samples=3, across=AcrossSettings(scanner="off"))
    place = CleanFolder(traces / "clean")
    work = CleaningWork(sorted(traces.glob("*.jsonl")), settings, open_assistants=careless)
    funnel = anyio.run(clean_to, place, work)
    assert funnel.pairs > 0
    assert funnel.dropped_pairs == {DropCode.SECRET: funnel.pairs, DropCode.SPECIAL_TOKEN: funnel.pairs}
    assert [pair.rejected.content for pair in place.read_pairs()] == ["I think of zebras."] * funnel.pairs


def test_there_are_no_pairs_without_samples(traces: Path, tmp_path: Path, capsys: Capture) -> None:
    code, _, err = run_command(capsys, "export", str(traces), "--pairs", "-o", str(tmp_path / "dpo"))
    assert code == 2
    assert "--samples 4" in " ".join(err.split())
    run_clean(capsys, traces)
    code, _, err = run_command(capsys, "export", str(traces), "--pairs", "-o", str(tmp_path / "dpo"))
    assert code == 1
    assert "there are none; `selfplay clean DIR --samples 4` looks for some" in " ".join(err.split())
    assert not (tmp_path / "dpo").exists()


def test_settings_come_from_the_section_of_a_file_and_options_stand_above_it(
    traces: Path, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "run.toml"
    file.write_text('[player]\nmodel = "heuristic"\n[clean]\nsamples = 1\n[clean.across]\nmax_tokens = 1\n')
    assert run_clean(capsys, traces, "--config", str(file)).rows == 0
    assert run_clean(capsys, traces, "--config", str(file), "--max-row-tokens", "1000000").rows > 0
    measured = [t.reliance for trace in read_kept(traces) for t in trace.turns if t.reliance is not None]
    assert {reliance.samples for reliance in measured} == {1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[clean]\nsample = 1\n", "unknown key 'sample', did you mean 'samples'?"),
        ("[clean]\nsamples = -1\n", "samples"),
    ],
)
def test_a_wrong_section_is_explained(
    content: str, message: str, traces: Path, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "run.toml"
    file.write_text(content)
    code, _, err = run_command(capsys, "clean", str(traces), "--config", str(file))
    assert code == 2
    assert message in err


def test_the_view_for_people_ends_with_the_funnel(traces: Path, capsys: Capture) -> None:
    code, out, _ = run_command(capsys, "clean", str(traces))
    assert code == 0
    lines: Sequence[str] = out.splitlines()
    assert lines[0].split() == ["traces", "left", "dropped"]
    assert any(line.startswith("grounded") for line in lines)
    assert f"written to {traces / 'clean'}" in "".join(lines)


QUIET = json.dumps({"say": json.dumps({"echoes": []})}) + "\n"


def test_a_judge_is_asked_once_and_without_the_player(traces: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "judge.jsonl").write_text(QUIET * 1000)
    plain = run_clean(capsys, traces)
    options = ("--judge", f"scripted:{tmp_path / 'judge.jsonl'}")
    judged = run_clean(capsys, traces, *options)
    assert judged.spent.asked > 0
    assert judged.model_copy(update={"spent": plain.spent}) == plain
    seats = {json.loads(line)["seat"] for line in (traces / "clean" / "samples.jsonl").read_text().splitlines()}
    assert seats == {"judge"}
    before = read_contents(traces / "clean")
    assert run_clean(capsys, traces, *options).spent.asked == 0
    assert read_contents(traces / "clean") == before


def test_what_the_judge_could_not_say_is_in_the_funnel(traces: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "judge.jsonl").write_text('{"say": "No idea."}\n' * 1000)
    spent = run_clean(capsys, traces, "--judge", f"scripted:{tmp_path / 'judge.jsonl'}").spent
    assert spent.faults == {"the judge's reply holds no list of echoes": spent.asked + spent.found}


def test_a_judge_whose_server_never_took_a_request_ends_the_cleaning(
    traces: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "judge.jsonl").write_text('{"error": "fatal", "text": "bad key"}\n' * 1000)
    judge = f"scripted:{tmp_path / 'judge.jsonl'}"
    code, _, err = run_command(capsys, "clean", str(traces), "--scanner", "off", "--judge", judge)
    assert code not in {0, 1}
    assert "bad key" in err
    assert not (traces / "clean" / "funnel.json").exists()
