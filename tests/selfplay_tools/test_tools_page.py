"""The page on the tools is true. Run as a script, this file writes the page's tables and results anew."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.toolbox import Toolbox

PAGE = Path(__file__).parents[2] / "docs" / "tools.md"
FILE = re.compile(r"<!-- file: (?P<path>\S+) -->\n```\w*\n(?P<text>.*?)```\n", re.DOTALL)
CALL = re.compile(r"(?P<mark><!-- call: (?P<name>\w+) (?P<arguments>\{.*?\}) -->\n)(?:```text\n.*?```\n)?", re.DOTALL)
TABLE = re.compile(r"(?P<mark><!-- arguments: (?P<name>\w+) -->\n)(?:(?:>.*\n)+\n(?:\|.*\n)+)?")
CODE = re.compile(r"<!-- code -->\n```python\n(?P<text>.*?)```\n", re.DOTALL)


def renew_page(page: str, toolbox: Toolbox) -> str:
    """The page with every table and every result made now."""
    described = {schema["function"]["name"]: schema["function"] for schema in toolbox.schemas()}
    page = TABLE.sub(lambda match: match["mark"] + table(described[match["name"]]), page)
    return CALL.sub(lambda match: match["mark"] + result(toolbox, match["name"], match["arguments"]), page)


def result(toolbox: Toolbox, name: str, arguments: str) -> str:
    return f"```text\n{toolbox.run(name, arguments).text}\n```\n"


def table(function: dict[str, Any]) -> str:
    parameters = function["parameters"]
    required: list[str] = parameters.get("required", [])
    properties: dict[str, dict[str, Any]] = parameters["properties"]
    rows = "".join(row(name, inner, is_required=name in required) for name, inner in properties.items())
    return f"> {function['description']}\n\n| argument | type | default | |\n|---|---|---|---|\n{rows}"


def row(name: str, schema: dict[str, Any], *, is_required: bool) -> str:
    kind = schema["type"]
    if "maximum" in schema:
        kind += f", {schema['minimum']} to {schema['maximum']}"
    if "items" in schema:
        kind += " of {" + ", ".join(schema["items"]["properties"]) + f"}}, 1 to {schema['maxItems']}"
    default = "required" if is_required else f"`{json.dumps(schema['default'])}`"
    return f"| `{name}` | {kind} | {default} | {schema.get('description', '').replace('|', chr(92) + '|')} |\n"


def make_example(root: Path, page: str) -> None:
    for match in FILE.finditer(page):
        path = root / match["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(match["text"], encoding="utf-8")


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Toolbox]:
    make_example(tmp_path, PAGE.read_text("utf-8"))
    snapshot = DirectorySnapshot(tmp_path)
    yield Toolbox(snapshot)
    snapshot.close()


def test_every_table_and_result_on_the_page_is_what_the_tools_say(example: Toolbox) -> None:
    page = PAGE.read_text("utf-8")
    assert renew_page(page, example) == page


def test_every_tool_has_its_section_table_and_example(example: Toolbox) -> None:
    page = PAGE.read_text("utf-8")
    for tool in example.tools:
        assert f"\n## {tool.name}\n" in page
        assert f"<!-- arguments: {tool.name} -->" in page
        assert f"<!-- call: {tool.name} " in page


def test_the_code_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = PAGE.read_text("utf-8")
    make_example(tmp_path, page)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(CODE.findall(page)[0], names)  # noqa: S102  # the page's own example
    assert names["result"].text.startswith("2 matching lines in 1 file")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        text = PAGE.read_text("utf-8")
        make_example(Path(folder), text)
        opened = DirectorySnapshot(Path(folder))
        PAGE.write_text(renew_page(text, Toolbox(opened)), "utf-8")
        opened.close()
