import subprocess
import sys
from pathlib import Path

import pytest

from selfplay.config import EpisodeLimits, PriceConfig, RunConfig, SeatConfig
from selfplay.core.errors import ConfigError
from selfplay.core.message import Message, Origin
from selfplay.core.wire import encode_messages
from selfplay.episode.model_kinds import (
    BUILT_IN_KINDS,
    model_from_config,
    model_kind_of,
    price_for,
    refuse_import_paths,
)
from selfplay.episode.seats import make_seat_model
from selfplay.journal.events import Seat
from selfplay.models.offline import OFFLINE_KINDS
from selfplay.models.offline.scripted import ScriptedModel
from selfplay.models.prices import FREE, Price
from selfplay.models.protocol import Model, ModelRequest

HERE = "tests.selfplay.episode.test_model_kinds"


def make_named(seat: str, config: SeatConfig) -> Model:
    return ScriptedModel([], name=f"{seat} of {config.model_name}")


def make_nothing(_: str, config: SeatConfig) -> Model:
    raise RuntimeError(f"{config.model} is out of order")


def make_text(_: str, config: SeatConfig) -> str:
    return config.model


not_callable = 3


@pytest.mark.parametrize("seat", ["player", "supervisor", "judge"])
def test_each_seat_has_a_heuristic_model(seat: Seat) -> None:
    assert model_from_config(seat, SeatConfig(model="heuristic")).name == "heuristic"


def test_the_kinds_without_a_language_model_cost_nothing_and_have_no_servers() -> None:
    for name, kind in BUILT_IN_KINDS.items():
        config = SeatConfig(model=kind.form(name))
        assert (price_for(config) == FREE) is (name in OFFLINE_KINDS)
        assert kind.has_servers is (name not in OFFLINE_KINDS)


def test_a_price_in_the_configuration_stands_above_every_other() -> None:
    price = PriceConfig(input=1.0, output=2.0)
    expected = Price(input=1.0, cached_input=1.0, output=2.0)
    for model in ("heuristic", "openai:gpt-4.1", "unheard-of", f"{HERE}:make_named"):
        assert price_for(SeatConfig(model=model, price=price)) == expected


@pytest.mark.parametrize("model", ["gpt-4", "gpt-4.1", "gpt-4.1:latest", "heuristic:x", "scripted", "recorded:", ":x"])
def test_an_unknown_model_is_an_error_that_names_the_known_kinds(model: str) -> None:
    with pytest.raises(ConfigError) as caught:
        model_from_config("judge", SeatConfig(model=model))
    forms = "openai:NAME, heuristic, scripted:FILE, recorded:DIR, or package.module:factory"
    assert str(caught.value) == f"unknown model {model!r} for the judge; use one of {forms}"


def test_a_factory_is_found_by_where_it_stands() -> None:
    config = SeatConfig(model=f"{HERE}:make_named")
    model = model_from_config("player", config)
    assert model.name == f"player of {HERE}:make_named"
    assert price_for(config) is None


def test_a_money_limit_needs_a_price_for_a_foreign_model() -> None:
    config = SeatConfig(model=f"{HERE}:make_named")
    with pytest.raises(ConfigError, match=r"no price is known for the player's model .*\[player.price\]"):
        make_seat_model("player", config, RunConfig(limits=EpisodeLimits(cost_usd=1)))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("make_nothing", "can't be made: RuntimeError: .* is out of order"),
        ("make_text", "its factory gave a str, no model"),
        ("not_callable", "is int, not a function"),
        ("missing", "has no 'missing'"),
    ],
)
def test_a_factory_that_makes_no_model_is_an_error_of_the_configuration(name: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        model_from_config("player", SeatConfig(model=f"{HERE}:{name}"))


def test_no_code_is_imported_because_a_journal_names_it() -> None:
    refuse_import_paths(RunConfig(player=SeatConfig(model="openai:org/model.v2:latest")), "a.jsonl")
    for seat in ("player", "supervisor"):
        with pytest.raises(ConfigError, match=r"a\.jsonl: was played with the model 'os\.path:join'.*--config"):
            refuse_import_paths(RunConfig.model_validate({seat: {"model": "os.path:join"}}), "a.jsonl")


@pytest.mark.anyio
async def test_the_example_of_the_docs_is_a_model(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/models.md").read_text("utf-8")
    (tmp_path / "example").mkdir()
    (tmp_path / "example/models.py").write_text(
        page.split("## Kinds of your own")[1].split("```python\n")[1].split("```")[0]
    )
    before = list(sys.path)
    sys.path.insert(0, str(tmp_path))
    try:
        model = model_from_config("judge", SeatConfig(model="example.models:make_model"))
    finally:
        sys.path[:] = before
    request = ModelRequest({}, tuple(encode_messages([Message(role="user", content="?", origin=Origin.TASK)])), turn=0)
    reply = await model.complete(request)
    await model.aclose()
    assert (model.name, reply.message.content) == ("repeater", "I am the judge, example.models:make_model.")
    assert reply.usage.is_approximate


PLUGIN = """
from selfplay.core.message import Message, Origin
from selfplay.core.wire import encode_messages
from selfplay.episode.model_kinds import ModelKind
from selfplay.models.offline.heuristic import HeuristicPlayer
from selfplay.models.prices import FREE

def make(seat, config):
    model = HeuristicPlayer()
    model.made_for = (seat, config.model_name)
    return model

free = ModelKind(make, argument="FILE", find_price=lambda config: FREE)
"""

PROGRAM = """
from selfplay.config import SeatConfig
from selfplay.core.errors import ConfigError
from selfplay.core.message import Message, Origin
from selfplay.core.wire import encode_messages
from selfplay.episode.model_kinds import model_from_config, price_for
print(model_from_config("player", SeatConfig(model="mykind:large")).made_for)
print(model_from_config("judge", SeatConfig(model="mykind")).made_for)
print(price_for(SeatConfig(model="mykind")), price_for(SeatConfig(model="myfree:x")).input)
print(model_from_config("player", SeatConfig(model="heuristic")).name)
try:
    model_from_config("player", SeatConfig(model="myfree"))
except ConfigError as error:
    print(error)
"""


def test_an_installed_package_offers_kinds(tmp_path: Path) -> None:
    """In a process of its own: what is installed is read once in a process."""
    info = tmp_path / "mypackage-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1.0\n")
    entries = "mykind = mypackage:make\nmyfree = mypackage:free\nheuristic = mypackage:make\n"
    (info / "entry_points.txt").write_text(f"[selfplay.models]\n{entries}")
    (tmp_path / "mypackage.py").write_text(PLUGIN)
    paths = f"import sys; sys.path[:0] = {[str(tmp_path), *sys.path]!r}\n"
    result = subprocess.run([sys.executable, "-c", paths + PROGRAM], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == [
        "('player', 'large')",
        "('judge', 'mykind')",
        "None 0.0",
        "heuristic",
        (
            "unknown model 'myfree' for the player; use one of openai:NAME, heuristic, scripted:FILE, recorded:DIR, "
            "myfree:FILE, mykind, or package.module:factory"
        ),
    ]


def test_a_kind_is_known_without_making_its_model(tmp_path: Path) -> None:
    assert model_kind_of("player", SeatConfig(model=f"scripted:{tmp_path}/missing")) is BUILT_IN_KINDS["scripted"]
