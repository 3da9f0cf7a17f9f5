import json
import re
import sys
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings, BudgetLimits
from selfplay.batch.start import RunOrder, carry_out
from selfplay.batch.tracing import SpanWatch, TracedRun, open_tracers
from selfplay.batch.units import WorkUnit
from selfplay.batch.watch import CombinedWatch, NullWatch
from selfplay.core.errors import ConfigError, EndpointDown
from selfplay.core.wire import WIRE_VERSION
from selfplay.journal.events import Event, read_events
from tests.selfplay.batch.runs import CONFIG, make_order, make_repository, make_tasks, read_ledger


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "pump.git")


class SpanCollector:
    """Spans that have ended."""

    def __init__(self, *, has_content: bool = False) -> None:
        self._memory = InMemorySpanExporter()
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self.tracing = SpanWatch(self._provider.get_tracer("test"), has_content=has_content)

    def spans(self, operation: str) -> list[ReadableSpan]:
        return [s for s in self._memory.get_finished_spans() if attributes_of(s)["gen_ai.operation.name"] == operation]

    def close(self) -> None:
        self._provider.shutdown()


@pytest.fixture
def collected() -> Generator[SpanCollector]:
    found = SpanCollector()
    yield found
    found.close()


def attributes_of(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


async def play_traced(the_order: RunOrder, collected: SpanCollector) -> None:
    await carry_out(the_order, collected.tracing, heeds_signals=False)
    collected.tracing.close()


@pytest.mark.anyio
async def test_an_episode_is_a_span_with_its_calls_and_tools_below_it(
    tmp_path: Path, repo: Path, collected: SpanCollector
) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 2))
    await play_traced(the_order, collected)
    ended = read_ledger(the_order)
    lines = [line.episodes[0] for line in ended.values()]
    episodes = {attributes_of(span)["gen_ai.conversation.id"]: span for span in collected.spans("invoke_agent")}
    assert episodes.keys() == {line.episode for line in lines}
    for line in lines:
        chats = [s for s in collected.spans("chat") if attributes_of(s)["gen_ai.conversation.id"] == line.episode]
        tools = [
            s for s in collected.spans("execute_tool") if attributes_of(s)["gen_ai.conversation.id"] == line.episode
        ]
        root = episodes[line.episode]
        assert attributes_of(root)["selfplay.stop"] == line.stop
        assert f"{attributes_of(root)['selfplay.task']}#{attributes_of(root)['selfplay.sample']}" in ended
        assert (len(chats), len(tools)) == (line.calls, sum(line.tools.values()))
        assert root.context is not None
        assert {s.parent.span_id for s in (*chats, *tools) if s.parent} == {root.context.span_id}
        assert sum(attributes_of(s)["gen_ai.usage.input_tokens"] for s in chats) == line.usage.input_tokens
        assert sum(attributes_of(s)["gen_ai.usage.output_tokens"] for s in chats) == line.usage.output_tokens
        assert all("gen_ai.usage.cache_read.input_tokens" in attributes_of(s) for s in chats)
        assert {attributes_of(s)["gen_ai.request.model"] for s in chats} == {"heuristic"}
        assert {attributes_of(s)["gen_ai.tool.name"] for s in tools} == set(line.tools)
        assert all(attributes_of(s)["gen_ai.tool.call.id"] for s in tools)
        assert root.start_time is not None
        assert root.end_time is not None
        assert all(s.start_time and s.end_time and s.start_time <= s.end_time <= root.end_time for s in chats)


@pytest.mark.anyio
async def test_texts_are_sent_only_when_they_are_asked_for(tmp_path: Path, repo: Path) -> None:
    def texts(has_content: bool) -> str:  # noqa: FBT001  one of two
        return "".join(str(attributes_of(s)) for operation in ("chat", "execute_tool", "invoke_agent")
                       for s in kept[has_content].spans(operation))  # fmt: skip

    kept = {asked: SpanCollector(has_content=asked) for asked in (False, True)}
    for asked, collected in kept.items():
        await play_traced(make_order(tmp_path, make_tasks(repo, 1), name=f"run{asked}"), collected)
        collected.close()
    assert "release_pressure" in texts(True)
    assert "gen_ai.output.messages" in texts(True)
    for word in ("release", "drain_valve", "pump/"):
        assert word not in texts(False)


@pytest.mark.anyio
async def test_what_was_recorded_before_is_not_sent_again(tmp_path: Path, repo: Path, collected: SpanCollector) -> None:
    small = make_order(
        tmp_path, make_tasks(repo, 3), settings=BatchSettings(at_once=1, budget=BudgetLimits(tokens=30_000))
    )
    await play_traced(small, collected)
    before = len(collected.spans("chat"))
    assert before
    the_order = make_order(tmp_path, make_tasks(repo, 3))
    await play_traced(the_order, collected)
    assert len(collected.spans("chat")) == sum(line.episodes[0].calls for line in read_ledger(the_order).values())
    conversations = [attributes_of(s)["gen_ai.conversation.id"] for s in collected.spans("invoke_agent")]
    assert len(set(conversations)) == 3
    assert len(conversations) > 3, "the part of a later session is a span of its own"


