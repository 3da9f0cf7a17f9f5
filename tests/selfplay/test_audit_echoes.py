import json
from pathlib import Path

import pytest

from selfplay.audit_echoes import audit_echoes
from selfplay.errors import InputError


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


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jsonl"):
        list(audit_echoes(tmp_path / "gone.jsonl"))
