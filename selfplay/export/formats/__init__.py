"""The formats of rows: those that come along, one module each, and those that other packages bring.

A package offers a format as an entry point, whose value is an `ExportFormat`:

    [project.entry-points."selfplay.export_formats"]
    mine = "mypackage.formats:MINE"
"""

from selfplay.core.errors import ConfigError
from selfplay.core.plugins import load_object, load_plugins
from selfplay.export.export_format import ExportFormat
from selfplay.export.formats.openai_chat import OPENAI
from selfplay.export.formats.trl import TRL

FORMATS: dict[str, ExportFormat] = {each.name: each for each in (OPENAI, TRL)}
"""Those that come along, by name."""
ENTRY_POINTS = "selfplay.export_formats"


def load_formats() -> dict[str, ExportFormat]:
    """All formats by name: those that come along, then those of installed packages.

    Raises ConfigError for an entry point that is no format, can't be loaded, or takes a name that comes along.
    """
    formats = dict(FORMATS)
    for name, found in load_plugins(ENTRY_POINTS).items():
        if name in FORMATS:
            raise ConfigError(f"entry point {name!r} of group {ENTRY_POINTS!r} takes the name of a format of selfplay")
        formats[name] = _require_format(found, f"entry point {name!r} of group {ENTRY_POINTS!r}")
    return formats


def find_format(name: str) -> ExportFormat:
    """The format of that name, or the object that `package.module:name` says.

    Raises ConfigError, which lists the names, where there is none.
    """
    if name in FORMATS:
        return FORMATS[name]
    if ":" in name:
        return _require_format(load_object(name), repr(name))
    formats = load_formats()
    if name not in formats:
        names = ", ".join(map(repr, formats))
        raise ConfigError(f"{name!r} is not one of {names}; a format of your own is package.module:name")
    return formats[name]


def _require_format(found: object, where: str) -> ExportFormat:
    if not isinstance(found, ExportFormat):
        wanted = f"{ExportFormat.__module__}.{ExportFormat.__qualname__}"
        raise ConfigError(f"{where} is of type {type(found).__name__}; a format is an object of {wanted}")
    return found
