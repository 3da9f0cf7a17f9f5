"""A benchmark's row as a task, or the reason why it is none.

Fields as in the published data sets: SWE-bench, Lite, Verified, SWE-smith (https://github.com/SWE-bench/SWE-bench,
https://github.com/SWE-bench/SWE-smith), Loc-Bench (https://github.com/gersteinlab/LocAgent).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import orjson
from pydantic import JsonValue, ValidationError

from selfplay.benchmark.patch import ChangedFile, changed_files
from selfplay.benchmark.places import Places
from selfplay.benchmark.reading import Value, read_values
from selfplay.mine.kinds import FileKind, kind_of
from selfplay.rows import explain
from selfplay.task import Answer, Brief, Target, Task

BenchmarkFormat = Literal["swebench", "locbench", "openai"]
FORMATS: tuple[BenchmarkFormat, ...] = get_args(BenchmarkFormat)
_KEPT = ("created_at", "version", "difficulty", "category", "image_name")
"""Short fields that go into `meta`."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that gives no task."""

    where: str
    id: str
    reason: str


def import_rows(
    path: Path, kind: BenchmarkFormat, places: Places, *, whole_files: bool = False
) -> Iterator[tuple[str, Task | Rejected]]:
    """Every row of the file, in order, with where it stands. An id that stood before is rejected.

    `whole_files` gives up the functions that a row names. Raises InputError where the file can't be read.
    """
    seen: dict[str, str] = {}
    for where, value in read_values(path):
        made = Rejected(where, "", value) if isinstance(value, str) else _made(value, where, kind, places)
        if isinstance(made, Task):
            other = seen.setdefault(made.brief.id, where)
            if other != where:
                made = Rejected(where, made.brief.id, f"the id stands at {other} too")
            elif whole_files:
                made = _with_whole_files(made)
        yield where, made


def _made(value: Value, where: str, kind: BenchmarkFormat, places: Places) -> Task | Rejected:
    makers: dict[BenchmarkFormat, Callable[[Value, Places], Task]] = {
        "swebench": _swebench,
        "locbench": _locbench,
        "openai": _openai,
    }
    try:
        return makers[kind](value, places)
    except ValidationError as error:
        reason = explain(error, {})
    except ValueError as error:
        reason = str(error)
    return Rejected(where, str(value.get("instance_id") or value.get("id") or ""), reason)


def _with_whole_files(task: Task) -> Task:
    targets = tuple(Target(path=path) for path in task.answer.paths)
    return task.model_copy(update={"answer": task.answer.model_copy(update={"targets": targets})})


def _swebench(value: Value, places: Places) -> Task:
    if not value.get("base_commit") and ("image_name" in value or str(value.get("repo", "")).startswith("swesmith/")):
        return _swesmith(value, places)
    patch = _text(value, "patch")
    return _task(
        value,
        places,
        _text(value, "base_commit"),
        Answer(targets=_targets(changed_files(patch)), patch=patch),
        "swebench",
    )


def _swesmith(value: Value, places: Places) -> Task:
    """Its patch makes the bug: the task is played after it, on the branch that is named after the row.

    So files that the patch adds are there, and those that it removes are not. The patch is not the answer's: it is
    the change backwards.
    """
    made = changed_files(_text(value, "patch"))
    backwards = tuple(ChangedFile(one.after, one.before) for one in made)
    return _task(value, places, _text(value, "instance_id"), Answer(targets=_targets(backwards)), "swesmith")


def _locbench(value: Value, places: Places) -> Task:
    """Functions first; files of the patch in which no function is named stay whole."""
    patch = value.get("patch") if isinstance(value.get("patch"), str) and value["patch"].strip() else None
    override = _listed(value.get("gold_override"))
    if override:
        targets = tuple(map(_location, override))
    else:
        named = tuple(map(_location, _listed(value.get("edit_functions"))))
        files = _targets(changed_files(patch)) if patch else ()
        if not named and not files:
            raise ValueError("neither 'edit_functions' nor 'patch' says what is to be found")
        targets = (*named, *(file for file in files if file.path not in {one.path for one in named}))
    return _task(
        value,
        places,
        _text(value, "base_commit"),
        Answer(targets=tuple(dict.fromkeys(targets)), patch=patch),
        "locbench",
    )


