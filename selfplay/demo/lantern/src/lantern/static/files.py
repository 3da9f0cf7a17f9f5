"""A directory as an endpoint: files, index pages, conditional requests, single ranges."""

import mimetypes
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lantern.config.settings import StaticMount
from lantern.errors import ConfigError, HttpError
from lantern.http.headers import Headers
from lantern.http.request import Request
from lantern.http.response import Response, redirect
from lantern.static.validators import is_unchanged, may_send_part, validator_headers

_BLOCK = 64 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class StaticFiles:
    """Endpoint for everything below a directory. Nothing outside it is served, by no path and by no link."""

    def __init__(self, mount: StaticMount) -> None:
        self._root = mount.root.resolve()
        self._index = mount.index
        self._max_age_s = mount.max_age_s
        if not self._root.is_dir():
            raise ConfigError(f"static {mount.prefix}: {mount.root} is no directory")

    def __call__(self, request: Request) -> Response:
        """The file below the mount. Raises HttpError 404, 405, 416."""
        if request.method not in {"GET", "HEAD"}:
            raise HttpError(405, "files can only be read", {"Allow": "GET, HEAD"})
        path = self._find(request.params["rest"])
        if path.is_dir():
            if not request.path.endswith("/"):
                return redirect(f"./{request.raw_path.rpartition('/')[2]}/", 308)
            path = self._find(f"{request.params['rest']}/{self._index}")
        try:
            file = path.open("rb")
        except OSError as error:
            raise HttpError(404, "no such file") from error
        return _respond(request, file, path.name, self._max_age_s)

    def _find(self, rest: str) -> Path:
        """The real path of what was asked for. Raises HttpError 404 for what is not there or not ours to show."""
        if "\0" in rest or any(part.startswith(".") for part in rest.split("/")):
            raise HttpError(404, "no such file")
        path = (self._root / rest.strip("/")).resolve()
        if not path.is_relative_to(self._root) or not path.exists():
            raise HttpError(404, "no such file")
        return path


class FileBlocks:
    """A part of an open file, block by block; closing it closes the file."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file = file
        self._start = start
        self._length = length

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(self._start)
        left = self._length
        while left > 0:
            block = self._file.read(min(left, _BLOCK))
            if not block:  # the file has shrunk: the promised length can't be kept, the connection has to go
                raise OSError("the file became shorter while it was sent")
            left -= len(block)
            yield block

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _respond(request: Request, file: BinaryIO, name: str, max_age_s: int) -> Response:
    info = os.fstat(file.fileno())
    if not stat.S_ISREG(info.st_mode):
        file.close()
        raise HttpError(404, "no such file")
    headers = validator_headers(info, name, max_age_s)
    if is_unchanged(request, headers):
        file.close()
        return Response(304, headers)
    headers.add("Content-Type", _media_type(name))
    headers.add("Accept-Ranges", "bytes")
    try:
        part = _wanted_part(request, headers, info.st_size)
    except HttpError:
        file.close()
        raise
    if part is None:
        return Response(200, headers, FileBlocks(file, 0, info.st_size), info.st_size)
    first, last = part
    headers.add("Content-Range", f"bytes {first}-{last}/{info.st_size}")
    return Response(206, headers, FileBlocks(file, first, last - first + 1), last - first + 1)


def _wanted_part(request: Request, headers: Headers, size: int) -> tuple[int, int] | None:
    """First and last byte of the one range asked for; None for the whole file. Raises HttpError 416."""
    found = _RANGE.fullmatch(request.headers.get("Range"))
    if request.method != "GET" or found is None or found.group(1, 2) == ("", ""):
        return None
    if not may_send_part(request, headers):
        return None
    if found[1]:
        first, last = int(found[1]), int(found[2] or size - 1)
    else:  # `bytes=-500`: the last 500
        first, last = max(0, size - int(found[2])), size - 1
    last = min(last, size - 1)
    if first > last:
        raise HttpError(416, "the range lies outside the file", {"Content-Range": f"bytes */{size}"})
    return first, last


def _media_type(name: str) -> str:
    kind, coding = mimetypes.guess_type(name, strict=False)
    if kind is None or coding is not None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
