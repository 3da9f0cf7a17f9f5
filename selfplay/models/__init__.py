"""All requests to language models go through this package; `openai/transport.py` sends those to a server."""
