"""Bytes as text, words, and patterns over them."""
