"""Texts from models and repositories, made safe and short for a terminal."""

import re

MAX_LINES = 6
"""Lines of a tool result that are shown; the journal holds all."""
MAX_CHARS = 400

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""What acts on a terminal or hides in a text: control, direction and invisible characters."""


def sanitize(text: str) -> str:
    """Text with U+FFFD in place of control, direction and invisible characters, which act on a terminal."""
    return _CONTROL.sub("\ufffd", text)


def abbreviate(text: str, max_lines: int = MAX_LINES, max_chars: int = MAX_CHARS) -> str:
    """The beginning of a text, saying how much is left out."""
    lines = text.split("\n")
    kept = [line if len(line) <= max_chars else line[:max_chars] + " …" for line in lines[:max_lines]]
    if len(lines) > max_lines:
        kept.append(f"… and {len(lines) - max_lines} more lines")
    return "\n".join(kept)


def slug(text: str, max_chars: int = 48) -> str:
    """A text as part of a file name: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:max_chars].strip("-") or "task"
