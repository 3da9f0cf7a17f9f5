"""Task files: checked, mined from git history, imported from benchmarks."""
