"""Laws of cleaning one trace, and what each stage does."""

from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.clean.assistants.protocol import NoAssistants, TurnPoint, run_without_waiting
from selfplay.clean.echoes import EchoFinding, EchoKind
from selfplay.clean.journals import CleaningCandidate
from selfplay.clean.pipeline import CleanedTrace, clean_offline, clean_trace, repair_and_mask
from selfplay.clean.settings import CleanSettings
from selfplay.clean.stages.grounding import (
    find_hint_influence,
    find_hinted_turns,
    grounding_of,
    supervisor_texts_before_turns,
    to_unsupervised_trace,
)
from selfplay.clean.stages.strip import strip_supervision
from selfplay.clean.stages.turn_echoes import TurnEchoes, find_turn_echoes, turn_context
from selfplay.core.clean_trace import CleanTrace, Mask, Reliance, Repair
from selfplay.core.drop_codes import DropCode, DroppedTrace
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.trace import Quality, Step, StopReason, ToolResult, Trace, Verdict
from selfplay_tools.tools.tool import AnswerFile, ShownRange
from tests.selfplay.traces import a_call, a_contract, a_result, a_step, a_trace, finish

CONTRACT = a_contract()
OFFLINE = CleanSettings()
MODELS = CleanSettings(repair="models", samples=2)
TARGET = "lantern/respond.py"
LAYOUT = "lantern/respond.py\nlantern/wire.py\nREADME.md"

WORDS = (
    "",
    "I look at the layout.",
    "Good point! I search for the word.",
    "As the hint suggests, `send_headers` may be it.",
    "Thanks.",
    "The docs suggest a header. You're right, the wire comes next.",
)
HINTS = (
    None,
    "Think about where a response gets its headers.",
    "Who calls send_headers in the end?",
    "Look for the quux.",
)


def calls(name: str) -> list[ToolCall]:
    return [
        a_call("grep", id=name, pattern="fingerprint"),
        a_call("grep", id=name, pattern="send_headers"),
        a_call("grep", id=name, pattern="quux"),
        a_call("read_file", id=name, path="lantern/wire.py"),
    ]


@st.composite
def searches(draw: st.DrawFn, *, hinted: bool = True) -> Trace:
    """A search that finds the target, in any words and after any hints."""
    layout = a_call("grep", id="layout", pattern="fingerprint")
    played = [a_step(layout, results=[a_result(layout, LAYOUT)], hint=draw(st.sampled_from(HINTS)) if hinted else None)]
    for number in range(draw(st.integers(0, 4))):
        made = draw(st.sampled_from(calls(f"{number}")))
        played.append(
            a_step(
                made,
                text=draw(st.sampled_from(WORDS)),
                reasoning=draw(st.none() | st.sampled_from(WORDS[1:])),
                results=[a_result(made, draw(st.sampled_from(["nothing", "lantern/wire.py: send_headers()"])))],
                quality=draw(st.none() | st.sampled_from(Quality)),
                hint=draw(st.sampled_from(HINTS)) if hinted else None,
                nudge=draw(st.none() | st.just("Call a tool, or call `finish`.")) if hinted else None,
            )
        )
    return a_trace(*played, reads_target(), a_step(finish(), text=draw(st.sampled_from(WORDS))))


def reads_target(text: str = "") -> Step:
    opened = a_call("read_file", id="target", path=TARGET)
    result = a_result(opened, "def respond(): ...").model_copy(
        update={"shown": (ShownRange(path=TARGET, first=1, last=1, how="read"),)}
    )
    return a_step(opened, text=text, results=[result]).model_copy(update={"found": (0,)})


def repair_offline(trace: Trace, clean: CleanTrace) -> CleanTrace:
    return run_without_waiting(repair_and_mask(trace, clean, OFFLINE, NoAssistants(), grounding_of(trace, clean)))[0]


def messages_of(clean: CleanTrace) -> list[Message]:
    return list(clean.conversation)


# Laws


@given(searches(hinted=False))
def test_cleaning_a_trace_without_hints_changes_nothing_but_weights(trace: Trace) -> None:
    plain = strip_supervision(trace, CONTRACT)
    clean = repair_offline(trace, plain)
    assert messages_of(clean) == messages_of(plain)
    assert [turn.model_copy(update={"masks": ()}) for turn in clean.turns] == [
        turn.model_copy(update={"masks": ()}) for turn in plain.turns
    ]
    assert all(set(turn.masks) >= set(before.masks) for turn, before in zip(clean.turns, plain.turns, strict=True))


