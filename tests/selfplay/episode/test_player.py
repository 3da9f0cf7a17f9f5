"""The player knows nothing of the task but what it was sent."""

import gc
import inspect
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

from selfplay.config import EpisodeLimits
from selfplay.episode.player import Player
from selfplay.models.offline.scripted import ScriptedModel, call, judges, says
from tests.selfplay.episodes import TARGETS, episode_fixture

SECRETS = tuple(path.rpartition("/")[2] for path in TARGETS)


def reachable(start: object) -> Iterator[object]:
    """All that can be got at from an object: attributes, slots, closures, items; no modules, no functions' globals."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, ModuleType | type) or inspect.isframe(one):
            continue
        seen.add(id(one))
        yield one
        if inspect.isfunction(one):
            waiting += [cell.cell_contents for cell in one.__closure__ or ()]
            waiting += [*(one.__defaults__ or ()), *(one.__kwdefaults__ or {}).values()]
        else:
            waiting += gc.get_referents(one)


async def test_nothing_that_a_player_can_reach_holds_the_answer(tmp_path: Path) -> None:
    """Looked at after each event of an episode in which no result names a target."""
    fixture = episode_fixture(tmp_path, limits=EpisodeLimits(steps=2))
    model = ScriptedModel([says("Look.", call("read_file", path="README.md")), says("I think.")])
    walks: list[int] = []
    leaks: list[str] = []

    def look(_event: object, _is_recorded: bool) -> None:  # noqa: FBT001  an EventWatcher
        for player in [one for one in gc.get_objects() if isinstance(one, Player) and plays_with(one, model)]:
            texts = [one for one in reachable(player) if isinstance(one, str | bytes)]
            walks.append(len(texts))
            leaks.extend(str(text) for text in texts if any(name in str(text) for name in SECRETS))

    supervisor = [judges("neutral", "w", "Where does it rest?"), judges("neutral", "w", None)]
    await fixture.play(model, supervisor, watch=look, is_used_up=False)
    assert len(model.asked) > 1
    assert max(walks) > len(model.asked)
    assert not leaks


def plays_with(player: Player, model: ScriptedModel) -> bool:
    return any(one is model for one in reachable(player))


async def test_the_walk_would_find_an_answer(tmp_path: Path) -> None:
    fixture = episode_fixture(tmp_path)
    leaking = Player(partial(fixture.play, fixture.setup), {})  # type: ignore[arg-type]
    assert any(SECRETS[0] in one for one in reachable(leaking) if isinstance(one, str))
