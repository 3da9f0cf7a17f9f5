"""Contents of targets for grading, out of a snapshot."""

from collections.abc import Callable

from selfplay_tools.errors import ToolsError
from selfplay_tools.snapshot import Snapshot


def make_content_reader(snapshot: Snapshot) -> Callable[[str], bytes]:
    """Gives the text of a file by its path; nothing where there is no text to read."""

    def read(path: str) -> bytes:
        try:
            return "\n".join(snapshot.text(path).lines).encode()
        except ToolsError:
            return b""

    return read
