"""Read-only views of one commit or one directory."""
