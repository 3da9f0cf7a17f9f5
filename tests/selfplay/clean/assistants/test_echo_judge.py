import json

import pytest

from selfplay.clean.assistants.echo_judge import EchoJudgement, judge_echoes, read_echoes
from selfplay.clean.echoes import EchoFinding, EchoKind
from selfplay.core.errors import ScriptError
from selfplay.core.message import Message, Origin
from selfplay.models.offline.scripted import ScriptedModel, call, fails, says
from selfplay.models.protocol import ModelReply

TEXT = "I go to the far side now, where somebody wants me to be."
QUOTE = "where somebody wants me to be"
GOOD = json.dumps({"echoes": [{"kind": "following", "quote": QUOTE}]})
FOUND = EchoFinding(kind=EchoKind.FOLLOWING, text=QUOTE, span=(26, 55))


async def test_the_judge_quotes_what_it_finds() -> None:
    model = ScriptedModel([says(GOOD)])
    assert await judge_echoes(model.complete, TEXT, "Go to the far side.", head={"model": "m"}) == EchoJudgement(
        (FOUND,)
    )
    [request] = model.asked
    assert request.head["model"] == "m"
    assert request.head["response_format"]["json_schema"]["name"] == "echoes"
    asked = request.messages[1].value["content"]
    assert TEXT in asked
    assert "Go to the far side." in asked


async def test_without_a_hint_the_judge_is_given_none() -> None:
    model = ScriptedModel([says('{"echoes": []}')])
    assert await judge_echoes(model.complete, TEXT, None) == EchoJudgement()
    assert "(none)" in model.asked[0].messages[1].value["content"]


async def test_an_empty_text_is_not_asked_about() -> None:
    model = ScriptedModel([])
    assert await judge_echoes(model.complete, "  \n", "Go.") == EchoJudgement()
    assert model.asked == []


async def test_what_a_server_refuses_is_asked_for_in_another_way() -> None:
    lines = [fails("refused"), fails("refused"), says(GOOD)]
    model = ScriptedModel(lines)
    assert (await judge_echoes(model.complete, TEXT, None)).findings == (FOUND,)
    assert ["response_format" in r.head for r in model.asked] == [True, False, False]
    assert ["tools" in r.head for r in model.asked] == [False, True, False]


@pytest.mark.parametrize("kind", ["server", "rate_limited", "fatal", "context"])
async def test_a_failing_judge_is_a_fault_and_no_finding(kind: str) -> None:
    model = ScriptedModel([fails(kind), says(GOOD)])  # pyright: ignore[reportArgumentType]  # one of the kinds above
    judged = await judge_echoes(model.complete, TEXT, None)
    assert judged.findings == ()
    assert len(judged.faults) == 1


async def test_a_way_that_was_asked_for_is_kept() -> None:
    model = ScriptedModel([fails("refused"), says(GOOD)])
    assert (await judge_echoes(model.complete, TEXT, None, mode="text")).faults
    assert len(model.asked) == 1


async def test_a_script_that_ends_too_early_is_an_error() -> None:
    with pytest.raises(ScriptError):
        await judge_echoes(ScriptedModel([]).complete, TEXT, None)


async def test_a_tool_call_is_read_too() -> None:
    model = ScriptedModel([says("", call("quote_echoes", **json.loads(GOOD)))])
    assert (await judge_echoes(model.complete, TEXT, None, mode="tool")).findings == (FOUND,)


def reply(text: str, refusal: str | None = None) -> ModelReply:
    return ModelReply(message=Message(role="assistant", content=text, origin=Origin.JUDGE), refusal=refusal)


@pytest.mark.parametrize("text", ["", "none", "{}", '{"echoes": null}', '{"echoes": "no"}', "[]"])
def test_a_reply_without_a_list_is_a_fault(text: str) -> None:
    judged = read_echoes(reply(text), TEXT)
    assert judged.findings == ()
    assert len(judged.faults) == 1


def test_a_refusal_is_a_fault() -> None:
    assert read_echoes(reply(GOOD, "no"), TEXT) == EchoJudgement(faults=("the judge refused: no",))


@pytest.mark.parametrize(
    "item",
    [
        {"kind": "following", "quote": "not in it"},
        {"kind": "odd", "quote": QUOTE},
        {"kind": "thanks", "quote": " "},
        3,
        {},
    ],
)
def test_an_item_that_is_no_quotation_is_a_fault_and_the_others_count(item: object) -> None:
    text = json.dumps({"echoes": [item, *json.loads(GOOD)["echoes"]]})
    judged = read_echoes(reply(f"Let me see {{}}.\n```json\n{text}\n```"), TEXT)
    assert judged.findings == (FOUND,)
    assert len(judged.faults) == 1
