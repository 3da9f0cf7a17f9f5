"""One language server process, and the protocol spoken with it. Everything here runs on one event loop."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.io_ import run_async
from pygls.lsp.client import LanguageClient

from selfplay_tools.lsp.locations import TextPosition
from selfplay_tools.lsp.servers import LanguageServer, fill_settings
from selfplay_tools.lsp.workspace import Workspace

MAX_MESSAGE_BYTES = 8 << 20
"""A longer message ends the server."""
_LIMITS = Path(__file__).with_name("limits.py")
T = TypeVar("T")

# Its messages about every odd message go only to a logger that is set up for them.
logging.getLogger("pygls").addHandler(logging.NullHandler())


class ServerFailed(Exception):
    """The server gave no answer; the message says what happened to it."""


class ServerDied(ServerFailed):
    """The process ended, or what it wrote was not the protocol: another one may do better."""


class ServerTimedOut(ServerFailed):
    """No answer within the time limit."""


class ServerRefused(ServerFailed):
    """The server answered with an error, and lives."""


class _BoundedReader:
    """A process's output, with a bound on what is read at once: the reader that `run_async` asks for."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream

    async def readline(self) -> bytes:
        return await self._stream.readline()

    async def readexactly(self, n: int) -> bytes:
        if n > MAX_MESSAGE_BYTES:
            raise ServerDied(f"it wrote a message of {n:,} bytes")
        return await self._stream.readexactly(n)


