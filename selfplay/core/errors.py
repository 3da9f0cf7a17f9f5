"""Every error that the engine raises on purpose, each named after the boundary that was crossed.

    SelfplayError
    ├── InputError              what the user gave: says file, line and what to do
    │   ├── TaskError           a row of a task file, or a task that does not fit its repository
    │   └── ConfigError         a run's configuration
    ├── RepositoryError         cloning, fetching, resolving a commit
    ├── JournalError            a journal that can't be read, or that does not fit what is being resumed
    │   └── StorageError            the disk can't be written to: full, read-only, gone
    ├── RunError                a run's folder that can't be used: another configuration, another version
    ├── ExportError             a trace that can't become a sample
    │   └── NothingToExport         none could, though nothing was wrong with the request
    └── ModelError              a call of a language model
        ├── TransientModelError     worth another try: timeout, server down, cut reply; carries the server's Retry-After
        │   ├── RateLimited             the server said to slow down
        │   └── EndpointDown            no server of the seat is in reach; nothing was sent
        ├── RunEnding               the run is ending: the call was not made
        ├── FatalModelError         no try will help: bad key, unknown model, bad request; carries what was refused
        │   ├── RequestRefused          400, 413, 422: the server does not take this request
        │   └── ContextTooLong          the conversation no longer fits
        └── ScriptError             a scripted or recorded model has no answer to what it was asked

A mistake of the player is none of these: it is text for the player. A mistake that the player's model makes in its
reply (arguments that do not parse, a reply cut by its length) is part of the reply.
"""

from pathlib import Path
from typing import Self


class SelfplayError(Exception):
    """Base of all errors of the engine."""


class InputError(SelfplayError):
    """What the user gave is not usable. The message says what, where and what to do."""


class TaskError(InputError):
    """A task row, or a task that does not fit its repository."""


class ConfigError(InputError):
    """A configuration that can't be used."""


class RepositoryError(SelfplayError):
    """A repository could not be cloned, fetched or read."""


class JournalError(SelfplayError):
    """A journal is damaged beyond its last line, or was written by a different episode."""


class StorageError(JournalError):
    """The disk is full, read-only, or gone. What was written before is whole."""

    @classmethod
    def from_os_error(cls, path: Path, error: OSError, what: str = "written") -> Self:
        """The error for a file that can't be written (or `what`: made, read)."""
        return cls(f"{path}: can't be {what}: {error.strerror}; mend that and run the same command again")


class RunError(SelfplayError):
    """A run's folder can't be used with these settings."""


class ExportError(SelfplayError):
    """A trace can't become a sample of the wanted format."""


class NothingToExport(ExportError):
    """No trace and no pair gave a row. The message says why."""


class ModelError(SelfplayError):
    """A model call failed."""


class TransientModelError(ModelError):
    """Worth another try later: timeouts, lost connections, 5xx, cut or foreign replies."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """How long the server asked to wait, if it said."""


class RunEnding(ModelError):
    """The run is ending: the call was not made. The episode is resumed when the run is."""


class RateLimited(TransientModelError):
    """The server said to slow down (429, 529)."""


class EndpointDown(TransientModelError):
    """No server of the seat is in reach; nothing was sent. The episode is parked until one is."""


class FatalModelError(ModelError):
    """Another try can't help: 401, 403, 404, a request that the server refuses."""

    def __init__(self, message: str, *, status: int | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, if a server answered."""
        self.param = param
        """The request's field that the server refused, as far as its answer says: `response_format`, `tool_choice`."""


class RequestRefused(FatalModelError):
    """The server does not take this request (400, 413, 422). `param` names the field it refused, if it said so."""


class ContextTooLong(FatalModelError):
    """The conversation does not fit the model's context."""


class ScriptError(ModelError):
    """A scripted or recorded model has no answer for what it was asked."""
