"""The page on cleaning names everything that can happen to a trace and to a turn."""

from enum import StrEnum
from pathlib import Path

import pytest

from selfplay.clean.funnel import STAGES
from selfplay.core.clean_trace import Mask, Repair
from selfplay.core.drop_codes import DropCode, drop_code_of
from selfplay.core.trace import StopReason

PAGE = (Path(__file__).parents[3] / "docs" / "cleaning.md").read_text("utf-8")


@pytest.mark.parametrize("word", [*DropCode, *Mask, *Repair])
def test_every_code_mask_and_repair_is_explained(word: StrEnum) -> None:
    assert f"`{word}`" in PAGE


def test_every_code_belongs_to_one_stage_of_the_funnel() -> None:
    codes = [code for _, stage in STAGES for code in stage]
    assert sorted(codes) == sorted(DropCode)


def test_every_stop_reason_but_success_has_its_code() -> None:
    assert {reason: drop_code_of(reason) for reason in StopReason if drop_code_of(reason) is None} == {
        StopReason.FOUND: None
    }