@given(searches())
def test_cleaning_twice_is_cleaning_once(trace: Trace) -> None:
    once = repair_offline(trace, strip_supervision(trace, CONTRACT))
    assert repair_offline(trace, once) == once


@given(searches())
def test_a_cleaned_trace_has_nothing_left_to_clean_for_one_who_never_saw_a_hint(trace: Trace) -> None:
    clean = repair_offline(trace, strip_supervision(trace, CONTRACT))
    silent = to_unsupervised_trace(trace, clean)
    assert messages_of(repair_offline(silent, strip_supervision(silent, CONTRACT))) == messages_of(clean)


@given(searches())
def test_no_learned_turn_answers_a_hint_or_leans_on_one(trace: Trace) -> None:
    """The gates that found what was to be repaired find nothing in what is learned."""
    clean = repair_offline(trace, strip_supervision(trace, CONTRACT))
    supervisor_texts = supervisor_texts_before_turns(trace, clean)
    ground = grounding_of(trace, clean, find_hint_influence(trace))
    for number, turn in enumerate(clean.turns):
        if turn.weight:
            assert find_turn_echoes(turn.action, turn_context(clean, number, supervisor_texts)) == TurnEchoes()
            assert not ground.leaps_of(number)


@given(searches())
def test_a_repair_changes_neither_calls_nor_results(trace: Trace) -> None:
    plain = strip_supervision(trace, CONTRACT)
    clean = repair_offline(trace, plain)
    for turn, before in zip(clean.turns, plain.turns, strict=True):
        assert turn.action.tool_calls == before.action.tool_calls
        assert turn.results == before.results
        assert (turn.original or turn.action) == before.action
        assert (turn.repair is None) == (turn.original is None)


@given(searches())
def test_words_that_answer_no_hint_are_as_if_there_had_been_none(trace: Trace) -> None:
    """Stripping equals never having hinted, also behind all the stages that look at hints."""
    plain = [
        step.model_copy(update={"action": step.action.model_copy(update={"content": "I look.", "reasoning": None})})
        for step in trace.steps
        if "send_headers" not in str(step.action.tool_calls) and "quux" not in str(step.action.tool_calls)
    ]
    hinted = trace.model_copy(update={"steps": tuple(plain)})
    clean = repair_offline(hinted, strip_supervision(hinted, CONTRACT))
    silent = to_unsupervised_trace(hinted, clean)
    assert (
        repair_offline(silent, strip_supervision(silent, CONTRACT)).turns
        == clean.model_copy(
            update={"turns": tuple(t.model_copy(update={"step": n}) for n, t in enumerate(clean.turns))}
        ).turns
    )


# Cases


class ListedAssistants:
    """Assistants that answer from lists and remember the points they were asked at."""

    def __init__(
        self,
        again: Sequence[Message] = (),
        rewritten: str | None = None,
        qualities: Sequence[Quality] = (),
        judged: str = "",
    ) -> None:
        self._again, self._rewritten, self._qualities, self._judged = again, rewritten, qualities, judged
        self.points: list[TurnPoint] = []

    async def sample_turns(self, point: TurnPoint, count: int) -> tuple[Message, ...]:
        self.points.append(point)
        return tuple(self._again[:count])

    async def rewrite(self, point: TurnPoint, action: Message, words: str) -> str | None:  # noqa: ARG002  as the protocol says
        return self._rewritten

    async def judge_actions(self, point: TurnPoint, actions: tuple[Message, ...]) -> tuple[Verdict | None, ...]:  # noqa: ARG002  as the protocol says
        verdicts = [Verdict(quality=q, why="w") for q in self._qualities]
        return tuple([*verdicts, *[None] * len(actions)][: len(actions)])

    async def find_echoes(self, text: str, hint: str | None) -> tuple[EchoFinding, ...]:  # noqa: ARG002  as the protocol says
        at = text.find(self._judged) if self._judged else -1
        end = at + len(self._judged)
        return () if at < 0 else (EchoFinding(kind=EchoKind.FOLLOWING, text=self._judged, span=(at, end)),)


def turn(text: str, *made: ToolCall, reasoning: str | None = None) -> Message:
    return Message(role="assistant", content=text, origin=Origin.PLAYER, tool_calls=made, reasoning=reasoning)


def make_hinted_search(
    text: str, call: ToolCall, *, hint: str = "Who calls send_headers in the end?", result: str = ""
) -> Trace:
    """A search whose second turn stands right after a hint."""
    layout = a_call("grep", id="layout", pattern="fingerprint")
    return a_trace(
        a_step(layout, text="I search.", results=[a_result(layout, LAYOUT)], hint=hint),
        a_step(call, text=text, results=[a_result(call, result)], quality=Quality.PRODUCTIVE),
        reads_target("The layout shows it."),
        a_step(finish(), text="That is it."),
    )


