"""Objects that other packages bring: by the name of an entry point, or by where they stand.

An installed package offers entry points (https://packaging.python.org/specifications/entry-points/) in its metadata:

    [project.entry-points."selfplay.models"]
    mykind = "mypackage.models:make_model"

Loading imports the package, and so runs its code: with the rights of the user who started the run.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from selfplay.core.errors import ConfigError


@cache
def load_plugins(group: str) -> dict[str, object]:
    """What installed packages offer in a group of entry points, by name; read once in a process.

    Raises ConfigError for an entry that can't be loaded, and for a name that two packages give different meanings.
    """
    entries: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        earlier = entries.setdefault(entry.name, entry)
        if earlier.value != entry.value:
            raise ConfigError(
                f"entry point {entry.name!r} of group {group!r} is offered twice, as {earlier.value!r} and as "
                f"{entry.value!r}; uninstall one of the two packages"
            )
    return {name: _load_entry(entries[name]) for name in sorted(entries)}


def _load_entry(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:  # the entry's module is foreign code: its import may raise anything
        package = f" of package {entry.dist.name!r}" if entry.dist else ""
        raise ConfigError(
            f"entry point {entry.name!r} of group {entry.group!r}{package} can't be loaded from {entry.value!r}: "
            f"{_describe(error)}; mend or uninstall the package"
        ) from error


def load_object(spec: str) -> object:
    """The object that `package.module:name` says, such as a function of a module on Python's path.

    Raises ConfigError for another form, a module that can't be imported, and a name that the module lacks.
    """
    module_name, _, path = spec.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *path.split("."))):
        raise ConfigError(f"{spec!r} says no object of a module; write package.module:name")
    try:
        found: object = import_module(module_name)
    except Exception as error:  # foreign code: its import may raise anything
        raise ConfigError(
            f"{spec!r}: module {module_name!r} can't be imported: {_describe(error)}; "
            "install its package into this environment, or put its folder on PYTHONPATH"
        ) from error
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ConfigError(
                f"{spec!r}: module {module_name!r} has no {path!r}; name what the module defines"
            ) from None
    return found


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
