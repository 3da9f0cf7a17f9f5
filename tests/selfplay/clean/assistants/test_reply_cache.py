"""What models were asked while traces were cleaned is asked once, and never beyond the budget."""

from pathlib import Path

import orjson
import pytest

from selfplay.clean.assistants.reply_cache import BudgetSpentError, CleaningBudget, ReplyCache
from selfplay.core.errors import ContextTooLong, JournalError, RequestRefused
from selfplay.core.message import Message, Origin
from selfplay.core.usage import Usage
from selfplay.core.wire import WireMessage
from selfplay.models.prices import Price
from selfplay.models.protocol import ModelReply, ModelRequest

PRICE = Price(input=1.0, cached_input=1.0, output=2.0)


def request(text: str = "hello") -> ModelRequest:
    message = {"role": "user", "content": text}
    return ModelRequest(head={"model": "m"}, messages=(WireMessage(orjson.dumps(message)),), turn=0)


class ListedModel:
    """A model that gives these replies, each once."""

    def __init__(self, *replies: str | Exception) -> None:
        self.replies = list(replies)

    async def __call__(self, _: ModelRequest) -> ModelReply:
        word = self.replies.pop(0)
        if isinstance(word, Exception):
            raise word
        message = Message(role="assistant", content=word, origin=Origin.PLAYER)
        return ModelReply(message=message, usage=Usage(input_tokens=1_000_000, output_tokens=500_000))


async def ask(
    path: Path, live: ListedModel, number: int = 0, text: str = "hello", budget: CleaningBudget | None = None
) -> str:
    with ReplyCache(path, budget) as samples:
        return (await samples.make_cached_ask("player", number, live, PRICE)(request(text))).message.content


async def test_the_same_request_is_asked_once_for_each_number(tmp_path: Path) -> None:
    live = ListedModel("one", "two", "three")
    path = tmp_path / "new" / "samples.jsonl"
    replies = [
        await ask(path, live, number, text) for number, text in [(0, "a"), (1, "a"), (0, "b"), (0, "a"), (1, "a")]
    ]
    assert replies == ["one", "two", "three", "one", "two"]
    assert live.replies == []


async def test_cost_and_tokens_of_earlier_runs_count(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    await ask(path, ListedModel("one"))
    with ReplyCache(path) as samples:
        assert (samples.usd, samples.tokens) == (2.0, 1_500_000)


@pytest.mark.parametrize("budget", [CleaningBudget(usd=2.0), CleaningBudget(tokens=1_500_000)])
async def test_stored_replies_are_given_beyond_the_budget_and_nothing_else(
    tmp_path: Path, budget: CleaningBudget
) -> None:
    path = tmp_path / "samples.jsonl"
    assert await ask(path, ListedModel("one"), budget=budget) == "one"
    assert await ask(path, ListedModel(), budget=budget) == "one"
    live = ListedModel("two")
    with pytest.raises(BudgetSpentError):
        await ask(path, live, text="more", budget=budget)
    assert live.replies == ["two"]


@pytest.mark.parametrize("cut", [1, 10, 40])
async def test_a_torn_last_line_is_cut_off_and_asked_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "samples.jsonl"
    await ask(path, ListedModel("one"), text="a")
    whole = path.read_bytes()
    await ask(path, ListedModel("two"), text="b")
    path.write_bytes(path.read_bytes()[:-cut])
    live = ListedModel("again")
    assert await ask(path, live, text="a") == "one"
    assert path.read_bytes() == whole
    assert await ask(path, live, text="b") == "again"


async def test_a_line_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text('{"seat": 7}\n')
    with pytest.raises(JournalError, match=r"samples\.jsonl:1: damaged"):
        await ask(path, ListedModel())


async def test_two_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    with ReplyCache(path), pytest.raises(JournalError, match="another process is cleaning here"):
        await ask(path, ListedModel())


@pytest.mark.parametrize("error", [RequestRefused("no", param="tools"), ContextTooLong("long")])
async def test_a_request_that_is_refused_for_good_is_not_asked_again(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "samples.jsonl"
    live = ListedModel("one", error)
    await ask(path, live)
    for _ in range(2):
        with pytest.raises(type(error)):
            await ask(path, live, text="more")


async def test_a_seat_that_never_answered_is_asked_again(tmp_path: Path) -> None:
    """The set-up may be right by now."""
    path = tmp_path / "samples.jsonl"
    live = ListedModel(RequestRefused("no tools here"), "one")
    with pytest.raises(RequestRefused):
        await ask(path, live)
    assert await ask(path, live) == "one"
