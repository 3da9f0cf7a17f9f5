"""What can go wrong below the tools.

    ToolsError
    ├── NoSuchCommit        the git directory does not hold that commit
    ├── NoSuchPath          the snapshot has no file, folder or link of that name
    ├── NotReadable         it is there, and has no text to show (a submodule, a link out, a folder)
    ├── BadArgument         an argument has the right type and can't be used: a pattern that does not parse, ...
    ├── GitFailed           git itself failed: its words, without the caller's environment
    └── NotUsable           settings that no tool, or no server of tools, can be started with

A mistake of the player (a wrong name, a bad pattern) is never one of these when it leaves `Toolbox.run`:
there it has become text that says what was wrong.
"""


class ToolsError(Exception):
    """Base of all errors of this package."""


class NoSuchCommit(ToolsError):
    """The git directory does not hold that commit."""


class NoSuchPath(ToolsError):
    """The snapshot has nothing of that name. `nearest` holds real paths that look like it, best first."""

    def __init__(self, path: str, nearest: tuple[str, ...] = ()) -> None:
        self.path = path
        self.nearest = nearest
        more = f"; did you mean {', '.join(map(repr, nearest))}?" if nearest else ""
        super().__init__(f"no file or folder {path!r}{more}")


class NotReadable(ToolsError):
    """The path exists and has no text to show; the message says what it is."""


class BadArgument(ToolsError):
    """An argument has the right type and can't be used; the message says why and what to write instead."""


class GitFailed(ToolsError):
    """A git process failed or answered out of protocol."""


class NotUsable(ToolsError):
    """Settings that can't be used, found before anything was started; the message says what to change."""
