"""The gate between supervisor and player: a hint passes when nothing in it lets the player skip the search.

    guard = prepare_guard(task, snapshot)        once per task
    shown = ShownText(); shown.add(text)         with each text that the player gets or writes
    check_hint(hint, guard, shown)               empty: the hint may be sent

Deterministic, without a model. `docs/gate.md` says what each check does and where it errs, and how to add one.
"""

from selfplay.gate.check import CHECKS, check_hint, check_with_earlier_hints
from selfplay.gate.guard import Check, Guard, prepare_guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.view import TextView

__all__ = [
    "CHECKS", "Check", "Guard", "ShownText", "TextView", "check_hint", "check_with_earlier_hints", "prepare_guard",
]  # fmt: skip
