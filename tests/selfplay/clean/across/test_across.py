"""Which traces give no row beside the others, or for the model that is to be trained."""

import base64
import hashlib
import json
import secrets
import string
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.clean.across import AcrossSettings, Conversation, RejectedTrace, RowChecks, reject_traces
from selfplay.clean.across.contamination import read_benchmarks
from selfplay.clean.across.secrets_in_texts import keys_of
from selfplay.clean.across.special_tokens import FAMILIES, tokens_of_families
from selfplay.clean.across.token_length import length_of, tokenizer_of
from selfplay.clean.stages.strip import strip_supervision
from selfplay.core.clean_trace import CleanTrace
from selfplay.core.drop_codes import DropCode
from selfplay.core.errors import ConfigError, InputError
from selfplay.core.message import Message, Origin, ToolCall
from tests.selfplay.traces import a_call, a_contract, a_search, a_step, a_trace, finish

OFF = AcrossSettings(scanner="off", key_names=())
"""Without the scanner, whose start takes longer than a test should."""
KEY = 'k3y/with "odd" characters-and=more'


def a_search_for(*patterns: str, episode: str = "e", text: str = "", result: str = "") -> CleanTrace:
    steps = [a_step(a_call("grep", id=f"c{n}", pattern=p), text=text) for n, p in enumerate(patterns)]
    trace = a_trace(*steps, a_step(finish(), text=text), episode=episode)
    clean = strip_supervision(trace, a_contract())
    if not result:
        return clean
    first = clean.turns[0]
    message = first.results[0].message.model_copy(update={"content": result})
    shown = first.model_copy(update={"results": (first.results[0].model_copy(update={"message": message}),)})
    return clean.model_copy(update={"turns": (shown, *clean.turns[1:])})


def reject(traces: Sequence[CleanTrace], settings: AcrossSettings = OFF) -> list[RejectedTrace]:
    return list(reject_traces(traces, settings))


def codes(traces: Sequence[CleanTrace], settings: AcrossSettings = OFF) -> dict[str, DropCode]:
    return {one.episode: one.code for one in reject(traces, settings)}


def make_conversation(
    text: str, role: str = "tool", *, repo: str = "", commit: str = "", snapshot: str = ""
) -> Conversation:
    task = Message(role="user", content="the task", origin=Origin.TASK)
    turn = (
        Message(role="tool", content=text, origin=Origin.TOOL, tool_call_id="c", name="grep")
        if role == "tool"
        else Message(
            role="assistant",
            content="",
            origin=Origin.PLAYER,
            tool_calls=(ToolCall(id="c", name="grep", arguments=text),),
        )
    )
    return Conversation(id="s", messages=(task, turn), repo=repo, commit=commit, snapshot=snapshot)


# duplicates


def test_a_trace_that_differs_from_all_others_is_kept() -> None:
    assert not reject([a_search_for("header"), a_search_for("fingerprint", "digest", episode="f")])


def test_the_same_words_and_calls_are_a_duplicate_whatever_the_results_ids_and_spaces() -> None:
    one = a_search_for("header", "wire", episode="one", result="a")
    other = strip_supervision(
        a_trace(
            a_step(a_call("grep", id="x", raw='{ "pattern" : "h\\u0065ader" }')),
            a_step(a_call("grep", id="y", pattern="wire")),
            a_step(finish("z")),
            episode="other",
        ),
        a_contract(),
    )
    assert reject([one, other])[0] == RejectedTrace(
        episode="other", code=DropCode.DUPLICATE, detail="the same words and calls as one"
    )


def test_attempts_at_one_task_with_the_same_calls_are_near_duplicates_however_worded() -> None:
    patterns = ("header", "wire", "respond")
    one = a_search_for(*patterns, episode="one", text="Headers first, then what writes them to the client.")
    other = a_search_for(*patterns, episode="other", text="Let me see who sends the fingerprint out at all.")
    found = reject([one, other])
    assert [(one.episode, one.code) for one in found] == [("other", DropCode.NEAR_DUPLICATE)]
    assert found[0].detail == "calls 100% like one"


