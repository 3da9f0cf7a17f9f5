import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from selfplay.cli.episode_view import EpisodeView, summarize_episode
from selfplay.config import EpisodeLimits, HintConfig, JudgeConfig
from selfplay.core.errors import RequestRefused, TransientModelError
from selfplay.core.message import Message, Origin
from selfplay.core.trace import HintKind, JudgeGuess, Quality, StopReason, Trace
from selfplay.core.wire import encode_messages
from selfplay.episode.supervisor import FEEDBACK, indent
from selfplay.gate.guesses import compare_guesses, findings_from_opinion, is_target_named
from selfplay.journal.events import read_events
from selfplay.journal.replay import read_trace, rebuild_requests
from selfplay.models.offline.heuristic import HeuristicJudge
from selfplay.models.offline.heuristic.player import find_best_files
from selfplay.models.offline.scripted import ScriptedModel, ScriptLine, call, fails, judges, says
from selfplay.models.prices import Price
from selfplay.models.protocol import ModelRequest
from selfplay.prompts import load_prompt
from tests.selfplay.episodes import TARGETS, EpisodeFixture, episode_fixture

LIST = says("I look at the layout.", call("list_dir", depth=2))
READ_INLET = says("Messages come in there.", call("read_file", path="pump/inlet.py"))
READ_BOTH = says("Both.", *[call("read_file", path=p) for p in TARGETS])
FINISH = says("These.", call("finish", files=[{"path": p, "reason": "r"} for p in TARGETS]))
ONE = JudgeConfig(samples=1)
TELLING, HARMLESS = "Think of what lets everything out.", "Where does it rest?"


def guess_line(*files: str) -> ScriptLine:
    return says(json.dumps({"why": "w", "files": files}))


def hint_lines(*hints: str) -> list[ScriptLine]:
    return [judges("neutral", "w", hint) for hint in hints]


def judged_episode(tmp_path: Path, judge: JudgeConfig = ONE, *, steps: int = 1, attempts: int = 3) -> EpisodeFixture:
    return episode_fixture(
        tmp_path, limits=EpisodeLimits(steps=steps), hints=HintConfig(attempts=attempts), judge=judge
    )


@pytest.mark.parametrize(
    ("target", "name", "means"),
    [
        ("pump/tank.py", "pump/tank.py", True),
        ("pump/tank.py", "./Pump/Tank.py", True),
        ("pump/tank.py", "tank.py", True),
        ("pump/tank.py", "src/tank.py", True),
        ("pump/tank.py", "pump\\tank.py", True),
        ("pump/tank.py", "bigtank.py", False),
        ("pump/tank.py", "pump/tank", False),
        ("pump/tank.py", "pump", False),
        ("a/pump/__init__.py", "pump/__init__.py", True),
        ("a/pump/__init__.py", "ump/__init__.py", False),
        ("a/pump/__init__.py", "__init__.py", False),
        ("a/pump/__init__.py", "b/__init__.py", False),
        ("setup.py", "setup.py", True),
    ],
)
def test_which_names_mean_a_target(target: str, name: str, means: bool) -> None:  # noqa: FBT001  a table's column
    assert is_target_named(target, [name]) is means


def test_only_what_was_never_named_without_the_hint_is_revealed() -> None:
    without = [JudgeGuess(files=("a.py",)), JudgeGuess(note="unreadable")]
    given = [JudgeGuess(files=("a.py", "c.py")), JudgeGuess(files=("b.py",))]
    opinion = compare_guesses(without, given, ["a.py", "b.py", "d.py"])
    assert opinion.revealed == ("b.py",)
    (finding,) = findings_from_opinion("It is so.", opinion)
    assert (finding.kind, finding.text, finding.span) == ("judge", "It is so.", (0, 9))
    assert "b.py" in finding.why
    assert "1 of 2 times" in finding.why
    assert findings_from_opinion("x", compare_guesses(given, given, ["b.py"])) == ()


