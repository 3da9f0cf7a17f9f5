"""What the MCP server adds to a tool call, and how long it takes to start.

    python benchmarks/mcp_calls.py [REPO] [--calls 300] [--json]

Over the same commit, the same calls through the official client: in this process (`direct`, the toolbox alone), and to
a server in a process of its own over stdio and over streamable HTTP. Start is from the command to the listed tools.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from selfplay_tools.snapshot.open import open_snapshot
from selfplay_tools.tools.toolbox import Toolbox

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("list_dir", {}),
    ("read_file", {"path": "README.md"}),
    ("grep", {"pattern": "def main"}),
)
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(sys.path)}

Call = Callable[[str, dict[str, Any]], Awaitable[object]]
Row = dict[str, Any]


@asynccontextmanager
async def open_stdio_client(repo: Path) -> AsyncGenerator[Client]:
    """A client of a new server over its standard input and output."""
    command = ["-m", "selfplay_tools.mcp", "--repo", str(repo)]
    async with Client(StdioServerParameters(command=sys.executable, args=command, env=ENVIRONMENT)) as client:
        yield client


@asynccontextmanager
async def open_http_client(repo: Path) -> AsyncGenerator[Client]:
    """A client of a new server on a free port."""
    command = [sys.executable, "-m", "selfplay_tools.mcp", "--repo", str(repo), "--transport", "http", "--port", "0"]
    async with await anyio.open_process(
        command, stdout=None, stderr=subprocess.PIPE, env=os.environ | ENVIRONMENT
    ) as server:
        assert server.stderr is not None  # noqa: S101  for the type checker: asked for above
        said = (await server.stderr.receive()).decode()
        http = httpx2.AsyncClient(trust_env=False)
        async with http, Client(streamable_http_client(said.split()[-1], http_client=http)) as client:
            yield client
        server.terminate()


async def time_calls(way: str, call: Call, count: int) -> list[Row]:
    """Latency of each kind of call, in milliseconds, after one that warms up."""
    rows: list[Row] = []
    for name, arguments in CALLS:
        await call(name, arguments)
        spent: list[float] = []
        for _ in range(count):
            begun = time.perf_counter()
            await call(name, arguments)
            spent.append((time.perf_counter() - begun) * 1000)
        spent.sort()
        rows.append({"way": way, "call": name, "p50_ms": spent[count // 2], "p95_ms": spent[count * 95 // 100]})
    return rows


async def measure(repo: Path, count: int) -> list[Row]:
    with closing(open_snapshot(repo)) as snapshot:
        toolbox = Toolbox(snapshot)

        async def call_directly(name: str, arguments: dict[str, Any]) -> object:
            return toolbox.run(name, json.dumps(arguments))

        rows = await time_calls("direct", call_directly, count)
    for way, connect in (("stdio", open_stdio_client), ("http", open_http_client)):
        begun = time.perf_counter()
        async with connect(repo) as client:
            await client.list_tools()
            rows.append({"way": way, "call": "(start)", "p50_ms": (time.perf_counter() - begun) * 1000})
            rows += await time_calls(way, client.call_tool, count)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repo", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = anyio.run(measure, given.repo, given.calls)
    if given.json:
        print(json.dumps(rows))
        return
    print(f"{'way':8}{'call':12}{'p50 ms':>10}{'p95 ms':>10}")
    for row in rows:
        p95 = f"{row['p95_ms']:10.2f}" if "p95_ms" in row else ""
        print(f"{row['way']:8}{row['call']:12}{row['p50_ms']:10.2f}{p95}")


if __name__ == "__main__":
    main()
