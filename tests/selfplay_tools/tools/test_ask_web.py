"""`ask_web` against a real server on loopback."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from selfplay_tools.errors import NotUsable
from selfplay_tools.output import DEFAULT_LIMITS, MAX_CHARS, ResultLimits
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.ask_web import ANSWER_CHARS, HEAD, MAX_RESPONSE_BYTES, WebSearchModel, make_ask_web
from selfplay_tools.tools.tool import CallResult
from selfplay_tools.tools.toolbox import Toolbox
from tests.loopback import (
    Behaviour,
    Json,
    LoopbackServer,
    answers,
    changes_response,
    cut_json,
    drip,
    empty_choices,
    flood,
    hang,
    html,
    rate_limited,
    reset,
    run_in_thread,
    server_error,
)

KEY = "wk-0123456789abcdef"
QUESTION = "What does git's core.bigFileThreshold promise?"


def reply_with(text: str | None, **top: object) -> Callable[[Json], Json]:
    return lambda _: {"content": text, **top}


def ask(
    server: LoopbackServer,
    root: Path,
    arguments: Mapping[str, object] | None = None,
    *,
    key: str = KEY,
    extra_body: Mapping[str, object] | None = None,
    timeout_s: float = 30.0,
    tries: int = 1,
    limits: ResultLimits = DEFAULT_LIMITS,
) -> CallResult:
    """The result of one call, as the player gets it."""
    who = WebSearchModel(
        model="searcher", base_url=server.base_url, extra_body=extra_body or {}, timeout_s=timeout_s, tries=tries
    )
    snapshot = DirectorySnapshot(root)
    try:
        toolbox = Toolbox(snapshot, [make_ask_web(who, {"ASK_WEB_API_KEY": key})], limits)
        return toolbox.run("ask_web", json.dumps(arguments or {"question": QUESTION}))
    finally:
        snapshot.close()


def test_an_answer_begins_with_what_it_is_worth_and_ends_with_its_sources(tmp_path: Path) -> None:
    sources = [{"title": "git-config", "url": "https://git.example/config"}, {"url": "https://other.example"}]
    with_sources = changes_response(lambda response: {**response, "search_results": sources, "citations": ["x"]})
    with run_in_thread(LoopbackServer(reply_with("Larger files are streamed [1]."), [with_sources])) as server:
        result = ask(server, tmp_path, extra_body={"search_domain_filter": ["-github.com"]})
        [request] = server.received
    assert result.ok
    assert result.text == (
        f"{HEAD}\nLarger files are streamed [1].\n\nSources:\n"
        "[1] git-config: https://git.example/config\n[2] https://other.example"
    )
    assert result.shown == ()
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json["model"] == "searcher"
    assert request.json["messages"][-1] == {"role": "user", "content": QUESTION}
    assert request.json["search_domain_filter"] == ["-github.com"]


def test_sources_are_read_in_the_forms_that_servers_use(tmp_path: Path) -> None:
    note = {"type": "url_citation", "url_citation": {"title": "A\npage", "url": "https://a.example"}}
    plan: Sequence[Behaviour | None] = [None, changes_response(lambda r: {**r, "citations": ["https://b.example"] * 2})]
    with run_in_thread(LoopbackServer(reply_with("yes", annotations=[note, {"type": "other"}]), plan)) as server:
        assert ask(server, tmp_path).text.endswith("\n[1] A page: https://a.example")
        assert ask(server, tmp_path).text.endswith("Sources:\n[1] https://b.example")


def test_the_server_is_told_nothing_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / "secret_name.py").write_text("secret_content = 1\n")
    with run_in_thread(LoopbackServer(reply_with("yes"))) as server:
        ask(server, tmp_path)
        [request] = server.received
    sent = request.body.decode() + json.dumps(request.headers)
    assert QUESTION in sent
    assert "secret" not in sent
    assert str(tmp_path) not in sent


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (rate_limited(), "status 429: slow down"),
        (server_error(), "status 500: something broke"),
        (answers(401, {"error": {"message": "bad key " + KEY}}), "status 401: bad key [key]"),
        (answers(403, {"detail": "Bearer abcdefghijkl is not allowed"}), "status 403"),
        (answers(302, b"", location="http://127.0.0.1:9/"), "status 302"),
        (html(), "not answer in the form of a chat completion"),
        (cut_json(), "not answer in the form of a chat completion"),
        (empty_choices(), "not answer in the form of a chat completion"),
        (answers(200, {"choices": [{"message": {"content": " "}}]}), "the answer was empty"),
        (reset(), "the connection failed"),
        (flood(MAX_RESPONSE_BYTES + 1), "the connection failed: the response is too large"),
    ],
)
def test_a_server_that_fails_is_a_result_that_says_so(tmp_path: Path, behaviour: Behaviour, why: str) -> None:
    with run_in_thread(LoopbackServer(reply_with("yes"), [behaviour])) as server:
        result = ask(server, tmp_path)
        assert len(server.received) == 1
    assert not result.ok
    assert result.text.startswith("The web could not be asked: ")
    assert why in result.text
    assert KEY not in result.text
    assert "abcdefghijkl" not in result.text


@pytest.mark.parametrize(
    ("behaviour", "why"), [(hang(), "no answer within 0.2 s"), (drip(), "the response takes too long")]
)
def test_a_server_that_never_ends_is_given_up(tmp_path: Path, behaviour: Behaviour, why: str) -> None:
    with run_in_thread(LoopbackServer(reply_with("yes"), [behaviour])) as server:
        result = ask(server, tmp_path, timeout_s=0.2)
    assert not result.ok
    assert why in result.text


def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    with run_in_thread(LoopbackServer(reply_with("yes"), [rate_limited(0.01)])) as server:
        result = ask(server, tmp_path, tries=2)
        assert len(server.received) == 2
    assert result.text == f"{HEAD}\nyes"


def test_no_server_at_all_is_a_result_too(tmp_path: Path) -> None:
    with run_in_thread(LoopbackServer(reply_with("yes"))) as server:
        gone = server.base_url
    who = WebSearchModel(model="m", base_url=gone, tries=1)
    snapshot = DirectorySnapshot(tmp_path)
    result = Toolbox(snapshot, [make_ask_web(who, {})]).run("ask_web", '{"question": "x"}')
    snapshot.close()
    assert not result.ok
    assert "Connection refused" in result.text


def test_a_key_that_the_answer_repeats_is_hidden(tmp_path: Path) -> None:
    with run_in_thread(LoopbackServer(reply_with(f"Your key is {KEY}, theirs sk-{'a' * 30}."))) as server:
        assert ask(server, tmp_path).text == f"{HEAD}\nYour key is [key], theirs [key]."


def test_an_answer_without_end_is_cut_in_its_middle(tmp_path: Path) -> None:
    many = changes_response(lambda r: {**r, "citations": [f"https://{n}.example/{'x' * 900}" for n in range(90)]})
    with run_in_thread(LoopbackServer(reply_with("word " * 9_000), [many])) as server:
        text = ask(server, tmp_path).text
    assert len(text) < MAX_CHARS
    assert len(text) > ANSWER_CHARS
    assert text.endswith("\nand 80 more")


@pytest.mark.parametrize("max_chars", [500, 800, 2_000])
def test_where_results_are_short_an_answer_and_some_sources_share_the_room(tmp_path: Path, max_chars: int) -> None:
    many = changes_response(lambda r: {**r, "citations": [f"https://{n}.example/{'x' * 900}" for n in range(90)]})
    with run_in_thread(LoopbackServer(reply_with("word " * 9_000), [many])) as server:
        text = ask(server, tmp_path, limits=ResultLimits(max_chars=max_chars)).text
    assert len(text) <= max_chars
    assert text.count("word") > 10
    assert "\n[1] https://0." in text
    assert re.search(r"\nand \d\d more$", text)


@pytest.mark.parametrize("arguments", [{}, {"question": ""}, {"question": "x" * 1_001}, {"question": "x", "site": "y"}])
def test_a_malformed_question_never_leaves(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with run_in_thread(LoopbackServer(reply_with("yes"))) as server:
        result = ask(server, tmp_path, arguments or {"query": "x"})
        assert server.received == []
    assert not result.ok
    assert "question" in result.text


def test_the_schema_says_nothing_of_who_answers(tmp_path: Path) -> None:
    """So that the contract holds whichever model answers later."""
    snapshot = DirectorySnapshot(tmp_path)
    one, other = (
        Toolbox(snapshot, [make_ask_web(WebSearchModel(model=name, base_url=f"http://127.0.0.1/{name}"), {})]).schemas()
        for name in ("one", "other")
    )
    snapshot.close()
    assert json.dumps(one) == json.dumps(other)
    assert "Not reproducible" in one[0]["function"]["description"]


@pytest.mark.parametrize(
    ("base_url", "environ", "says"),
    [
        ("localhost:8000", {}, "no http"),
        ("", {}, "no http"),
        ("ftp://x.example", {}, "no http"),
        ("https://", {}, "no http"),
        ("https://me:secret@x.example", {}, "user name or password"),
        ("https://x.example/v1", {}, "set the environment variable ASK_WEB_API_KEY"),
        ("https://x.example/v1", {"ASK_WEB_API_KEY": "two words"}, "no HTTP header can carry"),
    ],
)
def test_settings_that_cant_work_are_refused_at_once(base_url: str, environ: dict[str, str], says: str) -> None:
    with pytest.raises(NotUsable, match=says) as error:
        make_ask_web(WebSearchModel(model="m", base_url=base_url), environ)
    assert "secret" not in str(error.value)
    assert "two words" not in str(error.value)


def test_the_key_is_in_no_representation() -> None:
    tool = make_ask_web(WebSearchModel(model="m", base_url="https://x.example"), {"ASK_WEB_API_KEY": KEY})
    assert KEY not in repr(tool)
    assert KEY not in repr(tool.run)