async def test_a_hint_by_which_the_judge_finds_a_target_goes_back(tmp_path: Path) -> None:
    supervisor = ScriptedModel(hint_lines(TELLING, HARMLESS))
    judge = ScriptedModel([guess_line("pump/inlet.py"), guess_line("drain_valve.py"), guess_line("pump/inlet.py")])
    trace = await judged_episode(tmp_path).play([LIST], supervisor, judge)
    judgement = trace.steps[0].judgement
    assert [[f.kind for f in a.findings] for a in judgement.attempts] == [["judge"], []]
    assert judgement.hint is not None
    assert (judgement.hint.text, judgement.hint.kind) == (HARMLESS, HintKind.REWRITTEN)
    first, second = (a.opinion for a in judgement.attempts)
    assert first is not None
    assert second is not None
    assert first.without == second.without == (JudgeGuess(files=("pump/inlet.py",)),)
    assert first.revealed == ("pump/drain_valve.py",)
    assert "pump/drain_valve.py" in supervisor.asked[1].messages[-1].value["content"]
    told_of = summarize_episode(trace, tmp_path)
    assert (told_of["refused_by_judge"], told_of["judged"]) == (1, 2)


async def test_the_judge_is_shown_hint_task_and_search_and_nothing_of_the_answer(tmp_path: Path) -> None:
    judge = ScriptedModel([guess_line()] * 4)
    trace = await judged_episode(tmp_path, steps=2).play(
        [LIST, READ_INLET], hint_lines(HARMLESS, "What comes in?"), judge
    )
    bare, hinted, _, later = (request.messages[-1].value["content"] for request in judge.asked)
    assert trace.opening.content in bare
    assert "I look at the layout." in bare
    assert HARMLESS not in bare
    assert HARMLESS in hinted
    assert hinted.startswith(bare[: bare.index("That is all so far")])
    assert "def take(message)" in later
    assert HARMLESS in later, "the player has been told"
    assert not any(word in later for word in ("release_pressure", "let everything out", "self.level"))


async def test_the_judge_is_not_asked_about_hints_that_the_checks_refuse(tmp_path: Path) -> None:
    judge = ScriptedModel([])
    trace = await judged_episode(tmp_path, attempts=1).play([LIST], hint_lines("Open pump/tank.py."), judge)
    assert trace.steps[0].judgement.attempts[0].opinion is None
    assert judge.asked == []


async def test_a_judge_that_names_every_target_by_itself_is_not_asked_with_the_hint(tmp_path: Path) -> None:
    trace = await judged_episode(tmp_path).play([LIST], hint_lines(TELLING), [guess_line(*TARGETS)])
    (attempt,) = trace.steps[0].judgement.attempts
    assert attempt.opinion is not None
    assert attempt.opinion.given == ()
    assert attempt.findings == ()


async def test_each_sample_is_asked_with_a_seed_of_its_own_and_only_so_many_files_count(tmp_path: Path) -> None:
    config = JudgeConfig(samples=2, files=1, sampling={"seed": 5})
    judge = ScriptedModel(
        [guess_line("a.py", "pump/tank.py"), guess_line(), guess_line("b.py", "pump/drain_valve.py"), guess_line()]
    )
    trace = await judged_episode(tmp_path, config).play([LIST], hint_lines(TELLING), judge)
    assert [request.head["seed"] for request in judge.asked] == [5, 6, 5, 6]
    opinion = trace.steps[0].judgement.attempts[0].opinion
    assert opinion is not None
    assert [g.files for g in (*opinion.without, *opinion.given)] == [("a.py",), (), ("b.py",), ()]
    assert opinion.revealed == ()


