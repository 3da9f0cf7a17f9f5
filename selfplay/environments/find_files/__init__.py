"""Finding files: search one commit of a repository for the places that a task is about."""
