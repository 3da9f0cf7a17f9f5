"""Find conversations that repeat an earlier one, by what the model did in them.

Only its actions count: its words and its calls, not the results, which repeat whenever two searches touch the same
code. Compared with the conversations that were kept so far,

- a **duplicate** has the same task text, the same words and the same calls with the same arguments (however their
  JSON is laid out, and whatever the calls' ids are);
- a **near duplicate** shares at least `threshold` (Jaccard) of either
  - the runs of five words of its words and calls, whatever the task is, or
  - its calls and pairs of neighbouring calls, where the task is the same: two attempts that make the same calls
    teach the same, however they are worded.

Similarities are estimates from 256 MinHash values (standard error 0.02 at 0.85). What was found to be a duplicate is
not compared with later ones, so each duplicate resembles a trace that is kept.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import orjson

from selfplay.clean.across.conversation import Conversation
from selfplay.core.message import Message, ToolCall
from selfplay.core.minhash import SketchIndex, sketch_of, word_ngrams
from selfplay.environments.environment import ANSWER_TOOL

RUN_WORDS = 5
"""Words of a run."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class DuplicateMatch:
    """A conversation that resembles an earlier one."""

    of: str
    """The id of the earlier one, which was kept."""
    similarity: float | None
    """Estimated, between 0 and 1; None for an exact duplicate."""
    by: str = ""
    """What is alike: `words and calls`, or `calls`."""


class DuplicateFinder:
    """The conversations that were kept so far; about 10 kB of memory for each."""

    def __init__(self, threshold: float | None) -> None:
        self._threshold = threshold
        self._digests: dict[bytes, str] = {}
        self._whole = SketchIndex()
        self._calls = SketchIndex()

    def add(self, conversation: Conversation) -> DuplicateMatch | None:
        """The earlier conversation that this one repeats; None if there is none, and then it is kept."""
        turns = [m for m in conversation.messages if m.role == "assistant"]
        digest = _digest_of(conversation.task, turns)
        if (of := self._digests.get(digest)) is not None:
            return DuplicateMatch(of, None)
        if self._threshold is not None and (found := self._find_near_duplicate(conversation, turns, self._threshold)):
            return found
        self._digests[digest] = conversation.id
        return None

    def _find_near_duplicate(
        self, conversation: Conversation, turns: Sequence[Message], threshold: float
    ) -> DuplicateMatch | None:
        sketches = [
            ("words and calls", self._whole, sketch_of(word_ngrams(list(words_of(turns)), RUN_WORDS))),
            ("calls", self._calls, sketch_of(call_features(conversation.task, list(calls_of(turns))))),
        ]
        found = [
            DuplicateMatch(like.of, like.similarity, name)
            for name, index, sketch in sketches
            if sketch and (like := index.find_nearest(sketch, threshold))
        ]
        if found:
            return max(found, key=lambda double: double.similarity or 0.0)
        for _, index, sketch in sketches:
            if sketch:
                index.add(conversation.id, sketch)
        return None


def words_of(turns: Iterable[Message]) -> Iterator[str]:
    """The words of what the model thought, said and called, in order and in lower case."""
    for turn in turns:
        for text in (turn.reasoning or "", turn.content):
            yield from _WORD.findall(text.casefold())
        for call in turn.tool_calls:
            yield from _WORD.findall(_canonical_call(call).casefold())


def calls_of(turns: Iterable[Message]) -> Iterator[str]:
    """Each call with its arguments in one order; of `finish` only the files: its reasons are prose."""
    for turn in turns:
        for call in turn.tool_calls:
            yield _canonical_call(call, only_paths=call.name == ANSWER_TOOL)


def call_features(task: str, calls: Sequence[str]) -> list[str]:
    """Calls and pairs of neighbours, each marked with the task and with how often it was there before."""
    seen: dict[str, int] = {}
    marked: list[str] = []
    key = hashlib.sha256(task.encode(errors="replace")).hexdigest()[:16]
    for step in (*calls, *("\0".join(pair) for pair in pairwise(calls))):
        seen[step] = seen.get(step, 0) + 1
        marked.append(f"{key}\0{step}\0{seen[step]}")
    return marked


def _digest_of(task: str, turns: Iterable[Message]) -> bytes:
    parts = [[t.content.strip(), (t.reasoning or "").strip(), *map(_canonical_call, t.tool_calls)] for t in turns]
    return hashlib.sha256(orjson.dumps([task, parts])).digest()


def _canonical_call(call: ToolCall, *, only_paths: bool = False) -> str:
    value: Any = call.parse_arguments()
    if value is None:
        return f"{call.name} {call.arguments.strip()}"
    if only_paths and isinstance(files := value.get("files"), list):
        named = cast("list[Any]", files)
        value = [cast("dict[str, Any]", file).get("path") for file in named if isinstance(file, dict)]
    return f"{call.name} {orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()}"
