"""Repositories: where they are, clones, and what their snapshots hide."""
