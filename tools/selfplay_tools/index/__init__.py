"""Search indexes over the contents of commits."""
