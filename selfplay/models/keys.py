"""What looks like a key, and texts without it: no key is written anywhere."""

import re

KEY_LIKE = re.compile(
    r"(?<![A-Za-z0-9])"
    r"(sk-(?:[A-Za-z0-9_-]{16,}|(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{8,})|Bearer [A-Za-z0-9._~+/=-]{8,})"
)
"""A short one has a digit; words (`sk-learn`) have none, or are shorter."""
CREDENTIALS = re.compile(r"(?<=://)[^/\s@'\"]+@")
"""User and password in an address, such as a proxy's in an error."""
SCRUBBED = b"[key]"


def hide_keys(text: str) -> str:
    """`text` without anything that looks like a key or stands before a host as a password does: for errors."""
    return KEY_LIKE.sub(SCRUBBED.decode(), CREDENTIALS.sub(f"{SCRUBBED.decode()}@", text))
