"""Tracers: what receives a run's events while it goes on, by name; one of them makes OpenTelemetry spans.

A tracer is a factory. It gets a `TracedRun` and returns a context manager, which gives a `RunWatch` for as long as the
run goes on; a subclass of `NullWatch` needs only the methods that it wants. `[batch] tracers` names them: `otel`, an
entry point of the group `selfplay.tracers`, or `package.module:factory`. A watch that raises is called no more.

The tracer `otel`, with the attributes of the `gen_ai` conventions:

    invoke_agent selfplay      an episode, as far as this process played it
      chat MODEL               a model call, of the player, the supervisor or the judge
      execute_tool NAME        a tool call of the player

Spans are made from the journal's events, after they happened. What an earlier session recorded was sent by that
session. Texts (which hold the tasks' answers) are left out unless `otel_content` asks for them; keys, addresses and
servers' error texts are never sent. The names are those of
https://opentelemetry.io/docs/specs/semconv/gen-ai/, copied: the package that had them as constants dropped them.
"""

import os
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import orjson

from selfplay.batch.ledger import UnitLine
from selfplay.batch.manifest import RunManifest, manifest_of
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings
from selfplay.batch.units import WorkUnit
from selfplay.batch.watch import NullWatch, RunWatch
from selfplay.config import RunConfig
from selfplay.core.errors import ConfigError
from selfplay.core.plugins import load_object, load_plugins
from selfplay.journal.events import Event
from selfplay.models.offline import OFFLINE_KINDS

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

TRACER_GROUP = "selfplay.tracers"
"""Of entry points."""
NANO = 1_000_000_000
ERROR_REASONS = frozenset({"model_error", "tool_error", "bug"})
"""Ends of an episode that are errors."""
AttributeValue = str | int | float | bool
NanosecondClock = Callable[[], int]


@dataclass(slots=True)
class _EpisodeSpan:
    """An episode whose span is open."""

    id: str
    span: "Span"
    models: dict[str, str] = field(default_factory=dict[str, str])
    """By seat, as requests name them."""
    calls: dict[str, str] = field(default_factory=dict[str, str])
    """Arguments of the tool calls of the last turn, by id."""