class ServerConnection:
    """A started server. Made by `connect`."""

    def __init__(self, server: LanguageServer, workspace: Workspace, process: asyncio.subprocess.Process) -> None:
        self._server = server
        self.workspace = workspace
        self._settings = fill_settings(server.settings, workspace.paths)
        self._process = process
        self._client = LanguageClient("selfplay", "1")
        self._opened: set[str] = set()
        self._busy: set[str] = set()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._is_ready = asyncio.Event()
        if not server.ready:
            self._is_ready.set()
        self._stop = threading.Event()
        self._ended: asyncio.Future[ServerFailed] = asyncio.get_running_loop().create_future()
        self._register_callbacks()
        self._client.protocol.set_writer(cast("Any", process.stdin))
        self._read_task = asyncio.create_task(self._read_messages())

    @property
    def pid(self) -> int:
        """Id of the process, and of the group of processes that it leads."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return not self._ended.done()

    def _register_callbacks(self) -> None:
        """What a server may ask or report while it works."""
        features: dict[str, Callable[[Any], Any]] = {  # no bare methods: the client puts attributes on these
            types.CLIENT_REGISTER_CAPABILITY: lambda _: None,
            types.CLIENT_UNREGISTER_CAPABILITY: lambda _: None,
            types.PROGRESS: partial(self._on_progress),
            types.WINDOW_LOG_MESSAGE: partial(self._on_log),
            types.WINDOW_SHOW_MESSAGE_REQUEST: lambda _: None,
            types.WINDOW_WORK_DONE_PROGRESS_CREATE: lambda _: None,
            types.WORKSPACE_CONFIGURATION: partial(self._on_configuration),
            types.WORKSPACE_WORKSPACE_FOLDERS: lambda _: [self._workspace_folder()],
        }
        for name, answer in features.items():
            cast("Any", self._client.feature)(name)(answer)

    def _on_configuration(self, params: types.ConfigurationParams) -> list[Any]:
        return [_select_section(self._settings, item.section or "") for item in params.items]

    def _on_log(self, params: types.LogMessageParams) -> None:
        if any(words in params.message for words in self._server.ready):
            self._is_ready.set()

    def _on_progress(self, params: types.ProgressParams) -> None:
        value: Any = params.value
        kind = cast("dict[str, Any]", value).get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
        if kind == "begin":
            self._busy.add(str(params.token))
        elif kind == "end":
            self._busy.discard(str(params.token))
        if self._busy:
            self._is_idle.clear()
        else:
            self._is_idle.set()

    def _workspace_folder(self) -> types.WorkspaceFolder:
        return types.WorkspaceFolder(self.workspace.root.as_uri(), "files")

    async def _read_messages(self) -> None:
        """Take messages until the process ends or stops making sense."""
        assert self._process.stdout  # noqa: S101  it was started with a pipe
        why: ServerFailed = ServerDied("it ended")
        try:
            protocol: Any = self._client.protocol
            await run_async(self._stop, _BoundedReader(self._process.stdout), protocol, None, self._on_unreadable)
        except ServerFailed as error:
            why = error
        except (asyncio.IncompleteReadError, ValueError, OSError) as error:
            why = ServerDied(f"it broke off in a message ({type(error).__name__})")
        self._end_with(why)

    def _on_unreadable(self, error: Exception, _source: object = None) -> None:
        self._end_with(ServerDied(f"it wrote a message that can't be read ({type(error).__name__})"))

    def _end_with(self, why: ServerFailed) -> None:
        if not self._ended.done():
            self._ended.set_result(why)
        self._stop.set()
        kill_group(self.pid)

    async def _await_answer(self, request: Coroutine[Any, Any, T]) -> T:
        """What the server answers. Raises ServerFailed; a server that does not answer in time is ended."""
        answer = asyncio.ensure_future(request)
        try:
            await asyncio.wait({answer, self._ended}, timeout=self._server.timeout_s, return_when="FIRST_COMPLETED")
            if self._ended.done():
                raise self._ended.result()
            if not answer.done():
                self._end_with(timed_out := ServerTimedOut(f"no answer within {self._server.timeout_s:g} s"))
                raise timed_out
            return answer.result()
        except JsonRpcException as error:
            raise ServerRefused(f"it answered with error {error.code}") from error
        finally:
            await _cancel_and_wait(answer)

    async def initialize(self) -> None:
        """Shake hands. Raises ServerFailed."""
        await self._await_answer(self._client.initialize_async(self._initialize_params()))
        self._client.initialized(types.InitializedParams())
        settings = types.DidChangeConfigurationParams(settings=self._settings)
        self._client.workspace_did_change_configuration(settings)

    def _initialize_params(self) -> types.InitializeParams:
        markup = [types.MarkupKind.PlainText, types.MarkupKind.Markdown]
        capabilities = types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind.Utf16]),
            text_document=types.TextDocumentClientCapabilities(
                definition=types.DefinitionClientCapabilities(link_support=True),
                references=types.ReferenceClientCapabilities(),
                hover=types.HoverClientCapabilities(content_format=markup),
            ),
            window=types.WindowClientCapabilities(work_done_progress=True),
            workspace=types.WorkspaceClientCapabilities(configuration=True, workspace_folders=True),
        )
        return types.InitializeParams(
            capabilities=capabilities,
            process_id=os.getpid(),
            root_uri=self.workspace.root.as_uri(),
            workspace_folders=[self._workspace_folder()],
        )

    async def request_definition(self, at: TextPosition) -> object:
        """What `textDocument/definition` answers: None, a Location, a list of Location or LocationLink."""
        return await self._await_answer(self._request(at, types.TEXT_DOCUMENT_DEFINITION))

    async def request_references(self, at: TextPosition) -> object:
        """What `textDocument/references` answers, declarations included: None or a list of Location."""
        return await self._await_answer(self._request(at, types.TEXT_DOCUMENT_REFERENCES))

    async def request_hover(self, at: TextPosition) -> object:
        """What `textDocument/hover` answers: None or a Hover."""
        return await self._await_answer(self._request(at, types.TEXT_DOCUMENT_HOVER))

    async def _request(self, at: TextPosition, method: str) -> object:
        """Ask once the server is not loading any more, about a file that it was sent."""
        document = types.TextDocumentIdentifier(self.workspace.uri(at.path))
        where = types.Position(at.line, at.column)
        await self._is_ready.wait()
        if self._server.opens and at.path not in self._opened:
            # Never closed again: what has been opened does not change, and servers differ in what closing means.
            self._opened.add(at.path)
            item = types.TextDocumentItem(document.uri, self._server.language, 1, at.text)
            self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        await self._is_idle.wait()
        match method:
            case types.TEXT_DOCUMENT_DEFINITION:
                return await self._client.text_document_definition_async(types.DefinitionParams(document, where))
            case types.TEXT_DOCUMENT_REFERENCES:
                context = types.ReferenceContext(include_declaration=True)
                params = types.ReferenceParams(context, document, where)
                return await self._client.text_document_references_async(params)
            case _:
                return await self._client.text_document_hover_async(types.HoverParams(document, where))

    async def close(self) -> None:
        """End every process of the server, and wait until they are gone."""
        self._end_with(ServerDied("it was ended"))
        self._read_task.cancel()
        await asyncio.gather(self._read_task, return_exceptions=True)
        await _end_and_wait(self._process)


async def connect(server: LanguageServer, program: str, workspace: Workspace) -> ServerConnection:
    """Start a server on a workspace. Raises ServerFailed."""
    limits = (str(server.cpu_s), str(server.memory_mb << 20))
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-S", str(_LIMITS), *limits, program, *server.command[1:]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=workspace.home,  # not where the repository's files are: nothing is to be found there by accident
            env=server.environment(workspace.home),
            start_new_session=True,
        )
    except OSError as error:
        raise ServerDied(f"it can't be started: {error.strerror}") from error
    try:
        connection = ServerConnection(server, workspace, process)
        await connection.initialize()
    except BaseException:
        await _end_and_wait(process)  # its end is the end of what reads from it too
        raise
    return connection


async def _end_and_wait(process: asyncio.subprocess.Process) -> None:
    """Once every process of the group has ended and the pipes are closed."""
    kill_group(process.pid)
    await process.wait()
    transport = getattr(process, "_transport", None)
    if transport is not None:  # it holds the pipes; there is no public way to them
        transport.close()


async def _cancel_and_wait(answer: "asyncio.Future[Any]") -> None:
    """Leave no unawaited task behind."""
    answer.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await answer


def _select_section(settings: Any, name: str) -> Any:  # noqa: ANN401  settings are whatever a server takes
    for part in filter(None, name.split(".")):
        settings = cast("dict[str, Any]", settings).get(part) if isinstance(settings, dict) else None
    return settings


def kill_group(pid: int) -> None:
    """Kill a group of processes, if there is still one."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
