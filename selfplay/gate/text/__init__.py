"""The words of a hint, in the forms in which they are compared."""