async def test_a_guess_that_cant_be_read_names_nothing_and_says_why(tmp_path: Path) -> None:
    trace = await judged_episode(tmp_path).play([LIST], hint_lines(TELLING), [says("Hm."), says("Well.")])
    judgement = trace.steps[0].judgement
    opinion = judgement.attempts[0].opinion
    assert opinion is not None
    assert opinion.without == opinion.given == (JudgeGuess(note="it holds no JSON object"),)
    assert judgement.hint is not None


async def test_a_conversation_that_does_not_fit_the_judge_names_nothing(tmp_path: Path) -> None:
    trace = await judged_episode(tmp_path).play(
        [LIST], hint_lines(TELLING), [fails("context"), guess_line()], is_used_up=False
    )
    opinion = trace.steps[0].judgement.attempts[0].opinion
    assert opinion is not None
    assert "no longer fits" in (opinion.without[0].note or "")
    assert read_trace(tmp_path / "e.jsonl") == trace


async def test_a_judges_server_that_is_down_parks_the_episode(tmp_path: Path) -> None:
    one = judged_episode(tmp_path)
    with pytest.raises(TransientModelError):
        await one.play([LIST], hint_lines(TELLING), [guess_line(), *[fails("server")] * 3, guess_line()])
    assert read_trace(one.path).stop is None
    trace = await one.play([], hint_lines(TELLING), [guess_line(), guess_line()], is_used_up=False)
    assert trace.steps[0].judgement.hint is not None


async def test_a_judges_server_that_takes_no_way_of_asking_is_asked_again_when_mended(tmp_path: Path) -> None:
    one = judged_episode(tmp_path)
    with pytest.raises(RequestRefused):
        await one.play([LIST], hint_lines(TELLING), [*[fails("refused")] * 3, guess_line()], is_used_up=False)
    judge = ScriptedModel([guess_line(), guess_line()])
    await one.play([], hint_lines(TELLING), judge, is_used_up=False)
    assert judge.asked


async def test_the_judges_calls_count_as_usage_and_money(tmp_path: Path) -> None:
    without = await judged_episode(tmp_path / "a").play([LIST], hint_lines(TELLING))
    judged = await judged_episode(tmp_path / "b").play([LIST], hint_lines(TELLING), [guess_line(), guess_line()])
    assert judged.usage.total_tokens > without.usage.total_tokens
    assert read_trace(tmp_path / "b" / "e.jsonl").usage == judged.usage
    price = Price(input=10.0, cached_input=1.0, output=30.0)
    poor = episode_fixture(tmp_path / "c", limits=EpisodeLimits(cost_usd=0.03), judge=ONE)
    trace = await poor.play([LIST], hint_lines(TELLING), [guess_line(), guess_line()], price=price)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.COST


PLAYER: Sequence[ScriptLine] = [LIST, READ_INLET, READ_BOTH, FINISH]
SUPERVISOR: Sequence[ScriptLine] = hint_lines(TELLING, HARMLESS, "What is inside?", "And then?", "unused")
JUDGE: Sequence[ScriptLine] = [
    guess_line(),
    guess_line("drain_valve.py"),
    guess_line(),
    guess_line("pump/tank.py"),
    says("hm"),
]


async def play_whole(one: EpisodeFixture) -> Trace:
    judge = ScriptedModel([*JUDGE])
    trace = await one.play(ScriptedModel(PLAYER), ScriptedModel(SUPERVISOR), judge, is_used_up=False)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.FOUND
    return trace


async def test_every_call_of_the_judge_is_rebuilt_byte_for_byte(tmp_path: Path) -> None:
    one = judged_episode(tmp_path, steps=9)
    judge = ScriptedModel([*JUDGE])
    await one.play(PLAYER, SUPERVISOR, judge, is_used_up=False)
    sent = list(rebuild_requests(read_events(one.path)))
    assert all(request.is_exact for request in sent)
    assert [r.body for r in sent if r.seat == "judge"] == [r.body() for r in judge.asked]


