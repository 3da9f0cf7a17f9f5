"""The targets' files, and the other files of the repository."""
