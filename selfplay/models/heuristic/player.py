"""A player without a language model: searches for words, opens the best hits, follows imports and names."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from selfplay.message import Message, ToolCall
from selfplay.models.heuristic.notes import Notes, imported, take_notes, unread
from selfplay.models.heuristic.words import distinct, identifiers, stem
from selfplay.models.protocol import Reply, Request
from selfplay.models.usage import estimated

PATIENCE = 3
"""Hits of one search that are read before another search."""
MAX_FILES = 10
QUERY_WORDS = 6


@dataclass(frozen=True, slots=True)
class Move:
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

    async def complete(self, request: Request) -> Reply:
        """The next move, from the conversation alone."""
        move = next_move(take_notes([m.value for m in request.messages]))
        arguments = orjson.dumps(move.arguments).decode()
        call = ToolCall(id=f"call_{request.turn}_0", name=move.tool, arguments=arguments)
        message = Message(role="assistant", content=move.thought, origin=request.origin, tool_calls=(call,))
        return Reply(message=message, finish_reason="tool_calls", usage=estimated(request, message), model=self.name)

    async def aclose(self) -> None:
        """Nothing to give back."""


def next_move(notes: Notes) -> Move:
    """The first move that is worth making and was not made before; an answer when there is none."""
    if "`finish`" in notes.last_said and notes.read:
        return _answer(notes)
    made = {(name, orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)) for name, arguments in notes.calls}
    for move in _moves(notes):
        if (move.tool, orjson.dumps(move.arguments, option=orjson.OPT_SORT_KEYS)) not in made:
            return move
    return _answer(notes)


def _moves(notes: Notes) -> Iterator[Move]:
    if not notes.calls and notes.task:
        yield _search(notes.task[:QUERY_WORDS], "The task speaks of")
    reads = _reads_since_search(notes)
    if reads == 0:
        yield from islice(_hits(notes), 1)
    yield from _new_words(notes)
    if reads < PATIENCE:
        yield from _hits(notes)
    yield from _imports(notes)
    yield from _names(notes)
    yield from _hits(notes)
    yield from _single_words(notes)
    yield Move("I have not seen how the code base is laid out.", "list_dir", {"path": "", "depth": 3})
    yield from _anything(notes)


def _search(query: tuple[str, ...], reason: str) -> Move:
    return Move(f"{reason} {_named(query)}; I search for this.", "search", {"query": " ".join(query)})


def _named(words: tuple[str, ...]) -> str:
    quoted = [f"'{word}'" for word in words]
    return " and ".join(part for part in (", ".join(quoted[:-1]), *quoted[-1:]) if part)


def _new_words(notes: Notes) -> Iterator[Move]:
    """Words that came up and were not searched for yet, and as many of the task."""
    if not notes.advice or not notes.last_said:
        return
    searched = {stem(w) for name, args in notes.calls if name == "search" for w in str(args["query"]).split()}
    fresh = tuple(w for w in notes.advice[-1] if stem(w) not in searched)[: QUERY_WORDS // 2]
    if fresh:
        own = tuple(w for w in notes.task if w not in fresh)[: len(fresh)]
        yield _search((*own, *fresh), "I have not looked yet for what has to do with")


def _reads_since_search(notes: Notes) -> int:
    names = [name for name, _ in notes.calls]
    last = max((i for i, name in enumerate(names) if name == "search"), default=-1)
    return names[last + 1 :].count("read_file")


def _hits(notes: Notes) -> Iterator[Move]:
    for path in unread(notes, notes.seen):
        if notes.score(path) <= 0:
            break
        why = [w for w in (*notes.task, *(w for said in notes.advice for w in said)) if _is_at(notes, path, w)]
        named = _named(tuple(dict.fromkeys(why))[:3])
        yield Move(f"{path} came up with {named}, and I have not read it.", "read_file", {"path": path})


def _is_at(notes: Notes, path: str, word: str) -> bool:
    return stem(word) in notes.seen.get(path, ()) or stem(word) in {stem(w) for w in distinct(path)}


def _imports(notes: Notes) -> Iterator[Move]:
    """Files that read files import; the latest read first."""
    wanted = notes.wanted
    ranked: list[tuple[float, int, str, tuple[str, ...]]] = []
    for age, (path, text) in enumerate(reversed(notes.read.items())):
        for parts in dict.fromkeys(imported(text)):
            weight = sum(wanted.get(stem(w), 0.0) for part in parts for w in distinct(part))
            ranked.append((-weight, age, path, parts))
    for _, _, path, parts in sorted(ranked):
        known = [p for p in notes.seen if _ends_with(p, parts)]
        for found in unread(notes, known)[:1]:
            yield Move(f"{path} imports {found}, which I have not read.", "read_file", {"path": found})
        if not known:
            pattern = f"**/{'/'.join(parts)}*"
            yield Move(f"{path} imports {'.'.join(parts)}; I look where that is.", "find_files", {"pattern": pattern})


def _ends_with(path: str, parts: tuple[str, ...]) -> bool:
    bare = path.rsplit(".", 1)[0].split("/")
    return tuple(bare[-len(parts) :]) == parts or tuple(bare[-2:-1]) == parts[-1:]


def _names(notes: Notes) -> Iterator[Move]:
    """Where names are defined that stand in read files and are made of wanted words."""
    wanted = notes.wanted
    for path, text in reversed(notes.read.items()):
        scored = [(sum(wanted.get(stem(w), 0.0) for w in distinct(name)), name) for name in identifiers(text)]
        for weight, name in sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:2]:
            if weight > 0:
                yield Move(f"{path} uses {name}; I look for its definition.", "find_symbol", {"name": name})


def _single_words(notes: Notes) -> Iterator[Move]:
    for word in dict.fromkeys((*(w for said in reversed(notes.advice) for w in said), *notes.task)):
        yield _search((word,), "I have not searched for this alone:")


def _anything(notes: Notes) -> Iterator[Move]:
    for path in unread(notes, notes.seen):
        yield Move(f"I have not read {path} yet, and nothing better is left.", "read_file", {"path": path})


def _answer(notes: Notes) -> Move:
    """The read files that fit best, those not named in an earlier answer first."""
    named = {file["path"] for name, args in notes.calls if name == "finish" for file in args["files"]}
    recent = {path: i for i, path in enumerate(notes.read)}
    chosen = sorted(notes.read, key=lambda p: (p in named, -notes.score(p) - 0.1 * recent[p], p))[:MAX_FILES]
    files = [{"path": path, "reason": _reason(notes, path)} for path in chosen]
    return Move("I have read the files that came up for the task; these fit best.", "finish", {"files": files})


def _reason(notes: Notes, path: str) -> str:
    text = {stem(word) for word in distinct(notes.read[path])}
    said = tuple(word for word in notes.task if stem(word) in text)[:4]
    return f"It deals with {_named(said)}." if said else "It is used by the files that deal with the task's words."
