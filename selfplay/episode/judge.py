"""The gate's judge: asks a model which files it would open, with a proposed hint and without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selfplay.config import JudgeConfig
from selfplay.core.message import Message, Origin
from selfplay.core.trace import JudgeGuess, JudgeOpinion
from selfplay.core.usage import Usage
from selfplay.episode.form_client import EpisodeRecorder, FormClient, FormUnansweredError
from selfplay.episode.player import ModelCall, vary_seed
from selfplay.episode.reply_forms import FILES_FORM, UnreadableReplyError, read_guessed_paths
from selfplay.episode.supervisor import StepReport, describe_calls, indent, thoughts_of
from selfplay.gate.guesses import compare_guesses, encode_question
from selfplay.journal.events import message_event
from selfplay.models.protocol import ModelRequest
from selfplay.prompts import load_prompt


@dataclass(slots=True)
class Judge:
    """One episode's judge. It gets the task and the reports of the steps, never the answer.

    Each question stands for itself: what it answered before is not shown to it again.
    """

    ask: ModelCall
    config: JudgeConfig
    journal: EpisodeRecorder
    task: str
    """The task's text, as the player has it."""
    form_client: FormClient = field(init=False)
    usages: list[Usage] = field(init=False, default_factory=list[Usage])
    """Of each of its calls since the last step was taken in."""
    messages: list[Message] = field(init=False, default_factory=list[Message])
    """Prompt, task, and a report of each step."""
    _recorded_count: int = field(init=False, default=0)
    _asked_count: int = field(init=False, default=0)
    _guesses_without_hint: tuple[JudgeGuess, ...] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Begin with prompt and task."""
        self.form_client = FormClient("judge", self.ask, self.config, FILES_FORM, self.journal)
        task = load_prompt("judge_task").fill(task=indent(self.task))
        self.messages += [
            Message(role="system", content=load_prompt("judge").text, origin=Origin.PROMPT),
            Message(role="user", content=task, origin=Origin.TASK),
        ]

    def add_step(self, report: StepReport) -> None:
        """Take in a step; guesses without a hint are made anew after it."""
        text = load_prompt("judge_step").fill(
            number=str(report.number),
            said=indent("\n".join(report.previous_words) or "(nothing)"),
            thought=indent(thoughts_of(report.action)),
            calls=describe_calls(
                report.action, {r.message.tool_call_id or "": r.message.content for r in report.results}
            ),
        )
        self.messages.append(Message(role="user", content=text[: self.config.max_chars], origin=Origin.REPORT))
        self._guesses_without_hint = None
        self.usages = []

    async def form_opinion(self, hint: str, targets: Sequence[str]) -> JudgeOpinion:
        """What it makes of a hint; `targets` are the paths of the targets not found yet. Raises ModelError.

        A reply that can't be read, or a request that its server refuses, names no files.
        """
        if self._guesses_without_hint is None:
            self._guesses_without_hint = await self._request_guesses(
                load_prompt("judge_question").fill(count=str(self.config.files))
            )
        if len(compare_guesses((), self._guesses_without_hint, targets).revealed) == len(targets):
            return JudgeOpinion(without=self._guesses_without_hint)  # there is nothing left to reveal
        text = load_prompt("judge_hint").fill(hint=indent(hint), count=str(self.config.files))
        return compare_guesses(self._guesses_without_hint, await self._request_guesses(text), targets)

    async def _request_guesses(self, text: str) -> tuple[JudgeGuess, ...]:
        question = Message(role="user", content=text, origin=Origin.REPORT)
        for message in self.messages[self._recorded_count :]:
            self.journal.record(message_event("judge", message))
        self._recorded_count = len(self.messages)
        since = self._count_left_out()
        self.journal.record({**message_event("judge", question), "since": since})
        return tuple([await self._request_guess(since, question, number) for number in range(self.config.samples)])

    async def _request_guess(self, since: int, question: Message, number: int) -> JudgeGuess:
        messages = encode_question(self.messages, since, question)

        def request_of(head: Mapping[str, Any]) -> ModelRequest:
            return ModelRequest(
                head=vary_seed(head, number), messages=messages, turn=self._asked_count, origin=Origin.JUDGE
            )

        try:
            reply = await self.form_client.request_reply(request_of)
        except FormUnansweredError as error:
            return JudgeGuess(note=str(error))
        self._asked_count += 1
        self.usages.append(reply.usage)
        try:
            return JudgeGuess(files=read_guessed_paths(reply)[: self.config.files])
        except UnreadableReplyError as error:
            return JudgeGuess(note=str(error))

    def _count_left_out(self) -> int:
        """How many of the first reports are left out, so that the others keep to `max_chars`; never the last one."""
        left, since = self.config.max_chars, len(self.messages) - 2
        for report in reversed(self.messages[2:]):
            left -= len(report.content)
            if left < 0:
                break
            since -= 1
        return since
