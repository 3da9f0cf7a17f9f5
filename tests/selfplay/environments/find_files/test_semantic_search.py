"""`semantic_search` by configuration, on the command line, and built ahead."""

import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from selfplay.cli import main
from selfplay.config import SemanticSearchConfig, ToolsConfig, load_config
from selfplay.core.errors import ConfigError, InputError, TransientModelError
from selfplay.environments.find_files.semantic_search import embed_ahead
from selfplay.environments.find_files.toolset import make_tools
from selfplay.repos.repositories import Repositories
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS, Toolbox
from tests.loopback import LoopbackServer, run_in_thread, server_error
from tests.repositories import commit_files, make_git_dir
from tests.toy_embeddings import toy_server

FILES = {b"io.py": b"def close(handle):\n    handle.close()\n", b"notes.md": b"Numbers are added.\n"}
QUERY = orjson.dumps({"query": "close the handle", "limit": 1}).decode()


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with run_in_thread(toy_server()) as running:
        yield running


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git_dir = make_git_dir(tmp_path / "app.git")
    commit_files(git_dir, FILES)
    return git_dir


def config_of(server: LoopbackServer, max_pieces: int = 2_000) -> SemanticSearchConfig:
    return SemanticSearchConfig(model="toy", base_url=server.base_url, max_pieces=max_pieces, tries=1)


def test_a_file_configures_the_model(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[tools.semantic_search]\nmodel = "toy"\nbase_url = "http://127.0.0.1:1/v1"\nbatch_size = 8\n')
    config = load_config(path).tools
    assert [tool.name for tool in make_tools(config)] == [*(tool.name for tool in DEFAULT_TOOLS), "semantic_search"]


def test_the_page_shows_every_setting_and_the_others_as_they_are_by_default() -> None:
    page = (Path(__file__).parents[4] / "docs" / "semantic.md").read_text("utf-8")
    written = tomllib.loads(page.split("```toml\n")[1].split("```")[0])["tools"]["semantic_search"]
    assert set(written) == set(SemanticSearchConfig.model_fields)
    needed = {name: written[name] for name in ("model", "base_url", "dimensions")}
    assert SemanticSearchConfig.model_validate(written) == SemanticSearchConfig.model_validate(needed)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('base_url = "http://127.0.0.1"\n', "tools.semantic_search.model"),
        ('model = "m"\nbase_url = "http://user:secret@x.example"\n', "credentials"),
        ('model = "m"\nbase_url = "http://127.0.0.1"\nkey = "x"\n', "unknown key 'tools.semantic_search.key'"),
        ('model = "m"\nbase_url = "http://127.0.0.1"\nbatch_size = 0\n', "tools.semantic_search.batch_size"),
    ],
)
def test_a_wrong_section_says_where_and_what(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f"[tools.semantic_search]\n{text}")
    with pytest.raises(ConfigError, match=says) as error:
        load_config(path)
    assert "secret" not in str(error.value)


def test_a_missing_key_is_said_at_once() -> None:
    config = SemanticSearchConfig(model="m", base_url="https://x.example", api_key_env="SELFPLAY_NO_KEY")
    with pytest.raises(ConfigError, match=r"tools.semantic_search: no key for x.example: .* SELFPLAY_NO_KEY"):
        make_tools(ToolsConfig(semantic_search=config))


def test_what_was_built_ahead_is_there_for_calls(tmp_path: Path, repo: Path, server: LoopbackServer) -> None:
    config = config_of(server, max_pieces=1)
    tools = make_tools(ToolsConfig(semantic_search=config))
    heard: list[tuple[int, int]] = []
    with closing(Repositories(tmp_path / "repos").open(str(repo), "main")) as snapshot:
        refused = Toolbox(snapshot, tools).run("semantic_search", QUERY)
        assert "must be embedded ahead" in refused.text
        assert embed_ahead(config, snapshot, lambda done, of: heard.append((done, of))) == 2
        found = Toolbox(snapshot, tools).run("semantic_search", QUERY)
    assert heard == [(2, 2)]
    assert "1. io.py:1-2 close\n" in found.text
    [kept] = (tmp_path / "repos" / ".index").glob("*/semantic/*/*.chunks")
    assert kept.stat().st_size > 0


def test_a_model_out_of_reach_is_no_fault_of_what_was_given(tmp_path: Path, repo: Path) -> None:
    with (
        run_in_thread(toy_server([server_error()])) as server,
        closing(Repositories(tmp_path / "repos").open(str(repo), "main")) as snapshot,
        pytest.raises(TransientModelError, match=r"tools.semantic_search: the server answered with status 500"),
    ):
        embed_ahead(config_of(server), snapshot)


def test_a_disk_that_cant_be_written_to_is(tmp_path: Path, repo: Path, server: LoopbackServer) -> None:
    with closing(Repositories(tmp_path / "repos").open(str(repo), "main")) as snapshot:
        assert snapshot.storage_folder is not None
        (snapshot.storage_folder / "semantic").write_text("a file in its place")
        with pytest.raises(InputError, match=r"can't be kept on disk: .*Not a directory"):
            embed_ahead(config_of(server), snapshot)


def test_the_command_line_offers_it_with_or_without_a_file(
    tmp_path: Path, repo: Path, server: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[tools.semantic_search]\nmodel = "toy"\nbase_url = "http://127.0.0.1:1/v1"\ntries = 1\n')
    common = ("tools", "call", "semantic_search", QUERY, "--repo", f"{repo}@main", "--repos", str(tmp_path / "repos"))
    texts: list[str] = []
    for given in (("--semantic-model", "toy"), ("--config", str(path))):
        with pytest.raises(SystemExit) as ended:
            main([*common, *given, "--semantic-url", server.base_url])
        assert not ended.value.code
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert "1. io.py:1-2 close\n" in texts[0]


def test_a_flag_that_cant_be_used_is_said(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tools", "call", "semantic_search", "--repo", str(repo), "--semantic-url", "localhost"])
    assert ended.value.code == 2
    assert "semantic_search, on the command line" in " ".join(capsys.readouterr().err.split())


def test_vectors_are_made_with_the_index_where_they_are_configured(
    repo: Path, server: LoopbackServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, repos = tmp_path / "run.toml", tmp_path / "repos"
    path.write_text(f'[tools.semantic_search]\nmodel = "toy"\nbase_url = "{server.base_url}"\n')
    with pytest.raises(SystemExit) as ended:
        main(["index", str(repo), "--config", str(path), "--repos", str(repos)])
    assert not ended.value.code
    assert "have vectors" in capsys.readouterr().out
    before = len(server.received)
    with closing(Repositories(repos).open(str(repo), "HEAD")) as snapshot:
        assert embed_ahead(config_of(server), snapshot) >= 0
    assert all(b"handle" not in request.body for request in server.received[before:]), "nothing was left to embed"
