"""An MCP server over a folder of notes, with a basket that remembers what was put into it: `notes_server.py FOLDER`."""

import sys
from pathlib import Path

from mcp.server import MCPServer

ROOT = Path(sys.argv[1])
BASKET: list[str] = []
server = MCPServer("notes")


@server.tool()
def find_notes(words: str) -> str:
    """Notes that hold all of these words, one a line."""
    wanted = words.casefold().split()
    names = [p.name for p in sorted(ROOT.glob("*.md")) if all(w in p.read_text().casefold() for w in wanted)]
    return "\n".join(names) or "no note holds these words"


@server.tool()
def read_note(name: str) -> str:
    """A note's text."""
    return (ROOT / Path(name).name).read_text()


@server.tool()
def put_into_basket(name: str) -> str:
    """Put a note into the basket; says what is in it."""
    BASKET.append(name)
    return f"in the basket: {', '.join(BASKET)}"


server.run("stdio")
