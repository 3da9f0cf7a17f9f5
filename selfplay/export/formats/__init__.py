"""The formats of rows: one module each, pure functions of clean traces."""
