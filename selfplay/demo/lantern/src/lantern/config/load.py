"""From a TOML file to `Settings`: nothing unknown, nothing of the wrong type, every complaint with its place."""

import dataclasses
import tomllib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from lantern.config.settings import Settings
from lantern.errors import ConfigError


def load_settings(path: Path) -> Settings:
    """The settings in a TOML file. Relative paths in it start at the file's directory. Raises ConfigError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: no TOML: {error}") from error
    settings = read_table(Settings, table, where=str(path), base=path.resolve().parent)
    assert isinstance(settings, Settings)
    return settings


def read_table(kind: type, table: Mapping[str, Any], *, where: str, base: Path) -> Any:
    """An instance of the dataclass `kind` from a TOML table. Raises ConfigError."""
    hints = get_type_hints(kind)
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise ConfigError(f"{where}: unknown setting {unknown[0]!r}; there are {', '.join(sorted(hints))}")
    values = {
        name: _read_value(hints[name], value, where=f"{where}: {name}", base=base) for name, value in table.items()
    }
    for field in dataclasses.fields(kind):
        is_optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if not is_optional and field.name not in values:
            raise ConfigError(f"{where}: {field.name!r} is missing")
    return kind(**values)


def _read_value(wanted: Any, value: Any, *, where: str, base: Path) -> Any:
    if isinstance(wanted, types.UnionType):
        wanted = next(option for option in get_args(wanted) if option is not types.NoneType)
    if get_origin(wanted) is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: needs double brackets: [[table]]")
        return tuple(
            _read_value(get_args(wanted)[0], item, where=f"{where}[{number}]", base=base)
            for number, item in enumerate(value)
        )
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type) and isinstance(value, Mapping):
        return read_table(wanted, value, where=where, base=base)
    if wanted is Path and isinstance(value, str):
        return base / value
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ConfigError(f"{where}: {value!r} is no {getattr(wanted, '__name__', wanted)}")
    return value
