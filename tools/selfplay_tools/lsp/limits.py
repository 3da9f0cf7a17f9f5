"""Run as a program: bound this process, then become the command. `limits.py CPU_SECONDS MEMORY_BYTES COMMAND...`.

It runs before anything else is known to work, so it needs the standard library only. Where a system has no such
bound, the command runs without it.
"""

import os
import resource
import sys
from contextlib import suppress


def lower_limit(kind: int, most: int) -> None:
    """Lower a limit to `most`, or leave it where it is lower already."""
    _, hard = resource.getrlimit(kind)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (wanted, wanted))


def main() -> None:
    """Bound and become: processor seconds, bytes of data, no core files; and give way to everything else."""
    cpu_s, memory_bytes, *command = sys.argv[1:]
    lower_limit(resource.RLIMIT_CPU, int(cpu_s))
    lower_limit(resource.RLIMIT_DATA, int(memory_bytes))
    lower_limit(resource.RLIMIT_CORE, 0)
    with suppress(OSError):
        os.nice(5)
    os.execv(command[0], command)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main()
