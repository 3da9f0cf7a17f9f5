"""Limits of a process that plays for hours: memory that it gives back, files that it may open."""

import ctypes
import gc
import resource
from collections.abc import Generator
from contextlib import contextmanager, suppress

YOUNG_THRESHOLD = 50_000
"""New objects before the youngest generation is collected; Python's default is 700, which a few model calls make."""
OLD_THRESHOLD = 100
"""Collections of the middle generation before one of all objects; Python's default is 10."""


@contextmanager
def collect_cycles_less_often() -> Generator[None]:
    """Look for reference cycles less often, and never among what exists already (modules, settings).

    A conversation has no cycles: it is freed when its last reference goes. Looking through hundreds of conversations
    again and again costs time and finds nothing.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_THRESHOLD, before[1], OLD_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


ARENAS = 2
MAPPED_BYTES = 1 << 20
_ARENA_MAX = -8
_MMAP_THRESHOLD = -3
"""As `malloc.h` of glibc numbers them."""


def limit_malloc_caches() -> bool:
    """Have the C library keep less of what was freed, from now on; False where it is not glibc.

    By default each thread allocates from an arena of its own, and memory that was used to build an index stays in all
    of them. Python's lock lets few threads allocate at once anyway. Large blocks get pages of their own, which go back.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_ARENA_MAX, ARENAS)) and bool(mallopt(_MMAP_THRESHOLD, MAPPED_BYTES))
    return False


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: each episode has a journal and a connection or two."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
