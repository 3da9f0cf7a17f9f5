"""What several commands take: options, and a task and settings as options give them."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import orjson
import typer
from pydantic import ValidationError

from selfplay.cli.console import print_warning
from selfplay.config import HintPolicy, RunConfig, SeatConfig, SectionType, load_config, validate_section
from selfplay.core.errors import ConfigError, InputError, TaskError
from selfplay.core.json_rows import explain_errors
from selfplay.core.task import Task
from selfplay.core.task_rows import parse_task, read_tasks
from selfplay.core.terminal_text import slug
from selfplay.core.wire import Channel
from selfplay.episode.model_kinds import find_offered_kind

ReposOption = Annotated[Path, typer.Option(help="Folder of clones.", envvar="SELFPLAY_REPOS")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
PlayerOption = Annotated[str, typer.Option(help="openai:NAME, heuristic, scripted:FILE or recorded:DIR.")]
SupervisorOption = Annotated[str, typer.Option(help="The same, for the supervisor.")]
BaseUrlOption = Annotated[str, typer.Option(help="Server of both models, up to and including /v1.")]
PolicyOption = Annotated[HintPolicy | None, typer.Option(help="When the supervisor speaks.")]
ChannelOption = Annotated[Channel | None, typer.Option(help="How hints travel.")]
StepsOption = Annotated[int | None, typer.Option(help="Turns the player may take.", min=1)]
JudgeOption = Annotated[
    str, typer.Option(help="A model that looks for echoes too: openai:NAME, scripted:FILE, recorded:DIR.")
]
ServerUrlOption = Annotated[str, typer.Option(help="Its server, up to and including /v1.")]

_URL_BEGINNING = re.compile(r"[A-Za-z0-9+.-]+://[^/]*|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:")
"""The part of a URL or of `user@host:path` in which an @ parts no commit from the repository."""


def repo_and_commit(text: str) -> tuple[str, str]:
    """The repository and the commit, `HEAD` if none is given. A directory whose name holds an @ is taken as it is."""
    beginning = _URL_BEGINNING.match(text)
    start = beginning.end() if beginning else 0
    repo, mark, commit = text[start:].rpartition("@")
    if not mark or not commit or Path(text).expanduser().is_dir():
        return text, "HEAD"
    return text[:start] + repo, commit


LISTED_IDS = 10


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """A task from single options, or one of a task file."""

    repo: str
    commit: str
    text: str
    targets: tuple[str, ...]
    patch: Path | None
    file: Path | None
    id: str

    @property
    def text_file(self) -> Path | None:
        """The file that holds the task's text, if one does."""
        return Path(self.text[1:]) if self.text.startswith("@") else None

    def read_task(self) -> tuple[str, Task]:
        """Where the task stands (`FILE:LINE`, or empty), and the task. Raises InputError."""
        if self.file is None:
            return "", self._parse_options()
        if self.repo or self.text or self.targets or self.patch:
            raise TaskError(
                "--tasks already says what --repo, --task, --target and --patch would; give one or the other"
            )
        return self._choose_from_file(self.file)

    def _parse_options(self) -> Task:
        for option, value in (("--repo", self.repo), ("--task", self.text), ("--target", self.targets)):
            if not value:
                raise TaskError(f"{option} is missing; see `selfplay run --help` for an example")
        prompt = _read_text(self.text_file) if self.text_file else self.text
        row = {
            "id": self.id or f"{slug(Path(self.repo.rstrip('/')).absolute().stem, 16)}-{slug(prompt, 30)}",
            "repo": self.repo,
            "commit": self.commit,
            "prompt": prompt,
            "targets": [_parse_target(t) for t in self.targets],
            "patch": None if self.patch is None else _read_text(self.patch),
        }
        try:
            line = orjson.dumps(row)
        except TypeError as error:
            raise TaskError(f"the command line holds text that is not UTF-8: {error}") from None
        return parse_task(line, "the task on the command line")

    def _choose_from_file(self, file: Path) -> tuple[str, Task]:
        rows = read_tasks(file)
        chosen = [row for row in rows if not self.id or row[1].brief.id == self.id]
        if len(chosen) == 1:
            return chosen[0]
        ids = ", ".join(task.brief.id for _, task in rows[:LISTED_IDS]) + (", ..." if len(rows) > LISTED_IDS else "")
        problem = "several tasks" if chosen else f"no task {self.id!r}"
        raise TaskError(f"{file}: {problem}; give --id, one of {ids}")


