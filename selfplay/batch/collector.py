"""Python's collector of reference cycles, while many episodes are played."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

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
