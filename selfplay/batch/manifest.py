"""What a run is: written once, and held against every later start, so that a run's data is never mixed."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
from pydantic import JsonValue, ValidationError

from selfplay.batch.episode_tally import prices_of
from selfplay.batch.heartbeat import is_worker_alive, read_worker_state
from selfplay.batch.ledger import UnitLedgers
from selfplay.batch.run_folder import RunFolder
from selfplay.config import RunConfig, episode_shaping_values, validate_section
from selfplay.core.errors import JournalError, RunError, StorageError
from selfplay.core.files import write_atomically, write_if_absent
from selfplay.core.message import Noun
from selfplay.core.wire import WIRE_VERSION
from selfplay.environments.registry import make_run_tools
from selfplay.episode.episode_setup import engine_prompts
from selfplay.journal.events import JOURNAL_VERSION, read_events
from selfplay.models.prices import Price
from selfplay.repos.hidden_files import is_journal
from selfplay_tools import release_version
from selfplay_tools.tools.schema import function_schema

MANIFEST_VERSION = 1
MAY_DIFFER = frozenset({"selfplay"})
"""What may differ between two starts of a run: a program that writes the same journals may be of another version."""


ManifestDifference = tuple[str, JsonValue, JsonValue]
"""Where, and what was and is there."""


def is_unstarted(folder: RunFolder) -> bool:
    """Whether nothing was recorded that could be lost or mixed up, and no worker plays. Blocking."""
    if any(_is_worker_file_alive(path) for path in folder.workers.glob("*.json")):
        return False
    ledgers = UnitLedgers(folder)
    ledgers.refresh()
    if any(line.outcome == "played" for line in ledgers.units.values()):
        return False
    return not any(_has_model_reply(path) for path in _find_journals(folder))


# A run in which no model has answered yet cost nothing: a mistyped setting may be mended there, and it begins anew.
def discard_unstarted(folder: RunFolder) -> None:
    """Remove the journals of an unstarted run: beginnings without any reply. Blocking. Raises StorageError."""
    for path in _find_journals(folder):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError.from_os_error(path, error, "removed") from error


def _find_journals(folder: RunFolder) -> Iterator[Path]:
    return (path for path in sorted(folder.episodes.rglob("*.jsonl")) if is_journal(path))


def _has_model_reply(journal: Path) -> bool:
    try:
        return any(event["event"] == "call" for event in read_events(journal))
    except (JournalError, OSError):
        return True  # it can't be read: it may hold one


def _is_worker_file_alive(worker: Path) -> bool:
    with suppress(OSError):
        return is_worker_alive(read_worker_state(worker), max(0.0, time.time() - worker.stat().st_mtime))
    return False


class RunManifest(Noun):
    """Everything that shapes the episodes of a run, but the tasks themselves: a run takes further ones."""

    manifest: int = MANIFEST_VERSION
    selfplay: str
    journal: int = JOURNAL_VERSION
    wire: int = WIRE_VERSION
    config: dict[str, JsonValue]
    """What differs from the defaults."""
    prompts: dict[str, str]
    """sha256 by name."""
    tools: tuple[dict[str, JsonValue], ...]
    """Schemas of the player's tools."""


def manifest_of(config: RunConfig) -> RunManifest:
    """What a run with this configuration and this program is. Raises ConfigError for tools that can't be offered."""
    value = {
        "selfplay": release_version(),
        "config": config.model_dump(mode="json", exclude_defaults=True),
        "prompts": {name: prompt.sha256 for name, prompt in engine_prompts(config).items()},
        "tools": [function_schema(tool) for tool in make_run_tools(config)],
    }
    return RunManifest.model_validate_json(orjson.dumps(value))


def ensure_manifest(folder: RunFolder, manifest: RunManifest, *, may_begin_anew: bool = False) -> None:
    """Write the manifest of a new run, or make sure that the run in the folder is the same.

    With `may_begin_anew` a run in which no model has answered yet becomes the new one. Raises RunError with every
    difference for another run, and StorageError where it can't be written.
    """
    _require_manifest_beside_episodes(folder)
    if not folder.manifest.exists() and write_if_absent(folder.manifest, _encode_manifest(manifest)) is None:
        write_atomically(folder.manifest, _encode_manifest(manifest))
    try:
        require_same_run(folder, manifest)
    except RunError:
        if not (may_begin_anew and is_unstarted(folder)):
            raise
        discard_unstarted(folder)
        write_atomically(folder.manifest, _encode_manifest(manifest))