@pytest.mark.anyio
async def test_errors_are_sent_by_their_kind_and_never_by_their_text(
    tmp_path: Path, repo: Path, collected: SpanCollector
) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 1))
    await carry_out(the_order, heeds_signals=False)
    [path] = the_order.folder.episodes.rglob("*.jsonl")
    start = next(read_events(path))
    unit = WorkUnit(the_order.tasks[0][1], 1, "")
    refused = {"type": "RequestRefused", "message": "key sk-secret", "param": None}
    collected.tracing.on_event(unit, start, is_recorded=False)
    collected.tracing.on_event(
        unit,
        {"event": "call", "seat": "player", "messages": 2, "head": {"model": "m"}, "refused": refused, "seconds": 0.5},
        is_recorded=False,
    )
    retry = {"event": "retry", "seat": "player", "try": 1, "error": "429 sk-secret", "wait_s": 2.0}
    collected.tracing.on_event(unit, retry, is_recorded=False)
    collected.tracing.on_unit_parked(unit, EndpointDown("sk-secret"), 5.0)
    [chat], [root] = collected.spans("chat"), collected.spans("invoke_agent")
    assert attributes_of(chat)["error.type"] == "RequestRefused"
    assert attributes_of(root)["error.type"] == "EndpointDown"
    assert {chat.status.status_code, root.status.status_code} == {StatusCode.ERROR}
    [event] = root.events
    assert dict(event.attributes or {}) == {"selfplay.seat": "player", "selfplay.try": 1, "selfplay.wait_s": 2.0}
    assert "sk-secret" not in chat.to_json() + root.to_json()
    assert chat.start_time is not None
    assert chat.end_time is not None
    assert chat.end_time - chat.start_time == 500_000_000


def test_it_is_off_by_default_and_needs_nothing_then(tmp_path: Path) -> None:
    with open_tracers(RunFolder(tmp_path), CONFIG, BatchSettings()) as watches:
        assert watches == ()


class EventCounter(NullWatch):
    """A tracer of another package."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()

    def on_event(self, unit: WorkUnit, event: Event, is_recorded: bool) -> None:  # noqa: ARG002, FBT001  see RunWatch
        self.kinds[event["event"]] += 1


@contextmanager
def count_events(run: TracedRun) -> Generator[EventCounter]:
    watch = EventCounter()
    yield watch
    counts_path(run.folder).write_text(json.dumps({"wire": run.manifest.wire, **watch.kinds}))


def counts_path(folder: RunFolder) -> Path:
    return folder.root / "counts.json"


@contextmanager
def give_text(run: TracedRun) -> Generator[str]:
    yield str(run.folder.root)


def fail_at_once(run: TracedRun) -> None:
    raise OSError(f"no port for {run.folder.root.name}")


HERE = "tests.selfplay.batch.test_tracing"


@pytest.mark.anyio
async def test_a_tracer_is_named_by_its_module_and_receives_a_runs_events(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 1), settings=BatchSettings(tracers=(f"{HERE}:count_events",)))
    with open_tracers(the_order.folder, the_order.config, the_order.settings) as watches:
        await carry_out(the_order, CombinedWatch(*watches), heeds_signals=False)
        assert not counts_path(the_order.folder).exists(), "it is open as long as the run goes on"
    [line] = read_ledger(the_order).values()
    counts = json.loads(counts_path(the_order.folder).read_text())
    assert counts["call"] == line.episodes[0].calls
    assert (counts["start"], counts["stop"], counts["wire"]) == (1, 1, WIRE_VERSION)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("jaeger", "no tracer 'jaeger'; there are otel"),
        (f"{HERE}:HERE", "a tracer is a function of a run, not str"),
        (f"{HERE}:give_text", "gives str, not a RunWatch"),
        (f"{HERE}:fail_at_once", "can't be started: OSError: no port for run"),
        ("no_such_module:factory", "no_such_module"),
    ],
)
def test_a_tracer_that_cannot_be_used_is_named(tmp_path: Path, name: str, says: str) -> None:
    settings = BatchSettings(tracers=(name,))
    with (
        pytest.raises(ConfigError, match=re.escape(says)),
        open_tracers(RunFolder(tmp_path / "run"), CONFIG, settings),
    ):
        pass


@pytest.mark.parametrize("settings", [BatchSettings(otel=True), BatchSettings(tracers=("otel",))])
def test_without_its_packages_it_says_what_to_install(tmp_path: Path, settings: BatchSettings) -> None:
    kept = {name: module for name, module in sys.modules.items() if name.startswith("opentelemetry.exporter")}
    blocked = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    sys.modules[blocked] = None  # type: ignore[assignment]  what makes an import fail
    try:
        with pytest.raises(ConfigError, match=r"\.\[otel\]"), open_tracers(RunFolder(tmp_path), CONFIG, settings):
            pass
    finally:
        del sys.modules[blocked]
        sys.modules.update(kept)
