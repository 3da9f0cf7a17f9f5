"""The stages of cleaning one trace, one module each."""
