"""Makes the step-by-step search behind a patch, as training data for coding agents.

The library's names are loaded when they are first used (docs/library.md): importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selfplay.batch.settings import BatchSettings
    from selfplay.config import RunConfig
    from selfplay.core.task import Goal, Target, Task
    from selfplay.core.trace import Trace
    from selfplay.environments.environment import EnvironmentKind
    from selfplay.library import (
        clean_traces,
        export_rows,
        make_task,
        open_clean,
        play,
        play_many,
        read_tasks,
        read_traces,
    )
    from selfplay.models.protocol import Model

_PLACES = {
    "play": "library",
    "play_many": "library",
    "read_traces": "library",
    "clean_traces": "library",
    "open_clean": "library",
    "export_rows": "library",
    "make_task": "library",
    "read_tasks": "library",
    "Task": "core.task",
    "Target": "core.task",
    "Goal": "core.task",
    "Trace": "core.trace",
    "RunConfig": "config",
    "BatchSettings": "batch.settings",
    "Model": "models.protocol",
    "EnvironmentKind": "environments.environment",
}

__all__ = [
    "BatchSettings",
    "EnvironmentKind",
    "Goal",
    "Model",
    "RunConfig",
    "Target",
    "Task",
    "Trace",
    "clean_traces",
    "export_rows",
    "make_task",
    "open_clean",
    "play",
    "play_many",
    "read_tasks",
    "read_traces",
]


def __getattr__(name: str) -> object:
    """Load a name of the library (https://peps.python.org/pep-0562/)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
