from selfplay.config import HintConfig
from selfplay.message import Message, Origin, ToolCall
from selfplay.pacing import Pacing


def turn(*calls: tuple[str, str]) -> Message:
    made = tuple(ToolCall(id=str(i), name=name, arguments=arguments) for i, (name, arguments) in enumerate(calls))
    return Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=made)


def test_every_step_gets_a_hint_whose_level_rises_while_nothing_is_found() -> None:
    pacing = Pacing(HintConfig(policy="every_step", escalate_after=2))
    levels: list[int | None] = []
    for i in range(9):
        pacing.took(turn(("grep", str(i))), has_found=False)
        levels.append(pacing.due())
        pacing.hinted()
    assert levels == [1, 1, 2, 2, 3, 3, 4, 4, 4]


def test_a_find_takes_the_level_back() -> None:
    pacing = Pacing(HintConfig(escalate_after=1))
    for i in range(3):
        pacing.took(turn(("grep", str(i))), has_found=False)
        pacing.hinted()
    pacing.took(turn(("grep", "x")), has_found=True)
    assert pacing.due() == 1


def test_when_stuck_waits_for_steps_without_a_find() -> None:
    pacing = Pacing(HintConfig(policy="when_stuck", stuck_after=3))
    due: list[int | None] = []
    for i in range(4):
        pacing.took(turn(("grep", str(i))), has_found=False)
        due.append(pacing.due())
    assert due == [None, None, 1, 1]


def test_when_stuck_notices_a_repeated_call() -> None:
    pacing = Pacing(HintConfig(policy="when_stuck", stuck_after=99))
    pacing.took(turn(("grep", "a")), has_found=False)
    assert pacing.due() is None
    pacing.took(turn(("read_file", "b"), ("grep", "a")), has_found=False)
    assert pacing.due() == 1


def test_the_same_call_is_noticed_however_it_is_written_and_within_a_turn() -> None:
    for first, second in (
        (turn(("grep", '{"a": 1, "b": 2}')), turn(("grep", '{"b":2,"a":1}'))),
        (turn(("grep", "{}")), turn(("list_dir", "{}"), ("list_dir", "{}"))),
    ):
        pacing = Pacing(HintConfig(policy="when_stuck", stuck_after=99))
        pacing.took(first, has_found=False)
        assert pacing.due() is None
        pacing.took(second, has_found=False)
        assert pacing.due() == 1


def test_turns_that_search_nothing_are_counted_until_one_does() -> None:
    pacing = Pacing(HintConfig())
    pacing.took(turn(), has_found=False)
    pacing.took(turn(("finish", "{}")), has_found=False)
    assert pacing.idle_turns == 2
    pacing.took(turn(("finish", "{}"), ("grep", "a")), has_found=False)
    assert pacing.idle_turns == 0
