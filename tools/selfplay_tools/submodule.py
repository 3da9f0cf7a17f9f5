"""Which commit a nested repository has checked out, read without running git in it."""

import re

from selfplay_tools.disk import ChangedOnDisk, Disk

_ID = re.compile(rb"[0-9a-f]{40}\n?")
_REF = re.compile(rb"ref: (refs/[!-~]+)\n?")
_MAX_PACKED_REFS_BYTES = 16 << 20


def read_checked_out_commit(disk: Disk, folder: bytes) -> str | None:
    """The commit that the HEAD of the repository in `folder` names, or None where that can't be told.

    Only files below the snapshot's root are looked into, and only a commit's id ever comes out of them.
    """
    git_dir = _find_git_dir(disk, folder)
    head = _read_content(disk, git_dir + b"/HEAD") if git_dir else None
    ref = _REF.fullmatch(head or b"")
    if ref and git_dir:
        return _parse_id(_read_content(disk, git_dir + b"/" + ref[1])) or _find_packed_ref(disk, git_dir, ref[1])
    return _parse_id(head)


def _find_git_dir(disk: Disk, folder: bytes) -> bytes | None:
    """`.git` itself, or where a `.git` file points."""
    pointer = _read_content(disk, folder + b"/.git")
    if pointer is None:
        return folder + b"/.git"
    if not pointer.startswith(b"gitdir: "):
        return None
    return _join_path(folder, pointer.removeprefix(b"gitdir: ").rstrip(b"\n"))


def _join_path(folder: bytes, relative: bytes) -> bytes | None:
    parts = folder.split(b"/")
    for name in relative.split(b"/"):
        if name == b"..":
            if not parts:
                return None
            parts.pop()
        elif name not in {b"", b"."}:
            parts.append(name)
    return None if relative.startswith(b"/") else b"/".join(parts)


def _read_content(disk: Disk, raw: bytes) -> bytes | None:
    try:
        return disk.read_unlisted(raw, _MAX_PACKED_REFS_BYTES)
    except (OSError, ChangedOnDisk, ValueError):
        return None


def _parse_id(content: bytes | None) -> str | None:
    return content.decode("ascii").strip() if content is not None and _ID.fullmatch(content) else None


def _find_packed_ref(disk: Disk, git_dir: bytes, ref: bytes) -> str | None:
    for line in (_read_content(disk, git_dir + b"/packed-refs") or b"").splitlines():
        oid, _, name = line.partition(b" ")
        if name == ref:
            return _parse_id(oid)
    return None