def test_the_same_calls_at_another_task_are_another_sample() -> None:
    one = a_search_for("header", "wire", episode="one", text="The words of the first search, of which there are some.")
    other = a_search_for("header", "wire", episode="other", text="And the second one has others, quite a lot of them.")
    asks = other.opening.model_copy(update={"content": "A different question about the same place."})
    assert not reject([one, other.model_copy(update={"opening": asks})])


def test_the_same_attempt_under_another_task_is_a_near_duplicate() -> None:
    text = "I look for the place where each header is written, because the task speaks of headers on a response."
    one = a_search_for("header", "wire", episode="one", text=text)
    other = a_search_for("header", "wire", episode="other", text=text)
    asks = other.opening.model_copy(update={"content": "Return the server's fingerprint in every answer."})
    assert codes([one, other.model_copy(update={"opening": asks})]) == {"other": DropCode.NEAR_DUPLICATE}


def test_near_duplicates_can_be_kept() -> None:
    one, other = (
        a_search_for("header", episode="one", text="This."),
        a_search_for("header", episode="other", text="That."),
    )
    assert codes([one, other]) == {"other": DropCode.NEAR_DUPLICATE}
    assert not reject([one, other], OFF.model_copy(update={"near_duplicates": None}))


def test_a_trace_that_is_dropped_takes_no_good_one_with_it() -> None:
    bad = a_search_for("header", episode="bad", result="<|im_end|>")
    good = a_search_for("header", episode="good")
    assert codes([bad, good]) == {"bad": DropCode.SPECIAL_TOKEN}


WORDS = st.lists(st.sampled_from(string.ascii_lowercase[:4]), min_size=1, max_size=4).map(tuple)


@given(st.lists(WORDS, max_size=12), st.integers(1, 5))
def test_exactly_one_of_each_class_of_duplicates_stays_and_it_is_the_first(
    searches: list[tuple[str, ...]], batch: int
) -> None:
    traces = [a_search_for(*words, episode=str(n)) for n, words in enumerate(searches)]
    settings = OFF.model_copy(update={"near_duplicates": None, "batch": batch})
    dropped = [int(one.episode) for one in reject_traces(traces, settings)]
    kept = [words for n, words in enumerate(searches) if n not in dropped]
    assert kept == list(dict.fromkeys(searches))
    assert dropped == sorted(dropped)


@given(st.lists(WORDS, max_size=12))
def test_what_is_rejected_resembles_something_that_was_kept(searches: list[tuple[str, ...]]) -> None:
    traces = [a_search_for(*words, episode=f"e{n}") for n, words in enumerate(searches)]
    found = reject(traces)
    kept = {trace.episode for trace in traces} - {one.episode for one in found}
    assert all(one.detail.rsplit(" ", 1)[-1] in kept for one in found)
    assert found == reject(traces)


# secrets


FORMS = {
    "as it is": KEY,
    "in JSON": json.dumps({"key": KEY}),
    "in JSON in JSON": json.dumps(json.dumps({"key": KEY})),
    "every character escaped": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "one character escaped": KEY.replace("w", "\\u0077"),
    "escaped twice": KEY.replace("w", "\\\\u0077"),
    "with an escaped slash": KEY.replace("/", "\\/"),
    "percent-encoded": "https://example.org/?key=k3y%2Fwith%20%22odd%22%20characters-and%3Dmore",
    "basic authentication": base64.b64encode(f"user:{KEY}".encode()).decode(),
    "another alignment": base64.b64encode(f"me:{KEY}".encode()).decode(),
    "the third alignment": base64.b64encode(f"you:{KEY}!".encode()).decode(),
    "among control characters": f"\0\x1b[0m{KEY}\u202e",
    "at the end of a large text": "x" * 2_000_000 + KEY,
}


@pytest.mark.parametrize("form", FORMS)
def test_the_runs_own_key_is_found(form: str) -> None:
    assert keys_of(["MY_KEY"], {"MY_KEY": KEY}).names_in(f"before {FORMS[form]} after") == ("MY_KEY",)


@given(st.text(), st.integers(0, 3))
def test_a_key_is_found_however_many_layers_of_json_are_around_it(text: str, layers: int) -> None:
    wrapped = f"{text} {KEY} {text}"
    for _ in range(layers):
        wrapped = json.dumps({"content": wrapped})
    assert keys_of(["MY_KEY"], {"MY_KEY": KEY}).names_in(wrapped)


