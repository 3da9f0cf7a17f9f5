"""What a process that plays for hours keeps of the memory that it does not need any more."""

import ctypes
import gc
from collections.abc import Generator
from contextlib import contextmanager, suppress

YOUNG_THRESHOLD = 50_000
"""Objects after which the young are looked through; by default 700, of which a single call of a model makes many."""
OLD_THRESHOLD = 100
"""So many looks at the middle-aged come before one at everything, by default 10: hundreds of conversations are much."""


@contextmanager
def collect_cycles_less_often() -> Generator[None]:
    """Look for cycles less often, and never among what there is already (modules, settings).

    What a conversation is made of is freed when its last reference goes; looking through hundreds of conversations
    again and again finds nothing.
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

    By default each thread allocates from an arena of its own, and what an index took to be built stays behind in all of
    them. Python's lock lets few threads allocate at once anyway. Large blocks get pages of their own, which go back.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_ARENA_MAX, ARENAS)) and bool(mallopt(_MMAP_THRESHOLD, MAPPED_BYTES))
    return False
