"""Kinds of models, by the name that a seat's configuration gives: `heuristic`, `openai:NAME`, `mykind:NAME`.

An installed package offers a kind as an entry point of the group `selfplay.models`; its value is a `ModelFactory`, or
a `ModelKind`, which says more. Without a package a model is named by where its factory stands:
`model = "package.module:factory"`. A kind that is known here can't be replaced.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import orjson

from selfplay.config import RunConfig, SeatConfig
from selfplay.core.errors import ConfigError, JournalError, SelfplayError
from selfplay.core.plugins import load_object, load_plugins
from selfplay.journal.events import Seat, read_events
from selfplay.models.offline.heuristic import HeuristicJudge, HeuristicPlayer, HeuristicSupervisor
from selfplay.models.offline.recorded import RecordedModel
from selfplay.models.offline.scripted import ScriptedModel
from selfplay.models.prices import FREE, Price, price_of
from selfplay.models.protocol import Model, ModelReply
from selfplay.repos.hidden_files import is_journal

PLUGIN_GROUP = "selfplay.models"

ModelFactory = Callable[[Seat, SeatConfig], Model]
"""Makes the model of a seat (`player`, `supervisor` or `judge`) of its configuration. Raises ConfigError."""


def _has_no_known_price(_: SeatConfig) -> Price | None:
    return None


def _costs_nothing(_: SeatConfig) -> Price | None:
    return FREE


def _listed_price(config: SeatConfig) -> Price | None:
    return price_of(config.model_name, config.base_url)


@dataclass(frozen=True, slots=True)
class ModelKind:
    """How models of a kind are made, and what holds for all of them."""

    make: ModelFactory
    argument: str | None = None
    """What stands after the colon, as a word for it (`NAME`); empty if nothing may; None if the factory decides."""
    find_price: Callable[[SeatConfig], Price | None] = _has_no_known_price
    """What calls cost where the configuration does not say it; None if that is not known."""
    has_servers: bool = False
    """Whether it is asked at `base_url` with the key in `api_key_env`, so that a batch may spread it over servers."""

    def accepts(self, argument: str) -> bool:
        """Whether that may stand after the colon."""
        return self.argument is None or bool(self.argument) == bool(argument)

    def form(self, name: str) -> str:
        """How it is written in a configuration."""
        return f"{name}:{self.argument}" if self.argument else name


def model_kind_of(seat: Seat, config: SeatConfig) -> ModelKind:
    """The kind of a seat's model. Raises ConfigError for an unknown one, with those that are known."""
    if is_import_path(config.model):
        return _to_kind(config.model, load_object(config.model))
    kind = find_offered_kind(config)
    if kind is None or not kind.accepts(config.model.partition(":")[2]):
        known = BUILT_IN_KINDS | {n: k for n, k in _load_plugin_kinds().items() if n not in BUILT_IN_KINDS}
        forms = [each.form(name) for name, each in known.items()]
        raise ConfigError(
            f"unknown model {config.model!r} for the {seat}; use one of {', '.join(forms)}, or package.module:factory"
        )
    return kind


def find_offered_kind(config: SeatConfig) -> ModelKind | None:
    """The kind of that name, built in or of an installed package; None where there is none."""
    name = config.model.partition(":")[0]
    return BUILT_IN_KINDS.get(name) or _load_plugin_kinds().get(name)


def is_import_path(model: str) -> bool:
    """Whether a model is named by where its factory stands: making it runs code that no package offers for that."""
    module, _, name = model.partition(":")
    return "." in module and bool(name) and all(part.isidentifier() for part in module.split("."))


def refuse_import_paths(config: RunConfig, where: object) -> None:
    """Raises ConfigError for a seat whose model is named by an import path: what a journal says imports nothing."""
    for seat in (config.player, config.supervisor, config.judge):
        if seat is not None and is_import_path(seat.model):
            raise ConfigError(
                f"{where}: was played with the model {seat.model!r}, and no code is imported because a journal names "
                "it; give the configuration that it was played with (--config)"
            )


