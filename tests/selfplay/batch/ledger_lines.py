"""Ledger lines that were never played."""

from selfplay.batch.ledger import EpisodeLine, UnitLine
from selfplay.core.trace import Quality, StopReason
from selfplay.core.usage import Usage


def make_episode_line(
    stop: StopReason = StopReason.FOUND, *, steps: int = 4, hints: int = 1, cost_usd: float = 0.25, name: str = "e"
) -> EpisodeLine:
    return EpisodeLine(
        episode=name,
        path=f"episodes/00/{name}.jsonl",
        stop=stop,
        stratum="hinted" if hints else "unhinted",
        attempt=1,
        steps=steps,
        targets=2,
        found=2 if stop is StopReason.FOUND else 1,
        hints=hints,
        refused=1,
        missing_verdicts=0,
        qualities={Quality.NEUTRAL: steps},
        tools={"search": steps - 1, "finish": 1},
        calls=2 * steps,
        retries=1,
        usage=Usage(input_tokens=100 * steps, cached_tokens=50 * steps, output_tokens=steps),
        reusable_tokens=80 * steps,
        cost_usd=cost_usd,
        seconds=1.5,
        digest="",
    )


def make_unit_line(
    number: int,
    *episodes: EpisodeLine,
    grade: str = "none",
    repo: str = "pump",
    at: str = "2026-01-01T00:00:00+00:00",
) -> UnitLine:
    """Played if there are episodes, unusable if not."""
    return UnitLine(
        unit=f"t{number}#1",
        task=f"t{number}",
        task_sha256="",
        sample=1,
        repo=repo,
        outcome="played" if episodes else "unusable",
        detail="" if episodes else "target 'x' does not exist",
        grade=grade if episodes else "",
        episodes=episodes,
        worker="w",
        at=at,
    )
