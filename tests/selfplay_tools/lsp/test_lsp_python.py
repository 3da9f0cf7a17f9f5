"""The language server tools with the server for Python that the extra `lsp` brings."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("pygls")
pytest.importorskip("basedpyright")

from selfplay_tools.lsp.server_pool import ServerPool
from selfplay_tools.lsp.servers import server_for
from selfplay_tools.lsp.tools import make_lsp_tools
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.tool import CallResult
from selfplay_tools.tools.toolbox import Toolbox

HOSTILE = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n"
FILES = {
    "src/pond/__init__.py": "",
    "src/pond/base.py": "class Animal:\n    def speak(self) -> str:\n        return 'hm'\n",
    "src/pond/duck.py": (
        "from pond.base import Animal\n\n\nclass Duck(Animal):\n"
        '    def speak(self) -> str:\n        """Say it."""\n        return "quack"\n'
    ),
    "src/pond/car.py": "class Car:\n    def speak(self) -> str:\n        return 'honk'\n",
    "main.py": (
        "import json\n\nfrom pond.car import Car\nfrom pond.duck import Duck\n\n\n"
        "def concert(duck: Duck) -> str:\n"
        '    emoji = "🦆🦆"; sound = duck.speak()\n'
        "    return json.dumps(emoji + sound + Car().speak())\n"
    ),
    # What would run, if the server ran anything of the repository:
    "json.py": HOSTILE,
    "sitecustomize.py": HOSTILE,
    "conftest.py": HOSTILE,
    "pyrightconfig.json": '{"venvPath": ".", "venv": "venv", "extraPaths": ["/"], "exclude": ["**"]}',
    "pyproject.toml": "[tool.basedpyright]\nexclude = ['**']\n",
    "venv/bin/python": "#!/bin/sh\ntouch ran\n",
    "venv/pyvenv.cfg": "home = .\n",
}


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., CallResult]]:
    root = tmp_path_factory.mktemp("repo")
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    snapshot = DirectorySnapshot(root)
    toolbox = Toolbox(snapshot, make_lsp_tools([server_for("python")], ServerPool()))

    def run(tool: str, path: str, line: int, symbol: str, **more: int) -> CallResult:
        return toolbox.run(tool, json.dumps({"path": path, "line": line, "symbol": symbol, **more}))

    yield run
    snapshot.close()
    assert not list(root.rglob("ran"))


def test_a_definition_is_that_of_the_type_and_not_of_the_name(ask: Callable[..., CallResult]) -> None:
    result = ask("goto_definition", "main.py", 8, "duck.speak")
    assert result.text.splitlines() == [
        'Definitions of "speak" (main.py:8): 1 line in 1 file',
        "src/pond/duck.py:5: def speak(self) -> str:  [method Duck.speak]",
    ]


def test_imports_are_followed_without_the_repositorys_configuration(ask: Callable[..., CallResult]) -> None:
    assert "src/pond/car.py:1: class Car:  [class Car]" in ask("goto_definition", "main.py", 3, "Car").text


def test_references_are_those_of_one_thing_in_path_order(ask: Callable[..., CallResult]) -> None:
    result = ask("lsp_references", "src/pond/car.py", 2, "speak")
    assert result.text.splitlines() == [
        'References of "speak" (src/pond/car.py:2): 2 lines in 2 files',
        "main.py:9: return json.dumps(emoji + sound + Car().speak())  [in concert]",
        "src/pond/car.py:2: def speak(self) -> str:  [method Car.speak]",
    ]
    assert [(shown.path, shown.first, shown.how) for shown in result.shown] == [
        ("main.py", 9, "match"),
        ("src/pond/car.py", 2, "match"),
    ]


def test_hover_tells_the_type_and_the_documentation(ask: Callable[..., CallResult]) -> None:
    text = ask("hover", "main.py", 8, "duck.speak").text
    assert "speak() -> str" in text
    assert "Say it." in text


def test_the_standard_library_is_named_as_outside(ask: Callable[..., CallResult]) -> None:
    result = ask("goto_definition", "src/pond/base.py", 2, "str")
    assert result.shown == ()
    assert "[outside this repository: builtins.pyi (standard library)]" in result.text


def test_the_first_question_is_answered_as_the_last(ask: Callable[..., CallResult], tmp_path: Path) -> None:
    """Servers answer from what they have read so far, if they are asked too early."""
    call = ("lsp_references", "src/pond/car.py", 2, "speak")
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    snapshot = DirectorySnapshot(tmp_path)
    toolbox = Toolbox(snapshot, make_lsp_tools([server_for("python")], ServerPool()))
    first = toolbox.run(call[0], json.dumps({"path": call[1], "line": call[2], "symbol": call[3]}))
    snapshot.close()
    assert first == ask(*call)


def test_asked_again_it_answers_the_same(ask: Callable[..., CallResult]) -> None:
    calls = [("lsp_references", "src/pond/duck.py", 4, "Duck"), ("hover", "main.py", 7, "Duck")]
    assert [ask(*call) for call in calls] == [ask(*call) for call in calls]


def test_a_place_of_a_name_that_is_nothing_is_said(ask: Callable[..., CallResult]) -> None:
    result = ask("goto_definition", "src/pond/duck.py", 7, "quack")
    assert result.ok
    assert result.text == 'The language server finds no definition of "quack" (src/pond/duck.py:7).'


def test_nothing_of_the_machine_is_in_an_answer(ask: Callable[..., CallResult]) -> None:
    for tool in ("goto_definition", "lsp_references", "hover"):
        text = ask(tool, "main.py", 1, "json").text
        assert str(Path.home()) not in text
        assert "selfplay-lsp" not in text
