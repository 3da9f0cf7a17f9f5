"""Ids of git trees, computed without git."""

import hashlib
from collections.abc import Iterable, Sequence

FOLDER_MODE = b"40000"
TreeItem = tuple[bytes, bytes, str]
"""Path (of an item of a folder: its name), git's mode, git's id."""


def compute_tree_id(items: Iterable[TreeItem]) -> str:
    """The id of the git tree with these (path, mode, id)."""
    trees: dict[bytes, list[TreeItem]] = {b"": []}
    for raw, mode, oid in items:
        folder, _, name = raw.rpartition(b"/")
        _get_folder_items(trees, folder).append((name, mode, oid))
    for folder in sorted(trees, key=lambda raw: raw.count(b"/") + bool(raw), reverse=True):
        digest = _hash_tree(trees[folder])
        if not folder:
            return digest
        parent, _, name = folder.rpartition(b"/")
        trees[parent].append((name, FOLDER_MODE, digest))
    raise AssertionError("the root comes last")


def _get_folder_items(trees: dict[bytes, list[TreeItem]], folder: bytes) -> list[TreeItem]:
    reached = trees.setdefault(folder, [])
    while folder:
        folder = folder.rpartition(b"/")[0]
        if folder in trees:
            break
        trees[folder] = []
    return reached


def _hash_tree(items: Sequence[TreeItem]) -> str:
    # Git sorts a folder as if its name ended with a slash.
    ordered = sorted(items, key=lambda item: item[0] + (b"/" if item[1] == FOLDER_MODE else b""))
    body = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(oid) for name, mode, oid in ordered)
    return hashlib.sha1(b"tree %d\0%b" % (len(body), body), usedforsecurity=False).hexdigest()
