"""Which segments a store has: one small file, replaced as a whole.

It names the version of everything in the store; another version counts as an empty store, whose files are removed and
made anew.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from selfplay_tools.index.store.array_file import write_atomically
from selfplay_tools.index.store.blob_segment import FileStamp, SegmentFiles

VERSION = 3
NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class StoreManifest:
    """The segments by name, and the number that the next one gets."""

    segments: Mapping[str, SegmentFiles] = field(default_factory=dict[str, SegmentFiles])
    following: int = 1

    def without(self, names: frozenset[str]) -> "StoreManifest":
        """With those segments left out."""
        return StoreManifest(
            {name: files for name, files in self.segments.items() if name not in names}, self.following
        )


def read_manifest(folder: Path) -> StoreManifest:
    """The manifest; an empty one where there is none that can be used."""
    try:
        whole = json.loads((folder / NAME).read_bytes())
        body = json.dumps(whole["body"])
        if whole["version"] != VERSION or whole["sha256"] != _digest(body):
            return StoreManifest()
        return _parse_body(whole["body"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return StoreManifest()


def write_manifest(folder: Path, manifest: StoreManifest) -> None:
    """Replace the manifest. Raises OSError."""
    segments = {
        name: {suffix: asdict(stamp) for suffix, stamp in files.items()} for name, files in manifest.segments.items()
    }
    body = {"following": manifest.following, "segments": segments}
    whole = {"version": VERSION, "sha256": _digest(json.dumps(body)), "body": body}
    write_atomically(folder / NAME, [json.dumps(whole).encode()])


def _parse_body(body: "_ManifestBody") -> StoreManifest:
    found = {
        str(name): {str(suffix): FileStamp(**stamp) for suffix, stamp in files.items()}
        for name, files in body["segments"].items()
    }
    return StoreManifest(found, int(body["following"]))


class _ManifestBody(TypedDict):
    following: int
    segments: dict[str, dict[str, dict[str, Any]]]


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
