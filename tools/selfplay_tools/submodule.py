"""Which commit a nested repository has checked out, read without running git in it."""

import re

from selfplay_tools.disk import Changed, Disk

_ID = re.compile(rb"[0-9a-f]{40}\n?")
_REF = re.compile(rb"ref: (refs/[!-~]+)\n?")
_MAX_PACKED_REFS_BYTES = 16 << 20


def checked_out_commit(disk: Disk, folder: bytes) -> str | None:
    """The commit that the HEAD of the repository in `folder` names, or None where that can't be told.

    Only files below the snapshot's root are looked into, and only a commit's id ever comes out of them.
    """
    git_dir = _git_dir(disk, folder)
    head = _content(disk, git_dir + b"/HEAD") if git_dir else None
    ref = _REF.fullmatch(head or b"")
    if ref and git_dir:
        return _id(_content(disk, git_dir + b"/" + ref[1])) or _packed(disk, git_dir, ref[1])
    return _id(head)


def _git_dir(disk: Disk, folder: bytes) -> bytes | None:
    """`.git` itself, or where a `.git` file points."""
    pointer = _content(disk, folder + b"/.git")
    if pointer is None:
        return folder + b"/.git"
    if not pointer.startswith(b"gitdir: "):
        return None
    return _joined(folder, pointer.removeprefix(b"gitdir: ").rstrip(b"\n"))


def _joined(folder: bytes, relative: bytes) -> bytes | None:
    parts = folder.split(b"/")
    for name in relative.split(b"/"):
        if name == b"..":
            if not parts:
                return None
            parts.pop()
        elif name not in {b"", b"."}:
            parts.append(name)
    return None if relative.startswith(b"/") else b"/".join(parts)


def _content(disk: Disk, raw: bytes) -> bytes | None:
    try:
        return disk.read_unlisted(raw, _MAX_PACKED_REFS_BYTES)
    except (OSError, Changed, ValueError):
        return None


def _id(content: bytes | None) -> str | None:
    return content.decode("ascii").strip() if content is not None and _ID.fullmatch(content) else None


def _packed(disk: Disk, git_dir: bytes, ref: bytes) -> str | None:
    for line in (_content(disk, git_dir + b"/packed-refs") or b"").splitlines():
        oid, _, name = line.partition(b" ")
        if name == ref:
            return _id(oid)
    return None
