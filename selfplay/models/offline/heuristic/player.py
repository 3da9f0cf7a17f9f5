"""A player and a judge without a language model, which both rank files by the words that were shown of them.

The player searches for words, opens the best hits, and follows imports and names. The judge names the files whose shown
lines have most of the hint's words. It can only name what the player was shown, which is less than a language model
guesses.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from selfplay.core.message import Message, ToolCall
from selfplay.models.offline.heuristic.notes import SearchNotes, find_imports, rank_unread, result_rows, take_notes
from selfplay.models.offline.heuristic.words import compound_identifiers, distinct_words, stem
from selfplay.models.protocol import ModelReply, ModelRequest
from selfplay.models.token_counts import estimate_usage

PATIENCE = 3
"""Hits of one search that are read before another search."""
MAX_FILES = 10
QUERY_WORDS = 6


@dataclass(frozen=True, slots=True)
class SearchMove:
    """One call, with the true reason for it."""

    thought: str
    tool: str
    arguments: dict[str, Any]


class HeuristicPlayer:
    """Answers with the next move of a simple search. The same conversation always gets the same answer."""

    @property
    def name(self) -> str:
        """`heuristic`."""
        return "heuristic"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The next move, from the conversation and the tools that are offered."""
        offered = frozenset(tool["function"]["name"] for tool in request.head.get("tools", ()))
        move = choose_move(take_notes([m.value for m in request.messages]), offered)
        arguments = orjson.dumps(move.arguments).decode()
        call = ToolCall(id=f"call_{request.turn}_0", name=move.tool, arguments=arguments)
        message = Message(role="assistant", content=move.thought, origin=request.origin, tool_calls=(call,))
        return ModelReply(
            message=message, finish_reason="tool_calls", usage=estimate_usage(request, message), model=self.name
        )

    async def aclose(self) -> None:
        """Nothing to close."""


def choose_move(notes: SearchNotes, offered: frozenset[str] = frozenset()) -> SearchMove:
    """The first move that is worth making and was not made before; an answer when there is none.

    Moves are made with the tools `offered` only, where that says which those are.
    """
    if "`finish`" in notes.last_advice and notes.read:
        return _make_answer(notes)
    made = {(name, orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)) for name, arguments in notes.calls}
    moves = _propose_moves(notes)
    for move in _keep_to_tools(moves, offered) if offered else moves:
        if (move.tool, orjson.dumps(move.arguments, option=orjson.OPT_SORT_KEYS)) not in made:
            return move
    return _make_answer(notes)


def _keep_to_tools(moves: Iterable[SearchMove], offered: frozenset[str]) -> Iterator[SearchMove]:
    """The moves that can be made; for `search` stands `grep` where there is none."""
    for move in moves:
        if move.tool in offered:
            yield move
        elif move.tool == "search" and "grep" in offered:
            pattern = "|".join(move.arguments["query"].split())
            yield SearchMove(move.thought, "grep", {"pattern": pattern, "ignore_case": True})


def _propose_moves(notes: SearchNotes) -> Iterator[SearchMove]:
    if not notes.calls and notes.task:
        yield _search_for(notes.task[:QUERY_WORDS], "The task speaks of")
    reads = _count_reads_since_search(notes)
    if reads == 0:
        yield from islice(_read_hits(notes), 1)
    yield from _search_new_words(notes)
    if reads < PATIENCE:
        yield from _read_hits(notes)
    yield from _follow_imports(notes)
    yield from _look_up_names(notes)
    yield from _read_hits(notes)
    yield from _search_single_words(notes)
    yield SearchMove("I have not seen how the code base is laid out.", "list_dir", {"path": "", "depth": 3})
    yield from _read_anything(notes)


def _search_for(query: tuple[str, ...], reason: str) -> SearchMove:
    return SearchMove(f"{reason} {_quote_words(query)}; I search for this.", "search", {"query": " ".join(query)})


def _quote_words(words: tuple[str, ...]) -> str:
    quoted = [f"'{word}'" for word in words]
    return " and ".join(part for part in (", ".join(quoted[:-1]), *quoted[-1:]) if part)


