"""Tools by configuration, and an episode whose player asks the web."""

import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from selfplay.config import AskWebConfig, RunConfig, ToolsConfig, load_config
from selfplay.core.errors import ConfigError, TransientModelError
from selfplay.core.trace import StopReason
from selfplay.environments.find_files.toolset import make_tools
from selfplay.episode.play import episode_id, set_up_episode
from selfplay.journal.events import read_events
from selfplay.models.offline.scripted import call, fails, says
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.ask_web import HEAD
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS
from tests.loopback import LoopbackServer, run_in_thread
from tests.selfplay.episodes import TARGETS, EpisodeFixture, make_files, make_task, snapshot_of

FINISH = call("finish", files=[{"path": path, "reason": "r"} for path in TARGETS])


@pytest.fixture
def web() -> Iterator[LoopbackServer]:
    with run_in_thread(
        LoopbackServer(lambda request: {"content": f"about {request['messages'][-1]['content']}"})
    ) as server:
        yield server


def web_config(server: LoopbackServer) -> RunConfig:
    return RunConfig(tools=ToolsConfig(ask_web=AskWebConfig(model="searcher", base_url=server.base_url)))


@pytest.fixture
def table(tmp_path: Path, web: LoopbackServer) -> Iterator[EpisodeFixture]:
    """A stage whose player may ask the web."""
    repo = make_files(tmp_path / "repo")
    snapshot = DirectorySnapshot(repo)
    yield EpisodeFixture(set_up_episode(make_task(repo), snapshot, web_config(web)), tmp_path / "e.jsonl")
    snapshot.close()


def test_the_web_is_not_asked_unless_it_is_configured() -> None:
    assert make_tools(ToolsConfig()) == DEFAULT_TOOLS


def test_a_file_configures_who_answers(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        '[tools.ask_web]\nmodel = "searcher"\nbase_url = "http://127.0.0.1:1/v1"\n'
        'extra_body = { search_domain_filter = ["-github.com"] }\ntries = 1\n'
    )
    config = load_config(path)
    assert [tool.name for tool in make_tools(config.tools)] == [*(tool.name for tool in DEFAULT_TOOLS), "ask_web"]
    assert RunConfig.model_validate(config.model_dump(mode="json", exclude_defaults=True)) == config


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('model = "m"\n', "tools.ask_web.base_url"),
        ('model = "m"\nbase_url = "http://user:secret@x.example"\n', "credentials"),
        ('model = ""\nbase_url = "http://127.0.0.1"\n', "'tools.ask_web.model' is empty"),
        ('model = "m"\nbase_url = "http://127.0.0.1"\nextra_body = { messages = [] }\n', "set by the engine"),
        ('model = "m"\nbase_url = "http://127.0.0.1"\nkey = "x"\n', "unknown key 'tools.ask_web.key'"),
    ],
)
def test_a_wrong_section_says_where_and_what(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f"[tools.ask_web]\n{text}")
    with pytest.raises(ConfigError, match=says) as error:
        load_config(path)
    assert "secret" not in str(error.value)


def test_language_servers_are_offered_where_they_are_configured(tmp_path: Path) -> None:
    pytest.importorskip("pygls")
    path = tmp_path / "run.toml"
    path.write_text(
        "[tools.lsp]\ntimeout_s = 20\n[tools.lsp.servers.python]\n"
        f'[tools.lsp.servers.go]\ncommand = ["{sys.executable}", "-m", "x"]\nfiles = ["*.go", "go.mod"]\n'
    )
    config = load_config(path)
    names = [tool.name for tool in make_tools(config.tools)]
    assert names == [*(tool.name for tool in DEFAULT_TOOLS), "goto_definition", "lsp_references", "hover"]
    assert RunConfig.model_validate(config.model_dump(mode="json", exclude_defaults=True)) == config


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[tools.lsp.servers.go]\nfiles = ["*.go"]\n', "tools.lsp: command is missing for go"),
        ('[tools.lsp.servers.go]\ncommand = ["no-such"]\nfiles = ["*.go"]\n', "tools.lsp: no program 'no-such'"),
    ],
)
def test_a_language_server_that_cant_be_started_is_said_at_once(tmp_path: Path, text: str, says: str) -> None:
    pytest.importorskip("pygls")
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        make_tools(load_config(path).tools)


def test_a_missing_key_is_said_before_anything_is_played(tmp_path: Path) -> None:
    config = ToolsConfig(ask_web=AskWebConfig(model="m", base_url="https://x.example", api_key_env="SELFPLAY_NO_KEY"))
    snapshot = DirectorySnapshot(make_files(tmp_path))
    with pytest.raises(ConfigError, match="SELFPLAY_NO_KEY"):
        set_up_episode(make_task(tmp_path), snapshot, RunConfig(tools=config))
    snapshot.close()


async def test_an_answer_that_was_recorded_is_not_asked_for_again(table: EpisodeFixture, web: LoopbackServer) -> None:
    """The server is down after the answer; the episode is taken up later."""
    ask = says("I ask", call("ask_web", question="what is a tank?"))
    with pytest.raises(TransientModelError):
        await table.play([ask, *[fails("server")] * 3], None)
    rest = [says("I read", *(call("read_file", path=path) for path in TARGETS)), says("done", FINISH)]
    trace = await table.play([ask, *rest], None, is_used_up=False)
    assert trace.stop is not None
    assert trace.stop.reason is StopReason.FOUND
    assert trace.steps[0].results[0].message.content == f"{HEAD}\nabout what is a tank?"
    assert len(web.received) == 1


async def test_what_was_offered_is_in_the_journal_and_so_in_the_contract(
    table: EpisodeFixture, web: LoopbackServer
) -> None:
    await table.play([says("I read", *(call("read_file", path=p) for p in TARGETS)), says("done", FINISH)], None)
    [start, *_] = read_events(table.path)
    assert start["tools"][-1] == table.setup.environment.schemas()[-1]
    assert start["tools"][-1]["function"]["name"] == "ask_web"
    assert start["config"]["tools"] == {"ask_web": {"model": "searcher", "base_url": web.base_url}}


def test_an_episode_with_the_web_has_another_name(table: EpisodeFixture) -> None:
    plain = set_up_episode(table.setup.task, snapshot_of(table.setup), RunConfig())
    assert episode_id(plain, is_supervised=False) != episode_id(table.setup, is_supervised=False)
    assert orjson.dumps(plain.environment.schemas()) == orjson.dumps(table.setup.environment.schemas()[:-1])
