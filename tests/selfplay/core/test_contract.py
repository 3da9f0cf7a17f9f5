import orjson
import pytest
from pydantic import ValidationError

from selfplay.core.contract import describe_difference, read_contract
from selfplay.core.errors import InputError
from tests.selfplay.traces import FINISH, a_contract, a_tool


def test_a_contract_survives_the_disk() -> None:
    contract = a_contract()
    again = read_contract(contract.json_text, "contract.json")
    assert again == contract
    assert again.sha256 == contract.sha256
    assert again.json_text == contract.json_text


def test_the_prompts_hash_is_that_of_its_text() -> None:
    assert a_contract("abc").hashes["prompt"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_each_part_has_its_own_hash() -> None:
    one, other = a_contract("one"), a_contract("other")
    assert one.hashes["tools"] == other.hashes["tools"]
    assert one.hashes["prompt"] != other.hashes["prompt"]
    assert one.sha256 != other.sha256


def test_the_order_of_keys_in_a_schema_is_part_of_the_contract() -> None:
    """A chat template prints the schema as it comes: other bytes, another prompt."""
    tool = a_tool("grep", "pattern")
    turned = dict(reversed(tool.items()))
    assert tool == turned
    assert a_contract(tools=[tool]).sha256 != a_contract(tools=[turned]).sha256
    assert (
        describe_difference(a_contract(tools=[tool]), a_contract(tools=[turned])) == "tools: the schemas of grep differ"
    )


def test_limits_are_written_where_they_are_set_and_a_contract_without_them_keeps_its_bytes() -> None:
    plain = a_contract()
    limited = plain.model_copy(update={"context": plain.context.model_copy(update={"max_rows": 20, "max_turns": 12})})
    assert orjson.loads(plain.json_text)["context"].keys() == {"keep", "earlier_reasoning", "max_result_chars"}
    assert orjson.loads(limited.json_text)["context"] == {
        **orjson.loads(plain.json_text)["context"], "max_rows": 20, "max_turns": 12
    }  # fmt: skip
    assert read_contract(limited.json_text, "c.json") == limited
    assert limited.hashes["context"] != plain.hashes["context"]
    assert '"max_rows":20' in describe_difference(plain, limited)


@pytest.mark.parametrize("part", ["prompt", "tools_version"])
def test_a_contract_that_was_changed_by_hand_is_refused(part: str) -> None:
    value = orjson.loads(a_contract().json_text)
    value[part] += "!"
    with pytest.raises(InputError, match=r"c\.json: changed after it was written"):
        read_contract(orjson.dumps(value), "c.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"sha256": {}}', b'{"version": 2, "sha256": {}}'])
def test_what_is_no_contract_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"c\.json: no contract of version 1"):
        read_contract(data, "c.json")


@pytest.mark.parametrize("tools", [[FINISH, FINISH], [{"name": "finish"}], [{"type": "function", "function": {}}]])
def test_tools_are_functions_of_different_names(tools: list[dict[str, object]]) -> None:
    with pytest.raises(ValidationError):
        a_contract(tools=orjson.loads(orjson.dumps(tools)))


def test_equal_contracts_do_not_differ() -> None:
    assert describe_difference(a_contract(), a_contract()) == ""


def test_a_difference_is_described_part_by_part() -> None:
    one = a_contract("a\nb\nc", [FINISH, a_tool("grep", "pattern")])
    other = a_contract("a\nB\nc", [FINISH, a_tool("search", "query")], tools_version="0.2.0")
    assert describe_difference(one, other) == (
        "system prompt, line 2: 'b' against 'B'; tools: grep against search; version of the tools: 0.1.0 against 0.2.0"
    )


def test_a_prompt_that_is_only_longer_differs_at_the_end() -> None:
    assert describe_difference(a_contract("a"), a_contract("a\nb")) == "system prompt, line 2: its end against 'b'"


def test_tools_in_another_order_differ() -> None:
    grep = a_tool("grep", "pattern")
    assert (
        describe_difference(a_contract(tools=[FINISH, grep]), a_contract(tools=[grep, FINISH]))
        == "tools: in another order"
    )
