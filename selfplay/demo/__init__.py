"""The demo: a small HTTP server's code base, a task about it, and what is needed to play that task anywhere."""