def _listed(value: object) -> list[object]:
    """A list, or one written as a text in JSON, as tables hold it."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return [value] if value.strip() else []
    return list(cast("list[object]", value)) if isinstance(value, list | tuple) else []


def _location(value: object) -> Target:
    """`path`, `path:Symbol`, or an object with `path` (or `file`) and perhaps `symbol` (or `function`) and `lines`."""
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        path, symbol = given.get("path") or given.get("file"), given.get("symbol") or given.get("function")
        lines = given.get("lines")
        return Target.model_validate({"path": path, "symbol": symbol, "lines": None if lines is None else tuple(lines)})
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no location: write 'path:Symbol'")  # noqa: TRY004  a row's fault, not a caller's
    path, _, symbol = value.strip().partition(":")
    return Target(path=path, symbol=symbol.strip(": ") or None)


def _openai(value: Value, places: Places) -> Task:
    """The first user message asks; `metadata`, or the row itself, has repo, commit, and targets or a patch."""
    meta = value.get("metadata")
    given: Value = {**value, **(cast("Value", meta) if isinstance(meta, dict) else {})}
    patch = given.get("patch") if isinstance(given.get("patch"), str) else None
    named = tuple(map(_location, _listed(given.get("targets"))))
    if not named and patch is None:
        raise ValueError("neither 'targets' nor 'patch' in metadata says what is to be found")
    targets = tuple(dict.fromkeys(named)) or _targets(changed_files(patch or ""))
    row = {
        **given,
        "instance_id": given.get("instance_id") or given.get("id") or "",
        "problem_statement": _asked(value.get("messages")),
    }
    commit = _text(row, "base_commit" if row.get("base_commit") else "commit")
    return _task(row, places, commit, Answer(targets=targets, patch=patch), "openai")


def _asked(messages: object) -> str:
    turns = cast("list[object]", messages) if isinstance(messages, list) else []
    for turn in turns:
        if isinstance(turn, dict) and cast("Value", turn).get("role") == "user":
            return _said(cast("Value", turn).get("content"))
    raise ValueError("no message of the user's in 'messages'")


def _said(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = cast("list[object]", content) if isinstance(content, list) else []
    texts = (cast("Value", part).get("text") for part in parts if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str))


def _targets(files: tuple[ChangedFile, ...]) -> tuple[Target, ...]:
    """Files that were there before and are no tests; documentation only where nothing else is left."""
    there = tuple(dict.fromkeys(one.before for one in files if one.before is not None))
    if not there:
        raise ValueError("the patch changes no file that was there before")
    kinds = {path: kind_of(path) for path in there}
    tested = [path for path in there if kinds[path] is not FileKind.TEST]
    code = [path for path in tested if kinds[path] is not FileKind.DOCS]
    if not tested:
        raise ValueError("the patch changes only tests and new files")
    return tuple(Target(path=path) for path in code or tested)


def _task(value: Value, places: Places, commit: str, answer: Answer, kind: str) -> Task:
    brief = Brief(
        id=_text(value, "instance_id"),
        repo=places.of(_text(value, "repo")),
        commit=commit,
        prompt=_text(value, "problem_statement"),
    )
    kept: dict[str, JsonValue] = {key: value[key] for key in _KEPT if isinstance(value.get(key), str | int)}
    return Task(brief=brief, answer=answer, meta={"from": kind, **kept})


def _text(value: Value, key: str) -> str:
    found = value.get(key)
    if found is None:
        raise ValueError(f"the field {key!r} is missing")
    if not isinstance(found, str):
        raise ValueError(f"the field {key!r} is no text")  # noqa: TRY004  a row's fault, not a caller's
    if not found.strip():
        raise ValueError(f"the field {key!r} is empty")
    return found
