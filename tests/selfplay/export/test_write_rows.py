from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from selfplay.clean.stages.strip import strip_supervision
from selfplay.core.clean_trace import CleanTrace, DropReason, Mask
from selfplay.core.contract import read_contract
from selfplay.core.drop_codes import DropCode, DroppedTrace
from selfplay.core.errors import ExportError, StorageError
from selfplay.core.trace import StopReason, Trace
from selfplay.export.formats import FORMATS
from selfplay.export.formats.openai_chat import OPENAI
from selfplay.export.formats.trl import TRL
from selfplay.export.write_rows import write_rows
from tests.selfplay.traces import a_call, a_contract, a_search, a_step, a_trace, as_clean_traces, finish

CONTRACT = a_contract()
HINT = "Think about where a response gets its headers."
UNFIT = a_trace(a_step(a_call("ls", id="a", path=".")), a_step(finish()), episode="unfit")
"""Its first call is of no tool that is offered."""


def make_samples(*traces: Trace) -> list[CleanTrace | DroppedTrace]:
    return as_clean_traces(*traces, contract=CONTRACT)


def read_lines(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def read_contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_an_export_into_a_folder_is_four_files(tmp_path: Path) -> None:
    summary = write_rows(make_samples(a_search()), tmp_path / "new" / "out", OPENAI)
    out = tmp_path / "new" / "out"
    assert sorted(read_contents(out)) == ["contract.json", "rows.jsonl", "sft.jsonl", "skipped.jsonl"]
    assert summary.files == tuple(str(out / n) for n in ("sft.jsonl", "contract.json", "rows.jsonl", "skipped.jsonl"))
    assert read_contract((out / "contract.json").read_bytes(), "contract.json") == CONTRACT
    assert summary.contract == CONTRACT.sha256


def test_an_export_into_a_file_has_the_others_beside_it(tmp_path: Path) -> None:
    write_rows(make_samples(a_search()), tmp_path / "some.train.jsonl", TRL)
    assert sorted(read_contents(tmp_path)) == [
        *("some.train.contract.json", "some.train.jsonl", "some.train.rows.jsonl", "some.train.skipped.jsonl")
    ]


def test_rows_are_ordered_by_episode_whatever_order_traces_come_in(tmp_path: Path) -> None:
    traces = [a_search(name) for name in ("b", "a-1", "a", "B")]
    write_rows(make_samples(*traces, UNFIT), tmp_path / "one", OPENAI)
    write_rows(make_samples(UNFIT, *reversed(traces)), tmp_path / "other", OPENAI)
    assert read_contents(tmp_path / "one") == read_contents(tmp_path / "other")
    assert [note["episode"] for note in read_lines(tmp_path / "one" / "rows.jsonl")] == ["B", "a", "a-1", "b"]


def test_exporting_again_writes_the_same_bytes(tmp_path: Path) -> None:
    write_rows(make_samples(a_search()), tmp_path, TRL)
    before = read_contents(tmp_path)
    write_rows(make_samples(a_search()), tmp_path, TRL)
    assert read_contents(tmp_path) == before


def test_each_row_has_a_note_on_its_turns(tmp_path: Path) -> None:
    write_rows(make_samples(a_search()), tmp_path, TRL)
    (note,) = read_lines(tmp_path / "rows.jsonl")
    assert note == {
        "episode": "e1",
        "task": "fingerprint",
        "weights": [1, 1, 0, 1, 1],
        "turns": [
            {"step": 0, "weight": 1, "masks": []},
            {"step": 2, "weight": 1, "masks": []},
            {"step": 3, "weight": 0, "masks": ["mistaken", "refused"]},
            {"step": 5, "weight": 1, "masks": []},
            {"step": 6, "weight": 1, "masks": []},
        ],
    }


def test_only_episodes_that_found_everything_become_rows(tmp_path: Path) -> None:
    failed = [a_trace(a_step(finish()), stop=stop, episode=stop) for stop in StopReason if stop is not StopReason.FOUND]
    idle = a_trace(a_step(finish(), results=[]), episode="no finish")
    going = a_trace(a_step(finish()), stop=None, episode="going")
    summary = write_rows(make_samples(a_search(), going, idle, UNFIT, *failed), tmp_path, OPENAI)
    assert summary.rows == 1
    assert summary.skipped == {
        **{DropCode(stop): 1 for stop in StopReason if stop is not StopReason.FOUND},
        DropCode.UNFINISHED: 1,
        DropCode.NO_ANSWER: 1,
        DropCode.LINT: 1,
    }
    skipped = {line["episode"]: line for line in read_lines(tmp_path / "skipped.jsonl")}
    assert skipped["gave_up"] == {"episode": "gave_up", "task": "fingerprint", "code": "gave_up"}
    assert skipped["going"]["code"] == "unfinished"
    assert skipped["no finish"]["code"] == "no_answer"


def test_a_skipped_trace_says_why_its_episode_ended(tmp_path: Path) -> None:
    failed = a_trace(a_step(text="Hm."), stop=None, episode="f").with_stop(StopReason.STEPS, "40 steps taken")
    write_rows(make_samples(a_search(), failed), tmp_path, OPENAI)
    assert read_lines(tmp_path / "skipped.jsonl")[0]["detail"] == "40 steps taken"


def test_a_row_with_a_problem_is_not_written_and_its_problem_is(tmp_path: Path) -> None:
    write_rows(make_samples(a_search(), UNFIT), tmp_path, OPENAI)
    (skipped,) = read_lines(tmp_path / "skipped.jsonl")
    assert skipped["code"] == "lint"
    assert skipped["detail"] == (
        "messages[2].tool_calls[0]: is to be learned, and calls 'ls', which is not among the row's tools"
    )
    assert len(read_lines(tmp_path / "sft.jsonl")) == 1


def test_the_summary_counts_what_was_written(tmp_path: Path) -> None:
    plain = a_trace(a_step(a_call("grep", id="a", pattern="x")), a_step(finish()), episode="plain")
    summary = write_rows(make_samples(a_search(), plain), tmp_path, OPENAI)
    assert (summary.rows, summary.turns, summary.learned_turns) == (2, 7, 6)
    assert (summary.parallel_rows, summary.lost_reasoning) == (1, 2)
    assert summary.masks == {Mask.MISTAKEN: 1, Mask.REFUSED: 1}
    assert summary.dropped == {DropReason.NO_CALL: 1, DropReason.EARLY_FINISH: 1}


def test_trl_loses_no_reasoning(tmp_path: Path) -> None:
    assert write_rows(make_samples(a_search()), tmp_path, TRL).lost_reasoning == 0


def test_traces_under_different_contracts_are_refused_with_the_difference(tmp_path: Path) -> None:
    pair = [*make_samples(a_search("a")), *as_clean_traces(a_search("b"), contract=a_contract("Search well."))]
    with pytest.raises(ExportError, match=r"a and b .*line 1: 'You search a code base\.' against 'Search well\.'"):
        write_rows(pair, tmp_path, OPENAI)


def test_a_failed_trace_may_have_another_contract(tmp_path: Path) -> None:
    failed = a_trace(a_step(finish()), stop=StopReason.STEPS, episode="failed")
    both = [*make_samples(a_search()), *as_clean_traces(failed, contract=a_contract("Another."))]
    write_rows(both, tmp_path, OPENAI)
    assert len(read_lines(tmp_path / "sft.jsonl")) == 1


def test_an_episode_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="two traces of the episode 'e1'"):
        write_rows(make_samples(a_search(), a_search()), tmp_path, OPENAI)