async def clean_to_row(trace: Trace, settings: CleanSettings, asked: ListedAssistants) -> CleanedTrace:
    outcome = await clean_trace(CleaningCandidate(trace, CONTRACT), settings, asked)
    assert isinstance(outcome, CleanedTrace), outcome
    return outcome


WIRE = a_call("read_file", id="c", path="lantern/wire.py")
HEADERS = a_call("grep", id="c", pattern="send_headers")


async def test_the_players_own_words_are_taken_where_it_makes_the_same_call() -> None:
    again = turn("The wire is next to it.", WIRE.model_copy(update={"id": "x"}), reasoning="Near by.")
    clean = (await clean_to_row(make_hinted_search("Good point!", WIRE), MODELS, ListedAssistants([again]))).clean
    repaired = clean.turns[1]
    assert (repaired.action.content, repaired.action.reasoning) == ("The wire is next to it.", "Near by.")
    assert repaired.action.tool_calls == (WIRE,)
    assert (repaired.repair, repaired.weight) == (Repair.ASKED_AGAIN, 1)
    assert repaired.original is not None
    assert repaired.original.content == "Good point!"


async def test_the_player_is_asked_on_a_prefix_without_any_hint() -> None:
    asked = ListedAssistants()
    await clean_to_row(make_hinted_search("Good point!", WIRE), MODELS, asked)
    assert asked.points
    for point in asked.points:
        assert not {m.origin for m in point.prefix} & {Origin.HINT, Origin.NUDGE}
        assert point.prefix[0].content == CONTRACT.prompt


async def test_another_call_is_never_put_in_the_place_of_the_one_that_was_made() -> None:
    other = turn("I grep.", a_call("grep", id="x", pattern="response"))
    clean = (
        await clean_to_row(make_hinted_search("Good point! I open the wire.", WIRE), MODELS, ListedAssistants([other]))
    ).clean
    assert clean.turns[1].action == turn("I open the wire.", WIRE)
    assert clean.turns[1].repair is Repair.EXCISED


async def test_words_of_the_player_that_echo_again_are_not_taken() -> None:
    again = turn("Thanks for the advice.", WIRE)
    clean = (
        await clean_to_row(make_hinted_search("Good point! I open the wire.", WIRE), MODELS, ListedAssistants([again]))
    ).clean
    assert clean.turns[1].repair is Repair.EXCISED


async def test_words_can_be_written_anew_from_what_is_visible() -> None:
    asked = ListedAssistants(rewritten="`lantern/wire.py` stands in the list, so I open it.")
    clean = (await clean_to_row(make_hinted_search("Good point!", WIRE), MODELS, asked)).clean
    assert clean.turns[1].action.content == "`lantern/wire.py` stands in the list, so I open it."
    assert (clean.turns[1].repair, clean.turns[1].weight) == (Repair.REWRITTEN, 1)


async def test_new_words_that_name_what_was_not_seen_are_not_used() -> None:
    asked = ListedAssistants(rewritten="I have seen `send_headers`, so I open the wire.")
    clean = (await clean_to_row(make_hinted_search("Good point! I open the wire.", WIRE), MODELS, asked)).clean
    assert clean.turns[1].repair is Repair.EXCISED


def test_a_sentence_with_a_name_that_only_a_hint_had_is_taken_out() -> None:
    trace = make_hinted_search("The wire is near. Perhaps it holds `send_headers`.", WIRE)
    outcome = clean_offline(CleaningCandidate(trace, CONTRACT), OFFLINE)
    assert isinstance(outcome, CleanedTrace)
    assert outcome.clean.turns[1].action.content == "The wire is near."


def test_an_argument_that_only_a_hint_explains_masks_its_turn() -> None:
    outcome = clean_offline(CleaningCandidate(make_hinted_search("I search on.", HEADERS), CONTRACT), OFFLINE)
    assert isinstance(outcome, CleanedTrace)
    assert [turn.masks for turn in outcome.clean.turns] == [(), (Mask.LEAP,), (), ()]


def test_a_hinted_turn_that_is_all_thanks_is_not_learned() -> None:
    outcome = clean_offline(CleaningCandidate(make_hinted_search("Thanks!", WIRE), CONTRACT), OFFLINE)
    assert isinstance(outcome, CleanedTrace)
    assert outcome.clean.turns[1].masks == (Mask.WORDLESS,)


