"""A real HTTP server on loopback that speaks the chat completions protocol, and misbehaves when told to.

    async with Loopback(handler, [rate_limited(0), None, cut_json()]) as server:
        model = OpenAIModel("m", base_url=server.base_url)

`handler` makes the assistant's message for a request's JSON; the plan says what is done to each request, in order:
None, and every request after the plan's end, is answered properly. From a thread of its own: `with in_thread(...)`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import anyio.from_thread

Json = dict[str, Any]
Handler = Callable[[Json], Json]
"""From a request to the assistant's message, such as `{"content": "...", "tool_calls": [...]}`."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request, byte for byte."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Json:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """One request that waits for its answer."""

    received: ReceivedRequest
    handler: Handler
    writer: asyncio.StreamWriter
    closing: asyncio.Event
    """Set when the server is about to close: whoever hangs is let go."""

    def message(self) -> Json:
        """The proper answer."""
        return {"role": "assistant", "content": None, **self.handler(self.received.json)}

    async def send(self, status: int, body: bytes, **headers: str) -> None:
        await self.write(_head(status, {"content-length": str(len(body)), **headers}) + body)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


Behaviour = Callable[[PendingRequest], Awaitable[None]]
Plan = Sequence[Behaviour | None] | Callable[[int, ReceivedRequest], Behaviour | None]
"""What is done to each request: a list, or a function of the request's number (from 0) and the request."""


def _head(status: int, headers: dict[str, str]) -> bytes:
    fields = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    lines = [f"HTTP/1.1 {status} Status", *(f"{k}: {v}" for k, v in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def completion(message: Json, **top: object) -> Json:
    """A whole response around a message."""
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "loopback",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 60}},
        **top,
    }


