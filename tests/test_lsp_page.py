"""The page on language servers is true where a test can tell."""

import re
import tomllib
from pathlib import Path

import pytest

from selfplay.config import RunConfig

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "lsp.md").read_text("utf-8")


def test_the_configuration_is_one_and_names_every_knob() -> None:
    [text] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    lsp = RunConfig.model_validate(tomllib.loads(text)).tools.lsp
    assert lsp is not None
    assert set(lsp.servers) == {"python", "go"}
    assert lsp.servers["go"].model_fields_set == set(type(lsp.servers["go"]).model_fields)
    assert lsp.model_fields_set == set(type(lsp).model_fields)


def test_the_bounds_on_the_page_are_those_of_the_code() -> None:
    pytest.importorskip("pygls")
    from selfplay_tools.lsp import connection, server_pool, servers, workspace  # noqa: PLC0415  only with the extra

    assert f"at most {workspace.MAX_FILE_BYTES >> 20} MiB each, {workspace.MAX_FILES:,} files" in PAGE
    assert f"{workspace.MAX_BYTES >> 20} MiB together" in PAGE
    assert f"above {connection.MAX_MESSAGE_BYTES >> 20} MiB" in PAGE
    assert server_pool.MAX_ALIVE == 4
    assert all(f"`{pattern}`" in PAGE for pattern in servers.PYTHON_FILES)


def test_every_tool_of_the_page_is_one() -> None:
    pytest.importorskip("pygls")
    from selfplay_tools.lsp.servers import server_for  # noqa: PLC0415  only where the extra is installed
    from selfplay_tools.lsp.tools import make_lsp_tools  # noqa: PLC0415  as above

    named = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", PAGE, re.MULTILINE))
    assert list(named) == [tool.name for tool in make_lsp_tools([server_for("python")])]