def _load_plugin_kinds() -> dict[str, ModelKind]:
    return {name: _to_kind(name, value) for name, value in load_plugins(PLUGIN_GROUP).items()}


def _to_kind(name: str, value: object) -> ModelKind:
    if isinstance(value, ModelKind):
        return value
    if not callable(value):
        raise ConfigError(
            f"model {name!r} is {type(value).__name__}, not a function; offer one that takes a seat's name and its "
            "SeatConfig and gives a model"
        )
    return ModelKind(cast("ModelFactory", value))


def price_for(config: SeatConfig) -> Price | None:
    """What a seat's calls cost; None where it is not known. Imports no factory."""
    if config.price is None:
        kind = find_offered_kind(config)
        return None if kind is None else kind.find_price(config)
    cached = config.price.input if config.price.cached_input is None else config.price.cached_input
    return Price(input=config.price.input, cached_input=cached, output=config.price.output)


def model_from_config(seat: Seat, config: SeatConfig) -> Model:
    """The model that a configuration names. Raises ConfigError, also for whatever else its factory raises."""
    try:
        model = model_kind_of(seat, config).make(seat, config)
    except SelfplayError:
        raise
    except Exception as error:  # the factory may be foreign code
        raise ConfigError(
            f"model {config.model!r} for the {seat} can't be made: {type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(model, "complete", None)):
        raise ConfigError(f"model {config.model!r} for the {seat}: its factory gave a {type(model).__name__}, no model")
    return model


HEURISTIC_MODELS: Mapping[Seat, Callable[[], Model]] = {
    "player": HeuristicPlayer,
    "supervisor": HeuristicSupervisor,
    "judge": HeuristicJudge,
}


def _make_heuristic_model(seat: Seat, _: SeatConfig) -> Model:
    return HEURISTIC_MODELS[seat]()


def _make_openai_model(_: Seat, config: SeatConfig) -> Model:
    from selfplay.models.openai.client import OpenAIModel  # noqa: PLC0415  takes most of a second that others need not wait

    return OpenAIModel(
        config.model_name, base_url=config.base_url, api_key_env=config.api_key_env, timeout_s=config.timeout_s
    )


def _make_scripted_model(_: Seat, config: SeatConfig) -> Model:
    return ScriptedModel.from_file(_path_in(config))


def _make_recorded_model(_: Seat, config: SeatConfig) -> Model:
    return load_recorded_model(_path_in(config))


def _path_in(config: SeatConfig) -> Path:
    return Path(config.model.partition(":")[2])


def load_recorded_model(place: Path) -> RecordedModel:
    """The calls of one journal, or of every journal in a folder and below. Raises ConfigError."""
    paths = [place] if place.is_file() else [path for path in sorted(place.rglob("*.jsonl")) if is_journal(path)]
    replies = [reply for path in paths for reply in _read_replies(path)]
    if not replies:
        raise ConfigError(f"recorded:{place}: no journal with model calls there")
    return RecordedModel(replies, name=f"recorded:{place}")


def _read_replies(path: Path) -> Iterator[tuple[str, ModelReply]]:
    try:
        for event in read_events(path):
            if event["event"] == "call" and "reply" in event:
                yield event["key"], ModelReply.model_validate_json(orjson.dumps(event["reply"]))
    except JournalError as error:
        raise ConfigError(f"recorded:{path}: {error}") from error


BUILT_IN_KINDS: dict[str, ModelKind] = {
    "openai": ModelKind(_make_openai_model, argument="NAME", find_price=_listed_price, has_servers=True),
    "heuristic": ModelKind(_make_heuristic_model, argument="", find_price=_costs_nothing),
    "scripted": ModelKind(_make_scripted_model, argument="FILE", find_price=_costs_nothing),
    "recorded": ModelKind(_make_recorded_model, argument="DIR", find_price=_costs_nothing),
}