def read_bytes(path: Path) -> bytes:
    """A file that an option names. Raises InputError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error


def _read_text(path: Path) -> str:
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from error


def _parse_target(text: str) -> dict[str, object]:
    path, mark, symbol = text.partition("::")
    if mark:
        return {"path": path, "symbol": symbol}
    path, mark, lines = text.rpartition(":")
    first, dash, last = lines.partition("-")
    if mark and dash and first.isdigit() and last.isdigit():
        return {"path": path, "lines": [int(first), int(last)]}
    return {"path": text}


@dataclass(frozen=True, slots=True)
class SettingsOptions:
    """Settings from a file, and from single options that stand above it."""

    file: Path | None
    player: str
    supervisor: str
    base_url: str
    policy: HintPolicy | None
    channel: Channel | None
    steps: int | None

    def make_config(self) -> RunConfig:
        """All of it together; a key's variable that is not set is warned of. Raises ConfigError."""
        base = load_config(self.file) if self.file else RunConfig()
        values = base.model_dump(exclude_defaults=True)
        for section, options in self._overrides().items():
            values[section] = {**values.get(section, {}), **{k: v for k, v in options.items() if v}}
        try:
            config = RunConfig.model_validate(values)
        except ValidationError as error:
            raise ConfigError(f"the settings on the command line: {explain_errors(error, {})}") from None
        others = () if config.hints.policy == "never" else (config.supervisor, config.judge)
        warn_of_missing_keys(config.player, *others)
        return config

    def _overrides(self) -> dict[str, dict[str, object]]:
        return {
            "player": {"model": self.player, "base_url": self.base_url},
            "supervisor": {"model": self.supervisor, "base_url": self.base_url},
            "hints": {"policy": self.policy, "channel": self.channel},
            "limits": {"steps": self.steps},
        }


def override_section(
    section: type[SectionType], base: SectionType | None, over: Mapping[str, object], where: str
) -> SectionType:
    """A section of a configuration, with what the command line says above it; empty values say nothing.

    Raises ConfigError, which begins with `where`.
    """
    values = base.model_dump(exclude_defaults=True) if base else {}
    return validate_section(section, values | {name: value for name, value in over.items() if value}, where)


def override_judge(base: SeatConfig | None, model: str, url: str) -> SeatConfig | None:
    """The echo judge of a configuration, with what the command line says above it. Raises ConfigError.

    A key's variable that is not set is warned of.
    """
    if not model and not url:
        warn_of_missing_keys(base)
        return base
    if base is None and not model:
        raise ConfigError("--judge-url names a server; say with --judge which model to ask there")
    over = {"model": model, "base_url": url}
    judge = override_section(SeatConfig, base, over, "the echo judge on the command line")
    warn_of_missing_keys(judge)
    return judge


def warn_of_missing_keys(*seats: SeatConfig | None) -> None:
    """Warn of each variable that was named for a server's key and is not set: it may be misspelt, or not be needed.

    The default name is no reason to warn, and at the vendor's own server a missing key is an error anyway.
    """
    default = SeatConfig().api_key_env
    asked = [seat for seat in seats if seat is not None and _has_own_server(seat)]
    for name in dict.fromkeys(seat.api_key_env for seat in asked):
        if name != default and not os.environ.get(name, "").strip():
            print_warning(f"api_key_env names {name}, and no such environment variable is set: its server gets no key")


def _has_own_server(seat: SeatConfig) -> bool:
    kind = find_offered_kind(seat)
    return kind is not None and kind.has_servers and bool(seat.base_url or os.environ.get("OPENAI_BASE_URL"))
