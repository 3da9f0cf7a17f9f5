"""What a process that plays for hours keeps of the memory that it does not need any more."""

import ctypes
from contextlib import suppress

ARENAS = 2
MAPPED_BYTES = 1 << 20
_ARENA_MAX = -8
_MMAP_THRESHOLD = -3
"""As `malloc.h` of glibc numbers them."""


def limit_malloc_caches() -> bool:
    """Have the C library keep less of what was freed, from now on; False where it is not glibc.

    By default each thread allocates from an arena of its own, and what an index took to be built stays behind in all of
    them. Python's lock lets few threads allocate at once anyway. Large blocks get pages of their own, which go back.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_ARENA_MAX, ARENAS)) and bool(mallopt(_MMAP_THRESHOLD, MAPPED_BYTES))
    return False
