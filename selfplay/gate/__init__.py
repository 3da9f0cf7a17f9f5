"""The gate between supervisor and player: a hint passes when nothing in it lets the player skip the search.

    secret = prepare(task, snapshot)        once per task
    shown = Seen(); shown.add(text)         with each text that the player gets or writes
    findings(hint, secret, shown)           empty: the hint may be sent

Deterministic, without a model. `docs/gate.md` says what each check does and where it errs.
"""

from selfplay.gate.check import check_hint, check_with_earlier_hints
from selfplay.gate.guard import Guard, prepare_guard
from selfplay.gate.shown_text import ShownText

__all__ = ["Guard", "ShownText", "check_hint", "check_with_earlier_hints", "prepare_guard"]
