"""Messages rewritten, by a model, as issues that someone would have filed, through the gate that hints pass."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import anyio
from anyio import CapacityLimiter, to_thread
from pydantic import JsonValue, ValidationError

from selfplay.config import SeatConfig
from selfplay.core.errors import InputError, SelfplayError
from selfplay.core.jsonl import AppendOnlyFile, json_line
from selfplay.core.message import Message, Noun, Origin
from selfplay.core.task import Task
from selfplay.core.wire import encode_messages
from selfplay.gate import ShownText, check_hint, prepare_guard
from selfplay.models.protocol import Model, ModelRequest
from selfplay.models.retry import RetryPolicy, complete_with_retries
from selfplay.prompts import load_prompt
from selfplay.repos.repositories import Repositories
from selfplay.tasks.prompt_leaks import find_leak, leak_meta, make_content_reader
from selfplay_tools.protocols import Snapshot


class RewriteAnswer(Noun):
    """One reply."""

    key: str
    """Of the request: the model's name and every byte that is sent."""
    text: str
    is_whole: bool = True
    """False where the model ran into its length limit or refused."""
    input_tokens: int = 0
    output_tokens: int = 0


class RewriteAnswerFile:
    """The replies in a file. For one process at a time; use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._file = AppendOnlyFile(path, user="is mining here")
        self._known: dict[str, RewriteAnswer] = {}

    def __enter__(self) -> Self:
        """Read what is there.

        Raises InputError for a file of another kind, StorageError where none can be made, JournalError while another
        process has it.
        """
        with ExitStack() as stack:
            stack.enter_context(self._file)
            self._known = {answer.key: answer for answer in self._read()}
            stack.pop_all()
        return self

    def _read(self) -> Iterator[RewriteAnswer]:
        for number, line in self._file.read_lines():
            try:
                yield RewriteAnswer.model_validate_json(line)
            except ValidationError:
                raise InputError(
                    f"{self._file.path}:{number}: not an answer to a rewrite; move the file away to ask anew"
                ) from None

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Close the file."""
        self._file.close()

    def get(self, key: str) -> RewriteAnswer | None:
        """The answer to that request, if it was given before."""
        return self._known.get(key)

    def put(self, answer: RewriteAnswer) -> None:
        """Keep an answer, on disk before this returns. Raises StorageError."""
        self._file.append(json_line(answer.model_dump()))
        self._file.sync()
        self._known[answer.key] = answer


MAX_CHARS = 4000
"""A longer answer is no issue."""
MIN_CHARS = 20
UnrewrittenPolicy = Literal["keep", "drop"]
"""What becomes of a task whose message was not rewritten well: it keeps the message, or it is dropped."""


@dataclass(slots=True)
class RewriteCost:
    """What the rewriting took."""

    asked: int = 0
    """Calls that were made now."""
    known: int = 0
    """Answers that were there from before."""
    input_tokens: int = 0
    output_tokens: int = 0
    """Of the calls made now."""
    failed: int = 0
    """Tasks without an issue that may be used."""


