"""What one model call costs this process: CPU, at growing conversation lengths, against other ways to make it.

    python benchmarks/model_calls.py [--calls 200] [--at-once 16] [--json]

A server in a process of its own answers every request with the same tool call. Each way sends the same conversation
and reads the reply's tool call:

    ours     OpenAIModel: the body's parts encoded once, sent over aiohttp, own reader
    create   the openai client's `chat.completions.create`, on its aiohttp transport
    aiohttp  a bare aiohttp session, JSON per call: what the protocol costs without a client

CPU is user and system time of this process, the best of several rounds, per call.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import anyio
import openai

from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.wire import encode_messages
from selfplay.models.openai.client import OpenAIModel
from selfplay.models.protocol import ModelRequest

LENGTHS = (2, 80, 240)
TOOLS = 9
ROUNDS = 5
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "bench",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": "The header is set where responses are written, so I look for that.",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "tool_3", "arguments": '{"pattern":"x"}'}}
                ],
            },
        }
    ],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 30, "prompt_tokens_details": {"cached_tokens": 900}},
}

Ask = Callable[[], Awaitable[str]]
"""Makes one call; returns the name of the tool that was called."""


@dataclass(frozen=True)
class CallCost:
    """One way at one length."""

    messages: int
    way: str
    cpu_ms: float
    body_bytes: int


def make_conversation(length: int) -> list[Message]:
    """A prompt, a task, then turns of a call and its 400 bytes of result."""
    messages = [
        Message(role="system", content="You search code. " * 40, origin=Origin.PROMPT),
        Message(role="user", content="Return the fingerprint of the server as a header.", origin=Origin.TASK),
    ]
    for i in range((length - 2) // 2):
        call = ToolCall(id=f"c{i}", name=f"tool_{i % TOOLS}", arguments=json.dumps({"pattern": f"header_{i}"}))
        said = f"Step {i}: the header may be set here."
        messages += [
            Message(role="assistant", content=said, origin=Origin.PLAYER, tool_calls=(call,)),
            Message(role="tool", content="src/app.py:12: header\n" * 18, origin=Origin.TOOL, tool_call_id=call.id),
        ]
    return messages


def make_tools() -> list[dict[str, Any]]:
    """Nine tools of a usual size."""
    properties = {
        name: {"type": "string", "description": f"The {name} to look at, relative to the repository's root."}
        for name in ("path", "pattern", "glob", "limit")
    }
    schema = {"type": "object", "properties": properties, "required": ["path"], "additionalProperties": False}
    return [
        {
            "type": "function",
            "function": {"name": f"tool_{i}", "description": "Search the files. " * 12, "parameters": schema},
        }
        for i in range(TOOLS)
    ]


async def cpu_ms_per_call(ask: Ask, calls: int, at_once: int) -> float:
    """CPU milliseconds per call: the best of several rounds, after one to warm up."""
    best = float("inf")
    for _ in range(ROUNDS + 1):
        left = iter(range(calls))

        async def work(left: Any = left) -> None:  # noqa: ANN401  the counter that the workers share
            for _ in left:
                if await ask() != "tool_3":
                    raise RuntimeError("the reply was not read")

        began = time.process_time()
        async with anyio.create_task_group() as group:
            for _ in range(at_once):
                group.start_soon(work)
        spent = time.process_time() - began
        best = min(best, spent / calls * 1000)
    return best


async def measure(url: str, calls: int, at_once: int) -> list[CallCost]:
    """All ways at all lengths, side by side in one run."""
    found: list[CallCost] = []
    head = {"model": "bench", "temperature": 0.7, "tools": make_tools()}
    client = openai.AsyncOpenAI(
        base_url=url, api_key="none", max_retries=0, http_client=openai.DefaultAioHttpClient(trust_env=False)
    )
    async with OpenAIModel("bench", base_url=url) as model, client, aiohttp.ClientSession() as session:
        for length in LENGTHS:
            request = ModelRequest(
                head=head, messages=tuple(encode_messages(make_conversation(length))), turn=length // 2
            )
            plain = [dict(m.value) for m in request.messages]
            ways: dict[str, Ask] = {
                "ours": lambda request=request: call_ours(model, request),
                "create": lambda plain=plain: call_openai(client, head, plain),
                "aiohttp": lambda plain=plain: call_aiohttp(session, url, head, plain),
            }
            for way, ask in ways.items():
                cpu_ms = await cpu_ms_per_call(ask, calls, at_once)
                found.append(CallCost(length, way, cpu_ms, len(request.body())))
    return found


async def call_ours(model: OpenAIModel, request: ModelRequest) -> str:
    reply = await model.complete(request)
    return reply.message.tool_calls[0].name


async def call_openai(client: openai.AsyncOpenAI, head: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    completion = await client.chat.completions.create(**head, messages=messages)  # pyright: ignore[reportArgumentType, reportUnknownVariableType, reportCallIssue]  plain JSON, as users pass it
    return completion.choices[0].message.tool_calls[0].function.name  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  see above


async def call_aiohttp(
    session: aiohttp.ClientSession, url: str, head: dict[str, Any], messages: list[dict[str, Any]]
) -> str:
    async with session.post(f"{url}/chat/completions", json={**head, "messages": messages}) as response:
        body = await response.json()
    return body["choices"][0]["message"]["tool_calls"][0]["function"]["name"]


async def serve() -> None:
    """Answer every request alike; the address is the first line of the output."""
    body = json.dumps(ANSWER).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(asked.partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(size)
                writer.write(head + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


def make_table(found: Sequence[CallCost]) -> str:
    """The figures with their ratios to ours."""
    lines = [f"{'messages':>8} {'body kB':>8} {'way':<8} {'CPU ms/call':>12} {'to ours':>8}"]
    own = {m.messages: m.cpu_ms for m in found if m.way == "ours"}
    lines += [
        f"{m.messages:>8} {m.body_bytes / 1000:>8.1f} {m.way:<8} {m.cpu_ms:>12.3f} {m.cpu_ms / own[m.messages]:>8.2f}"
        for m in found
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200, help="calls per round")
    parser.add_argument("--at-once", type=int, default=16, help="calls in flight")
    parser.add_argument("--json", action="store_true", help="one JSON row per figure")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as server:
        try:
            url = server.stdout.readline().strip() if server.stdout else ""
            found = anyio.run(measure, url, options.calls, options.at_once)
        finally:
            server.terminate()
    print("\n".join(json.dumps(vars(m)) for m in found) if options.json else make_table(found))


if __name__ == "__main__":
    main()
