import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay.config import EpisodeLimits, HintConfig
from selfplay.core.trace import HintKind, Quality, Trace
from selfplay.episode.supervisor import FEEDBACK, comparison_key
from selfplay.models.offline.scripted import ScriptedModel, ScriptLine, call, judges, says
from tests.selfplay.episodes import episode_fixture

HINTS = (
    "Where does it rest?",
    "where does IT rest",
    "*Where*  does it rest?!",
    "What leaves?",
    "Open pump/tank.py.",
    None,
)


def search_lines(count: int) -> list[ScriptLine]:
    return [says(f"{n}", call("grep", pattern=f"zz{n}")) for n in range(count)]


def sent_hints(trace: Trace) -> list[str]:
    return [step.judgement.hint.text for step in trace.steps if step.judgement.hint is not None]


async def play(
    tmp_path: Path, steps: int, supervisor: Sequence[ScriptLine] | ScriptedModel, hints: HintConfig | None = None
) -> Trace:
    episode = episode_fixture(tmp_path, hints=hints or HintConfig(), limits=EpisodeLimits(steps=steps))
    return await episode.play(search_lines(steps), supervisor, is_used_up=False)


async def test_a_hint_that_was_given_before_goes_back_with_a_finding_of_its_own(tmp_path: Path) -> None:
    script = [judges("neutral", "w", h) for h in ("Where does it rest?", "WHERE does it  rest", "What leaves?")]
    supervisor = ScriptedModel(script)
    trace = await play(tmp_path, 2, supervisor)
    first, second = trace.steps[1].judgement.attempts
    assert [f.kind for f in first.findings] == ["repeated"]
    assert (first.findings[0].text, first.findings[0].span) == (first.text, (0, len(first.text)))
    assert second.findings == ()
    assert sent_hints(trace) == ["Where does it rest?", "What leaves?"]
    assert "had this hint already" in supervisor.asked[2].messages[-1].value["content"]


async def test_a_supervisor_that_only_repeats_itself_is_replaced_by_feedback_until_that_is_used_up(
    tmp_path: Path,
) -> None:
    hints = HintConfig(attempts=1)
    trace = await play(tmp_path, 7, [judges("neutral", "w", "Where does it rest?")] * 7, hints)
    assert sent_hints(trace) == ["Where does it rest?", *FEEDBACK[Quality.NEUTRAL]]
    kinds = [step.judgement.hint and step.judgement.hint.kind for step in trace.steps]
    assert kinds == [HintKind.PROPOSED, *[HintKind.FEEDBACK] * 4, None, None]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(list(Quality)), st.sampled_from(HINTS)), min_size=1, max_size=6),
    st.none() | st.integers(0, 6),
    st.integers(1, 3),
)
async def test_no_two_hints_of_an_episode_are_equal_and_the_budget_is_kept(
    script: list[tuple[Quality, str | None]], budget: int | None, attempts: int
) -> None:
    hints = HintConfig(budget=budget, attempts=attempts)
    lines = [judges(*pair) for pair in ((q, "w", h) for q, h in script * 20)]
    with tempfile.TemporaryDirectory() as folder:
        trace = await play(Path(folder), 6, lines, hints)
    forms = [comparison_key(text) for text in sent_hints(trace)]
    assert len(set(forms)) == len(forms)
    assert budget is None or len(forms) <= budget
    levels = [s.judgement.hint.level for s in trace.steps if s.judgement.hint is not None]
    assert levels == sorted(levels), "nothing is found: no level falls"


async def test_a_spent_budget_leaves_the_judging_and_says_that_no_hint_is_due(tmp_path: Path) -> None:
    supervisor = ScriptedModel([judges("neutral", "w", "Where does it rest?"), judges("wasteful", "w", "What leaves?")])
    trace = await play(tmp_path, 2, supervisor, HintConfig(budget=1))
    assert sent_hints(trace) == ["Where does it rest?"]
    assert trace.steps[1].judgement.verdict is not None
    assert "No hint is wanted" in supervisor.asked[1].messages[-1].value["content"]


async def test_a_report_says_the_levels_name_and_why_the_player_counts_as_stuck(tmp_path: Path) -> None:
    supervisor = ScriptedModel([judges("neutral", "w"), judges("neutral", "w", "Where does it rest?")])
    hints = HintConfig(policy="when_stuck", barren_after=2)
    await play(tmp_path, 2, supervisor, hints)
    first, second = (request.messages[-1].value["content"] for request in supervisor.asked)
    assert "No hint is wanted now" in first
    assert "A hint at level 1 (direction) is wanted now. The player is stuck: its last 2 steps showed nothing" in second


@pytest.mark.parametrize(("one", "other"), [("A b?", "a  B"), ("**a** `b`", "a b."), ("…", " …")])
def test_hints_are_compared_by_their_words(one: str, other: str) -> None:
    assert comparison_key(one) == comparison_key(other)


def test_no_wording_of_feedback_is_another_one() -> None:
    forms = [comparison_key(text) for texts in FEEDBACK.values() for text in texts]
    assert len(set(forms)) == len(forms)
