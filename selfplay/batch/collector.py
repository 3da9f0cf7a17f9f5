"""Python's collector of reference cycles, while many episodes are played."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

YOUNG = 20_000
"""Objects after which the young are looked through; by default 700, of which a single call of a model makes many."""


@contextmanager
def calm() -> Generator[None]:
    """Look for cycles less often, and never among what there is already (modules, settings).

    What a conversation is made of is freed when its last reference goes; looking through hundreds of conversations
    again and again finds nothing.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
