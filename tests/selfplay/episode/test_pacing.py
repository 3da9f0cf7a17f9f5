import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.config import HintConfig
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.trace import Quality, ToolResult
from selfplay.episode.pacing import MAX_LEVEL, Pacing, defaults_of, destination_of, signature_of
from selfplay_tools.tools.tool import AnswerFile, ShownRange

READ_SCHEMA = {
    "type": "function",
    "function": {
        "name": "read_file",
        "parameters": {"properties": {"path": {"type": "string"}, "start": {"default": 1}, "count": {"default": 200}}},
    },
}
STUCK = HintConfig(policy="when_stuck", stuck_after=99, barren_after=99)


def call(name: str, **arguments: object) -> ToolCall:
    return ToolCall(id="i", name=name, arguments=json.dumps(arguments))


def turn(*calls: ToolCall) -> Message:
    return Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=calls)


def result(*shown: ShownRange, text: str = "", ok: bool = True) -> ToolResult:
    return ToolResult(message=Message(role="tool", content=text, origin=Origin.TOOL), ok=ok, shown=shown)


def lines(path: str, first: int, last: int, how: str = "read") -> ShownRange:
    return ShownRange(path=path, first=first, last=last, how="read" if how == "read" else "match")


class PacingScript:
    """Steps, each new in itself if not said otherwise."""

    def __init__(self, hints: HintConfig) -> None:
        self.pacing = Pacing(hints, defaults_of([READ_SCHEMA]))
        self.number = 0

    def step(
        self,
        *calls: ToolCall,
        results: Sequence[ToolResult] | None = None,
        found: bool = False,
        quality: Quality | None = Quality.NEUTRAL,
        is_hinted: bool = False,
    ) -> int | None:
        """Take a step; the level of the hint that was due after it."""
        self.number += 1
        made = calls or (call("grep", pattern=str(self.number)),)
        shown = [result(lines(f"f{self.number}.py", 1, 5))] if results is None else results
        self.pacing.count_step(turn(*made), shown, has_found=found)
        level = self.pacing.due_level()
        self.pacing.count_verdict(quality)
        if is_hinted and level is not None:
            self.pacing.count_hint()
        return level


def test_the_level_rises_with_hints_that_bear_no_fruit() -> None:
    play = PacingScript(HintConfig(escalate_after=2))
    assert [play.step(is_hinted=True) for _ in range(10)] == [1, 1, 1, 2, 2, 3, 3, 4, 4, 4]


def test_the_level_rises_at_once_where_a_hint_is_followed_by_nothing_new() -> None:
    play = PacingScript(HintConfig(escalate_after=1))
    assert [play.step(results=[], is_hinted=True) for _ in range(5)] == [1, 2, 3, 4, 4]


def test_productive_steps_with_something_new_keep_the_level() -> None:
    play = PacingScript(HintConfig(escalate_after=1))
    levels = [play.step(is_hinted=True, quality=Quality.PRODUCTIVE) for _ in range(5)]
    assert levels == [1] * 5


def test_a_step_that_showed_nothing_new_is_no_progress_whatever_the_verdict() -> None:
    play = PacingScript(HintConfig(escalate_after=1))
    assert [play.step(results=[], is_hinted=True, quality=Quality.PRODUCTIVE) for _ in range(3)] == [1, 2, 3]


def test_two_hints_found_fruitless_at_once_raise_the_level_by_one() -> None:
    """The first one by the hint after it, that one by a step that shows nothing new."""
    play = PacingScript(HintConfig(escalate_after=1))
    assert [play.step(is_hinted=True), play.step(is_hinted=True), play.step(results=[])] == [1, 1, 2]


def test_a_find_takes_the_level_back() -> None:
    play = PacingScript(HintConfig(escalate_after=1))
    for _ in range(4):
        play.step(is_hinted=True)
    assert play.step(found=True) == 1


def test_steps_without_a_hint_raise_nothing() -> None:
    play = PacingScript(HintConfig(escalate_after=1))
    assert [play.step() for _ in range(5)] == [1] * 5


events = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.sampled_from([None, *Quality])), max_size=30
)


@given(events, st.integers(1, 3))
def test_a_level_falls_with_a_find_only_and_rises_by_one(
    steps: list[tuple[bool, bool, bool, Quality | None]], escalate_after: int
) -> None:
    play = PacingScript(HintConfig(escalate_after=escalate_after))
    before = 1
    for found, is_barren, is_hinted, quality in steps:
        level = play.step(results=[] if is_barren else None, found=found, quality=quality, is_hinted=is_hinted)
        assert level is not None
        if found:
            assert level == 1
        else:
            assert before <= level <= min(MAX_LEVEL, before + 1)
        before = level


@given(st.integers(0, 5), st.integers(0, 12))
def test_no_more_hints_are_due_than_the_budget_has(budget: int, steps: int) -> None:
    play = PacingScript(HintConfig(budget=budget))
    due = [play.step(is_hinted=True) is not None for _ in range(steps)]
    assert due == [i < budget for i in range(steps)]


def test_when_stuck_waits_for_steps_without_progress_since_the_last_hint() -> None:
    play = PacingScript(HintConfig(policy="when_stuck", stuck_after=3))
    due = [play.step(is_hinted=True) is not None for _ in range(7)]
    assert due == [False, False, True, False, False, True, False]


def test_a_productive_step_begins_the_count_anew() -> None:
    play = PacingScript(HintConfig(policy="when_stuck", stuck_after=2))
    assert play.step(quality=Quality.PRODUCTIVE) is None
    assert play.step() is None
    assert play.step() == 1
    assert play.pacing.is_slow


