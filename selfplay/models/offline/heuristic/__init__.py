"""Player, supervisor and judge without a language model: rules over words.

With them the engine runs and is tested anywhere. Their traces show that the engine works; they are not what a language
model would write, and are of no use for training.
"""

from selfplay.models.offline.heuristic.player import HeuristicJudge, HeuristicPlayer
from selfplay.models.offline.heuristic.supervisor import HeuristicSupervisor

__all__ = ["HeuristicJudge", "HeuristicPlayer", "HeuristicSupervisor"]
