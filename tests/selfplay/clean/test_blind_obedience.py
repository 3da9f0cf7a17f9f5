"""A player that obeys each hint blindly, and says so: nothing of it is learned."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from selfplay.audit.traces import AuditSeverity, audit_traces
from selfplay.clean.across import AcrossSettings
from selfplay.clean.folder import CleanFolder
from selfplay.clean.funnel import CleaningFunnel
from selfplay.clean.journals import journals_in
from selfplay.clean.run import CleaningWork, clean_to
from selfplay.clean.settings import CleanSettings
from selfplay.config import RunConfig
from selfplay.core.clean_trace import CleanTrace, Mask, Repair
from selfplay.core.drop_codes import DropCode, DroppedTrace
from selfplay.core.trace import Trace
from selfplay.episode.loop import play_episode
from selfplay.episode.play import set_up_episode
from selfplay.episode.seats import SeatModels
from selfplay.export.formats import FORMATS
from selfplay.export.write_rows import write_rows
from selfplay.journal.journal import Journal
from selfplay.models.offline.scripted import ScriptLine, call, judges, says
from selfplay.repos.repositories import Repositories
from tests.repositories import commit_files, make_git_dir
from tests.selfplay.episodes import FILES, TARGETS, make_seat, make_task

FINISH = call("finish", files=[{"path": path, "reason": "messages pass through it"} for path in TARGETS])
HINTS = (
    "Think about where a message is held for a while.",
    "Is there any overflow in this program?",
    "Consider the place where messages enter.",
    "Now think about the part that keeps them.",
    "What lets things go again?",
    None,
)
OBEDIENT = (
    says("I look at the layout.", call("list_dir", path="", depth=3)),
    says("Good point! I'll follow your advice. The task speaks of messages.", call("grep", pattern="message")),
    says("As the hint suggests, I look for overflow.", call("grep", pattern="overflow")),
    says(
        "The search listed the inlet, so I open it.",
        call("read_file", path="pump/inlet.py"),
        reasoning="The supervisor told me to consider where messages enter. The inlet came up in the search.",
    ),
    says("You're right, thanks.", call("read_file", path="pump/tank.py")),
    says("Okay, following your hint. The layout shows a drain valve.", call("read_file", path="pump/drain_valve.py")),
    says("Thank you for the guidance, I found everything.", FINISH),
)
ECHOING = ("advice", "hint", "thank", "right", "good point", "supervisor", "guidance", "told")


@dataclass(frozen=True)
class ObedientRun:
    """Episodes of a player in a folder, and what was cleaned out of them."""

    traces: tuple[Trace, ...]
    clean: CleanFolder
    funnel: CleaningFunnel

    def read_kept(self) -> list[CleanTrace]:
        return [each for each in self.clean.read_outcomes() if isinstance(each, CleanTrace)]

    def read_dropped(self) -> list[DroppedTrace]:
        return [each for each in self.clean.read_outcomes() if isinstance(each, DroppedTrace)]


async def play_obediently(
    tmp_path: Path, *scripts: Sequence[ScriptLine], settings: CleanSettings | None = None
) -> ObedientRun:
    """Play each script against the same hints, on a commit of a real repository, and clean the folder."""
    git_dir = make_git_dir(tmp_path / "pump.git")
    commit_files(git_dir, {name.encode(): text.encode() for name, text in FILES.items()})
    repositories = Repositories(tmp_path / "repos")
    task = make_task(git_dir)
    task = task.model_copy(update={"brief": task.brief.model_copy(update={"commit": "main"})})
    traces: list[Trace] = []
    with closing(repositories.open(task.brief.repo, "main")) as snapshot:
        setup = set_up_episode(task, snapshot, RunConfig())
        for number, script in enumerate(scripts):
            verdicts = [judges("productive", "it follows", hint) for hint in HINTS[: len(script) - 1]]
            seat_models = SeatModels(
                make_seat("player", script), make_seat("supervisor", [*verdicts, judges("productive", "done")])
            )
            with Journal(tmp_path / "traces" / f"e{number}.jsonl") as journal:
                traces.append(
                    await play_episode(f"e{number}", setup, seat_models.make_seats(is_supervised=True), journal)
                )
    place = CleanFolder(tmp_path / "traces" / "clean")
    work = CleaningWork(journals_in(tmp_path / "traces"), settings or CleanSettings())
    return ObedientRun(tuple(traces), place, await clean_to(place, work))


async def test_every_hint_reached_the_player_and_was_obeyed(tmp_path: Path) -> None:
    """Else there would be nothing to clean."""
    (trace,) = (await play_obediently(tmp_path, OBEDIENT)).traces
    hints = [step.judgement.hint.text for step in trace.steps if step.judgement.hint]
    assert hints == [hint for hint in HINTS if hint]


async def test_each_echo_is_repaired_and_the_leap_is_masked(tmp_path: Path) -> None:
    (clean,) = (await play_obediently(tmp_path, OBEDIENT)).read_kept()
    assert [(turn.action.content, turn.action.reasoning, turn.masks) for turn in clean.turns] == [
        ("I look at the layout.", None, ()),
        ("The task speaks of messages.", None, ()),
        ("I look for overflow.", None, (Mask.LEAP,)),
        ("The search listed the inlet, so I open it.", "The inlet came up in the search.", ()),
        ("", None, (Mask.WORDLESS,)),
        ("The layout shows a drain valve.", None, ()),
        ("I found everything.", None, ()),
    ]
    assert [turn.repair for turn in clean.turns] == [None, *[Repair.EXCISED] * 6]


async def test_a_repaired_turn_keeps_its_original_and_its_calls_and_results(tmp_path: Path) -> None:
    played = await play_obediently(tmp_path, OBEDIENT)
    (clean,) = played.read_kept()
    for turn in clean.turns:
        step = played.traces[0].steps[turn.step]
        assert (turn.original or turn.action) == step.action
        assert turn.action.tool_calls == step.action.tool_calls
        assert turn.results == step.results


@pytest.mark.parametrize("form", FORMATS)
async def test_the_exported_rows_pass_the_audit(tmp_path: Path, form: str) -> None:
    place = (await play_obediently(tmp_path, OBEDIENT)).clean
    write_rows(place.read_outcomes(), tmp_path / "sft", FORMATS[form])
    (audited,) = audit_traces([tmp_path / "sft" / "sft.jsonl"], AcrossSettings())
    assert [f for f in audited.findings if f.severity is AuditSeverity.ERROR] == []
    row = (tmp_path / "sft" / "sft.jsonl").read_text()
    words = " ".join(m["content"] or "" for m in orjson.loads(row)["messages"] if m["role"] == "assistant").lower()
    assert not [word for word in ECHOING if word in words]


async def test_the_raw_rows_would_not_have_passed(tmp_path: Path) -> None:
    """The audit sees what cleaning takes out."""
    await play_obediently(tmp_path, OBEDIENT)
    (audited,) = audit_traces([tmp_path / "traces" / "e0.jsonl"], AcrossSettings())
    assert {f.code for f in audited.findings if f.severity is AuditSeverity.ERROR} >= {"echo", "leap"}


async def test_a_target_that_only_a_hint_leads_to_gives_no_row(tmp_path: Path) -> None:
    """It opens a file that nothing has shown."""
    blind = (
        OBEDIENT[1],
        says("As you say.", call("read_file", path="pump/tank.py")),
        says("Following the hint.", call("read_file", path="pump/drain_valve.py")),
        says("Done.", FINISH),
    )
    (dropped,) = (await play_obediently(tmp_path, blind)).read_dropped()
    assert dropped.code is DropCode.NO_CHAIN
    assert dropped.detail.startswith("pump/drain_valve.py: nothing visible explains")


async def test_an_answer_that_thanks_within_its_call_gives_no_row(tmp_path: Path) -> None:
    reason = "you told me to look there, thanks for the advice"
    thanking = call("finish", files=[{"path": path, "reason": reason} for path in TARGETS])
    (dropped,) = (await play_obediently(tmp_path, (*OBEDIENT[:-1], says("", thanking)))).read_dropped()
    assert dropped.code is DropCode.ECHO


async def test_the_same_words_twice_are_one_row(tmp_path: Path) -> None:
    played = await play_obediently(tmp_path, OBEDIENT, OBEDIENT)
    assert [each.code for each in played.read_dropped()] == [DropCode.DUPLICATE]
    assert (played.funnel.traces, played.funnel.rows) == (2, 1)
