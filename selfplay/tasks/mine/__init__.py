"""Tasks out of git history.

    mined = mine_tasks(Repositories(Path("repos")), "~/src/app", "HEAD", MineSettings(count=100))
    write_tasks([(Path("tasks.jsonl"), mined.tasks)])

`docs/mining.md` says what is taken and what is left.
"""

from selfplay.tasks.mine.filters import MiningDrop, MiningFunnel
from selfplay.tasks.mine.mining import MinedTasks, mine_tasks, split_by_time
from selfplay.tasks.mine.rewriting import RewriteAnswerFile, RewriteCost, Rewriter, UnrewrittenPolicy
from selfplay.tasks.mine.settings import CommitSelection, MineSettings

__all__ = [
    "CommitSelection",
    "MineSettings",
    "MinedTasks",
    "MiningDrop",
    "MiningFunnel",
    "RewriteAnswerFile",
    "RewriteCost",
    "Rewriter",
    "UnrewrittenPolicy",
    "mine_tasks",
    "split_by_time",
]
