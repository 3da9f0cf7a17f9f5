import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from selfplay.config import HintConfig, JudgeConfig, Limits
from selfplay.errors import RequestRefused, TransientModelError
from selfplay.events import read_events
from selfplay.gate.judge import findings_of, is_named, opinion_of
from selfplay.message import Message, Origin
from selfplay.models.heuristic import HeuristicJudge
from selfplay.models.heuristic.judge import best_files
from selfplay.models.prices import Price
from selfplay.models.protocol import Request
from selfplay.models.script import Line, call, fails, judges, says
from selfplay.models.scripted import ScriptedModel
from selfplay.prompts import prompt
from selfplay.replay import read_trace, sent_requests
from selfplay.summary import summary
from selfplay.supervisor import FEEDBACK, indented
from selfplay.trace import Guess, HintKind, Quality, StopReason, Trace
from selfplay.view import View
from selfplay.wire import encode
from tests.selfplay.episodes import TARGETS, Table, table

LIST = says("I look at the layout.", call("list_dir", depth=2))
READ_INLET = says("Messages come in there.", call("read_file", path="pump/inlet.py"))
READ_BOTH = says("Both.", *[call("read_file", path=p) for p in TARGETS])
FINISH = says("These.", call("finish", files=[{"path": p, "reason": "r"} for p in TARGETS]))
ONE = JudgeConfig(samples=1)
TELLING, HARMLESS = "Think of what lets everything out.", "Where does it rest?"


def names(*files: str) -> Line:
    return says(json.dumps({"why": "w", "files": files}))


def told(*hints: str) -> list[Line]:
    return [judges("neutral", "w", hint) for hint in hints]


def desk(tmp_path: Path, judge: JudgeConfig = ONE, *, steps: int = 1, attempts: int = 3) -> Table:
    return table(tmp_path, limits=Limits(steps=steps), hints=HintConfig(attempts=attempts), judge=judge)


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
    assert is_named(target, [name]) is means


def test_only_what_was_never_named_without_the_hint_is_revealed() -> None:
    without = [Guess(files=("a.py",)), Guess(note="unreadable")]
    given = [Guess(files=("a.py", "c.py")), Guess(files=("b.py",))]
    opinion = opinion_of(without, given, ["a.py", "b.py", "d.py"])
    assert opinion.revealed == ("b.py",)
    (finding,) = findings_of("It is so.", opinion)
    assert (finding.kind, finding.text, finding.span) == ("judge", "It is so.", (0, 9))
    assert "b.py" in finding.why
    assert "1 of 2 times" in finding.why
    assert findings_of("x", opinion_of(given, given, ["b.py"])) == ()


async def test_a_hint_by_which_the_judge_finds_a_target_goes_back(tmp_path: Path) -> None:
    supervisor = ScriptedModel(told(TELLING, HARMLESS))
    judge = ScriptedModel([names("pump/inlet.py"), names("drain_valve.py"), names("pump/inlet.py")])
    trace = await desk(tmp_path).play([LIST], supervisor, judge)
    judgement = trace.steps[0].judgement
    assert [[f.kind for f in a.findings] for a in judgement.attempts] == [["judge"], []]
    assert judgement.hint is not None
    assert (judgement.hint.text, judgement.hint.kind) == (HARMLESS, HintKind.REWRITTEN)
    first, second = (a.opinion for a in judgement.attempts)
    assert first is not None
    assert second is not None
    assert first.without == second.without == (Guess(files=("pump/inlet.py",)),)
    assert first.revealed == ("pump/drain_valve.py",)
    assert "pump/drain_valve.py" in supervisor.asked[1].messages[-1].value["content"]
    told_of = summary(trace, tmp_path)
    assert (told_of["refused_by_judge"], told_of["judged"]) == (1, 2)


async def test_the_judge_is_shown_hint_task_and_search_and_nothing_of_the_answer(tmp_path: Path) -> None:
    judge = ScriptedModel([names()] * 4)
    trace = await desk(tmp_path, steps=2).play([LIST, READ_INLET], told(HARMLESS, "What comes in?"), judge)
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
    trace = await desk(tmp_path, attempts=1).play([LIST], told("Open pump/tank.py."), judge)
    assert trace.steps[0].judgement.attempts[0].opinion is None
    assert judge.asked == []


