"""Models on any server of the chat completions protocol."""
