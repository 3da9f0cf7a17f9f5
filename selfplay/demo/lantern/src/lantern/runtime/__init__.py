"""Facts about the running process: who it is and what it has done so far."""
