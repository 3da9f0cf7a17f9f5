#!/usr/bin/env python3
"""Ask a running server for one path and print the response as it came: `scripts/probe.py URL [METHOD]`."""

import sys
from urllib.parse import urlsplit

from lantern.client.connection import ClientConnection
from lantern.errors import UpstreamError


def main(url: str, method: str = "GET") -> int:
    """Print status, headers and body. Returns 0 for a response below 400."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with ClientConnection(url) as server:
            response = server.request(method, target, {"Connection": "close"})
            print(response.status, response.reason)
            for name, value in response.headers:
                print(f"{name}: {value}")
            print()
            print(response.text(), end="")
    except (UpstreamError, ValueError) as error:
        print(f"probe: {error}", file=sys.stderr)
        return 2
    return 0 if response.status < 400 else 1


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.exit(f"usage: {sys.argv[0]} URL [METHOD]")
    sys.exit(main(*sys.argv[1:]))
