"""Samples: one module per target format, pure functions of clean traces."""