class SpanWatch(NullWatch):
    """A watch that makes spans. `clock` gives nanoseconds since 1970."""

    def __init__(self, tracer: "Tracer", *, has_content: bool = False, clock: NanosecondClock = time.time_ns) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context  # noqa: PLC0415  an extra

        self._tracer, self._has_content, self._clock = tracer, has_content, clock
        self._context_of_span = set_span_in_context
        self._client, self._internal = SpanKind.CLIENT, SpanKind.INTERNAL
        self._error = Status(StatusCode.ERROR)
        self._open: dict[str, _EpisodeSpan] = {}

    def on_event(self, unit: WorkUnit, event: Event, is_recorded: bool) -> None:  # noqa: FBT001  see RunWatch
        """Make the spans of one event."""
        kind = event["event"]
        if kind == "start":
            self._end_episode(unit.id)
            self._open[unit.id] = _EpisodeSpan(event["episode"], self._start_episode_span(unit, event))
        episode = self._open.get(unit.id)
        if episode is None:
            return
        if kind == "call":
            self._add_model_call(episode, event, is_new=not is_recorded)
        elif kind == "result" and not is_recorded:
            self._add_tool_call(episode, event)
        elif kind == "retry" and not is_recorded:
            attributes = {
                "selfplay.seat": event["seat"],
                "selfplay.try": event["try"],
                "selfplay.wait_s": event["wait_s"],
            }
            episode.span.add_event("selfplay.retry", attributes, self._clock())
        elif kind == "stop":
            self._end_stopped_episode(unit.id, event["stop"]["reason"])

    def on_unit_parked(self, unit: WorkUnit, error: Exception, wait_s: float) -> None:  # noqa: ARG002  see RunWatch
        """End the part of the episode that was played."""
        self._end_episode(unit.id, type(error).__name__)

    def on_unit_failed(self, unit: WorkUnit, error: Exception) -> None:
        """Likewise."""
        self._end_episode(unit.id, type(error).__name__)

    def on_unit_ended(self, line: UnitLine) -> None:
        """Nothing is open of a unit that ended."""
        self._end_episode(line.unit)

    def close(self) -> None:
        """End whatever is open: the run was ended before."""
        for unit in tuple(self._open):
            self._end_episode(unit)

    def _start_episode_span(self, unit: WorkUnit, event: Event) -> "Span":
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": "selfplay",
            "gen_ai.agent.name": "selfplay",
            "gen_ai.conversation.id": event["episode"],
            "selfplay.task": unit.task.brief.id,
            "selfplay.sample": unit.sample,
            "selfplay.is_supervised": event["supervised"],
        }
        return self._tracer.start_span(
            "invoke_agent selfplay", kind=self._internal, attributes=attributes, start_time=self._clock()
        )

    def _add_model_call(self, episode: _EpisodeSpan, event: Event, *, is_new: bool) -> None:
        seat = event["seat"]
        if "head" in event:
            episode.models[seat] = str(event["head"].get("model", ""))
        reply = event.get("reply", {})
        if seat == "player":
            episode.calls = {c["id"]: c["arguments"] for c in reply.get("message", {}).get("tool_calls", ())}
        if not is_new:
            return
        model = episode.models.get(seat, "")
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "selfplay" if model in OFFLINE_KINDS else "openai",
            "gen_ai.request.model": model,
            "selfplay.seat": seat,
            **_reply_attributes(reply),
        }
        if self._has_content and reply:
            attributes["gen_ai.output.messages"] = orjson.dumps([_output_message(reply)]).decode()
        error = event.get("refused", {}).get("type")
        self._add_child_span(episode, f"chat {model}".strip(), attributes, event["seconds"], error, kind=self._client)

    def _add_tool_call(self, episode: _EpisodeSpan, event: Event) -> None:
        message = event["result"]["message"]
        name, call = str(message.get("name") or ""), event["call"]
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": call,
            "gen_ai.tool.type": "function",
        }
        if self._has_content:
            attributes["gen_ai.tool.call.arguments"] = episode.calls.get(call, "")
            attributes["gen_ai.tool.call.result"] = message["content"]
        error = None if event["result"]["ok"] else "refused"
        self._add_child_span(
            episode, f"execute_tool {name}".strip(), attributes, event["seconds"], error, kind=self._internal
        )

    def _add_child_span(
        self,
        episode: _EpisodeSpan,
        name: str,
        attributes: dict[str, AttributeValue],
        seconds: float,
        error: str | None,
        *,
        kind: Any,  # noqa: ANN401  a SpanKind, of a package that may not be there
    ) -> None:
        """A span that ends now, and began so many seconds ago."""
        end = self._clock()
        attributes["gen_ai.conversation.id"] = episode.id
        if error is not None:
            attributes["error.type"] = error
        span = self._tracer.start_span(
            name,
            context=self._context_of_span(episode.span),
            kind=kind,
            attributes=attributes,
            start_time=end - round(seconds * NANO),
        )
        if error is not None:
            span.set_status(self._error)
        span.end(end)

    def _end_stopped_episode(self, unit: str, reason: str) -> None:
        self._open[unit].span.set_attribute("selfplay.stop", reason)
        self._end_episode(unit, reason if reason in ERROR_REASONS else None)

    def _end_episode(self, unit: str, error: str | None = None) -> None:
        episode = self._open.pop(unit, None)
        if episode is None:
            return
        if error is not None:
            episode.span.set_attribute("error.type", error)
            episode.span.set_status(self._error)
        episode.span.end(self._clock())


