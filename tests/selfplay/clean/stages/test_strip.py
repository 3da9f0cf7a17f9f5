from collections.abc import Sequence
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from selfplay.clean.stages.strip import strip_supervision
from selfplay.core.clean_trace import CleanTrace, DroppedTurn, DropReason, Mask
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.trace import Judgement, Quality, Step, StopReason, Trace
from tests.selfplay.traces import PRODUCTION_PROMPT, a_call, a_contract, a_result, a_search, a_step, a_trace, finish

CONTRACT = a_contract()
SUPERVISOR_ORIGINS = {Origin.HINT, Origin.NUDGE}


# What the laws are tried on


def possible_calls(name: str, *, may_finish: bool) -> list[ToolCall]:
    return [
        a_call("grep", id=name, pattern="x"),
        a_call("nonsense", id=name, why=None),
        a_call("grep", id=name, raw='{"pattern": "x'),
        a_call("grep", id=name, raw='{"pat', is_cut=True),
        *([finish(name)] if may_finish else []),
    ]


@st.composite
def steps(draw: st.DrawFn, number: int, *, always_calls: bool, may_finish: bool) -> Step:
    """Any step that the loop can make: 0 to 3 calls, some refused, cut or unparsable, any verdict, hint or nudge."""
    calls = tuple(
        draw(st.sampled_from(possible_calls(f"{number}.{i}", may_finish=may_finish)))
        for i in range(draw(st.integers(int(always_calls), 3)))
    )
    refused = draw(st.lists(st.booleans(), min_size=len(calls), max_size=len(calls)))
    results = [
        a_result(call, ok=not is_refused and call.parse_arguments() is not None)
        for call, is_refused in zip(calls, refused, strict=True)
    ]
    return a_step(
        *calls,
        text=draw(st.sampled_from(["", "I look."])),
        results=results,
        quality=draw(st.none() | st.sampled_from(Quality)),
        hint=draw(st.none() | st.just(f"Words of the supervisor after step {number}.")),
        nudge=draw(st.none() | st.just(f"Words of the engine after step {number}.")),
    )


@st.composite
def traces(draw: st.DrawFn, *, always_calls: bool = False, may_finish: bool = True) -> Trace:
    """Any trace, in any state; those that end `found` end with an accepted answer."""
    count = draw(st.integers(0, 6))
    played = [draw(steps(number, always_calls=always_calls, may_finish=may_finish)) for number in range(count)]
    stop = draw(st.none() | st.sampled_from(StopReason))
    if stop is StopReason.FOUND:
        played.append(a_step(finish(), quality=draw(st.none() | st.sampled_from(Quality))))
    return a_trace(*played, stop=stop)


def without_supervisor(trace: Trace) -> Trace:
    """The same steps, as if there had been no hint and no nudge."""
    silent = [
        step.model_copy(update={"judgement": Judgement(verdict=step.judgement.verdict), "nudge": None})
        for step in trace.steps
    ]
    return trace.model_copy(update={"steps": tuple(silent)})


def roles_and_texts(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in messages]


# Laws


@given(traces(always_calls=True, may_finish=False))
def test_stripping_is_filtering_by_origin(trace: Trace) -> None:
    """Where every turn has calls and none answers too early: only hints, nudges and last results go."""
    clean = strip_supervision(trace, CONTRACT)
    kept = [m for m in trace.conversation if m.origin not in SUPERVISOR_ORIGINS][1:]
    while kept[-1].role == "tool":
        kept.pop()
    assert list(clean.conversation) == [Message(role="system", content=PRODUCTION_PROMPT, origin=Origin.PROMPT), *kept]


@given(traces(always_calls=True))
def test_stripping_equals_never_having_been_helped(trace: Trace) -> None:
    """Where every turn has calls. (An answer that the engine alone refused would have been the last word.)"""
    assume(not any(r.answer for s in trace.steps[-1:] if s.messages_after for r in s.results))
    assert strip_supervision(trace, CONTRACT) == strip_supervision(without_supervisor(trace), CONTRACT)


