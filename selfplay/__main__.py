"""The `selfplay` command, also as `python -m selfplay`: what happens before its imports, which can take a second."""

import os
import signal
from types import FrameType

INTERRUPTED = 130


def main() -> None:
    """Run the command. Ctrl-C while it is still being imported ends it without a word: nothing was begun yet."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else it is ignored, as in a script's background
        signal.signal(signal.SIGINT, _exit_at_once)
    from selfplay.cli import main as command  # noqa: PLC0415  what takes so long

    try:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)
        command()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def _exit_at_once(_number: int, _frame: FrameType | None) -> None:
    """At once: an exception would be caught, or printed, by whatever is being imported."""
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
