import json
from pathlib import Path
from typing import Any

import pytest

from selfplay.audit.echoes import audit_echoes
from selfplay.cli import main
from selfplay.core.errors import InputError


def test_each_row_gets_its_answer_in_order(tmp_path: Path) -> None:
    file = tmp_path / "turns.jsonl"
    rows = [
        {"text": "Understood, I open it."},
        {"text": "I open it."},
        {"text": "I see, I open it.", "hint": "Look wider."},
    ]
    file.write_text("\n\n".join(json.dumps(row) for row in rows), "utf-8")
    found = list(audit_echoes(file))
    assert [row["echo"] for row in found] == [True, False, True]
    assert found[0]["findings"] == [{"kind": "agreement", "text": "Understood,", "span": [0, 11]}]
    assert found[1] == {"echo": False, "findings": []}


def test_spans_are_in_characters(tmp_path: Path) -> None:
    file = tmp_path / "turns.jsonl"
    text = "\U0001f50d \u4e66 Fertig. Good point!"
    file.write_text(json.dumps({"text": text, "hint": None}), "utf-8")
    [row] = audit_echoes(file)
    start, end = row["findings"][0]["span"]
    assert text[start:end] == row["findings"][0]["text"] == "Good point!"


@pytest.mark.parametrize(
    "bad", ['{"text"', "[]", "{}", '{"text": 1}', '{"text": "x", "more": 1}', '{"text": "x", "hint": 1}']
)
def test_a_bad_row_ends_the_audit_after_the_rows_before_it(tmp_path: Path, bad: str) -> None:
    file = tmp_path / "turns.jsonl"
    file.write_text('{"text": "I read on."}\n' + bad, "utf-8")
    rows = audit_echoes(file)
    assert next(rows)["echo"] is False
    with pytest.raises(InputError, match=r"turns\.jsonl:2: "):
        next(rows)


def test_a_file_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jsonl"):
        list(audit_echoes(tmp_path / "gone.jsonl"))


def echo(quote: str, kind: str = "following") -> str:
    return json.dumps({"echoes": [{"kind": kind, "quote": quote}]})


def script(path: Path, *replies: str) -> Path:
    path.write_text("".join(json.dumps({"say": reply}) + "\n" for reply in replies), "utf-8")
    return path


def audit_texts(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    with pytest.raises(SystemExit) as ended:
        main(["audit", "echoes", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), [json.loads(line) for line in out.splitlines()], err


def test_a_judge_is_asked_beside_the_wordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "turns.jsonl"
    file.write_text('{"text": "Good point! Off to the place you-know-who likes."}\n', "utf-8")
    replies = script(tmp_path / "judge.jsonl", echo("the place you-know-who likes"))
    code, [row], _ = audit_texts(capsys, str(file), "--judge", f"scripted:{replies}")
    assert code == 1
    assert [(f["kind"], f["text"]) for f in row["findings"]] == [
        ("agreement", "Good point!"),
        ("following", "the place you-know-who likes"),
    ]
    config = tmp_path / "run.toml"
    config.write_text(f'[clean.judge]\nmodel = "scripted:{replies}"\n')
    assert audit_texts(capsys, str(file), "--config", str(config))[1] == [row]


def test_an_answer_that_cant_be_used_is_a_fault_and_no_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "turns.jsonl"
    file.write_text('{"text": "I open it."}\n', "utf-8")
    replies = script(tmp_path / "judge.jsonl", "No idea.")
    code, rows, err = audit_texts(capsys, str(file), "--judge", f"scripted:{replies}")
    assert code == 0
    assert rows == [{"echo": False, "findings": [], "faults": ["the judge's reply holds no list of echoes"]}]
    assert "1 answers of the judge could not be used" in " ".join(err.split())


def test_a_server_without_a_model_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = audit_texts(capsys, str(tmp_path), "--judge-url", "http://localhost/v1")
    assert code == 2
    assert "--judge" in err