@given(traces())
def test_no_word_of_supervisor_or_engine_survives(trace: Trace) -> None:
    clean = strip_supervision(trace, CONTRACT)
    assert not {m.origin for m in clean.conversation} & SUPERVISOR_ORIGINS
    assert "Words of" not in clean.model_dump_json(exclude={"contract"})


@given(traces())
def test_the_conversation_is_well_formed(trace: Trace) -> None:
    messages = strip_supervision(trace, CONTRACT).conversation
    assert [m.role for m in messages[:2]] == ["system", "user"]
    assert {m.role for m in messages[2:]} <= {"assistant", "tool"}
    assert not any(a.role == b.role == "assistant" for a, b in pairwise(messages))
    assert len(messages) == 2 or messages[-1].role == "assistant"


@given(traces())
def test_calls_and_results_stay_paired(trace: Trace) -> None:
    clean = strip_supervision(trace, CONTRACT)
    for turn in clean.turns:
        assert [r.message.tool_call_id for r in turn.results] == [c.id for c in turn.action.tool_calls]


@given(traces())
def test_every_step_is_kept_or_dropped_for_a_reason(trace: Trace) -> None:
    clean = strip_supervision(trace, CONTRACT)
    numbers = [turn.step for turn in clean.turns] + [d.step for d in clean.dropped]
    assert sorted(numbers) == list(range(len(trace.steps)))
    assert sum(clean.drop_counts.values()) == len(clean.dropped)


@given(traces())
def test_a_kept_turn_is_what_the_player_wrote(trace: Trace) -> None:
    for turn in strip_supervision(trace, CONTRACT).turns:
        step = trace.steps[turn.step]
        assert (turn.action.content, turn.action.reasoning) == (step.action.content, step.action.reasoning)
        assert set(turn.action.tool_calls) | set(turn.removed) == set(step.action.tool_calls)
        assert (Mask.EDITED in turn.masks) == bool(turn.removed)


@given(traces())
def test_stripping_what_was_stripped_changes_nothing(trace: Trace) -> None:
    once = strip_supervision(trace, CONTRACT)
    assert roles_and_texts(strip_supervision(as_trace(once, trace), CONTRACT).conversation) == roles_and_texts(
        once.conversation
    )


def as_trace(clean: CleanTrace, trace: Trace) -> Trace:
    """A trace of which the clean one is all there was."""
    played = tuple(Step(action=turn.action, results=turn.results) for turn in clean.turns)
    return trace.model_copy(update={"steps": played, "prompt": clean.prompt})


# Cases


def test_what_a_search_leaves() -> None:
    clean = strip_supervision(a_search(), CONTRACT)
    assert [(turn.step, turn.weight, turn.masks) for turn in clean.turns] == [
        (0, 1, ()),
        (2, 1, ()),
        (3, 0, (Mask.MISTAKEN, Mask.REFUSED)),
        (5, 1, ()),
        (6, 1, ()),
    ]
    assert clean.dropped == (
        DroppedTurn(step=1, reason=DropReason.NO_CALL),
        DroppedTurn(step=4, reason=DropReason.EARLY_FINISH),
    )
    assert clean.answer is not None
    assert [m.role for m in clean.conversation] == [
        *("system", "user", "assistant", "tool", "assistant", "tool", "tool"),
        *("assistant", "tool", "assistant", "tool", "assistant"),
    ]


def test_the_contracts_prompt_stands_where_the_self_play_prompt_stood() -> None:
    assert strip_supervision(a_search(), CONTRACT).conversation[0].content == PRODUCTION_PROMPT


