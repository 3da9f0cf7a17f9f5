"""What each of several workers may do, so that all of them together keep to a run's settings."""

from selfplay.batch.settings import BatchSettings, SeatLimits
from selfplay.errors import ConfigError

LIMIT_NAMES = ("in_flight", "requests_per_minute", "tokens_per_minute")


def split_settings(settings: BatchSettings, count: int) -> list[BatchSettings]:
    """Settings for `count` workers at most, whose numbers add up to those given; no more of them than `at_once`.

    The budget stays whole, without its time: whoever starts the workers watches over it. Raises ConfigError where a
    limit is smaller than the number of workers.
    """
    count = min(count, settings.at_once)
    budget = settings.budget.model_copy(update={"time_s": None})
    return [
        settings.model_copy(
            update={
                "at_once": _size_of_part(settings.at_once, number, count),
                "budget": budget,
                **{seat: _split_limits(seat, getattr(settings, seat), number, count) for seat in _SEAT_NAMES},
            }
        )
        for number in range(count)
    ]


_SEAT_NAMES = ("player", "supervisor", "judge")


def _split_limits(seat: str, limits: SeatLimits, number: int, count: int) -> SeatLimits:
    parts: dict[str, int] = {}
    for name in LIMIT_NAMES:
        whole: int | None = getattr(limits, name)
        if whole is None:
            continue
        if whole < count:
            raise ConfigError(
                f"batch.{seat}.{name}: {whole} can't be shared by {count} actors; raise it, or start fewer actors"
            )
        parts[name] = _size_of_part(whole, number, count)
    return limits.model_copy(update=parts)


def _size_of_part(whole: int, number: int, count: int) -> int:
    """The `number`-th (from 0) of `count` nearly equal parts."""
    return whole // count + (number < whole % count)