@dataclass(slots=True)
class Rewriter:
    """A model at work. It answers each request once; what it answered before is read."""

    model: Model
    config: SeatConfig
    answers: RewriteAnswerFile
    repositories: Repositories
    tries: int = 3
    unless: UnrewrittenPolicy = "keep"
    at_once: int = 8
    spent: RewriteCost = field(default_factory=RewriteCost)

    async def rewrite(self, tasks: Sequence[Task], on_progress: Callable[[int], None]) -> list[Task]:
        """The tasks with issues as prompts, in order; `on_progress` gets how many are done.

        Raises ModelError when the model can't be had, and RepositoryError: what was answered is kept, the same call
        goes on there.
        """
        done: dict[int, Task | None] = {}
        errors: list[SelfplayError] = []
        limiter, threads = CapacityLimiter(self.at_once), CapacityLimiter(2)
        async with anyio.create_task_group() as group:

            async def rewrite_one(number: int) -> None:
                async with limiter:
                    try:
                        done[number] = await self._rewrite_task(tasks[number], threads)
                        on_progress(len(done))
                    except SelfplayError as error:
                        errors.append(error)
                        group.cancel_scope.cancel()

            for number in range(len(tasks)):
                group.start_soon(rewrite_one, number)
        if errors:
            raise errors[0]
        return [task for number in sorted(done) if (task := done[number]) is not None]

    async def _rewrite_task(self, task: Task, threads: CapacityLimiter) -> Task | None:
        snapshot = await to_thread.run_sync(self.repositories.open, task.brief.repo, task.brief.commit, limiter=threads)
        with closing(snapshot):
            # The task's own words stand in no one's way here: the player will not get them.
            guard = prepare_guard(_with_prompt(task, "-"), snapshot)

            def check(text: str) -> tuple[str, ...]:
                return tuple(f"{found.text!r}: {found.why}" for found in check_hint(text, guard, ShownText()))

            messages = [_make_message("user", load_prompt("issue").fill(message=task.brief.prompt))]
            problems: list[str] = []
            for number in range(1, self.tries + 1):
                answer = await self._get_answer(messages)
                text = answer.text.strip()
                found = _find_shape_problems(answer, text) or await to_thread.run_sync(check, text, limiter=threads)
                if not found:
                    return await to_thread.run_sync(self._replace_prompt, task, text, number, snapshot, limiter=threads)
                problems = list(found)
                listed = "\n".join(f"- {problem}" for problem in found)
                messages += [
                    _make_message("assistant", text or "(nothing)"),
                    _make_message("user", _retry_text(listed)),
                ]
        self.spent.failed += 1
        return None if self.unless == "drop" else _mark_failed(task, self.model.name, problems)

    async def _get_answer(self, messages: Sequence[Message]) -> RewriteAnswer:
        head = {"model": self.config.model_name, **self.config.sampling, **self.config.extra_body}
        request = ModelRequest(head, tuple(encode_messages(messages)), turn=len(messages) // 2)
        key = hashlib.sha256(f"{self.model.name}\0{self.config.base_url or ''}\0".encode() + request.body()).hexdigest()
        known = self.answers.get(key)
        if known is not None:
            self.spent.known += 1
            return known
        reply = await complete_with_retries(self.model, request, RetryPolicy(tries=self.config.tries))
        is_whole = reply.finish_reason not in {"length", "content_filter"} and reply.refusal is None
        answer = RewriteAnswer(
            key=key,
            text=reply.message.content,
            is_whole=is_whole,
            input_tokens=reply.usage.input_tokens,
            output_tokens=reply.usage.output_tokens,
        )
        self.answers.put(answer)
        self.spent.asked += 1
        self.spent.input_tokens += answer.input_tokens
        self.spent.output_tokens += answer.output_tokens
        return answer

    def _replace_prompt(self, task: Task, text: str, tries: int, snapshot: Snapshot) -> Task:
        leaked = find_leak(text, task.answer.targets, make_content_reader(snapshot))
        record: dict[str, JsonValue] = {"by": self.model.name, "tries": tries, "original": task.brief.prompt}
        for key in ("leak", "leaked"):
            if key in task.meta:
                record[f"original_{key}"] = task.meta[key]
        kept = {key: value for key, value in task.meta.items() if key not in {"leak", "leaked"}}
        meta = {**kept, **leak_meta(leaked), "rewritten": record}
        return _with_prompt(task, text).model_copy(update={"meta": meta})


def _make_message(role: Literal["user", "assistant"], text: str) -> Message:
    return Message(role=role, content=text, origin=Origin.PROMPT if role == "user" else Origin.PLAYER)


def _retry_text(findings: str) -> str:
    return load_prompt("issue_again").fill(findings=findings)


def _find_shape_problems(answer: RewriteAnswer, text: str) -> tuple[str, ...]:
    if not answer.is_whole:
        return ("the answer was cut off, or refused",)
    if not MIN_CHARS <= len(text) <= MAX_CHARS:
        return (f"it has {len(text)} characters; an issue has {MIN_CHARS} to {MAX_CHARS}",)
    return ()


def _with_prompt(task: Task, text: str) -> Task:
    return task.model_copy(update={"brief": task.brief.model_copy(update={"prompt": text})})


def _mark_failed(task: Task, by: str, problems: list[str]) -> Task:
    record: dict[str, JsonValue] = {"by": by, "failed": list(problems)}
    return task.model_copy(update={"meta": {**task.meta, "rewritten": record}})
