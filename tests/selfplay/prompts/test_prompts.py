from importlib.resources import files

import pytest

from selfplay.prompts import LIMITS_PROMPT, PROMPT_NAMES, load_all_prompts, load_prompt


def test_every_prompt_file_is_known_and_every_known_prompt_is_there() -> None:
    assert {p.name for p in files("selfplay.prompts").iterdir() if p.name.endswith(".md")} == {
        f"{n}.md" for n in (*PROMPT_NAMES, LIMITS_PROMPT)
    }
    assert load_all_prompts().keys() == set(PROMPT_NAMES)


def test_a_slot_too_few_or_too_many_is_an_error() -> None:
    with pytest.raises(ValueError, match="problem"):
        load_prompt("unreadable").fill()
    with pytest.raises(ValueError, match="more"):
        load_prompt("unreadable").fill(problem="x", more="y")
    assert "no JSON" in load_prompt("unreadable").fill(problem="no JSON")


def test_what_fills_a_slot_is_not_searched_for_slots() -> None:
    assert "$level" in load_prompt("unreadable").fill(problem="$level")


def test_a_texts_version_is_its_sha256() -> None:
    one, other = load_prompt("player"), load_prompt("supervisor")
    assert len(one.sha256) == 64
    assert one.sha256 != other.sha256
    assert one.sha256 == load_prompt("player").sha256


def test_the_production_prompt_has_no_slot_and_no_word_of_advice() -> None:
    text = load_prompt("player").text.lower()
    assert not load_prompt("player").slots
    assert not any(word in text for word in ("hint", "advice", "advis", "supervis", "coach"))
