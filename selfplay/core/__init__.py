"""The nouns, the errors, and what everything else is built of."""
