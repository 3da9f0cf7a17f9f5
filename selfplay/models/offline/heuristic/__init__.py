"""Player, supervisor and judge without a language model: rules over words.

They let the engine run, be tested and be loaded anywhere. Their traces show that the machinery works; they are not what
a language model would write, and no model gets better from being trained on them.
"""

from selfplay.models.offline.heuristic.judge import HeuristicJudge
from selfplay.models.offline.heuristic.player import HeuristicPlayer
from selfplay.models.offline.heuristic.supervisor import HeuristicSupervisor

__all__ = ["HeuristicJudge", "HeuristicPlayer", "HeuristicSupervisor"]
