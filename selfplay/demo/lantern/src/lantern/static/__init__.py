"""Files of a directory, served over HTTP."""
