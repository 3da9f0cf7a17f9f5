from pathlib import Path

import pytest

from selfplay.config import RunConfig, SeatConfig, load_config
from selfplay.core.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text)
    return path


def test_a_file_configures_each_seat_on_its_own(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [player]
        model = "openai:Qwen3-32B"
        base_url = "http://localhost:8000/v1"
        sampling = { temperature = 0.7, max_tokens = 1024 }
        extra_body = { chat_template_kwargs = { enable_thinking = true } }
        [supervisor]
        model = "openai:gpt-oss-120b"
        base_url = "http://localhost:8001/v1"
        price = { input = 0.1, output = 0.4 }
        [hints]
        policy = "when_stuck"
        [limits]
        steps = 12
        """,
    )
    config = load_config(path)
    assert (config.player.model_name, config.supervisor.model_name) == ("Qwen3-32B", "gpt-oss-120b")
    assert config.player.sampling == {"temperature": 0.7, "max_tokens": 1024}
    assert config.supervisor.base_url == "http://localhost:8001/v1"
    assert (config.hints.policy, config.limits.steps) == ("when_stuck", 12)


def test_a_configuration_survives_its_own_dump() -> None:
    config = RunConfig(player=SeatConfig(model="openai:x", sampling={"seed": 1}))
    assert RunConfig.model_validate(config.model_dump(mode="json", exclude_defaults=True)) == config


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[plaier]\n", "did you mean 'player'"),
        ("[player]\nmodle = 'x'\n", "player.modle"),
        ("[player]\nbase_url = 'localhost:8000'\n", "http"),
        ("[player]\nbase_url = 'http://user:secret@host/v1'\n", "credentials"),
        ("[player]\nsampling = { tools = [] }\n", "set by the engine"),
        ("[player]\nextra_body = { stream = true }\n", "set by the engine"),
        ("[player]\nbase_url = 'http://host/v1?key=SECRET'\n", "'key', which would land in traces"),
        ("[player]\napi_key_env = 'sk-test-0123456789'\n", "api_key_env': not the name of an environment variable"),
        ("[player]\nmodel = 'openai'\n", "player.model': .* write openai:NAME"),
        ("[player]\nmodel = 'openai:'\n", "player.model': .* write openai:NAME"),
        ("player = 5\n", r"'player' must be an object \(in TOML a table\), is 5"),
        ("[player]\ntries = 'many'\n", "'player.tries' must be a whole number, is text"),
        ("[player]\ntimeout_s = 0\n", "'player.timeout_s' must be more than 0, is 0"),
        ("[judge]\nfiles = 99\n", "'judge.files' must be at most 20, is 99"),
        ("[tools.lsp]\nservers = {}\n", "'tools.lsp.servers' must hold at least 1, holds 0"),
        ("[player]\nextra_body = { api_key = 'abc' }\n", "'api_key' looks like a key, which would land in traces"),
        ("[supervisor]\nextra_body = { a = [{ b = 'sk-test-0123456789abcdef' }] }\n", "'b' looks like a key"),
        ("[player]\nextra_body = { extra_headers = { X = 'y' } }\n", "'extra_headers' looks like a key"),
        ("[player]\nsampling = { seed = 99999999999999999999 }\n", "can't be sent"),
        ("[player]\nprice = { input = inf, output = 1.0 }\n", "price.input"),
        ("[limits]\nsteps = 0\n", "'limits.steps' must be at least 1, is 0"),
        ("[limits]\ntime_s = inf\n", "limits.time_s"),
        ("[hints]\npolicy = 'sometimes'\n", "'hints.policy' must be 'every_step', "),
        ("[player\n", "not TOML"),
    ],
)
def test_a_wrong_file_says_where_and_what(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=says) as error:
        load_config(path)
    assert str(error.value).startswith(str(path))
    assert "secret@" not in str(error.value)


def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml"):
        load_config(tmp_path / "no.toml")


def test_the_same_fields_in_another_order_are_the_same_configuration() -> None:
    one = SeatConfig(sampling={"a": 1, "b": {"c": 1, "d": 2}})
    other = SeatConfig(sampling={"b": {"d": 2, "c": 1}, "a": 1})
    assert one.model_dump_json() == other.model_dump_json()


def test_the_name_sent_to_a_server_is_without_the_kind() -> None:
    assert SeatConfig(model="openai:org/model:latest").model_name == "org/model:latest"
    assert SeatConfig(model="heuristic").model_name == "heuristic"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits]\nstep = 3\n", "unknown key 'limits.step', did you mean 'limits.steps'?"),
        ("[tools.lsp]\ntimeout = 3\n", "unknown key 'tools.lsp.timeout', did you mean 'tools.lsp.timeout_s'?"),
        ("[player]\ntemperature = 0.7\n", "'player': 'temperature' has its place in sampling"),
        ('[judge]\napi_key = "k"\n', "'judge': a key has no place in a file: api_key_env"),
    ],
)
def test_what_stands_in_the_wrong_place_is_told_its_right_one(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert words in str(caught.value)
