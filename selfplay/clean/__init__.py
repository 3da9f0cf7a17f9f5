"""From a raw trace to one worth training on."""
