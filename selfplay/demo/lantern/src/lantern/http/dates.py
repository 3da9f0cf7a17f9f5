"""Dates as HTTP writes them: always GMT, always English, one second fine."""

import time
from email.utils import formatdate, parsedate_to_datetime


def http_date(when: float | None = None) -> str:
    """`Sun, 06 Nov 1994 08:49:37 GMT` for seconds since the epoch, or for now."""
    return formatdate(time.time() if when is None else when, usegmt=True)


def parse_http_date(text: str) -> float | None:
    """Seconds since the epoch, or None for anything that is no date: a bad date is ignored, never an error."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
