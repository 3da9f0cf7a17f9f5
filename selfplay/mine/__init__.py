"""Tasks out of git history.

    mined = mine_tasks(Repositories(Path("repos")), "~/src/app", "HEAD", MineSettings(count=100))
    write_tasks([(Path("tasks.jsonl"), mined.tasks)])

`docs/mining.md` says what is taken and what is left.
"""

from selfplay.mine.answers import Answers
from selfplay.mine.check import Checked, Problem, check_tasks
from selfplay.mine.drops import Drop, Funnel
from selfplay.mine.leaks import Leak, Leaked, leak_of
from selfplay.mine.mining import Mined, mine_tasks, split_by_time
from selfplay.mine.rewriting import Rewriter, Spent, Unless
from selfplay.mine.settings import Commits, MineSettings
from selfplay.mine.writing import refuse_other, write_tasks

__all__ = [
    "Answers",
    "Checked",
    "Commits",
    "Drop",
    "Funnel",
    "Leak",
    "Leaked",
    "MineSettings",
    "Mined",
    "Problem",
    "Rewriter",
    "Spent",
    "Unless",
    "check_tasks",
    "leak_of",
    "mine_tasks",
    "refuse_other",
    "split_by_time",
    "write_tasks",
]