def test_a_finish_among_other_calls_is_taken_out_and_the_turn_is_context_only() -> None:
    look, early = a_call("read_file", id="a", path="x.py"), finish("b")
    (turn, _) = strip_supervision(a_trace(a_step(early, look, hint="Not yet."), a_step(finish())), CONTRACT).turns
    assert turn.action.tool_calls == (look,)
    assert [r.message.tool_call_id for r in turn.results] == ["a"]
    assert turn.removed == (early,)
    assert turn.masks == (Mask.EDITED,)


def test_a_refused_finish_is_an_ordinary_refused_call() -> None:
    bad = a_call("finish", id="a", files=[])
    trace = a_trace(a_step(bad, results=[a_result(bad, "name a file", ok=False)]), a_step(finish()))
    clean = strip_supervision(trace, CONTRACT)
    assert [turn.masks for turn in clean.turns] == [(Mask.REFUSED,), ()]
    assert clean.dropped == ()


def test_no_verdict_counts_against_the_answer_that_found_everything() -> None:
    assert strip_supervision(a_trace(a_step(finish(), quality=Quality.WASTEFUL)), CONTRACT).weights == (1,)


def test_the_same_verdict_counts_against_an_answer_that_did_not() -> None:
    trace = a_trace(a_step(finish(), quality=Quality.WASTEFUL), stop=StopReason.GAVE_UP)
    assert strip_supervision(trace, CONTRACT).weights == (0,)


def test_nothing_comes_after_the_answer() -> None:
    trace = a_trace(a_step(finish(), hint="Well done."), a_step(a_call("grep", id="a", pattern="x")))
    clean = strip_supervision(trace, CONTRACT)
    assert clean.conversation[-1].tool_calls == (finish(),)
    assert clean.drop_counts == {DropReason.AFTER_ANSWER: 1}


def test_a_final_turn_keeps_all_its_calls() -> None:
    look = a_call("read_file", id="a", path="x.py")
    clean = strip_supervision(a_trace(a_step(look, finish())), CONTRACT)
    assert clean.conversation[-1].tool_calls == (look, finish())
    assert clean.weights == (1,)


def test_a_verdict_masks_a_turn() -> None:
    steps = [a_step(a_call("grep", id=q, pattern="x"), quality=q) for q in Quality]
    clean = strip_supervision(a_trace(*steps, a_step(finish())), CONTRACT)
    assert clean.weights == (1, 1, 0, 0, 1)
    assert clean.mask_counts == {Mask.WASTEFUL: 1, Mask.MISTAKEN: 1}


def test_a_call_that_could_not_be_carried_out_masks_its_turn() -> None:
    broken = a_call("grep", id="a", raw='{"pattern": ')
    cut = a_call("grep", id="b", raw='{"pattern": "x"}', is_cut=True)
    good, missing = a_call("grep", id="c", pattern="x"), a_call("read_file", id="d", path="no.py")
    half = a_step(good, missing, results=[a_result(good), a_result(missing, ok=False)])
    clean = strip_supervision(a_trace(a_step(broken), a_step(cut), half, a_step(finish())), CONTRACT)
    assert [turn.masks for turn in clean.turns] == [
        (Mask.UNPARSABLE, Mask.REFUSED),
        (Mask.CUT, Mask.REFUSED),
        (Mask.REFUSED,),
        (),
    ]


def test_a_turn_without_its_results_is_dropped() -> None:
    trace = a_trace(a_step(a_call("grep", id="a", pattern="x"), results=[]), a_step(finish()))
    assert strip_supervision(trace, CONTRACT).drop_counts == {DropReason.UNPAIRED: 1}


def test_last_words_without_an_answer_are_kept() -> None:
    clean = strip_supervision(a_trace(a_step(text="I give up."), stop=StopReason.GAVE_UP), CONTRACT)
    assert clean.conversation[-1].content == "I give up."
    assert clean.answer is None


def test_last_words_that_were_answered_are_dropped() -> None:
    clean = strip_supervision(a_trace(a_step(text="Hm.", nudge="Call a tool."), stop=StopReason.STEPS), CONTRACT)
    assert clean.turns == ()
    assert len(clean.conversation) == 2
