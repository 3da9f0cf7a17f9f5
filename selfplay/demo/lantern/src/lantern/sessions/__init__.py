"""Sessions: what the server remembers of a browser between two requests."""
