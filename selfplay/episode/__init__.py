"""One episode: player, environment, supervisor and gate, step by step."""
