"""Figures for people: short, with their units."""

from selfplay.batch.progress.results import ratio_of
from selfplay.core.trace import StopReason

_SCALES = ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k"))
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def format_count(number: float) -> str:
    """`9,999`, `12.3 k`, `4.56 M`."""
    for size, letter in _SCALES:
        if number >= size:
            value = number / (1000 if letter == "k" else size)
            return f"{value:.3g} {letter}" if value < 999.5 else f"{value:,.0f} {letter}"  # noqa: PLR2004  no exponent
    return f"{number:,.0f}"


def format_share(part: float | None) -> str:
    """A share as whole percents; `-` for none."""
    return "-" if part is None else f"{part:.0%}"


def format_share_of(part: float, whole: float) -> str:
    """The same of a part and a whole."""
    return format_share(ratio_of(part, whole))


def format_dollars(amount: float | None) -> str:
    """`0.0042 USD`, `3.14 USD`, `1,204 USD`."""
    if amount is None:
        return "-"
    if not amount:
        return "0 USD"
    digits = 4 if amount < 1 else 2 if amount < 1000 else 0  # noqa: PLR2004  where fractions stop to matter
    return f"{amount:,.{digits}f} USD"


def format_duration(seconds: float | None) -> str:
    """`0.4 s`, `42 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return "-"
    if 0 < seconds < 1:
        return f"{max(seconds, 0.1):.1f} s"
    whole = round(seconds)
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return _format_two_units(whole, MINUTE_S, "min", 1, "s")
    if whole < DAY_S:
        return _format_two_units(whole, HOUR_S, "h", MINUTE_S, "min")
    return _format_two_units(whole, DAY_S, "d", HOUR_S, "h")


def _format_two_units(seconds: int, large_s: int, large: str, small_s: int, small: str) -> str:
    rest = seconds % large_s // small_s
    return f"{seconds // large_s} {large}" + (f" {rest} {small}" if rest else "")


_OUTCOME_LABELS = {
    StopReason.STEPS: "out of steps",
    StopReason.TOKENS: "out of tokens",
    StopReason.TIME: "out of time",
    StopReason.COST: "out of money",
    StopReason.CONVERSATION: "conversation too long",
}


def outcome_label(reason: StopReason) -> str:
    """Why an episode ended, in words."""
    return _OUTCOME_LABELS.get(reason, label_of(reason))


def label_of(name: str) -> str:
    """The name of a reason or kind as words."""
    return name.replace("_", " ")
