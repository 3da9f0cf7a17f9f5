"""A judge without a language model: names the files whose shown lines have most of the hint's words in them.

It can only name what stood before the player's eyes, which is less than a language model guesses.
"""

import re
from collections.abc import Mapping

import orjson

from selfplay.core.message import Message
from selfplay.models.offline.heuristic.notes import result_rows
from selfplay.models.offline.heuristic.words import distinct_words, stem
from selfplay.models.protocol import ModelReply, ModelRequest
from selfplay.models.token_counts import estimate_usage

_TASK = "The task:"
_HINT = "Now somebody tells them this:"
_CALLS = "What they called and what it returned:"
_COUNT = re.compile(r"Name at most (\d+), the likeliest first\.\s*\Z")
_READ = re.compile(r'^read_file .*"path":\s*("(?:[^"\\]|\\.)*")', re.MULTILINE)
_LABEL = re.compile(r"^(?=\S)", re.MULTILINE)


class HeuristicJudge:
    """Searches the visible text for the words of the hint, or of the task where there is no hint."""

    @property
    def name(self) -> str:
        """`heuristic`."""
        return "heuristic"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The files that fit best, as JSON. The same question always gets the same answer."""
        why, files = find_best_files([m.value for m in request.messages][-1]["content"])
        content = orjson.dumps({"why": why, "files": files}).decode()
        message = Message(role="assistant", content=content, origin=request.origin)
        return ModelReply(message=message, usage=estimate_usage(request, message), model=self.name)

    async def aclose(self) -> None:
        """Nothing to give back."""


def find_best_files(question: str) -> tuple[str, list[str]]:
    """The reason and the files, unread ones only, for a question as `selfplay.episode.judge` asks it."""
    sections = [_split_section(part) for part in _LABEL.split(question)]
    count = int(found.group(1)) if (found := _COUNT.search(question)) else 1
    searched = "\n".join(text for label, text in sections if label == _CALLS)
    wanted_texts = [text for label, text in sections if label == _HINT] or [
        text for label, text in sections if label == _TASK
    ]
    wanted = {stem(word) for text in wanted_texts for word in distinct_words(text)}
    read = {orjson.loads(path) for path in _READ.findall(searched)}
    scores = {path: len(wanted & stems) for path, stems in _stems_by_path(searched).items() if path not in read}
    best = sorted((path for path, score in scores.items() if score), key=lambda path: (-scores[path], path))
    return f"They have most of these words: {', '.join(sorted(wanted)[:9])}.", best[:count]


def _split_section(part: str) -> tuple[str, str]:
    """A label and the indented lines under it, without their indentation."""
    label, _, text = part.partition("\n")
    return label.strip(), "\n".join(line.removeprefix("    ") for line in text.split("\n"))


def _stems_by_path(searched: str) -> Mapping[str, set[str]]:
    """Paths in results, each with the stems of its own words and of its shown lines."""
    seen: dict[str, set[str]] = {}
    for path, line in result_rows(searched):
        seen.setdefault(path, {stem(word) for word in distinct_words(path)}).update(
            stem(word) for word in distinct_words(line)
        )
    return seen