async def test_reliance_is_measured_at_hinted_turns_only() -> None:
    same, other = turn("a", WIRE.model_copy(update={"id": "y"})), turn("b", HEADERS)
    outcome = await clean_to_row(make_hinted_search("I open the wire.", WIRE), MODELS, ListedAssistants([same, other]))
    assert outcome.hinted_turns == 1
    assert [turn.reliance for turn in outcome.clean.turns] == [None, Reliance(samples=2, same=1), None, None]
    assert outcome.clean.reliance is not None
    assert outcome.clean.reliance.share == 0.5


async def test_a_pair_shares_its_prefix_and_prefers_the_hinted_action() -> None:
    worse = turn("I grep.", a_call("grep", id="x", pattern="response"))
    asked = ListedAssistants([worse, worse], qualities=[Quality.PRODUCTIVE, Quality.WASTEFUL])
    (pair,) = (await clean_to_row(make_hinted_search("I open the wire.", WIRE), MODELS, asked)).pairs
    assert pair.chosen.tool_calls == (WIRE,)
    assert pair.rejected == worse
    assert [m.role for m in pair.prefix] == ["system", "user", "assistant", "tool"]
    assert (pair.step, pair.rejected_verdict.quality) == (1, Quality.WASTEFUL)


async def test_a_sample_that_is_no_worse_makes_no_pair() -> None:
    other = turn("I grep.", a_call("grep", id="x", pattern="response"))
    asked = ListedAssistants([other], qualities=[Quality.NEUTRAL, Quality.NEUTRAL])
    assert (await clean_to_row(make_hinted_search("I open the wire.", WIRE), MODELS, asked)).pairs == ()


async def test_what_leans_on_a_hint_is_never_preferred() -> None:
    other = turn("I grep.", a_call("grep", id="x", pattern="response"))
    asked = ListedAssistants([other], qualities=[Quality.PRODUCTIVE, Quality.MISTAKEN])
    assert (await clean_to_row(make_hinted_search("I search on.", HEADERS), MODELS, asked)).pairs == ()


def make_imprecise_search() -> Trace:
    end = finish()
    many = tuple(AnswerFile(path=path, reason="r") for path in (TARGET, "lantern/wire.py", "README.md"))
    accepted = a_result(end).model_copy(update={"answer": many})
    last: tuple[ToolResult, ...] = (accepted,)
    trace = make_hinted_search("I open the wire.", WIRE)
    return trace.model_copy(update={"steps": (*trace.steps[:-1], a_step(end, results=last))})


def test_an_answer_that_names_mostly_other_files_is_not_learned_or_gives_no_row() -> None:
    candidate = CleaningCandidate(make_imprecise_search(), CONTRACT)
    outcome = clean_offline(candidate, OFFLINE)
    assert isinstance(outcome, CleanedTrace)
    assert outcome.clean.turns[-1].masks == (Mask.IMPRECISE,)
    outcome = clean_offline(candidate, CleanSettings(imprecise_answers="drop"))
    assert isinstance(outcome, DroppedTrace)
    assert outcome.code is DropCode.IMPRECISE_ANSWER
    outcome = clean_offline(candidate, CleanSettings(extra_files=0.7))
    assert isinstance(outcome, CleanedTrace)
    assert outcome.clean.turns[-1].weight == 1


def test_dead_ends_stay_unless_they_are_to_go_and_go_only_where_nothing_rests_on_them() -> None:
    trace = make_hinted_search("I open the wire.", WIRE, result="nothing of interest")
    kept, pruned = (
        clean_offline(CleaningCandidate(trace, CONTRACT), CleanSettings(prune_dead_ends=wanted))
        for wanted in (False, True)
    )
    assert isinstance(kept, CleanedTrace)
    assert isinstance(pruned, CleanedTrace)
    assert [turn.step for turn in kept.clean.turns] == [0, 1, 2, 3]
    assert [turn.step for turn in pruned.clean.turns] == [0, 2, 3]
    assert [d.step for d in pruned.clean.dropped] == [1]


def make_candidate_reached_by(name: str, **arguments: str) -> CleaningCandidate:
    """A search whose target only the results of one call show; that call stands right behind a hint."""
    layout, asked = (
        a_call("grep", id="layout", pattern="fingerprint"),
        a_call(name, id="asked", raw=orjson.dumps(arguments).decode()),
    )
    trace = a_trace(
        a_step(
            layout,
            results=[a_result(layout, "README.md")],
            hint="Think of the quux that answers. Which software is built?",
        ),
        a_step(asked, text="I search on.", results=[a_result(asked, TARGET)]),
        reads_target("It came up."),
        a_step(finish(), text="That is it."),
    )
    return CleaningCandidate(trace, CONTRACT)


