"""A language server that misbehaves as asked: `fake_language_server.py LOG HOW...`, one way for each process.

It notes each start in the log. The last way is that of all further processes.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def read() -> dict[str, Any]:
    size = 0
    while line := sys.stdin.buffer.readline():
        if line.lower().startswith(b"content-length:"):
            size = int(line.partition(b":")[2])
        if not line.strip():
            return json.loads(sys.stdin.buffer.read(size))
    sys.exit(0)


def write(raw: bytes, size: int | None = None) -> None:
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%s" % (len(raw) if size is None else size, raw))
    sys.stdout.buffer.flush()


def send(message: dict[str, Any]) -> None:
    write(json.dumps({"jsonrpc": "2.0", **message}).encode())


def location(uri: str, line: int) -> dict[str, Any]:
    at = {"line": line, "character": 0}
    return {"uri": uri, "range": {"start": at, "end": at}}


def break_down(how: str) -> None:
    """What servers do instead of answering."""
    match how:
        case "dies":
            sys.exit(3)
        case "hangs":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            time.sleep(600)
        case "garbage":
            write(b"{this is no JSON")
        case "nonsense":
            sys.stdout.buffer.write(b"x" * 200_000)
            sys.stdout.buffer.flush()
            time.sleep(600)
        case "cut":
            write(b"{", size=1000)
            sys.exit(0)
        case "huge":
            write(b"", size=1 << 40)
            time.sleep(600)
        case _:
            pass


def answer(how: str, root: str) -> dict[str, Any]:
    """What they answer."""
    match how:
        case "wrong":
            return {"result": {"uri": 7}}
        case "refuses":
            return {"error": {"code": -32603, "message": f"panic in {root}/a.py"}}
        case "many":
            far = [location(f"file:///usr/lib/python3.11/m{i}.py", 0) for i in range(7)]
            return {"result": [location(f"{root}/a.py", i % 40) for i in range(20_000)] + far}
        case "beyond":
            up = location(f"{root}/../../secret.py", 0)
            return {"result": [location(f"{root}/a.py", 10_000), up, location("https://example.org/x.py", 1), up]}
        case "hover":
            text = f"at {root}/a.py and {root.removeprefix('file://')}/b.py; see file:///etc/passwd"
            return {"result": {"contents": {"kind": "markdown", "value": text}}}
        case _:
            return {"result": [location(f"{root}/b.py", 1)]}


def after_start(how: str, log: Path) -> list[dict[str, Any]]:
    """What they do once they are started; messages that came while they waited for one."""
    later: list[dict[str, Any]] = []
    if how == "loads":
        send({"method": "$/progress", "params": {"token": "t", "value": {"kind": "begin", "title": "x"}}})
    if how == "asks":
        items = [{"section": "a.b"}, {"section": "none.such"}, {}]
        send({"id": "c", "method": "workspace/configuration", "params": {"items": items}})
        while (result := read()).get("id") != "c":
            later.append(result)
        log.with_suffix(".answers").write_text(json.dumps(result))
    return later


def main() -> None:
    log, ways = Path(sys.argv[1]), sys.argv[2:]
    with log.open("a+") as notes:
        notes.write("start\n")
        notes.seek(0)
        how = ways[min(len(notes.readlines()), len(ways)) - 1]
    root, later, has_loaded = "", list[dict[str, Any]](), how != "loads"
    while True:
        message = later.pop(0) if later else read()
        match message.get("method"):
            case "initialize" if how == "stillborn":
                sys.exit(1)
            case "initialize":
                root = message["params"]["rootUri"]
                send({"id": message["id"], "result": {"capabilities": {}}})
            case "initialized":
                later = after_start(how, log)
            case "textDocument/didOpen" if how == "loads":
                has_loaded = True
                send({"method": "$/progress", "params": {"token": "t", "value": {"kind": "end"}}})
            case str(method) if method.startswith("textDocument/") and "id" in message:
                break_down(how)
                send({"id": message["id"], **(answer(how, root) if has_loaded else {"result": []})})
            case _:
                pass


main()
