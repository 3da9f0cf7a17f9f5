"""Find what a supervisor left in a row, where nothing of it may be."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from selfplay.core.trace import Trace
from selfplay.export.row_models import (
    AssistantTurn,
    RowProblem,
    RowProblemKind,
    RowTurn,
    ToolTurn,
    UserTurn,
    walk_strings,
)

MIN_TEXT_CHARS = 20
"""Characters from which on a hint or nudge is looked for by its text; shorter ones are words that anyone uses."""
MIN_SENTENCE_WORDS = 5
"""Words from which on one sentence of several is looked for; signs of scripts without blanks are words."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_END_SIGNS = " .!?:;,\u2026\u3002\uff01\uff1f\"')]*`"


@dataclass(frozen=True, slots=True)
class Supervision:
    """What must not be in a row."""

    texts: Sequence[str] = ()
    """Every hint and nudge of the trace."""
    mark: str = ""
    """What hints were marked with inside tool results, if they were."""


def supervision_of(trace: Trace, mark: str = "") -> Supervision:
    """Every hint and nudge that the player of a trace was sent."""
    return Supervision(texts=tuple(m.content for step in trace.steps for m in step.messages_after), mark=mark)


def find_supervision(messages: Sequence[RowTurn], supervision: Supervision) -> Iterator[RowProblem]:
    """Places in a row that show a supervisor."""
    for i, message in enumerate(messages):
        if i > 1 and isinstance(message, UserTurn):
            yield _problem_at(i, "a user turn after the task: only hints and nudges stand there")
        if supervision.mark and any(supervision.mark in text for _, text in walk_strings(message.model_dump())):
            yield _problem_at(i, "the mark of a hint inside a tool result")
    yield from _find_hint_texts(messages, supervision.texts)


def _problem_at(number: int, text: str) -> RowProblem:
    return RowProblem(kind=RowProblemKind.SUPERVISION, where=f"messages[{number}]", text=text)


def _texts_to_find(messages: Sequence[RowTurn], texts: Sequence[str]) -> list[str]:
    """The hints and nudges to look for: long enough, and not words of the task itself."""
    return _leave_out_task_words(messages, map(_normalize, texts))


def _sentences_to_find(messages: Sequence[RowTurn], texts: Sequence[str]) -> list[str]:
    """The same of their sentences, without the signs at their ends: the model may have put others there."""
    every = (_normalize(part).strip(_END_SIGNS) for text in texts for part in _SENTENCE_END.split(text))
    return _leave_out_task_words(
        messages, (words for words in every if len(_WORD.findall(words)) >= MIN_SENTENCE_WORDS)
    )


def _leave_out_task_words(messages: Sequence[RowTurn], texts: Iterable[str]) -> list[str]:
    task = next((_normalize(m.content) for m in messages if isinstance(m, UserTurn)), "")
    return [words for words in dict.fromkeys(texts) if len(words) >= MIN_TEXT_CHARS and words not in task]


def _find_hint_texts(messages: Sequence[RowTurn], texts: Sequence[str]) -> Iterator[RowProblem]:
    """Turns of the model that hold the words, or a sentence of them, and results that end with them.

    Elsewhere in a result they are no problem: the player may have read a file that holds them. Nor is a sentence in a
    turn of the model once a result has shown it.
    """
    wholes, sentences = _texts_to_find(messages, texts), _sentences_to_find(messages, texts)
    for i, message in enumerate(messages if wholes or sentences else ()):
        if isinstance(message, AssistantTurn):
            written = " ".join(_normalize(text) for _, text in walk_strings(_texts_of_turn(message)))
            matches = [words for words in wholes if words in written]
            matches += [
                words for words in sentences if words in written and not any(words in whole for whole in matches)
            ]
        elif isinstance(message, ToolTurn):
            content = _normalize(message.content)
            matches = [words for words in wholes if content.endswith(words)]
            sentences = [words for words in sentences if words not in content]
        else:
            continue
        yield from (_problem_at(i, f"words of a hint or nudge: {words[:80]!r}") for words in matches)


def _texts_of_turn(turn: AssistantTurn[Any, Any]) -> list[object]:
    """Everything that the model wrote in a turn."""
    return [turn.content, getattr(turn, "reasoning_content", ""), *(call.values for call in turn.tool_calls)]


def _normalize(text: str) -> str:
    return " ".join(text.split()).casefold()
