r"""Secrets in texts: the keys of this run, which are known, and what a scanner takes for secrets.

A known key is also found where the text is JSON inside JSON (escaped several times over, any character as `\uXXXX`),
percent-encoded, or base64 (as in a header for basic authentication). A key is never shown: what is reported is its
variable's name.

The scanner is kingfisher (the package `kingfisher-bin`), and works on this machine only. Texts are written to a private
folder that is removed afterwards; the scanner's options forbid it to validate what it found with any service, to look
for updates, and to show what it found in its report. It gets no environment variable but those that name folders.
"""

import base64
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from selfplay.clean.across.conversation import Conversation, ConversationText
from selfplay.core.errors import ConfigError, SelfplayError
from selfplay.models.openai.endpoint import SHORTEST_SECRET

DEPTH = 4
"""Layers of JSON that are looked through."""
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/]))')


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key: the name of its variable, and every form that is looked for."""

    name: str
    forms: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Key({self.name!r})"


class KnownKeys:
    """The keys that must not be in any text."""

    def __init__(self, keys: Iterable[KnownKey]) -> None:
        self._keys = tuple(keys)

    def names_in(self, text: str) -> tuple[str, ...]:
        """Names of the variables whose values stand in the text."""
        if not self._keys:
            return ()
        layers = list(_unescaped_layers(text))
        return tuple(key.name for key in self._keys if any(form in layer for layer in layers for form in key.forms))

    def redact(self, text: str) -> str:
        """The text with every key replaced by its name; all of it is replaced where an encoded key stands in it."""
        for key in self._keys:
            for form in key.forms:
                text = text.replace(form, f"[{key.name}]")
        return f"[{', '.join(names)}]" if (names := self.names_in(text)) else text


def keys_of(names: Iterable[str], environ: Mapping[str, str] = os.environ) -> KnownKeys:
    """The keys in these environment variables; one too short to protect anything (`EMPTY`) is none."""
    values = ((name, environ.get(name, "").strip()) for name in dict.fromkeys(names))
    return KnownKeys(KnownKey(name, _key_forms(value)) for name, value in values if len(value) >= SHORTEST_SECRET)


def _key_forms(value: str) -> tuple[str, ...]:
    escaped = orjson.dumps(value).decode()[1:-1]
    return tuple(dict.fromkeys((value, escaped, quote(value, safe=""), *_base64_forms(value.encode()))))


def _base64_forms(value: bytes) -> Iterator[str]:
    """What of the key's base64 does not depend on its neighbours, for each of the three ways it can be aligned."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + value).decode()
        first = -(-shift * 8 // 6)
        last = (shift + len(value)) * 8 // 6
        yield whole[first:last]


def _unescaped_layers(text: str) -> Iterator[str]:
    """The text, then the text without one layer of JSON's escapes after the other."""
    yield text
    for _ in range(DEPTH):
        if "\\" not in text:
            return
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
        yield text


TIME_LIMIT_S = 1800.0
"""For one batch."""
CLEAN, FOUND, VALID = 0, 200, 205
"""Exit codes of a scan that was carried out."""
_FOLDERS = frozenset(
    {"HOME", "XDG_CACHE_HOME", "KF_RULE_CACHE_DIR", "TMPDIR", "TEMP", "TMP", "LOCALAPPDATA", "SystemRoot"}
)
_OPTIONS = (
    "--no-validate",
    "--no-update-check",
    "--quiet",
    "--redact",
    "--no-dedup",
    "--no-ignore",
    "--no-extract-archives",
    "--git-history=none",
    "--max-file-size=0",
    "--format=json",
)


class ScanError(SelfplayError):
    """The scanner could not do its work."""


@dataclass(frozen=True, slots=True)
class SecretMatch:
    """Where a rule found something; what it found is not stored."""

    rule: str
    part: ConversationText | None
    """None where the scanner's place is outside of every text."""


def find_scanner() -> Path | None:
    """The scanner's program: beside this Python, or on PATH; None where it is not installed."""
    beside = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    found = next((p for folder in beside if (p := shutil.which("kingfisher", path=str(folder)))), None)
    return Path(found) if found else (Path(p) if (p := shutil.which("kingfisher")) else None)


def require_scanner() -> Path:
    """The scanner's program. Raises ConfigError, saying how to install it."""
    if (program := find_scanner()) is None:
        raise ConfigError(
            "the secret scanner is not installed: pip install '.[secrets]' in selfplay's checkout, or scanner = \"off\""
        )
    return program


def scan(conversations: Sequence[Conversation], program: Path) -> tuple[tuple[SecretMatch, ...], ...]:
    """What stands in each conversation, in order. Blocking. Raises ScanError if the scan was not a whole one."""
    with tempfile.TemporaryDirectory(prefix="selfplay-secrets-") as folder:
        root = Path(folder) / "texts"
        root.mkdir()
        sheets = [_ScanSheet.from_conversation(conversation) for conversation in conversations]
        for number, sheet in enumerate(sheets):
            _write_texts(root / f"{number}.txt", [f"conversation {number}", *(part.text for part in sheet.parts)])
        report = _run_scanner(program, root)
    _check_complete(report, len(sheets))
    found: list[list[SecretMatch]] = [[] for _ in sheets]
    for rule, number, line in _read_findings(report):
        secret = SecretMatch(rule, sheets[number].part_at(line))
        if secret not in found[number]:
            found[number].append(secret)
    return tuple(tuple(sorted(matches, key=_sort_key)) for matches in found)


@dataclass(frozen=True, slots=True)
class _ScanSheet:
    """The texts of a conversation under one another, after a first line that no text can stand in."""

    parts: tuple[ConversationText, ...]
    starts: list[int] = field(default_factory=list[int])
    """Line at which each begins."""

    @classmethod
    def from_conversation(cls, conversation: Conversation) -> "_ScanSheet":
        parts = tuple(conversation.texts)
        starts, line = list[int](), 2
        for part in parts:
            starts.append(line)
            line += part.text.count("\n") + 1
        return cls(parts, starts)

    def part_at(self, line: int) -> ConversationText | None:
        index = bisect_right(self.starts, line) - 1
        return self.parts[index] if index >= 0 else None


def _sort_key(secret: SecretMatch) -> tuple[int, str, str]:
    return (secret.part.message, secret.part.place, secret.rule) if secret.part else (-1, "", secret.rule)


def _write_texts(path: Path, texts: Iterable[str]) -> None:
    """NUL would make the file a binary one, which is scanned by other rules."""
    with path.open("wb") as file:
        for text in texts:
            file.write(text.replace("\0", " ").encode(errors="replace") + b"\n")


def _run_scanner(program: Path, root: Path) -> Mapping[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name in _FOLDERS} | {"PATH": os.defpath}
    try:
        done = subprocess.run(  # noqa: S603  the program that was asked for, with fixed options
            [program, "scan", *_OPTIONS, root],
            cwd=root.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=TIME_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        raise ScanError(f"{program}: no end after {TIME_LIMIT_S:.0f} s; give it smaller batches") from None
    except OSError as error:
        raise ScanError(f"{program}: can't be started: {error.strerror}") from error
    with suppress(orjson.JSONDecodeError):
        if done.returncode in {CLEAN, FOUND, VALID} and isinstance(report := orjson.loads(done.stdout), dict):
            return report  # pyright: ignore[reportUnknownVariableType]  any JSON object
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    raise ScanError(f"{program}: ended with {done.returncode}: {lines[-1] if lines else 'without a word'}")


def _check_complete(report: Mapping[str, Any], files: int) -> None:
    scanned: int = report.get("metadata", {}).get("summary", {}).get("blobs_scanned", -1)
    if scanned != files:
        raise ScanError(
            f"the secret scanner read {scanned} of {files} conversations: nothing can be said of the others"
        )


def _read_findings(report: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Rule, number of the conversation, line."""
    for found in report["findings"]:
        yield found["rule"]["id"], int(Path(found["finding"]["path"]).stem), int(found["finding"]["line"])
