"""The journal, one append-only file per episode: `journal` writes it, `replay` reads it, `events` lists its events."""
