"""The gate's judge: asks a model which files it would open, with a proposed hint and without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selfplay.asking import Asking, Record, UnansweredError
from selfplay.config import JudgeConfig
from selfplay.events import said
from selfplay.gate.judge import opinion_of, question_wire
from selfplay.message import Message, Origin
from selfplay.models.protocol import Request, Usage
from selfplay.player import Ask, nth
from selfplay.prompts import prompt
from selfplay.supervisor import Report, calls_in_words, indented, thought_of
from selfplay.trace import Guess, Opinion
from selfplay.verdicts import FILES, UnreadableVerdictError, read_files


@dataclass(slots=True)
class Judge:
    """One episode's judge. It is told what the player has been told and has seen, and never of the answer.

    Each question stands for itself: what it answered before is not shown to it again.
    """

    ask: Ask
    config: JudgeConfig
    journal: Record
    task: str
    """The task's text, as the player has it."""
    asking: Asking = field(init=False)
    usages: list[Usage] = field(init=False, default_factory=list[Usage])
    """Of each of its calls since the last step was taken in."""
    told: list[Message] = field(init=False, default_factory=list[Message])
    """Prompt, task, and a report of each step."""
    _recorded: int = field(init=False, default=0)
    _asked: int = field(init=False, default=0)
    _without: tuple[Guess, ...] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Begin with prompt and task."""
        self.asking = Asking("judge", self.ask, self.config, FILES, self.journal)
        task = prompt("judge_task").fill(task=indented(self.task))
        self.told += [
            Message(role="system", content=prompt("judge").text, origin=Origin.PROMPT),
            Message(role="user", content=task, origin=Origin.TASK),
        ]

    def saw(self, report: Report) -> None:
        """Take in a step; guesses without a hint are made anew after it."""
        text = prompt("judge_step").fill(
            number=str(report.number),
            said=indented("\n".join(report.said) or "(nothing)"),
            thought=indented(thought_of(report.action)),
            calls=calls_in_words(
                report.action, {r.message.tool_call_id or "": r.message.content for r in report.results}
            ),
        )
        self.told.append(Message(role="user", content=text[: self.config.max_chars], origin=Origin.REPORT))
        self._without = None
        self.usages = []

    async def opinion(self, hint: str, targets: Sequence[str]) -> Opinion:
        """What it makes of a hint; `targets` are the paths of the targets not found yet. Raises ModelError.

        A reply that can't be read, or a request that its server refuses, names no files.
        """
        if self._without is None:
            self._without = await self._guesses(prompt("judge_question").fill(count=str(self.config.files)))
        if len(opinion_of((), self._without, targets).revealed) == len(targets):
            return Opinion(without=self._without)  # there is nothing left to reveal
        text = prompt("judge_hint").fill(hint=indented(hint), count=str(self.config.files))
        return opinion_of(self._without, await self._guesses(text), targets)

    async def _guesses(self, text: str) -> tuple[Guess, ...]:
        question = Message(role="user", content=text, origin=Origin.REPORT)
        for message in self.told[self._recorded :]:
            self.journal.record(said("judge", message))
        self._recorded = len(self.told)
        since = self._since()
        self.journal.record({**said("judge", question), "since": since})
        return tuple([await self._guess(since, question, number) for number in range(self.config.samples)])

    async def _guess(self, since: int, question: Message, number: int) -> Guess:
        messages = question_wire(self.told, since, question)

        def request_of(head: Mapping[str, Any]) -> Request:
            return Request(head=nth(head, number), messages=messages, turn=self._asked, origin=Origin.JUDGE)

        try:
            reply = await self.asking.reply(request_of)
        except UnansweredError as error:
            return Guess(note=str(error))
        self._asked += 1
        self.usages.append(reply.usage)
        try:
            return Guess(files=read_files(reply)[: self.config.files])
        except UnreadableVerdictError as error:
            return Guess(note=str(error))

    def _since(self) -> int:
        """How many of the first reports are left out, so that the others keep to `max_chars`; never the last one."""
        left, since = self.config.max_chars, len(self.told) - 2
        for report in reversed(self.told[2:]):
            left -= len(report.content)
            if left < 0:
                break
            since -= 1
        return since
