"""What the heuristic player knows: read from its conversation, from nothing else."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from selfplay.models.offline.heuristic.words import distinct_words, stem

_ROW = re.compile(r"^\s*(\d+)[:=\t-](.*)$")
_BULLET = re.compile(r"^\s*(?:\d+\. |- )?")
_PATH = re.compile(r"^[^\s\[\"'()]+(?:/[^\s\"'()]+)*\.\w+|^[^\s\[\"'():]+/[^\s\"'():]+$")
_MARK = re.compile(r"`(\[advice [0-9a-f]+\])`")
_IMPORTS = (
    re.compile(r"^\s*from\s+([\w.]+)\s+import\b"),
    re.compile(r"^\s*import\s+(?:static\s+)?([\w.]+)"),
    re.compile(r"^\s*(?:pub\s+)?use\s+(?:crate::)?([\w:]+)"),
    re.compile(r"""(?:\bfrom|\brequire(?:_relative)?\(?)\s*["']([^"']+)["']"""),
    re.compile(r"""^\s*#\s*include\s+["<]([^">]+)[">]"""),
    re.compile(r"""^\s*(?:import\s+)?(?:\w+\s+)?"([\w./-]+/[\w.-]+)"\s*$"""),
)


@dataclass(slots=True)
class SearchNotes:
    """The state of a search, read from its conversation."""

    task: tuple[str, ...] = ()
    """Telling words of the task."""
    advice: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    """Telling words of each message that came since, in order."""
    last_advice: str = ""
    """What came after the last result, as it is."""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    seen: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Paths that results named, with the stems of the words that stood in their shown lines."""
    read: dict[str, str] = field(default_factory=dict[str, str])
    """Paths that were read, in order, with the text that was shown."""

    @property
    def word_weights(self) -> dict[str, float]:
        """Stems of words to look for, with their weights: the latest advice counts most."""
        weights = {stem(word): 1.0 for word in self.task}
        for age, words in enumerate(reversed(self.advice)):
            for word in words:
                weights[stem(word)] = max(weights.get(stem(word), 0.0), 3.0 / (1 + age))
        return weights

    def score(self, path: str) -> float:
        """How much of what is wanted stands in a path and in its lines that were shown."""
        wanted = self.word_weights
        in_path = {stem(word) for word in distinct_words(path)}
        return sum(w * (2.0 * (s in in_path) + (s in self.seen.get(path, ()))) for s, w in wanted.items())


def take_notes(messages: Sequence[Mapping[str, Any]]) -> SearchNotes:
    """Read a conversation in wire form."""
    notes = SearchNotes()
    by_id: dict[str, tuple[str, dict[str, Any]]] = {}
    mark = next((m.group(1) for m in [_MARK.search(messages[0]["content"])] if m), None)
    for message in messages[1:]:
        match message["role"]:
            case "user":
                _note_advice(notes, message["content"].removeprefix(f"{mark} "))
            case "assistant":
                notes.last_advice = ""
                by_id |= _note_calls(notes, message)
            case "tool":
                text, _, advice = message["content"].partition(f"\n\n{mark} ") if mark else (message["content"], "", "")
                _note_result(notes, by_id.get(message["tool_call_id"], ("", {})), text)
                if advice:
                    _note_advice(notes, advice)
            case _:
                pass
    return notes


def _note_advice(notes: SearchNotes, text: str) -> None:
    if not notes.task:
        notes.task = distinct_words(text)
        return
    notes.last_advice = text
    notes.advice.append(distinct_words(text))


def _note_calls(notes: SearchNotes, message: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    made: dict[str, tuple[str, dict[str, Any]]] = {}
    for call in message.get("tool_calls", ()):
        arguments = orjson.loads(call["function"]["arguments"])
        made[call["id"]] = (call["function"]["name"], arguments)
    notes.calls += made.values()
    return made


def _note_result(notes: SearchNotes, call: tuple[str, dict[str, Any]], text: str) -> None:
    name, arguments = call
    if name == "read_file":
        notes.read[str(arguments["path"])] = text
    elif name in {"search", "grep", "find_files", "find_symbol", "find_references"}:
        for path, line in result_rows(text):
            notes.seen.setdefault(path, set()).update(stem(word) for word in distinct_words(line))
    elif name == "list_dir":
        folder = str(arguments.get("path", ""))
        for path in _listed_paths(text, folder):
            notes.seen.setdefault(path, set())


def result_rows(text: str) -> Iterator[tuple[str, str]]:
    """Paths that a result names, each with one shown line of the file (or an empty one)."""
    path = ""
    for line in text.split("\n")[1:]:
        row = _ROW.match(line)
        if row and path:
            yield path, row.group(2)
        elif found := _PATH.match(_BULLET.sub("", line)):
            path = re.sub(r":\d+(-\d+)?:?$", "", found.group().rstrip(":"))
            yield path, ""


def _listed_paths(text: str, folder: str) -> Iterator[str]:
    for line in text.split("\n")[1:]:
        name = line.strip().split("  ")[0]
        if name and not name.endswith("/") and not name.startswith("[") and " -> " not in name:
            yield f"{folder}/{name}" if folder else name


def find_imports(text: str) -> Iterator[tuple[str, ...]]:
    """What a file's shown text imports: the last one or two parts of each name, as path parts without an ending."""
    for line in text.split("\n"):
        row = _ROW.match(line)
        for pattern in _IMPORTS:
            if row and (found := pattern.search(row.group(2))):
                parts = [
                    p for p in re.split(r"[./:\\]+", found.group(1)) if p not in {"", "h", "hpp", "js", "ts", "rb"}
                ]
                if parts:
                    yield tuple(parts[-2:])
                break


def rank_unread(notes: SearchNotes, paths: Iterable[str]) -> list[str]:
    """Those of the paths that were not read, best first."""
    return sorted((p for p in dict.fromkeys(paths) if p not in notes.read), key=lambda p: (-notes.score(p), p))