async def test_a_judge_that_names_every_target_by_itself_is_not_asked_with_the_hint(tmp_path: Path) -> None:
    trace = await desk(tmp_path).play([LIST], told(TELLING), [names(*TARGETS)])
    (attempt,) = trace.steps[0].judgement.attempts
    assert attempt.opinion is not None
    assert attempt.opinion.given == ()
    assert attempt.findings == ()


async def test_each_sample_is_asked_with_a_seed_of_its_own_and_only_so_many_files_count(tmp_path: Path) -> None:
    config = JudgeConfig(samples=2, files=1, sampling={"seed": 5})
    judge = ScriptedModel([names("a.py", "pump/tank.py"), names(), names("b.py", "pump/drain_valve.py"), names()])
    trace = await desk(tmp_path, config).play([LIST], told(TELLING), judge)
    assert [request.head["seed"] for request in judge.asked] == [5, 6, 5, 6]
    opinion = trace.steps[0].judgement.attempts[0].opinion
    assert opinion is not None
    assert [g.files for g in (*opinion.without, *opinion.given)] == [("a.py",), (), ("b.py",), ()]
    assert opinion.revealed == ()


async def test_a_guess_that_cant_be_read_names_nothing_and_says_why(tmp_path: Path) -> None:
    trace = await desk(tmp_path).play([LIST], told(TELLING), [says("Hm."), says("Well.")])
    judgement = trace.steps[0].judgement
    opinion = judgement.attempts[0].opinion
    assert opinion is not None
    assert opinion.without == opinion.given == (Guess(note="it holds no JSON object"),)
    assert judgement.hint is not None


async def test_a_conversation_that_does_not_fit_the_judge_names_nothing(tmp_path: Path) -> None:
    trace = await desk(tmp_path).play([LIST], told(TELLING), [fails("context"), names()], is_used_up=False)
    opinion = trace.steps[0].judgement.attempts[0].opinion
    assert opinion is not None
    assert "no longer fits" in (opinion.without[0].note or "")
    assert read_trace(tmp_path / "e.jsonl") == trace


async def test_a_judges_server_that_is_down_parks_the_episode(tmp_path: Path) -> None:
    one = desk(tmp_path)
    with pytest.raises(TransientModelError):
        await one.play([LIST], told(TELLING), [names(), *[fails("server")] * 3, names()])
    assert read_trace(one.path).stop is None
    trace = await one.play([], told(TELLING), [names(), names()], is_used_up=False)
    assert trace.steps[0].judgement.hint is not None


async def test_a_judges_server_that_takes_no_way_of_asking_is_asked_again_when_mended(tmp_path: Path) -> None:
    one = desk(tmp_path)
    with pytest.raises(RequestRefused):
        await one.play([LIST], told(TELLING), [*[fails("refused")] * 3, names()], is_used_up=False)
    judge = ScriptedModel([names(), names()])
    await one.play([], told(TELLING), judge, is_used_up=False)
    assert judge.asked


async def test_the_judges_calls_count_as_usage_and_money(tmp_path: Path) -> None:
    without = await desk(tmp_path / "a").play([LIST], told(TELLING))
    judged = await desk(tmp_path / "b").play([LIST], told(TELLING), [names(), names()])
    assert judged.usage.total_tokens > without.usage.total_tokens
    assert read_trace(tmp_path / "b" / "e.jsonl").usage == judged.usage
    price = Price(input=10.0, cached_input=1.0, output=30.0)
    poor = table(tmp_path / "c", limits=Limits(cost_usd=0.03), judge=ONE)
    trace = await poor.play([LIST], told(TELLING), [names(), names()], price=price)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.COST


PLAYER: Sequence[Line] = [LIST, READ_INLET, READ_BOTH, FINISH]
SUPERVISOR: Sequence[Line] = told(TELLING, HARMLESS, "What is inside?", "And then?", "unused")
JUDGE: Sequence[Line] = [names(), names("drain_valve.py"), names(), names("pump/tank.py"), says("hm")]