def test_when_stuck_notices_a_repeated_call() -> None:
    play = PacingScript(STUCK)
    assert play.step(call("grep", pattern="a")) is None
    assert play.step(call("read_file", path="b"), call("grep", pattern="a")) == 1
    assert play.pacing.is_repeating
    assert "made before" in (play.pacing.stuck_reason or "")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{"path": "a", "start": 3}', '{"start":3,"path":"a"}'),
        ('{"path": "a"}', '{"path": "a", "start": 1, "count": 200}'),
        ('{"path": "a"}', '{"path": "a", "count": null}'),
        ("{broken", "{broken"),
    ],
)
def test_the_same_call_is_noticed_however_it_is_written(first: str, second: str) -> None:
    calls = [ToolCall(id="i", name="read_file", arguments=text) for text in (first, second)]
    one, other = (signature_of(c, defaults_of([READ_SCHEMA])) for c in calls)
    assert one == other


def test_other_arguments_are_another_call() -> None:
    defaults = defaults_of([READ_SCHEMA])
    calls = [call("read_file", path="a"), call("read_file", path="a", start=2), call("outline", path="a")]
    assert len({signature_of(c, defaults) for c in calls}) == 3


def test_a_call_made_twice_in_a_turn_is_repeated() -> None:
    play = PacingScript(STUCK)
    assert play.step(call("list_dir"), call("list_dir")) == 1


def test_when_stuck_notices_lines_that_are_read_again_in_other_pieces() -> None:
    play = PacingScript(STUCK)
    play.step(call("read_file", path="a", count=10), results=[result(lines("a", 1, 10))])
    play.step(call("read_file", path="a", start=11), results=[result(lines("a", 11, 20))])
    again = call("read_file", path="a", start=5, count=10)
    assert play.step(again, results=[result(lines("a", 5, 14))]) == 1
    assert play.pacing.is_rereading
    further = call("read_file", path="a", start=5, count=40)
    assert play.step(further, results=[result(lines("a", 5, 44))]) is None


def test_a_match_that_is_then_read_is_no_reading_again() -> None:
    play = PacingScript(STUCK)
    play.step(results=[result(lines("a", 3, 3, "match"))])
    assert play.step(results=[result(lines("a", 3, 3))]) is None
    assert not play.pacing.is_rereading


@pytest.mark.parametrize("period", [2, 3])
def test_a_loop_is_the_same_places_twice_with_less_new_than_old(period: int) -> None:
    play = PacingScript(STUCK)
    paths = "abc"[:period]

    def visit(path: str, first: int, last: int) -> None:
        arguments = {"path": path, "start": first, "count": last - first + 1}
        play.step(call("read_file", **arguments), results=[result(lines(path, first, last))])

    for path in paths:
        visit(path, 1, 20)
        assert not play.pacing.is_looping
    for path in paths:
        visit(path, 10, 22)
    assert play.pacing.is_looping
    assert "to and fro" in (play.pacing.stuck_reason or "")


def test_two_files_read_to_their_ends_in_turns_are_no_loop() -> None:
    play = PacingScript(STUCK)
    for start in (1, 51, 101):
        for path in "ab":
            reading = call("read_file", path=path, start=start)
            assert play.step(reading, results=[result(lines(path, start, start + 49))]) is None


def test_a_place_is_where_a_call_goes_whatever_part_it_asks_for() -> None:
    assert destination_of(call("read_file", path="a", start=1)) == destination_of(call("read_file", start=9, path="a"))
    assert destination_of(call("search", query="pool of Workers")) == destination_of(
        call("search", query="workers of pool")
    )
    assert destination_of(call("search", query="a")) != destination_of(call("grep", pattern="a"))


EMPTY = result(text='No line matches "x" in the root folder (9 files searched).')
REFUSED = result(text="There is no such file.\nDid you mean b?", ok=False)
ANSWER = ToolResult(
    message=Message(role="tool", content="x\nnew", origin=Origin.TOOL),
    ok=True,
    answer=(AnswerFile(path="a", reason="r"),),
)


@pytest.mark.parametrize("barren", [[], [EMPTY], [REFUSED], [ANSWER], [result(lines("a", 2, 4, "match"))]])
def test_when_stuck_notices_steps_that_show_nothing_new(barren: list[ToolResult]) -> None:
    play = PacingScript(HintConfig(policy="when_stuck", stuck_after=99, barren_after=2))
    assert play.step(results=[result(lines("a", 1, 9))]) is None
    assert play.step(results=barren) is None
    assert play.step(results=barren) == 1
    assert play.pacing.is_barren
    assert play.step() is None


def test_a_listing_shows_something_new_once() -> None:
    play = PacingScript(HintConfig(policy="when_stuck", stuck_after=99, barren_after=1))
    listing = result(text="the root folder: 2 files\na.py\nb.py")
    assert play.step(results=[listing]) is None
    assert play.step(results=[listing]) == 1
    assert play.step(results=[result(text="2 paths\na.py\nc.py")]) is None


def test_an_empty_file_is_seen_once() -> None:
    play = PacingScript(HintConfig(policy="when_stuck", stuck_after=99, barren_after=1))
    empty = result(ShownRange(path="a", first=1, last=0, how="read"), text="a: empty file")
    assert play.step(results=[empty]) is None
    assert play.step(results=[empty]) == 1


def test_turns_that_search_nothing_are_counted_until_one_does() -> None:
    pacing = Pacing(HintConfig())
    pacing.count_step(turn(), [], has_found=False)
    pacing.count_step(turn(call("finish")), [], has_found=False)
    assert pacing.idle_turns == 2
    pacing.count_step(turn(call("finish"), call("grep", pattern="a")), [], has_found=False)
    assert pacing.idle_turns == 0