def _reply_attributes(reply: dict[str, Any]) -> dict[str, AttributeValue]:
    """What is known of a call that was answered."""
    if not reply:
        return {}
    usage = reply.get("usage", {})
    attributes: dict[str, AttributeValue] = {
        "gen_ai.response.model": reply.get("model", ""),
        "gen_ai.response.id": reply.get("response_id", ""),
        "gen_ai.usage.input_tokens": usage.get("input_tokens", 0),
        "gen_ai.usage.cache_read.input_tokens": usage.get("cached_tokens", 0),
        "gen_ai.usage.output_tokens": usage.get("output_tokens", 0),
    }
    return {name: value for name, value in attributes.items() if value != ""}


def _output_message(reply: dict[str, Any]) -> dict[str, Any]:
    """A reply's message, as the conventions have it."""
    message = reply["message"]
    parts: list[dict[str, Any]] = [{"type": "text", "content": message["content"]}] if message["content"] else []
    parts += [
        {"type": "tool_call", "id": call["id"], "name": call["name"], "arguments": call["arguments"]}
        for call in message.get("tool_calls", ())
    ]
    return {"role": "assistant", "parts": parts, "finish_reason": reply.get("finish_reason", "stop")}


@dataclass(frozen=True, slots=True)
class TracedRun:
    """What a tracer's factory gets."""

    folder: RunFolder
    manifest: RunManifest
    """What the run is: its configuration, prompts and tools."""
    settings: BatchSettings


TracerFactory = Callable[[TracedRun], AbstractContextManager[object]]
"""What the context manager gives must be a `RunWatch`, which is checked when the run begins."""


@contextmanager
def open_tracers(folder: RunFolder, config: RunConfig, settings: BatchSettings) -> Generator[tuple[RunWatch, ...]]:
    """The watches of the tracers that settings name, in that order; none by default.

    Raises ConfigError for a name that no package offers, and for a factory that fails or returns something else.
    """
    names = dict.fromkeys((*settings.tracers, *(("otel",) if settings.otel else ())))
    if not names:
        yield ()
        return
    factories = {name: find_tracer(name) for name in names}
    run = TracedRun(folder, manifest_of(config), settings)
    with ExitStack() as stack:
        yield tuple([_start_tracer(name, factory, run, stack) for name, factory in factories.items()])


def find_tracer(name: str) -> TracerFactory:
    """The factory of that name. Raises ConfigError."""
    found: object
    if ":" in name:
        found = load_object(name)
    else:
        factories = {**load_plugins(TRACER_GROUP), "otel": open_otel}
        if name not in factories:
            raise ConfigError(
                f"batch.tracers: no tracer {name!r}; there are {', '.join(sorted(factories))}, "
                f"and package.module:factory names any other"
            )
        found = factories[name]
    if not callable(found):
        raise ConfigError(f"batch.tracers: {name}: a tracer is a function of a run, not {type(found).__name__}")
    return cast("TracerFactory", found)


def _start_tracer(name: str, factory: TracerFactory, run: TracedRun, stack: ExitStack) -> RunWatch:
    try:
        watch: object = stack.enter_context(factory(run))
    except ConfigError:
        raise
    except Exception as error:  # foreign code may raise anything
        raise ConfigError(f"batch.tracers: {name} can't be started: {type(error).__name__}: {error}") from error
    if not isinstance(watch, RunWatch):
        raise ConfigError(f"batch.tracers: {name}: its context manager gives {type(watch).__name__}, not a RunWatch")
    return watch


@contextmanager
def open_otel(run: TracedRun) -> Generator[SpanWatch]:
    """The tracer `otel`. Raises ConfigError without the extra `otel`.

    The environment says where spans go, and with which headers: OTEL_EXPORTER_OTLP_ENDPOINT and its like.
    """
    try:  # an extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            "batch.otel needs the extra: pip install '.[otel]' in selfplay's checkout, or leave it out"
        ) from None
    provider = TracerProvider(
        resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "selfplay")})
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracing = SpanWatch(provider.get_tracer("selfplay"), has_content=run.settings.otel_content)
    try:
        yield tracing
    finally:
        tracing.close()
        provider.shutdown()
