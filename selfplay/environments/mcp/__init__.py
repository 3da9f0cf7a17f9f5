"""Any MCP server as the player's tools: a search over documents, tickets or web pages is a task too."""