def message_with_calls(*named: tuple[str, Json]) -> Json:
    """A message with these tool calls."""
    return {
        "content": "",
        "tool_calls": [
            {"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for i, (name, arguments) in enumerate(named)
        ],
    }


async def answer_properly(exchange: PendingRequest) -> None:
    """Answer properly."""
    await exchange.send(200, json.dumps(completion(exchange.message())).encode())


def answers(status: int, body: bytes | Json, **headers: str) -> Behaviour:
    """Send exactly this."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda exchange: exchange.send(status, data, **headers)


def rate_limited(retry_after_s: float = 0) -> Behaviour:
    body = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    return answers(429, body, retry_after=f"{retry_after_s:g}")


def server_error(status: int = 500) -> Behaviour:
    return answers(status, {"error": {"message": "something broke", "type": "server_error"}})


def html() -> Behaviour:
    """A gateway's page, with status 200."""
    return answers(200, b"<!DOCTYPE html><html><body>Welcome</body></html>", content_type="text/html")


def empty_choices() -> Behaviour:
    return changes_response(lambda response: {**response, "choices": []})


def cut_json() -> Behaviour:
    """The first half of a good response, with the length of that half."""

    async def behave(exchange: PendingRequest) -> None:
        body = json.dumps(completion(exchange.message())).encode()
        await exchange.send(200, body[: len(body) // 2])

    return behave


def cut_body() -> Behaviour:
    """A length that is never reached: the connection ends in the middle of the body."""

    async def behave(exchange: PendingRequest) -> None:
        body = json.dumps(completion(exchange.message())).encode()
        await exchange.write(_head(200, {"content-length": str(len(body))}) + body[: len(body) // 2])
        exchange.writer.close()

    return behave


def reset() -> Behaviour:
    """Drop the connection without a word."""

    async def behave(exchange: PendingRequest) -> None:
        exchange.writer.transport.abort()

    return behave


def hang() -> Behaviour:
    """Say nothing until the server closes."""

    async def behave(exchange: PendingRequest) -> None:
        await exchange.closing.wait()

    return behave


def drip() -> Behaviour:
    """Send a byte now and then, without end: no read ever times out."""

    async def behave(exchange: PendingRequest) -> None:
        await exchange.write(_head(200, {"content-length": "1000000"}))
        while not exchange.closing.is_set():
            await exchange.write(b" ")
            await asyncio.sleep(0.01)

    return behave


def sends_raw(data: bytes) -> Behaviour:
    """These bytes and nothing else: no HTTP if they are none."""
    return lambda exchange: exchange.write(data)


def flood(size: int, *, status: int = 200) -> Behaviour:
    """A body of `size` bytes of white space, in chunks, without saying how long it will be."""

    async def behave(exchange: PendingRequest) -> None:
        await exchange.write(_head(status, {"transfer-encoding": "chunked"}))
        for start in range(0, size, 1 << 16):
            part = b" " * min(1 << 16, size - start)
            await exchange.write(b"%x\r\n%s\r\n" % (len(part), part))
        await exchange.write(b"0\r\n\r\n")

    return behave


def changes_message(change: Callable[[Json], Json]) -> Behaviour:
    """The proper answer with its message changed."""

    async def behave(exchange: PendingRequest) -> None:
        await exchange.send(200, json.dumps(completion(change(exchange.message()))).encode())

    return behave


def changes_response(change: Callable[[Json], Json]) -> Behaviour:
    """The proper answer with the whole response changed."""

    async def behave(exchange: PendingRequest) -> None:
        await exchange.send(200, json.dumps(change(completion(exchange.message()))).encode())

    return behave


def _change_calls(message: Json, change: Callable[[Json], Json]) -> Json:
    return {**message, "tool_calls": [change(call) for call in message.get("tool_calls") or ()] or None}


def arguments_as_object() -> Behaviour:
    def parse(call: Json) -> Json:
        function = call["function"]
        return {**call, "function": {**function, "arguments": json.loads(function["arguments"])}}

    return changes_message(lambda message: _change_calls(message, parse))


def null_ids() -> Behaviour:
    return changes_message(lambda message: _change_calls(message, lambda call: {**call, "id": None}))


def no_call(text: str = "Let me think about it.") -> Behaviour:
    """Words instead of a call."""
    return changes_message(lambda _: {"role": "assistant", "content": text})


def one_call_more(name: str, arguments: Json) -> Behaviour:
    """A further call in the same turn, of a tool that may not exist."""
    [more] = message_with_calls((name, arguments))["tool_calls"]
    return changes_message(lambda m: {**m, "tool_calls": [*(m.get("tool_calls") or ()), {**more, "id": "more"}]})


def adds_reasoning(text: str, key: str = "reasoning_content") -> Behaviour:
    """Reasoning apart from the content, under either of its names."""
    return changes_message(lambda message: {**message, key: text})


@dataclass
class LoopbackServer:
    """The server. Use as an asynchronous context manager."""

    handler: Handler
    plan: Plan = ()
    path: str = "/v1/chat/completions"
    """The one path that is served."""
    default_behaviour: Behaviour = answer_properly
    """What is done to requests that the plan says nothing of."""
    received: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])
    """Every request, in the order of arrival."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @property
    def base_url(self) -> str:
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}/v1"

    async def __aenter__(self) -> Self:
        self._closing = asyncio.Event()
        self._arrived = asyncio.Condition()
        self._server = await asyncio.start_server(self._serve_connection, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def wait_for_requests(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while not writer.is_closing():
                received = await _read_request(reader)
                number = len(self.received)
                async with self._arrived:
                    self.received.append(received)
                    self._arrived.notify_all()
                await self._choose_behaviour(number, received)(
                    PendingRequest(received, self.handler, writer, self._closing)
                )
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client went away, or the server closes
        finally:
            self._tasks.discard(task)
            writer.close()

    def _choose_behaviour(self, number: int, received: ReceivedRequest) -> Behaviour:
        if received.path.partition("?")[0] != self.path:
            return answers(404, {"error": {"message": f"no such path: {received.path}"}})
        if callable(self.plan):
            return self.plan(number, received) or self.default_behaviour
        return (self.plan[number] if number < len(self.plan) else None) or self.default_behaviour


async def _read_request(reader: asyncio.StreamReader) -> ReceivedRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return ReceivedRequest(first.split()[1], headers, body)


@contextmanager
def run_in_thread(server: LoopbackServer) -> Generator[LoopbackServer]:
    """The server in a thread and an event loop of its own, for callers that block."""
    with (
        anyio.from_thread.start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(server) as running,
    ):
        yield running