def test_nothing_to_export_is_an_error_that_says_why(tmp_path: Path) -> None:
    failed = a_trace(a_step(finish()), stop=StopReason.STEPS)
    with pytest.raises(ExportError, match=r"nothing to export to .*: of the traces 1 steps"):
        write_rows(make_samples(failed), tmp_path, OPENAI)
    with pytest.raises(ExportError, match="there are no traces"):
        write_rows([], tmp_path, OPENAI)


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    write_rows(make_samples(a_search()), tmp_path, OPENAI)
    before = read_contents(tmp_path)

    def yield_then_raise() -> Iterator[CleanTrace | DroppedTrace]:
        yield from make_samples(a_search("other"))
        raise ValueError("a journal that can't be read")

    with pytest.raises(ValueError, match="can't be read"):
        write_rows(yield_then_raise(), tmp_path, OPENAI)
    assert read_contents(tmp_path) == before


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"file: can't be written: "):
        write_rows(make_samples(a_search()), tmp_path / "file", OPENAI)
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(StorageError, match=r"folder\.jsonl: can't be written"):
        write_rows(make_samples(a_search()), tmp_path / "folder.jsonl", OPENAI)


def test_rows_never_lie_beside_a_foreign_contract(tmp_path: Path) -> None:
    """The old rows are gone before the new contract lands, and the new rows land after it."""
    write_rows(make_samples(a_search()), tmp_path, OPENAI)
    (tmp_path / "contract.json").unlink()
    (tmp_path / "contract.json").mkdir()
    with pytest.raises(StorageError, match=r"contract\.json: can't be written"):
        write_rows(make_samples(a_search("other")), tmp_path, OPENAI)
    assert not (tmp_path / "sft.jsonl").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_a_learned_call_fits_the_contracts_tools(form: str, tmp_path: Path) -> None:
    foreign = a_trace(a_step(a_call("ls", id="a", path=".")), a_step(finish()), episode="foreign")
    misfit = a_trace(a_step(a_call("grep", id="a", words="x")), a_step(finish()), episode="misfit")
    summary = write_rows(make_samples(a_search(), foreign, misfit), tmp_path, FORMATS[form])
    assert (summary.rows, summary.skipped) == (1, {DropCode.LINT: 2})


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    write_rows(make_samples(a_search()), tmp_path, OPENAI)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(read_contents(tmp_path)) == 5


def test_traces_are_not_kept_in_memory(tmp_path: Path) -> None:
    """A trace is gone when the next but one is asked for."""
    alive: list[int] = []

    class CountedTrace(CleanTrace):
        def __del__(self) -> None:
            alive.append(-1)

    def make_many() -> Iterator[CleanTrace]:
        for number in range(50):
            alive.append(1)
            assert sum(alive) <= 2
            yield CountedTrace.model_validate_json(
                strip_supervision(a_search(f"e{number:02}"), CONTRACT).model_dump_json()
            )

    assert write_rows(make_many(), tmp_path, TRL).rows == 50


def test_rows_of_another_format_are_not_written_over(tmp_path: Path) -> None:
    write_rows(make_samples(a_search()), tmp_path, OPENAI)
    before = read_contents(tmp_path)
    with pytest.raises(ExportError, match=r"sft\.jsonl: holds something else than rows in the format 'trl'"):
        write_rows(make_samples(a_search()), tmp_path, TRL)
    assert read_contents(tmp_path) == before