async def test_a_cut_journal_with_a_judge_resumes_to_the_same_trace(tmp_path: Path) -> None:
    one = judged_episode(tmp_path, steps=9)
    whole = await play_whole(one)
    data = one.path.read_bytes()
    for size in range(0, len(data), 997):
        one.path.write_bytes(data[:size])
        assert (await play_whole(one)).digest == whole.digest


async def test_a_long_search_loses_its_first_steps_before_the_judge(tmp_path: Path) -> None:
    config = JudgeConfig(samples=1, max_chars=1000)
    judge = ScriptedModel([guess_line()] * 6)
    many = [says(f"Thought {n}. " + "x " * 200, call("grep", pattern=f"zz{n}")) for n in range(3)]
    one = judged_episode(tmp_path, config, steps=3)
    await one.play(many, hint_lines("Where?", "Whence?", "Whither?"), judge)
    last = judge.asked[-1].messages[-1].value["content"]
    assert "Thought 2." in last
    assert "Thought 0." not in last
    assert all(request.is_exact for request in rebuild_requests(read_events(one.path)))


async def test_a_view_tells_of_the_judge(tmp_path: Path) -> None:
    one = judged_episode(tmp_path)
    await one.play([LIST], hint_lines(TELLING, HARMLESS), [guess_line(), guess_line("drain_valve.py"), says("hm")])
    printed = StringIO()
    view = EpisodeView(Console(file=printed, width=200))
    for event in read_events(one.path):
        view.show_event(event, False)
    assert "without the hint: nothing | with it: drain_valve.py" in printed.getvalue()
    assert f"refused '{TELLING}': judge" in printed.getvalue()


def judge_question(search: str, hint: str | None = None, count: int = 3) -> str:
    step = load_prompt("judge_step").fill(
        number="1", said=indent("(nothing)"), thought=indent("hm"), calls=indent(search)
    )
    asked = load_prompt("judge_question").fill(count=str(count))
    if hint is not None:
        asked = load_prompt("judge_hint").fill(hint=indent(hint), count=str(count))
    return "\n\n".join([load_prompt("judge_task").fill(task=indent("count every message that is lost")), step, asked])


SEARCH = """grep {"pattern":"m"}
->
3 matching lines in 3 files
pump/inlet.py
4:def take(message):
pump/tank.py
2:def fill(self, message):
pump/drain_valve.py
1:def release_pressure(tank):

read_file {"path":"pump/inlet.py"}
->
pump/inlet.py: lines 1-1 of 1"""


@pytest.mark.parametrize(
    ("hint", "files"),
    [(None, ["pump/tank.py"]), ("What releases the pressure?", ["pump/drain_valve.py"]), ("Look wider.", [])],
)
def test_the_heuristic_judge_names_unread_files_with_the_words_before_it(hint: str | None, files: list[str]) -> None:
    assert find_best_files(judge_question(SEARCH, hint))[1] == files


async def test_the_heuristic_judge_answers_in_the_form_and_to_anything() -> None:
    for text in (judge_question(SEARCH, "pressure of messages", 1), "Hm?"):
        messages = tuple(encode_messages([Message(role="user", content=text, origin=Origin.TASK)]))
        reply = await HeuristicJudge().complete(ModelRequest(head={}, messages=messages, turn=0, origin=Origin.JUDGE))
        assert set(json.loads(reply.message.content)) == {"why", "files"}
        assert reply.message.origin is Origin.JUDGE


async def test_with_the_heuristic_judge_words_of_a_listed_target_reveal(tmp_path: Path) -> None:
    grep = says("What is there?", call("grep", pattern="def "))
    supervisor = hint_lines("How is pressure released?", "Go on.")
    trace = await judged_episode(tmp_path).play([grep], supervisor, HeuristicJudge())
    judgement = trace.steps[0].judgement
    assert [[f.kind for f in a.findings] for a in judgement.attempts] == [["judge"], []]
    assert judgement.hint is not None
    assert judgement.hint.text not in FEEDBACK[Quality.NEUTRAL]