@pytest.mark.parametrize("value", ["", "none", "EMPTY", "  "])
def test_what_local_servers_are_given_is_no_key(value: str) -> None:
    assert not keys_of(["MY_KEY"], {"MY_KEY": value}).names_in(f"EMPTY none {value}")


def test_a_rejection_names_the_key_and_the_place_and_never_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    settings = OFF.model_copy(update={"key_names": ("MY_KEY",)})
    found = reject([a_search_for("x", result=f"token = {KEY}"), a_search_for("y", episode="f")], settings)
    assert [(one.episode, one.code, one.detail) for one in found] == [
        ("e", DropCode.SECRET, "the key in MY_KEY in messages[3].content (tool)")
    ]


def test_a_key_in_arguments_is_found_behind_their_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    checks = RowChecks(OFF.model_copy(update={"key_names": ("MY_KEY",)}))
    [(_, faults)] = checks.check_all([make_conversation(json.dumps({"pattern": json.dumps(KEY)}), "assistant")])
    assert {fault.place for fault in faults} == {"messages[1].tool_calls[0].arguments"}


def test_keys_and_tokens_are_found_in_the_names_of_calls_tasks_and_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    settings = AcrossSettings(scanner="off")
    named = strip_supervision(
        a_trace(a_step(a_call("grep", id=f"c {KEY}", pattern="header")), a_step(finish())), a_contract()
    )
    (found,) = reject([named], settings)
    assert found.code is DropCode.SECRET
    assert "messages[2].tool_calls[0].id" in found.detail
    assert "messages[3].tool_call_id" in found.detail
    for update in ({"task": KEY}, {"episode": KEY}):
        (found,) = reject([a_search_for("header").model_copy(update=update)], settings)
        assert found.code is DropCode.SECRET
    named = strip_supervision(
        a_trace(a_step(a_call("grep", id="<|im_end|>", pattern="header")), a_step(finish())), a_contract()
    )
    assert codes([named]) == {named.episode: DropCode.SPECIAL_TOKEN}


def test_the_keys_can_be_blotted_out() -> None:
    keys = keys_of(["MY_KEY"], {"MY_KEY": KEY})
    assert keys.redact(f"a {KEY} b") == "a [MY_KEY] b"
    assert keys.redact("".join(f"\\u{ord(c):04x}" for c in KEY)) == "[MY_KEY]"
    assert KEY not in repr(keys.__dict__)


def made_up_token() -> str:
    """Looks like a personal access token; random, so that it was never in use."""
    return "gh" + "p_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(36))


def test_the_scanner_finds_secrets_and_says_only_rule_and_place() -> None:
    token = made_up_token()
    clean = "commit 7b55a97f0c1f6a3e5d4b3c2a1908f7e6d5c4b3a2\nsha256:" + hashlib.sha256(b"x").hexdigest()
    subjects = [
        make_conversation(f"line one\r\nexport TOKEN={token}\n# kingfisher:ignore"),
        make_conversation(clean),
        make_conversation(json.dumps({"pattern": token}).replace("p_", "p\\u005f"), "assistant"),
        make_conversation("PK\x03\x04\0" + token),
    ]
    found = [faults for _, faults in RowChecks(OFF.model_copy(update={"scanner": "on"})).check_all(subjects)]
    assert [[fault.place for fault in one if fault.code is DropCode.SECRET] for one in found] == [
        ["messages[1].content"],
        [],
        ["messages[1].tool_calls[0].arguments"],
        ["messages[1].content"],
    ]
    assert found[0][0].detail == "betterleaks.github-pat in messages[1].content (tool)"
    assert token not in str(found)


def test_a_rule_can_be_allowed() -> None:
    settings = OFF.model_copy(update={"scanner": "on", "allowed_rules": ("betterleaks.github-pat",)})
    assert [faults for _, faults in RowChecks(settings).check_all([make_conversation(made_up_token())])] == [()]


# special tokens


