"""Tools that ask a language server: where a name is defined, where it is used, what it is. Off unless configured.

`servers` says who is asked, `files` lays a snapshot's files out for it, `wire` talks to one server process, `pool`
keeps the processes that are alive and ends them, `positions` and `rows` turn a model's words into the protocol's and
back, `tools` are the tools.
"""

from importlib.util import find_spec

if find_spec("pygls") is None:
    raise ModuleNotFoundError(
        "the language server tools need pygls: pip install '.[lsp]' in selfplay's checkout", name="pygls"
    )
