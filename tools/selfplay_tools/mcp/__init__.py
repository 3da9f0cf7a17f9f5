"""The tools over the Model Context Protocol: `python -m selfplay_tools.mcp --repo PATH`. Needs the extra `mcp`."""