@pytest.mark.parametrize("token", sorted({t for family in FAMILIES.values() for t in family}))
def test_every_token_of_the_table_is_found_where_it_stands(token: str) -> None:
    settings = OFF.model_copy(update={"token_families": tuple(FAMILIES)})
    [(_, faults)] = RowChecks(settings).check_all([make_conversation(f"a\x00 {token} b")])
    assert [(f.code, f.place, f.span) for f in faults] == [
        (DropCode.SPECIAL_TOKEN, "messages[1].content", (3, 3 + len(token)))
    ]


def test_a_special_token_is_found_behind_the_escapes_of_arguments() -> None:
    assert codes([a_search_for("x")]) == {}
    [(_, faults)] = RowChecks(OFF).check_all([make_conversation('{"pattern": "\\u003c|im_end|>"}', "assistant")])
    assert [f.detail for f in faults] == ["<|im_end|> in messages[1].tool_calls[0].arguments (assistant)"]


def test_ordinary_code_holds_no_special_token() -> None:
    code = "if a <b> c: x[i] | y | z\n<p>text</p>\nmatch <|> other\n[INSTALL] <system> Vec<T> <stdin> [mask] <pad>"
    code += "Usage: cli [OPTIONS] COMMAND [ARGS]...\n<s>old</s> [INST] [THINK]"
    assert [faults for _, faults in RowChecks(OFF).check_all([make_conversation(code)])] == [()]


def find_tokens(text: str, settings: AcrossSettings = OFF, **update: object) -> list[str]:
    checks = RowChecks(settings.model_copy(update=update))
    return [fault.detail.split()[0] for _, faults in checks.check_all([make_conversation(text)]) for fault in faults]


def test_tokens_and_families_can_be_let_through() -> None:
    text = "<|im_start|>old price<|eot_id|>"
    assert find_tokens(text) == ["<|im_start|>", "<|eot_id|>"]
    assert find_tokens(text, allowed_tokens=("<|eot_id|>",)) == ["<|im_start|>"]
    assert find_tokens(text, token_families=("chatml",)) == ["<|im_start|>"]


def test_words_in_brackets_count_where_the_target_has_them() -> None:
    text = "Usage: cli [OPTIONS] COMMAND [ARGS]... <s>"
    assert find_tokens(text) == []
    assert find_tokens(text, token_families=("mistral",)) == ["[ARGS]"]
    assert find_tokens(text, token_families=("llama2", "mistral")) == ["[ARGS]", "<s>"]


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(ConfigError, match="'lama2'"):
        tokens_of_families(["lama2"])


# length


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    value = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "added_tokens": [
            {"id": 1, "content": "<|turn_end|>", "special": True}
            | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        ],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
    }
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(value))
    return path


def test_length_by_the_targets_tokenizer_is_exact(tokenizer_file: Path) -> None:
    length = length_of(make_conversation("five words \ud800 are here"), tokenizer_of(str(tokenizer_file)), 8)
    assert (length.tokens, length.is_exact) == (2 + 5 + 16, True)


def test_length_without_a_tokenizer_is_an_estimate_and_says_so() -> None:
    length = length_of(make_conversation("x" * 35), tokenizer_of(None), 0)
    assert (length.tokens, length.is_exact, str(length)) == (3 + 10, False, "about 13 tokens")


def test_a_long_trace_is_refused_with_its_length(tokenizer_file: Path) -> None:
    settings = OFF.model_copy(update={"max_tokens": 500, "tokenizer": str(tokenizer_file)})
    found = reject([a_search_for("a"), a_search_for("b", episode="f", result="word " * 500)], settings)
    assert [(one.episode, one.code) for one in found] == [("f", DropCode.TOO_LONG)]
    assert found[0].detail.endswith(f"tokens by {tokenizer_file}, more than 500")


def test_a_tokenizers_own_special_tokens_are_what_is_looked_for(tokenizer_file: Path) -> None:
    settings = OFF.model_copy(update={"tokenizer": str(tokenizer_file)})
    faults = [found for _, found in RowChecks(settings).check_all([make_conversation("<|turn_end|> <|im_end|>")])]
    assert [[f.detail.split()[0] for f in one] for one in faults] == [["<|turn_end|>"]]