async def play_whole(one: Table) -> Trace:
    judge = ScriptedModel([*JUDGE])
    trace = await one.play(ScriptedModel(PLAYER), ScriptedModel(SUPERVISOR), judge, is_used_up=False)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.FOUND
    return trace


async def test_every_call_of_the_judge_is_rebuilt_byte_for_byte(tmp_path: Path) -> None:
    one = desk(tmp_path, steps=9)
    judge = ScriptedModel([*JUDGE])
    await one.play(PLAYER, SUPERVISOR, judge, is_used_up=False)
    sent = list(sent_requests(read_events(one.path)))
    assert all(request.is_exact for request in sent)
    assert [r.body for r in sent if r.seat == "judge"] == [r.body() for r in judge.asked]


async def test_a_cut_journal_with_a_judge_resumes_to_the_same_trace(tmp_path: Path) -> None:
    one = desk(tmp_path, steps=9)
    whole = await play_whole(one)
    data = one.path.read_bytes()
    for size in range(0, len(data), 997):
        one.path.write_bytes(data[:size])
        assert (await play_whole(one)).digest == whole.digest


async def test_a_long_search_loses_its_first_steps_before_the_judge(tmp_path: Path) -> None:
    config = JudgeConfig(samples=1, max_chars=1000)
    judge = ScriptedModel([names()] * 6)
    many = [says(f"Thought {n}. " + "x " * 200, call("grep", pattern=f"zz{n}")) for n in range(3)]
    one = desk(tmp_path, config, steps=3)
    await one.play(many, told("Where?", "Whence?", "Whither?"), judge)
    last = judge.asked[-1].messages[-1].value["content"]
    assert "Thought 2." in last
    assert "Thought 0." not in last
    assert all(request.is_exact for request in sent_requests(read_events(one.path)))


async def test_a_view_tells_of_the_judge(tmp_path: Path) -> None:
    one = desk(tmp_path)
    await one.play([LIST], told(TELLING, HARMLESS), [names(), names("drain_valve.py"), says("hm")])
    printed = StringIO()
    view = View(Console(file=printed, width=200))
    for event in read_events(one.path):
        view.watch(event, False)
    assert "without the hint: nothing | with it: drain_valve.py" in printed.getvalue()
    assert f"refused '{TELLING}': judge" in printed.getvalue()


def question(search: str, hint: str | None = None, count: int = 3) -> str:
    step = prompt("judge_step").fill(
        number="1", said=indented("(nothing)"), thought=indented("hm"), calls=indented(search)
    )
    asked = prompt("judge_question").fill(count=str(count))
    if hint is not None:
        asked = prompt("judge_hint").fill(hint=indented(hint), count=str(count))
    return "\n\n".join([prompt("judge_task").fill(task=indented("count every message that is lost")), step, asked])


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
    assert best_files(question(SEARCH, hint))[1] == files


async def test_the_heuristic_judge_answers_in_the_form_and_to_anything() -> None:
    for text in (question(SEARCH, "pressure of messages", 1), "Hm?"):
        messages = tuple(encode([Message(role="user", content=text, origin=Origin.TASK)]))
        reply = await HeuristicJudge().complete(Request(head={}, messages=messages, turn=0, origin=Origin.JUDGE))
        assert set(json.loads(reply.message.content)) == {"why", "files"}
        assert reply.message.origin is Origin.JUDGE


async def test_with_the_heuristic_judge_words_of_a_listed_target_reveal(tmp_path: Path) -> None:
    grep = says("What is there?", call("grep", pattern="def "))
    supervisor = told("How is pressure released?", "Go on.")
    trace = await desk(tmp_path).play([grep], supervisor, HeuristicJudge())
    judgement = trace.steps[0].judgement
    assert [[f.kind for f in a.findings] for a in judgement.attempts] == [["judge"], []]
    assert judgement.hint is not None
    assert judgement.hint.text not in FEEDBACK[Quality.NEUTRAL]
