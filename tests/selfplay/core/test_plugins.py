import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selfplay.core.errors import ConfigError
from selfplay.core.plugins import load_object, load_plugins

AddPackage = Callable[[str, str, str], None]


@pytest.fixture
def add_package(tmp_path: Path) -> Iterator[AddPackage]:
    """Installs a distribution with one module and the given entry points, for the time of a test."""

    def add(name: str, code: str, entries: str) -> None:
        site = tmp_path / name
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}.py").write_text(code)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entries)
        sys.path.insert(0, str(site))

    before = list(sys.path)
    yield add
    sys.path[:] = before


def test_an_installed_package_offers_its_entry_points_by_name(add_package: AddPackage) -> None:
    code = "def double(n):\n    return 2 * n\n\nclass Box:\n    SIZE = 3\n"
    add_package("plugins_good", code, "[plugins.good]\nsize = plugins_good:Box.SIZE\ndouble = plugins_good:double\n")
    plugins = load_plugins("plugins.good")
    double = plugins["double"]
    assert list(plugins) == ["double", "size"]
    assert callable(double)
    assert double(21) == 42
    assert plugins["size"] == 3


def test_a_group_is_read_once(add_package: AddPackage) -> None:
    assert load_plugins("plugins.late") == {}
    add_package("plugins_late", "X = 1\n", "[plugins.late]\nx = plugins_late:X\n")
    assert load_plugins("plugins.late") == {}


def test_a_package_whose_import_fails_is_named_with_the_cause(add_package: AddPackage) -> None:
    add_package("plugins_broken", "1 / 0\n", "[plugins.broken]\nbad = plugins_broken:X\n")
    with pytest.raises(ConfigError) as caught:
        load_plugins("plugins.broken")
    for part in ("'bad'", "'plugins.broken'", "package 'plugins_broken'", "ZeroDivisionError: division by zero"):
        assert part in str(caught.value)


def test_an_entry_that_names_nothing_is_named_with_the_cause(add_package: AddPackage) -> None:
    add_package("plugins_hollow", "X = 1\n", "[plugins.hollow]\nmissing = plugins_hollow:Y\n")
    with pytest.raises(ConfigError, match=r"'missing' of group 'plugins.hollow'.*AttributeError"):
        load_plugins("plugins.hollow")


def test_two_packages_that_offer_one_name_are_refused(add_package: AddPackage) -> None:
    add_package("plugins_one", "X = 1\n", "[plugins.twice]\nx = plugins_one:X\n")
    add_package("plugins_two", "X = 2\n", "[plugins.twice]\nx = plugins_two:X\n")
    with pytest.raises(ConfigError, match=r"'x' of group 'plugins.twice' is offered twice"):
        load_plugins("plugins.twice")


def test_an_object_is_found_by_its_module_and_name() -> None:
    assert load_object("selfplay.core.plugins:load_object") is load_object
    assert load_object("pathlib:Path.cwd") == Path.cwd


@pytest.mark.parametrize("spec", ["", "json", "json:", ":loads", "json:loads:", "a b:c", "../x:y", "json:loads()"])
def test_what_names_no_object_is_refused_with_the_form_to_write(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"write package.module:name"):
        load_object(spec)


def test_a_module_that_is_not_there_is_named_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"module 'not_installed.at_all' can't be imported.*PYTHONPATH"):
        load_object("not_installed.at_all:make")


def test_a_module_whose_import_fails_gives_the_cause(add_package: AddPackage) -> None:
    add_package("plugins_raising", "raise RuntimeError('no licence')\n", "")
    with pytest.raises(ConfigError, match=r"RuntimeError: no licence"):
        load_object("plugins_raising:make")


def test_a_name_that_its_module_lacks_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"module 'json' has no 'make'"):
        load_object("json:make")