def test_a_query_out_of_a_hints_words_loses_the_trace() -> None:
    outcome = clean_offline(make_candidate_reached_by("search", query="which part answers"), OFFLINE)
    assert isinstance(outcome, DroppedTrace)
    assert outcome.code is DropCode.NO_CHAIN
    assert outcome.detail == f"{TARGET}: only a hint explains 'answers' in 'query'"


def test_a_query_that_the_tasks_words_carry_is_not_learned_and_leads_on() -> None:
    candidate = make_candidate_reached_by("search", query="fingerprint answers")
    outcome = clean_offline(candidate, OFFLINE)
    assert isinstance(outcome, CleanedTrace)
    assert outcome.clean.turns[1].masks == (Mask.LEAP,)
    assert outcome.clean.weights == (1, 0, 1, 1)
    strict = clean_offline(candidate, CleanSettings(hinted_queries="drop"))
    assert isinstance(strict, DroppedTrace)
    assert strict.code is DropCode.NO_CHAIN


@pytest.mark.parametrize(
    ("tool", "argument", "text", "is_kept"),
    [
        ("search", "query", "server fingerprint software built", True),
        ("search", "query", "server software", True),
        ("search", "query", "software built", False),
        ("search", "query", "server software built", False),
        ("grep", "pattern", "software", False),
        ("find_files", "pattern", "**/software*", False),
    ],
)
def test_what_a_hints_words_in_a_call_cost(tool: str, argument: str, text: str, *, is_kept: bool) -> None:
    """The table of the page on cleaning."""
    outcome = clean_offline(make_candidate_reached_by(tool, **{argument: text}), OFFLINE)
    if isinstance(outcome, CleanedTrace):
        assert is_kept
        assert outcome.clean.turns[1].masks == (Mask.LEAP,)
    else:
        assert (outcome.code, is_kept) == (DropCode.NO_CHAIN, False)


async def test_a_query_that_the_player_comes_to_without_the_hint_leads_on_and_is_learned() -> None:
    candidate = make_candidate_reached_by("search", query="which part answers")
    again = turn("Who answers?", a_call("search", id="x", query="which part answers"))
    outcome = await clean_trace(candidate, MODELS, ListedAssistants([again]))
    assert isinstance(outcome, CleanedTrace)
    assert outcome.clean.turns[1].repair is Repair.ASKED_AGAIN
    assert outcome.clean.weights == (1, 1, 1, 1)


async def test_another_query_without_the_hint_cures_nothing() -> None:
    again = turn("What now?", a_call("search", id="x", query="fingerprint"))
    outcome = await clean_trace(
        make_candidate_reached_by("search", query="which part answers"), MODELS, ListedAssistants([again])
    )
    assert isinstance(outcome, DroppedTrace)
    assert outcome.code is DropCode.NO_CHAIN


def test_a_target_reached_by_a_hints_pattern_always_loses_the_trace() -> None:
    outcome = clean_offline(make_candidate_reached_by("grep", pattern="quux"), OFFLINE)
    assert isinstance(outcome, DroppedTrace)
    assert outcome.code is DropCode.NO_CHAIN


def test_every_way_to_fail_has_its_code() -> None:
    for stop in StopReason:
        outcome = clean_offline(CleaningCandidate(a_trace(a_step(finish()), stop=stop), CONTRACT), OFFLINE)
        assert isinstance(outcome, DroppedTrace)
        assert outcome.code == (DropCode.NO_CHAIN if stop is StopReason.FOUND else stop.value)


def test_hinted_turns_are_those_right_behind_a_hint() -> None:
    trace = make_hinted_search("I open the wire.", WIRE)
    assert find_hinted_turns(trace, strip_supervision(trace, CONTRACT)) == (1,)


async def test_words_that_only_the_judge_hears_are_taken_out_and_the_player_is_not_asked() -> None:
    text = "Off to where somebody wants me. I search for the layout."
    asked = ListedAssistants(judged="Off to where somebody wants me.")
    outcome = await clean_to_row(make_hinted_search(text, a_call("grep", id="more", pattern="layout")), OFFLINE, asked)
    turn = outcome.clean.turns[1]
    assert (turn.action.content, turn.repair, turn.masks) == ("I search for the layout.", Repair.EXCISED, ())
    assert asked.points == []


async def test_turns_before_the_first_hint_are_not_judged() -> None:
    asked = ListedAssistants(judged="I search.")
    outcome = await clean_to_row(
        make_hinted_search("Next.", a_call("grep", id="more", pattern="layout")), OFFLINE, asked
    )
    assert outcome.clean.turns[0].action.content == "I search."
