"""The player's tools: a read-only snapshot of one commit, and the tools that look into it.

This package imports nothing from `selfplay`. An agent in production installs it to run a tuned model
with exactly the tools that the model was trained with. Its packages, each on top of those before it:

    text/       bytes as lines of text, paths and globs, patterns and what every matching line must hold
    index/      search over all files of a commit; `index/store/` keeps what is known on disk
    snapshot/   one commit or one directory, read-only
    code/       languages, syntax trees, definitions
    tools/      what the player calls, one module per tool: `grep`, `search`, `read_file`, `find_symbol`, ...
    lsp/        tools that ask a language server
    semantic/   search by meaning
    mcp/        all of it as an MCP server
"""

from functools import cache


@cache
def release_version() -> str:
    """The version of the installed distribution `selfplay-traces`, which brings this package and `selfplay`."""
    from importlib.metadata import version  # noqa: PLC0415  a third of the time that `selfplay --version` takes

    return version("selfplay-traces")
