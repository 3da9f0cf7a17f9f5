"""Contents that were read lately, up to a number of bytes."""

from collections import OrderedDict
from threading import Lock


class BytesCache:
    """Least recently used contents go first. Safe to use from several threads."""

    def __init__(self, max_bytes: int) -> None:
        """Hold at most `max_bytes`; a content of more than an eighth of that is not kept at all."""
        self._max_bytes = max_bytes
        self._held = 0
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> bytes | None:
        """The content, or None if it is not held."""
        with self._lock:
            data = self._contents.get(key)
            if data is not None:
                self._contents.move_to_end(key)
            return data

    def put(self, key: str, data: bytes) -> None:
        """Hold a content; a key always stands for the same one."""
        if len(data) > self._max_bytes // 8:
            return
        with self._lock:
            if key not in self._contents:
                self._contents[key] = data
                self._held += len(data)
            while self._held > self._max_bytes:
                self._held -= len(self._contents.popitem(last=False)[1])
