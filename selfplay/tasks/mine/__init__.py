"""Tasks out of git history.

    mined = mine_tasks(Repositories(Path("repos")), "~/src/app", "HEAD", MineSettings(count=100))
    write_tasks([(Path("tasks.jsonl"), mined.tasks)])

`docs/mining.md` says what is taken and what is left.
"""

from selfplay.tasks.check import TaskCheckResult, TaskProblem, check_tasks
from selfplay.tasks.mine.filters import MiningDrop, MiningFunnel
from selfplay.tasks.mine.mining import MinedTasks, mine_tasks, split_by_time
from selfplay.tasks.mine.rewriting import RewriteAnswerFile, RewriteCost, Rewriter, UnrewrittenPolicy
from selfplay.tasks.mine.settings import CommitSelection, MineSettings
from selfplay.tasks.prompt_leaks import LeakGrade, PromptLeak, find_leak
from selfplay.tasks.task_files import refuse_other_file, write_tasks

__all__ = [
    "CommitSelection",
    "LeakGrade",
    "MineSettings",
    "MinedTasks",
    "MiningDrop",
    "MiningFunnel",
    "PromptLeak",
    "RewriteAnswerFile",
    "RewriteCost",
    "Rewriter",
    "TaskCheckResult",
    "TaskProblem",
    "UnrewrittenPolicy",
    "check_tasks",
    "find_leak",
    "mine_tasks",
    "refuse_other_file",
    "split_by_time",
    "write_tasks",
]