@pytest.mark.parametrize("content", ["", "{", "{}", '{"added_tokens": 3}'])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(ConfigError, match=r"t\.json: no tokenizer\.json"):
        tokenizer_of(str(tmp_path / "t.json"))


def test_ranks_that_are_not_on_this_machine_are_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    with pytest.raises(ConfigError, match="nothing is downloaded"):
        tokenizer_of("tiktoken:o200k_base")
    with pytest.raises(ConfigError, match="no encoding of that name"):
        tokenizer_of("tiktoken:gpt-9")


# benchmarks


SAME = [
    "https://github.com/Pallets/Click",
    "https://github.com/pallets/click.git",
    "http://www.github.com/pallets/click/",
    "git@github.com:pallets/click.git",
    "ssh://git@github.com:22/pallets/click",
    "github.com/pallets/click",
    "pallets/click",
    "repos/click",
    "/home/me/clones/click.git",
    "./pallets__click",
    "/data/pallets+click/repo",
    "file:///data/click",
    "https://mirror.example/swe-bench/pallets__click",
]
OTHERS = [
    "https://github.com/pallets/flask",
    "https://github.com/someone/click-extra",
    "https://github.com/fork/click",
    "https://gitlab.com/pallets/click",
    "/home/me/flask",
    "",
]


def list_benchmark(tmp_path: Path, *lines: str) -> AcrossSettings:
    path = tmp_path / "benchmark.txt"
    path.write_text("# repositories\n\n" + "\n".join(lines))
    return OFF.model_copy(update={"benchmarks": (path,)})


def find_contamination(settings: AcrossSettings, **fields: str) -> list[str]:
    return [f.detail for _, faults in RowChecks(settings).check_all([make_conversation("x", **fields)]) for f in faults]


@pytest.mark.parametrize("repo", SAME)
@pytest.mark.parametrize("entry", ["https://github.com/pallets/click", "git@github.com:Pallets/click.git  # cli"])
def test_a_listed_repository_is_found_in_any_spelling(tmp_path: Path, repo: str, entry: str) -> None:
    assert len(find_contamination(list_benchmark(tmp_path, entry), repo=repo)) == 1


@pytest.mark.parametrize("repo", OTHERS)
def test_other_repositories_are_not_listed(tmp_path: Path, repo: str) -> None:
    assert not find_contamination(list_benchmark(tmp_path, "https://github.com/pallets/click"), repo=repo)


def test_a_match_by_name_only_says_so(tmp_path: Path) -> None:
    [why] = find_contamination(list_benchmark(tmp_path, "pallets/click"), repo="/home/me/click")
    assert why.startswith("/home/me/click is pallets/click, listed at ")
    assert why.endswith("benchmark.txt:3 (by name only: the task names a local directory)")


FULL = "7b55a97f0c1f6a3e5d4b3c2a1908f7e6d5c4b3a2"


@pytest.mark.parametrize(
    ("fields", "is_listed"),
    [
        ({"commit": FULL}, True),
        ({"commit": FULL.upper()}, True),
        ({"commit": FULL[:12]}, True),
        ({"commit": "main", "snapshot": f"git:{FULL}"}, True),
        ({"commit": "v1.0"}, True),  # nobody can tell
        ({"commit": "0" * 40}, False),
        ({"commit": "v1.0", "snapshot": "git:" + "0" * 40}, False),
    ],
)
@pytest.mark.parametrize("entry", [f"pallets/click@{FULL}", f"git@github.com:pallets/click@{FULL[:8]}"])
def test_a_listed_commit_is_only_that_commit(
    tmp_path: Path, fields: dict[str, str], entry: str, *, is_listed: bool
) -> None:
    assert bool(find_contamination(list_benchmark(tmp_path, entry), repo="pallets/click", **fields)) is is_listed


@pytest.mark.parametrize("line", ["click", "@", "pallets/click@", "https://"])
def test_a_line_that_names_no_repository_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=r"benchmark\.txt:3: "):
        read_benchmarks(list_benchmark(tmp_path, line).benchmarks)


def test_a_found_search_of_ours_passes_every_check() -> None:
    assert not reject([strip_supervision(a_search(), a_contract())])