def _search_new_words(notes: SearchNotes) -> Iterator[SearchMove]:
    """Words that came up and were not searched for yet, and as many of the task."""
    if not notes.advice or not notes.last_advice:
        return
    searched = {stem(w) for name, args in notes.calls if name == "search" for w in str(args["query"]).split()}
    fresh = tuple(w for w in notes.advice[-1] if stem(w) not in searched)[: QUERY_WORDS // 2]
    if fresh:
        own = tuple(w for w in notes.task if w not in fresh)[: len(fresh)]
        yield _search_for((*own, *fresh), "I have not looked yet for what has to do with")


def _count_reads_since_search(notes: SearchNotes) -> int:
    names = [name for name, _ in notes.calls]
    last = max((i for i, name in enumerate(names) if name in {"search", "grep"}), default=-1)
    return names[last + 1 :].count("read_file")


def _read_hits(notes: SearchNotes) -> Iterator[SearchMove]:
    for path in rank_unread(notes, notes.seen):
        if notes.score(path) <= 0:
            break
        why = [w for w in (*notes.task, *(w for words in notes.advice for w in words)) if _has_word(notes, path, w)]
        named = _quote_words(tuple(dict.fromkeys(why))[:3])
        yield SearchMove(f"{path} came up with {named}, and I have not read it.", "read_file", {"path": path})


def _has_word(notes: SearchNotes, path: str, word: str) -> bool:
    return stem(word) in notes.seen.get(path, ()) or stem(word) in {stem(w) for w in distinct_words(path)}


def _follow_imports(notes: SearchNotes) -> Iterator[SearchMove]:
    """Files that read files import; the latest read first."""
    wanted = notes.word_weights
    ranked: list[tuple[float, int, str, tuple[str, ...]]] = []
    for age, (path, text) in enumerate(reversed(notes.read.items())):
        for parts in dict.fromkeys(find_imports(text)):
            weight = sum(wanted.get(stem(w), 0.0) for part in parts for w in distinct_words(part))
            ranked.append((-weight, age, path, parts))
    for _, _, path, parts in sorted(ranked):
        known = [p for p in notes.seen if _ends_with(p, parts)]
        for found in rank_unread(notes, known)[:1]:
            yield SearchMove(f"{path} imports {found}, which I have not read.", "read_file", {"path": found})
        if not known:
            pattern = f"**/{'/'.join(parts)}*"
            yield SearchMove(
                f"{path} imports {'.'.join(parts)}; I look where that is.", "find_files", {"pattern": pattern}
            )


def _ends_with(path: str, parts: tuple[str, ...]) -> bool:
    bare = path.rsplit(".", 1)[0].split("/")
    return tuple(bare[-len(parts) :]) == parts or tuple(bare[-2:-1]) == parts[-1:]


def _look_up_names(notes: SearchNotes) -> Iterator[SearchMove]:
    """Where names are defined that stand in read files and are made of wanted words."""
    wanted = notes.word_weights
    for path, text in reversed(notes.read.items()):
        scored = [
            (sum(wanted.get(stem(w), 0.0) for w in distinct_words(name)), name) for name in compound_identifiers(text)
        ]
        for weight, name in sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:2]:
            if weight > 0:
                yield SearchMove(f"{path} uses {name}; I look for its definition.", "find_symbol", {"name": name})


def _search_single_words(notes: SearchNotes) -> Iterator[SearchMove]:
    for word in dict.fromkeys((*(w for words in reversed(notes.advice) for w in words), *notes.task)):
        yield _search_for((word,), "I have not searched for this alone:")


def _read_anything(notes: SearchNotes) -> Iterator[SearchMove]:
    for path in rank_unread(notes, notes.seen):
        yield SearchMove(f"I have not read {path} yet, and nothing better is left.", "read_file", {"path": path})


def _make_answer(notes: SearchNotes) -> SearchMove:
    """The read files that fit best, those not named in an earlier answer first."""
    named = {file["path"] for name, args in notes.calls if name == "finish" for file in args["files"]}
    recent = {path: i for i, path in enumerate(notes.read)}
    chosen = sorted(notes.read, key=lambda p: (p in named, -notes.score(p) - 0.1 * recent[p], p))[:MAX_FILES]
    files = [{"path": path, "reason": _reason_for(notes, path)} for path in chosen]
    return SearchMove("I have read the files that came up for the task; these fit best.", "finish", {"files": files})


def _reason_for(notes: SearchNotes, path: str) -> str:
    text = {stem(word) for word in distinct_words(notes.read[path])}
    matching = tuple(word for word in notes.task if stem(word) in text)[:4]
    return (
        f"It deals with {_quote_words(matching)}."
        if matching
        else "It is used by the files that deal with the task's words."
    )


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
        """Nothing to close."""


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
