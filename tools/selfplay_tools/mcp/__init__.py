"""The tools over the Model Context Protocol: `python -m selfplay_tools.mcp --repo PATH`. Needs the extra `mcp`."""

from importlib.util import find_spec

if find_spec("mcp") is None:
    raise ModuleNotFoundError(
        "serving the tools needs the MCP SDK: pip install '.[mcp]' in selfplay's checkout", name="mcp"
    )
