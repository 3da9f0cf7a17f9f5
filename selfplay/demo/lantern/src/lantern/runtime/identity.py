"""Who is running here: the software, the exact build of it, and this one instance among its siblings.

Worked out once when the process starts, then handed to whoever has to introduce itself: the startup line, the admin
pages, and the bytes that leave. Nothing in here changes while the process lives.
"""

import hashlib
import re
import socket
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import lantern

_NOT_A_NAME = re.compile(r"[^0-9A-Za-z._-]+")


@dataclass(frozen=True, slots=True)
class Identity:
    """Name and build of the running software."""

    product: str
    """Software and version as one token: `lantern/0.9.2`."""
    build: str
    """12 hex digits over the installed sources: two machines with the same digits run the same code."""
    instance: str
    """Which of several machines or processes this is; the operator's choice, else the host's name."""
    started_at: float
    """Seconds since the epoch."""

    def introduction(self) -> str:
        """One line for people, printed when the process is up."""
        return f"{self.product} (build {self.build}, instance {self.instance})"


def identify(instance: str = "") -> Identity:
    """The identity of this process. Characters of `instance` that a token can't hold become `-`."""
    name = _NOT_A_NAME.sub("-", instance or socket.gethostname()) or "unnamed"
    return Identity(
        product=f"lantern/{lantern.__version__}",
        build=_digest_of_sources(Path(lantern.__file__).parent),
        instance=name,
        started_at=time.time(),
    )


@cache
def _digest_of_sources(package: Path) -> str:
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        digest.update(source.relative_to(package).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
