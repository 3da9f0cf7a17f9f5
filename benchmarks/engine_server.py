"""A chat completions server that costs next to nothing: after a fixed latency it answers with bytes made beforehand.

Which answer depends on the request alone: how many tool results the conversation holds. After `steps` of them the
answer ends the episode. Speaks as much HTTP/1.1 as clients use here: requests with a length, kept connections.
"""

import argparse
import asyncio
import json
from typing import Any

CALL_TEXT = "The setting is read where the program starts, so I look at the next lines of that file."
SHOWN_LINES = 4
"""Lines of about a hundred characters each that one step reads."""


def _completion(message: dict[str, Any], reason: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [{"index": 0, "finish_reason": reason, "message": {"role": "assistant", **message}}],
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 30,
            "total_tokens": 1030,
            "prompt_tokens_details": {"cached_tokens": 900},
        },
    }


def _tool_call_response(name: str, arguments: dict[str, Any], number: int) -> bytes:
    function = {"name": name, "arguments": json.dumps(arguments)}
    message = {
        "content": CALL_TEXT,
        "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
    }
    return _response(_completion(message, "tool_calls"))


def _response(value: dict[str, Any]) -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class FixedAnswers:
    """What is answered to a request's body."""

    def __init__(self, steps: int, lines: int) -> None:
        self._ours = [_tool_call_response("read_file", self._read_arguments(i, lines), i) for i in range(steps)]
        self._ours.append(
            _tool_call_response("finish", {"files": [{"path": "notes.txt", "reason": "the setting"}]}, steps)
        )
        self._theirs = [_tool_call_response("look", {"start": i * lines + 1}, i) for i in range(steps)]
        self._theirs.append(_response(_completion({"content": "notes.txt"}, "stop")))
        self._verdict = _response(_completion({"content": json.dumps(_VERDICT)}, "stop"))

    @staticmethod
    def _read_arguments(i: int, lines: int) -> dict[str, Any]:
        return {"path": "notes.txt", "start": i * lines + 1, "count": lines}

    def find_answer(self, body: bytes) -> bytes:
        """The whole response, head and body."""
        if b'"read_file"' not in body and b'"look"' not in body:
            return self._verdict
        answers = self._ours if b'"read_file"' in body else self._theirs
        results = body.count(b'"role":"tool"') + body.count(b'"role": "tool"')
        return answers[min(results, len(answers) - 1)]


_VERDICT = {"quality": "productive", "why": "It reads on.", "hint": "Go on in this direction and read with care."}


class LatencyConnection(asyncio.Protocol):
    """One kept connection: requests are answered in turn, each after the latency."""

    def __init__(self, answers: FixedAnswers, latency_s: float) -> None:
        self._answers, self._latency_s = answers, latency_s
        self._data = bytearray()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answers go to it."""
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            length = _content_length(bytes(self._data[:end]))
            if len(self._data) < end + 4 + length:
                return
            body = bytes(self._data[end + 4 : end + 4 + length])
            del self._data[: end + 4 + length]
            self._loop.call_later(self._latency_s, self._send, self._answers.find_answer(body))

    def _send(self, response: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(response)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def serve(steps: int, lines: int, latency_s: float) -> None:
    """Serve until killed; the address is the first line on standard output."""
    answers = FixedAnswers(steps, lines)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: LatencyConnection(answers, latency_s), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--lines", type=int, default=SHOWN_LINES)
    parser.add_argument("--latency-s", type=float, default=0.2)
    options = parser.parse_args()
    asyncio.run(serve(options.steps, options.lines, options.latency_s))


if __name__ == "__main__":
    main()
