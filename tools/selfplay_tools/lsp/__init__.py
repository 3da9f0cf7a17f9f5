"""Tools that ask a language server: where a name is defined, where it is used, what it is. Off unless configured.

`servers` says which server is asked, `workspace` writes a snapshot's files out for it, `connection` talks to one server
process, `server_pool` keeps the processes that are alive and ends them, `locations` turns a model's words into the
protocol's positions and answers into rows, `tools` are the tools.
"""

from importlib.util import find_spec

if find_spec("pygls") is None:
    raise ModuleNotFoundError(
        "the language server tools need pygls: pip install '.[lsp]' in selfplay's checkout", name="pygls"
    )
