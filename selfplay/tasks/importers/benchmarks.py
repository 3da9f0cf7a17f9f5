"""A benchmark's row as a task, or the reason why it is none.

Fields as in the published data sets: SWE-bench, Lite, Verified, SWE-smith (https://github.com/SWE-bench/SWE-bench,
https://github.com/SWE-bench/SWE-smith), Loc-Bench (https://github.com/gersteinlab/LocAgent).
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

import orjson
from pydantic import JsonValue, ValidationError

from selfplay.core.errors import InputError
from selfplay.core.json_rows import explain_errors
from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.tasks.file_kinds import FileKind, file_kind_of
from selfplay.tasks.importers.changed_files import ChangedFile, changed_files
from selfplay.tasks.importers.raw_rows import RowObject, read_objects

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class RepositoryLocations:
    """From names to repositories: a table, a folder of clones, else GitHub."""

    folder: Path | None = None
    table: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def from_path(cls, place: Path | None) -> Self:
        """A folder, or a JSON file `{"owner/name": "path or URL"}`. Raises InputError."""
        if place is None:
            return cls()
        if place.is_dir():
            return cls(folder=place.absolute())
        try:
            value: object = json.loads(place.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{place}: neither a folder nor a JSON file: {error}") from None
        table = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        if not table or not all(isinstance(repo, str) for repo in table.values()):
            raise InputError(f'{place}: write {{"owner/name": "path or URL", ...}}')
        return cls(table={name: str(repo) for name, repo in table.items()})

    def locate(self, name: str) -> str:
        """The `repo` of a task. Raises ValueError with the reason where there is none."""
        if name in self.table:
            return self.table[name]
        if "://" in name:
            return name
        if not _NAME.fullmatch(name):
            raise ValueError(f"repo {name!r} is no owner/name")
        if self.folder is None:
            return f"https://github.com/{name}"
        for candidate in self._candidate_folders(name):
            if any((candidate / mark).exists() for mark in (".git", "HEAD")):
                return str(candidate)
        raise ValueError(f"repo {name!r} is not in {self.folder}, under any of its usual names")

    def _candidate_folders(self, name: str) -> list[Path]:
        """`owner/name`, `owner__name`, `owner+name`, `owner-name`, `name`: with `.git`, or holding a clone `repo`."""
        if self.folder is None:
            return []
        owner, _, last = name.partition("/")
        stems = [name, *(f"{owner}{joint}{last}" for joint in ("__", "+", "--", "-")), last]
        return [self.folder / form for stem in stems for form in (stem, f"{stem}.git", f"{stem}/repo")]


BenchmarkFormat = Literal["swebench", "locbench", "openai"]
BENCHMARK_FORMATS: tuple[BenchmarkFormat, ...] = get_args(BenchmarkFormat)
_META_FIELDS = ("created_at", "version", "difficulty", "category", "image_name")
"""Short fields that go into `meta`."""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that gives no task."""

    where: str
    id: str
    reason: str


def import_rows(
    path: Path, kind: BenchmarkFormat, locations: RepositoryLocations, *, whole_files: bool = False
) -> Iterator[tuple[str, Task | RejectedRow]]:
    """Every row of the file, in order, with where it stands. An id that stood before is rejected.

    `whole_files` gives up the functions that a row names. Raises InputError where the file can't be read.
    """
    seen: dict[str, str] = {}
    for where, value in read_objects(path):
        made = RejectedRow(where, "", value) if isinstance(value, str) else _convert_row(value, where, kind, locations)
        if isinstance(made, Task):
            other = seen.setdefault(made.brief.id, where)
            if other != where:
                made = RejectedRow(where, made.brief.id, f"the id stands at {other} too")
            elif whole_files:
                made = _with_whole_files(made)
        yield where, made


def _convert_row(
    value: RowObject, where: str, kind: BenchmarkFormat, locations: RepositoryLocations
) -> Task | RejectedRow:
    makers: dict[BenchmarkFormat, Callable[[RowObject, RepositoryLocations], Task]] = {
        "swebench": _convert_swebench,
        "locbench": _convert_locbench,
        "openai": _convert_chat,
    }
    try:
        return makers[kind](value, locations)
    except ValidationError as error:
        reason = explain_errors(error, {})
    except ValueError as error:
        reason = str(error)
    return RejectedRow(where, str(value.get("instance_id") or value.get("id") or ""), reason)


def _with_whole_files(task: Task) -> Task:
    targets = tuple(Target(path=path) for path in task.answer.paths)
    return task.model_copy(update={"answer": task.answer.model_copy(update={"targets": targets})})


def _convert_swebench(value: RowObject, locations: RepositoryLocations) -> Task:
    if not value.get("base_commit") and ("image_name" in value or str(value.get("repo", "")).startswith("swesmith/")):
        return _convert_swesmith(value, locations)
    patch = _require_text(value, "patch")
    return _make_task(
        value,
        locations,
        _require_text(value, "base_commit"),
        Answer(targets=_choose_targets(changed_files(patch)), patch=patch),
        "swebench",
    )


