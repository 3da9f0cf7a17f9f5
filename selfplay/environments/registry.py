"""Which kinds of environments there are: those that ship, and those of entry points `selfplay.environments`."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import cast

from selfplay.config import RunConfig
from selfplay.core.errors import ConfigError, TaskError
from selfplay.core.plugins import load_object, load_plugins
from selfplay.core.task import Task
from selfplay.environments.environment import EnvironmentKind
from selfplay_tools.tools.tool import AnyTool

GROUP = "selfplay.environments"
"""An entry point's value: an `EnvironmentKind`, or what makes one when it is called."""

SHIPPED = {
    "find_files": "selfplay.environments.find_files.environment:FileSearch",
    "mcp": "selfplay.environments.mcp.environment:McpServers",
}


def kind_of(task: Task) -> EnvironmentKind:
    """The kind of environment that a task is played in. Raises TaskError for an unknown one."""
    return load_kind(task.brief.environment)


def make_run_tools(config: RunConfig) -> tuple[AnyTool, ...]:
    """The tools of a configuration, made once for all episodes of a run. Raises ConfigError."""
    from selfplay.environments.find_files.toolset import make_tools  # noqa: PLC0415  with the environment it belongs to

    return make_tools(config.tools)


_REGISTERED: dict[str, EnvironmentKind] = {}


def register_kind(kind: EnvironmentKind) -> None:
    """Make a kind known to this process by its name. Raises ConfigError for a name that ships."""
    if kind.name in SHIPPED:
        raise ConfigError(f"an environment of the name {kind.name!r} ships with this program; choose another name")
    _REGISTERED[kind.name] = kind
    load_kind.cache_clear()


@cache
def load_kind(name: str) -> EnvironmentKind:
    """The kind of that name, or the object that `package.module:name` says.

    Raises TaskError for an unknown one, ConfigError for one that can't be loaded.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    if ":" in name:
        return _as_kind(load_object(name))
    if name in SHIPPED:
        module, _, attribute = SHIPPED[name].partition(":")
        return cast("Callable[[], EnvironmentKind]", getattr(import_module(module), attribute))()
    plugins = load_plugins(GROUP)
    if name not in plugins:
        known = ", ".join(sorted({*SHIPPED, *plugins, *_REGISTERED}))
        raise TaskError(f"unknown environment {name!r}; known: {known}")
    return _as_kind(plugins[name])


def _as_kind(found: object) -> EnvironmentKind:
    return cast("EnvironmentKind", found() if callable(found) else found)
