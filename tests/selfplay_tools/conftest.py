"""What the tests of several tools share."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.toolbox import Toolbox

Files = Mapping[str, str | bytes]


@pytest.fixture
def toolbox_on(tmp_path: Path) -> Iterator[Callable[[Files], Toolbox]]:
    """A toolbox over a directory with the given files; a text that begins with `->` makes a link to what follows."""
    opened: list[DirectorySnapshot] = []

    def make(files: Files) -> Toolbox:
        root = tmp_path / f"tree-{len(opened)}"
        root.mkdir()
        for path, content in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str) and content.startswith("->"):
                file.symlink_to(content.removeprefix("->"))
            else:
                file.write_bytes(content.encode() if isinstance(content, str) else content)
        opened.append(DirectorySnapshot(root))
        return Toolbox(opened[-1])

    yield make
    for snapshot in opened:
        snapshot.close()
