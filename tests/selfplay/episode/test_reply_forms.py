import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.trace import Quality, Verdict
from selfplay.episode.reply_forms import (
    FILES_FORM,
    VERDICT_SCHEMA,
    UnreadableReplyError,
    form_head,
    objects_in,
    read_guessed_paths,
    read_verdict,
)
from selfplay.models.protocol import ModelReply

GOOD = '{"quality": "wasteful", "why": "again", "hint": "Look wider."}'
WANT = Verdict(quality=Quality.WASTEFUL, why="again", hint="Look wider.")


def reply(text: str = "", *, arguments: str | None = None, reasoning: str | None = None) -> ModelReply:
    calls = () if arguments is None else (ToolCall(id="c", name="give_verdict", arguments=arguments),)
    message = Message(role="assistant", content=text, origin=Origin.SUPERVISOR, tool_calls=calls, reasoning=reasoning)
    return ModelReply(message=message)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Let me see. The player repeats itself.\n\n{GOOD}\n\nThat is all.",
        f"<think>{{maybe}}</think>{GOOD}",
        f'{{"draft": 1}} {GOOD}',
        GOOD.replace("wasteful", " Wasteful "),
        GOOD.replace("Look wider.", " Look wider. "),
        GOOD[:-1] + ', "confidence": 0.9}',
        GOOD.replace('"again"', '"again"\n'),
    ],
)
def test_a_verdict_is_read_from_what_models_write(text: str) -> None:
    assert read_verdict(reply(text)) == WANT


def test_a_verdict_is_read_from_a_tool_call_and_from_reasoning() -> None:
    assert read_verdict(reply(arguments=GOOD)) == WANT
    assert read_verdict(reply(reasoning=f"so: {GOOD}")) == WANT


def test_the_last_of_several_verdicts_counts() -> None:
    assert read_verdict(reply(GOOD.replace("wasteful", "neutral") + "\nNo:\n" + GOOD)) == WANT


@pytest.mark.parametrize("hint", ["null", '""', '"  "'])
def test_an_empty_hint_is_none(hint: str) -> None:
    assert read_verdict(reply(f'{{"quality": "neutral", "why": "", "hint": {hint}}}')).hint is None


def test_a_missing_hint_is_none() -> None:
    assert read_verdict(reply('{"quality": "neutral", "why": "w"}')).hint is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no JSON object"),
        ("The step was good.", "no JSON object"),
        ('{"quality": "neutral", "why": "cut o', "no JSON object"),
        ('{"quality": "great", "why": ""}', "quality"),
        ('{"why": "w"}', "quality"),
        ('{"quality": "neutral", "why": "", "hint": 3}', "hint"),
        ("{" * 5000, "no JSON object"),
        ('{"a":' * 5000, "no JSON object"),
    ],
)
def test_what_holds_no_verdict_says_why(text: str, says: str) -> None:
    with pytest.raises(UnreadableReplyError, match=says):
        read_verdict(reply(text))


def test_half_a_surrogate_pair_in_a_hint_is_replaced() -> None:
    assert read_verdict(reply('{"quality": "neutral", "why": "", "hint": "a \\ud800 b"}')).hint == "a \ufffd b"


def test_a_hint_that_is_an_essay_is_no_hint() -> None:
    with pytest.raises(UnreadableReplyError, match="one or two sentences"):
        read_verdict(reply(json.dumps({"quality": "neutral", "why": "", "hint": "word " * 300})))


def test_a_refusal_is_no_verdict() -> None:
    refused = reply(GOOD).model_copy(update={"refusal": "I can't help"})
    with pytest.raises(UnreadableReplyError, match="I can't help"):
        read_verdict(refused)


def test_a_reply_cut_at_its_length_says_so() -> None:
    with pytest.raises(UnreadableReplyError, match="length"):
        read_verdict(reply('{"quality": "neu').model_copy(update={"finish_reason": "length"}))


@given(st.text(max_size=60), st.dictionaries(st.text(max_size=5), st.integers(), max_size=3), st.text(max_size=60))
def test_an_object_between_prose_without_braces_is_found(before: str, value: dict[str, int], after: str) -> None:
    text = before.replace("{", "(") + json.dumps(value) + after.replace("{", "(")
    assert objects_in(text) == [value]


def test_each_way_of_asking_carries_the_same_schema() -> None:
    assert form_head("json_schema")["response_format"]["json_schema"]["schema"] is VERDICT_SCHEMA
    assert form_head("tool")["tools"][0]["function"]["parameters"] is VERDICT_SCHEMA
    assert form_head("text") == {}


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ('{"why": "w", "files": ["a.py", " b/c.py ", "a.py", ""]}', ("a.py", "b/c.py")),
        ('```json\n{"files": []}\n```', ()),
        ('{"files": "no"} then {"files": ["x.py", 3]}', ("x.py",)),
    ],
)
def test_the_files_of_a_guess_are_read_from_what_models_write(text: str, files: tuple[str, ...]) -> None:
    assert read_guessed_paths(reply(text)) == files


@pytest.mark.parametrize(
    ("text", "says"), [("a.py", "no JSON object"), ('{"files": "a.py"}', "no list"), ("{}", "no list")]
)
def test_what_holds_no_guess_says_why(text: str, says: str) -> None:
    with pytest.raises(UnreadableReplyError, match=says):
        read_guessed_paths(reply(text))


def test_a_guess_is_asked_for_by_a_form_of_its_own() -> None:
    assert form_head("json_schema", FILES_FORM)["response_format"]["json_schema"]["schema"] is FILES_FORM.schema
    assert form_head("tool", FILES_FORM)["tools"][0]["function"]["name"] == "name_files"