def _convert_swesmith(value: RowObject, locations: RepositoryLocations) -> Task:
    """Its patch makes the bug: the task is played after it, on the branch that is named after the row.

    So files that the patch adds are there, and those that it removes are not. The patch is not the answer's: it is
    the change backwards.
    """
    made = changed_files(_require_text(value, "patch"))
    backwards = tuple(ChangedFile(one.after, one.before) for one in made)
    return _make_task(
        value, locations, _require_text(value, "instance_id"), Answer(targets=_choose_targets(backwards)), "swesmith"
    )


def _convert_locbench(value: RowObject, locations: RepositoryLocations) -> Task:
    """Functions first; files of the patch in which no function is named stay whole."""
    patch = value.get("patch") if isinstance(value.get("patch"), str) and value["patch"].strip() else None
    override = _parse_list(value.get("gold_override"))
    if override:
        targets = tuple(map(_parse_target, override))
    else:
        named = tuple(map(_parse_target, _parse_list(value.get("edit_functions"))))
        files = _choose_targets(changed_files(patch)) if patch else ()
        if not named and not files:
            raise ValueError("neither 'edit_functions' nor 'patch' says what is to be found")
        targets = (*named, *(file for file in files if file.path not in {one.path for one in named}))
    return _make_task(
        value,
        locations,
        _require_text(value, "base_commit"),
        Answer(targets=tuple(dict.fromkeys(targets)), patch=patch),
        "locbench",
    )


def _parse_list(value: object) -> list[object]:
    """A list, or one written as a text in JSON, as tables hold it."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return [value] if value.strip() else []
    return list(cast("list[object]", value)) if isinstance(value, list | tuple) else []


def _parse_target(value: object) -> Target:
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


def _convert_chat(value: RowObject, locations: RepositoryLocations) -> Task:
    """The first user message asks; `metadata`, or the row itself, has repo, commit, and targets or a patch."""
    meta = value.get("metadata")
    given: RowObject = {**value, **(cast("RowObject", meta) if isinstance(meta, dict) else {})}
    patch = given.get("patch") if isinstance(given.get("patch"), str) else None
    named = tuple(map(_parse_target, _parse_list(given.get("targets"))))
    if not named and patch is None:
        raise ValueError("neither 'targets' nor 'patch' in metadata says what is to be found")
    targets = tuple(dict.fromkeys(named)) or _choose_targets(changed_files(patch or ""))
    row = {
        **given,
        "instance_id": given.get("instance_id") or given.get("id") or "",
        "problem_statement": _find_question(value.get("messages")),
    }
    commit = _require_text(row, "base_commit" if row.get("base_commit") else "commit")
    return _make_task(row, locations, commit, Answer(targets=targets, patch=patch), "openai")


def _find_question(messages: object) -> str:
    turns = cast("list[object]", messages) if isinstance(messages, list) else []
    for turn in turns:
        if isinstance(turn, dict) and cast("RowObject", turn).get("role") == "user":
            return _join_content(cast("RowObject", turn).get("content"))
    raise ValueError("no message of the user's in 'messages'")


def _join_content(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = cast("list[object]", content) if isinstance(content, list) else []
    texts = (cast("RowObject", part).get("text") for part in parts if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str))


def _choose_targets(files: tuple[ChangedFile, ...]) -> tuple[Target, ...]:
    """Files that were there before and are no tests; documentation only where nothing else is left."""
    there = tuple(dict.fromkeys(one.before for one in files if one.before is not None))
    if not there:
        raise ValueError("the patch changes no file that was there before")
    kinds = {path: file_kind_of(path) for path in there}
    tested = [path for path in there if kinds[path] is not FileKind.TEST]
    code = [path for path in tested if kinds[path] is not FileKind.DOCS]
    if not tested:
        raise ValueError("the patch changes only tests and new files")
    return tuple(Target(path=path) for path in code or tested)


def _make_task(value: RowObject, locations: RepositoryLocations, commit: str, answer: Answer, kind: str) -> Task:
    brief = Brief(
        id=_require_text(value, "instance_id"),
        repo=locations.locate(_require_text(value, "repo")),
        commit=commit,
        prompt=_require_text(value, "problem_statement"),
    )
    kept: dict[str, JsonValue] = {key: value[key] for key in _META_FIELDS if isinstance(value.get(key), str | int)}
    return Task(brief=brief, answer=answer, meta={"from": kind, **kept})


def _require_text(value: RowObject, key: str) -> str:
    found = value.get(key)
    if found is None:
        raise ValueError(f"the field {key!r} is missing")
    if not isinstance(found, str):
        raise ValueError(f"the field {key!r} is no text")  # noqa: TRY004  a row's fault, not a caller's
    if not found.strip():
        raise ValueError(f"the field {key!r} is empty")
    return found
