"""Laws of evidence, and where parts of calls are cut."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.clean.evidence import Evidence, EvidenceLink, EvidenceSource, evidence_of
from selfplay.clean.evidence.argument_units import units_of
from selfplay.clean.evidence.pattern_pieces import pieces_of_regex
from selfplay.clean.evidence.visible_texts import parts_of, squeeze_name
from selfplay.clean.evidence.word_knowledge import common_knowledge, forms_of
from selfplay.core.message import Message, Origin, ToolCall

WORDS = (
    "header headers set_header SetHeader fingerprint response Response route routes pump tank io app src test".split()
)
SIGNS = [" ", "\n", "/", ".", "_", "(", "::", "-", "\x00", "é"]


# What the laws are tried on


def texts() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from([*WORDS, *SIGNS]), max_size=25).map("".join)


def arguments() -> st.SearchStrategy[dict[str, Any]]:
    value = texts() | st.sampled_from(
        ["src/app/io.py", r"def (get|set)_header\(", "src/**/*_test.py", "cat src/app.py"]
    )
    keys = st.sampled_from(["path", "pattern", "query", "glob", "name", "command", "other"])
    return st.dictionaries(keys, value, max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    messages = [
        Message(role="system", content=draw(texts()), origin=Origin.PROMPT),
        Message(role="user", content=draw(texts()), origin=Origin.TASK),
    ]
    for number in range(draw(st.integers(0, 4))):
        call = ToolCall(id=f"c{number}", name="grep", arguments=orjson.dumps(draw(arguments())).decode())
        messages.append(Message(role="assistant", content=draw(texts()), origin=Origin.PLAYER, tool_calls=(call,)))
        messages.append(Message(role="tool", content=draw(texts()), origin=Origin.TOOL, tool_call_id=call.id))
        if draw(st.booleans()):
            messages.append(Message(role="user", content=draw(texts()), origin=Origin.HINT))
    return messages


def value_of(message: Message, link: EvidenceLink) -> str:
    return (message.tool_calls[link.call].parse_arguments() or {})[link.argument]


def evidence_of_call(
    task: str, call: dict[str, str], *, results: Sequence[str] = (), hint: str | None = None
) -> Evidence:
    """The evidence of one call after a task, results of calls that took nothing, and a hint."""
    messages = [Message(role="user", content=task, origin=Origin.TASK)]
    messages += [Message(role="tool", content=result, origin=Origin.TOOL) for result in results]
    if hint is not None:
        messages.append(Message(role="user", content=hint, origin=Origin.HINT))
    last = ToolCall(id="c", name="tool", arguments=orjson.dumps(call).decode())
    return evidence_of([*messages, Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=(last,))])


# Laws


@given(conversations())
def test_a_link_quotes_its_argument(messages: list[Message]) -> None:
    for link in evidence_of(messages).links:
        assert value_of(messages[link.message], link)[link.span[0] : link.span[1]] == link.text


@given(conversations())
def test_an_explanation_names_a_place_that_has_the_words(messages: list[Message]) -> None:
    for link in evidence_of(messages).links:
        if link.place is None:
            assert link.source in {EvidenceSource.COMMON, EvidenceSource.NOWHERE} or link.how == "ordinary word"
            continue
        place = messages[link.place.message]
        found = place.content[link.place.span[0] : link.place.span[1]]
        assert place.content.count("\n", 0, link.place.span[0]) + 1 == link.place.line
        assert link.place.message < link.message
        assert place.origin is {
            EvidenceSource.TASK: Origin.TASK,
            EvidenceSource.HINT: Origin.HINT,
            EvidenceSource.RESULT: Origin.TOOL,
        }.get(link.source, place.origin)
        if link.how == "exact":
            assert found.lower() == link.text.lower().removeprefix("./") or link.kind == "path"
        elif link.kind != "path" and link.source is EvidenceSource.DERIVED:
            assert are_related(found, link.text)


def are_related(found: str, text: str) -> bool:
    """Whether they share a part, a form of a part, or letters."""
    forms = {form for part in parts_of(text) for form, _ in forms_of(part)} | set(parts_of(text))
    wanted, had = ("".join(filter(str.isalnum, squeeze_name(side))) for side in (text, found))
    return bool(forms & set(parts_of(found))) or wanted in had or had in wanted


@given(conversations(), st.data())
def test_what_comes_later_changes_nothing(messages: list[Message], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(messages)))
    earlier = tuple(link for link in evidence_of(messages).links if link.message < cut)
    assert evidence_of(messages[:cut]).links == earlier


@given(conversations(), texts(), st.data())
def test_a_hint_more_takes_no_explanation_away(messages: list[Message], hint: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(messages)))
    more = [*messages[:at], Message(role="user", content=hint, origin=Origin.HINT), *messages[at:]]
    before, after = evidence_of(messages).links, evidence_of(more).links
    for link, other in zip(before, after, strict=True):
        if link.source in {EvidenceSource.TASK, EvidenceSource.RESULT} or (
            link.source is EvidenceSource.DERIVED and link.place
        ):
            assert (other.source, other.how) == (link.source, link.how)


@given(conversations())
def test_links_without_hints_are_no_hints(messages: list[Message]) -> None:
    without = [message for message in messages if message.origin is not Origin.HINT]
    assert all(link.source is not EvidenceSource.HINT for link in evidence_of(without).links)


@given(st.text(max_size=200))
def test_every_pattern_can_be_read(pattern: str) -> None:
    for piece in pieces_of_regex(pattern):
        assert pattern[piece.start : piece.start + len(piece.text)] == piece.text


# What explains


@pytest.mark.parametrize(
    ("task", "call", "source"),
    [
        ("the fingerprint header", {"query": "fingerprint"}, EvidenceSource.TASK),
        ("the response headers", {"query": "header"}, EvidenceSource.DERIVED),
        ("set the header", {"name": "setHeader"}, EvidenceSource.DERIVED),
        ("set the header", {"name": "set_header"}, EvidenceSource.DERIVED),
        ("anything", {"path": "pyproject.toml"}, EvidenceSource.COMMON),
        ("anything", {"pattern": "def "}, EvidenceSource.COMMON),
        ("anything", {"query": "timeout"}, EvidenceSource.DERIVED),
        ("anything", {"name": "ReleaseValve"}, EvidenceSource.NOWHERE),
        ("anything", {"path": "src/valve.py"}, EvidenceSource.NOWHERE),
    ],
)
def test_sources(task: str, call: dict[str, str], source: EvidenceSource) -> None:
    assert [link.source for link in evidence_of_call(task, call).links] == [source]


def test_an_ordinary_word_that_a_hint_brought_is_the_hints() -> None:
    assert (
        evidence_of_call("anything", {"query": "timeout"}, hint="Think of a timeout.").links[0].source
        is EvidenceSource.HINT
    )


def test_a_hints_words_in_another_form_are_the_hints() -> None:
    evidence = evidence_of_call("anything", {"name": "release_pressure"}, hint="Where is the pressure released?")
    assert [link.source for link in evidence.leaps] == [EvidenceSource.HINT]


def test_a_result_explains_better_than_a_hint() -> None:
    link = evidence_of_call("x", {"name": "drain"}, results=["def drain(tank):"], hint="What is drained?").links[0]
    assert (link.source, link.place.span if link.place else None) == (EvidenceSource.RESULT, (4, 9))


def test_a_name_inside_of_another_is_not_exact() -> None:
    link = evidence_of_call("x", {"name": "drain"}, results=["def drain_all(tank):"]).links[0]
    assert (link.source, link.how) == (EvidenceSource.DERIVED, "part of a name: 'drain'")


def test_a_nudge_explains_nothing() -> None:
    call = ToolCall(id="c", name="find_symbol", arguments='{"name": "Zorkmid"}')
    messages = [
        Message(role="user", content="Zorkmid, please.", origin=Origin.NUDGE),
        Message(role="assistant", content="Zorkmid!", origin=Origin.PLAYER, tool_calls=(call,)),
    ]
    assert [link.source for link in evidence_of(messages).links] == [EvidenceSource.HINT]


def test_what_a_result_repeats_of_its_call_is_no_evidence() -> None:
    calls = [ToolCall(id=i, name="grep", arguments='{"pattern": "zorkmid"}') for i in ("a", "b")]
    messages = [
        Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=(calls[0],)),
        Message(
            role="tool", content='No line matches "zorkmid" in the repository.', origin=Origin.TOOL, tool_call_id="a"
        ),
        Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=(calls[1],)),
    ]
    assert [link.source for link in evidence_of(messages).links] == [EvidenceSource.NOWHERE, EvidenceSource.NOWHERE]


# Hostile texts


@pytest.mark.parametrize("text", ["a" * 2_000_000, "\x00" * 500_000, "ab " * 300_000, "(" * 200_000, "_" * 500_000])
def test_a_huge_result_on_one_line_is_read(text: str) -> None:
    evidence = evidence_of_call(
        "x", {"query": "tank", "pattern": "(" * 5_000 + "a|" * 3_000}, results=[text, "class Tank"]
    )
    assert evidence.links[0].place is not None


# Where parts are cut


@pytest.mark.parametrize(
    ("name", "given_", "parts"),
    [
        ("read_file", {"path": "src/app/", "start": 3}, [("path", "src/app")]),
        ("read_file", {"path": "."}, []),
        ("find_symbol", {"name": "Outer.name"}, [("symbol", "Outer"), ("symbol", "name")]),
        ("grep", {"pattern": r"\bdef\s+x_y\("}, [("pattern", "def"), ("pattern", "x_y")]),
        ("grep", {"pattern": r"colou?r|\d+"}, [("pattern", "colo")]),
        ("find_files", {"pattern": "src/**/*_test.go"}, [("path", "src"), ("literal", "_test")]),
        ("find_files", {"pattern": "src/app/io.py"}, [("path", "src/app/io.py")]),
        ("search", {"query": "how to set the header"}, [("words", "set"), ("words", "header")]),
        ("finish", {"files": [{"path": "a/b.py", "reason": "zork"}]}, [("path", "a/b.py")]),
        (
            "bash",
            {"command": "cd x/y && grep -n 'foo' a.py | head -3"},
            [("path", "x/y"), ("pattern", "foo"), ("path", "a.py")],
        ),
        ("bash", {"command": "sed -n '1,9p' a.py"}, [("path", "a.py")]),
        ("bash", {"command": "cat > a.py <<'EOF'\nimport zork\nEOF\nls src"}, [("path", "src")]),
        ("bash", {"command": "find . -name '*io*.py' -type f"}, [("literal", "io")]),
        (
            "unheard_of",
            {"what": "src/a.py", "of": "FooBar", "mode": "fast"},
            [("path", "src/a.py"), ("symbol", "FooBar")],
        ),
    ],
)
def test_parts_of_a_call(name: str, given_: dict[str, Any], parts: list[tuple[str, str]]) -> None:
    call = ToolCall(id="c", name=name, arguments=orjson.dumps(given_).decode())
    assert [(unit.kind, unit.text) for unit in units_of(call)] == parts


def test_arguments_that_are_no_object_have_no_parts() -> None:
    assert units_of(ToolCall(id="c", name="grep", arguments='{"pattern": "x')) == ()


def test_the_list_holds_every_ecosystem() -> None:
    assert {"python", "javascript", "go", "rust", "c", "java", "ruby"} <= {*common_knowledge().paths.values()}