def require_same_run(folder: RunFolder, manifest: RunManifest) -> None:
    """Raises RunError with every difference where the run in the folder is another one."""
    before = read_manifest(folder)
    differences = (
        *_find_differences(_select_shaping(before), _select_shaping(manifest)),
        *_find_price_changes(before.config, manifest.config),
    )
    if differences:
        listing = "\n".join(f"  {place}: was {_shorten(old)}, is {_shorten(new)}" for place, old, new in differences)
        raise RunError(
            f"{folder.root} holds a run of another kind, and its data must not be mixed:\n{listing}\n"
            "start with what it was begun with, give another --out, or --fork to begin anew beside it"
        )


def _select_shaping(manifest: RunManifest) -> JsonValue:
    return {**manifest.model_dump(mode="json"), "config": episode_shaping_values(manifest.config)}


def _find_price_changes(old: dict[str, JsonValue], new: dict[str, JsonValue]) -> Iterator[ManifestDifference]:
    """Seats whose model moved to where it costs something else: one run's money is counted in one way."""
    before, after = (prices_of(validate_section(RunConfig, config, "manifest: config")) for config in (old, new))
    for seat in before.keys() & after.keys():
        if before[seat] != after[seat] and episode_shaping_values(old).get(seat) == episode_shaping_values(new).get(
            seat
        ):
            yield (
                f"the {seat}'s price per token, by its base_url",
                _describe_price(before[seat]),
                _describe_price(after[seat]),
            )


def _describe_price(price: Price | None) -> JsonValue:
    return "not known" if price is None else price.model_dump(mode="json", exclude_defaults=True)


def read_manifest(folder: RunFolder) -> RunManifest:
    """The manifest of a run. Raises RunError where there is none, or none that can be read."""
    try:
        data = folder.manifest.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{folder.root}: no run in it: there is no {folder.manifest.name}") from None
    except OSError as error:
        raise RunError(f"{folder.manifest}: can't be read: {error.strerror}") from error
    return parse_manifest(data, str(folder.manifest))


def parse_manifest(data: bytes, where: str) -> RunManifest:
    """A manifest's content. Raises RunError."""
    try:
        return RunManifest.model_validate_json(data)
    except ValidationError as error:
        raise RunError(
            f"{where}: not a manifest of this program's version "
            f"({error.errors()[0]['msg']}); go on with the version that began the run, or give another --out"
        ) from None


def _require_manifest_beside_episodes(folder: RunFolder) -> None:
    if folder.episodes.exists() and not folder.manifest.exists():  # in this order: another worker may just begin
        raise RunError(
            f"{folder.root} holds episodes and no {folder.manifest.name}: put it back, or give another --out"
        )


def find_fork_folder(folder: RunFolder) -> RunFolder:
    """The first folder beside a run's that is free: `NAME-2`, `NAME-3`, ..."""
    number = 2
    here = folder.root if folder.root.name not in {"", ".."} else folder.root.resolve()
    while (root := here.with_name(f"{here.name}-{number}")).exists():
        number += 1
    return RunFolder(root)


def _find_differences(old: JsonValue, new: JsonValue, place: str = "") -> list[ManifestDifference]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in {**old, **new} if place or key not in MAY_DIFFER]
        return [d for key in keys for d in _find_differences(old.get(key), new.get(key), f"{place}.{key}".lstrip("."))]
    return [] if old == new else [(place, old, new)]


def _shorten(value: object) -> str:
    if value is None:
        return "not set"
    text = orjson.dumps(value).decode()
    return text if len(text) <= 100 else text[:97] + "..."  # noqa: PLR2004  a line's worth


def _encode_manifest(manifest: RunManifest) -> bytes:
    return orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_run_config(folder: RunFolder) -> RunConfig:
    """What the run was begun with. Raises RunError, and ConfigError for another version's configuration."""
    return validate_section(RunConfig, read_manifest(folder).config, f"{folder.manifest}: config")
