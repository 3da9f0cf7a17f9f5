"""Ways to play the same episodes, one a process: `selfplay` itself, a bare loop on the `openai` client, other engines.

    python benchmarks/engine_drivers.py NAME --url URL --episodes 64 --steps 10 --at-once 16

Prints one JSON object: processor seconds and wall seconds of the episodes (starting up and one episode to warm up are
not in it), model calls, memory. Each episode is `steps` turns that look at some lines of a file and one that answers.

Engines other than ours are imported by name when they are asked for: each lives in an environment of its own.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

PROMPT = "Where is the setting read that the program starts with?"
Episode = Callable[[int], Awaitable[None]]
"""Plays the episode of that number to its end. Raises where it did not end well."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is played."""

    url: str
    episodes: int
    steps: int
    at_once: int
    lines: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took."""

    driver: str
    calls: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    waiting_kb: float
    """Anonymous memory at most, beyond what it was before the first episode, per episode at once."""


def line(number: int) -> str:
    return f"setting_{number:05} = read(environment, 'NAME_{number:05}')  # where the program starts, one of many"


def look(start: int, lines: int) -> str:
    """What the other engines' tool returns: as many characters as ours."""
    shown = "\n".join(f"{n:6}\t{line(n)}" for n in range(start, start + lines))
    return f"notes.txt: lines {start}-{start + lines - 1} of 1,000\n{shown}"


async def measure(driver: str, plan: Plan) -> Cost:
    """Play all episodes, `at_once` of them at a time."""
    if driver == "ours":
        return await _measured(driver, plan, _ours(plan))
    if driver == "inspect_ai":
        return await _inspect(plan)
    return await _measured(driver, plan, {"sdk": _sdk, "pydantic_ai": _pydantic_ai, "agents": _agents}[driver](plan))


async def _measured(driver: str, plan: Plan, play: Episode) -> Cost:
    await play(-1)
    gate = asyncio.Semaphore(plan.at_once)
    meter = Meter()

    async def one(number: int) -> None:
        async with gate:
            await play(number)

    watch = asyncio.create_task(meter.watch())
    async with asyncio.TaskGroup() as group:
        for number in range(plan.episodes):
            group.create_task(one(number))
    cost = meter.cost(driver, plan)
    watch.cancel()
    return cost


class Meter:
    """Processor, wall and memory from its making on."""

    def __init__(self) -> None:
        self._cpu, self._began = _cpu_s(), time.perf_counter()
        self._before = self._most = _anonymous_kb()

    async def watch(self) -> None:
        """Look at the memory now and then, until cancelled."""
        while True:
            self._most = max(self._most, _anonymous_kb())
            await asyncio.sleep(0.1)

    def cost(self, driver: str, plan: Plan) -> Cost:
        return Cost(
            driver=driver,
            calls=plan.episodes * (plan.steps + 1),
            cpu_s=_cpu_s() - self._cpu,
            wall_s=time.perf_counter() - self._began,
            peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            waiting_kb=(self._most - self._before) / plan.at_once,
        )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _anonymous_kb() -> int:
    for row in Path("/proc/self/status").read_text().splitlines():
        if row.startswith("RssAnon"):
            return int(row.split()[1])
    return 0


def _ours(plan: Plan) -> Episode:
    from contextlib import AsyncExitStack  # noqa: PLC0415  what only this way needs, the others' processes lack

    from selfplay.casting import Cast, open_cast  # noqa: PLC0415  likewise
    from selfplay.config import HintConfig, Limits, RunConfig, SeatConfig  # noqa: PLC0415  likewise
    from selfplay.play import play_task, set_stage  # noqa: PLC0415  likewise
    from selfplay.task import Answer, Brief, Target, Task  # noqa: PLC0415  likewise
    from selfplay.trace import StopReason  # noqa: PLC0415  likewise
    from selfplay_tools.directory import DirectorySnapshot  # noqa: PLC0415  likewise

    repo = plan.folder / "repo"
    repo.mkdir()
    (repo / "notes.txt").write_text("".join(f"{line(n)}\n" for n in range(1, plan.steps * plan.lines + 1)))
    seat = SeatConfig(model="openai:bench", base_url=plan.url, api_key_env="ENGINE_BENCH_KEY")
    config = RunConfig(player=seat, hints=HintConfig(policy="never"), limits=Limits(steps=plan.steps + 2))
    snapshot = DirectorySnapshot(repo)
    stack, opened = AsyncExitStack(), list[Cast]()

    async def play(number: int) -> None:
        if not opened:
            opened.append(await stack.enter_async_context(open_cast(config)))
        brief = Brief(id=f"e{number}", repo=str(repo), commit="worktree", prompt=PROMPT)
        task = Task(brief=brief, answer=Answer(targets=(Target(path="notes.txt"),)))
        [played] = await play_task(set_stage(task, snapshot, config), opened[0], plan.folder / "traces")
        stop = played.trace.stop
        if stop is None or stop.reason is not StopReason.FOUND or len(played.trace.steps) != plan.steps + 1:
            raise RuntimeError(f"episode {number} ended as {stop} after {len(played.trace.steps)} steps")

    return play


TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Lines of the file.",
        "parameters": {"type": "object", "properties": {"start": {"type": "integer"}}, "required": ["start"]},
    },
}


def _sdk(plan: Plan) -> Episode:
    """The loop that one writes first."""
    client = import_module("openai").AsyncOpenAI(base_url=plan.url, api_key="none", max_retries=0)

    async def play(number: int) -> None:
        messages: list[Any] = [{"role": "user", "content": f"{PROMPT} ({number})"}]
        for _ in range(plan.steps + 1):
            reply = await client.chat.completions.create(model="bench", messages=messages, tools=[TOOL])
            message = reply.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            for call in message.tool_calls or ():
                text = look(json.loads(call.function.arguments)["start"], plan.lines)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
        if messages[-1]["content"] != "notes.txt":
            raise RuntimeError(f"episode {number} ended with {messages[-1]}")

    return play


def _pydantic_ai(plan: Plan) -> Episode:
    models, providers = import_module("pydantic_ai.models.openai"), import_module("pydantic_ai.providers.openai")
    model = models.OpenAIChatModel("bench", provider=providers.OpenAIProvider(base_url=plan.url, api_key="none"))
    engine = import_module("pydantic_ai")
    agent = engine.Agent(model, tools=[_tool(plan)])
    limits = engine.UsageLimits(request_limit=None)

    async def play(number: int) -> None:
        done = await agent.run(f"{PROMPT} ({number})", usage_limits=limits)
        _expect(number, done.output)

    return play


def _agents(plan: Plan) -> Episode:
    engine, client = import_module("agents"), import_module("openai").AsyncOpenAI
    engine.set_tracing_disabled(True)
    model = engine.OpenAIChatCompletionsModel(
        model="bench", openai_client=client(base_url=plan.url, api_key="none", max_retries=0)
    )
    agent = engine.Agent(name="bench", model=model, tools=[engine.function_tool(_tool(plan))])

    async def play(number: int) -> None:
        done = await engine.Runner.run(agent, f"{PROMPT} ({number})", max_turns=plan.steps + 5)
        _expect(number, done.final_output)

    return play


async def _inspect(plan: Plan) -> Cost:
    """It starts its own tasks and writes its own logs, so it is given all samples at once."""
    engine, solver = import_module("inspect_ai"), import_module("inspect_ai.solver")
    dataset, tools = import_module("inspect_ai.dataset"), import_module("inspect_ai.tool")
    models = import_module("inspect_ai.model")

    @tools.tool(name="look")
    def looks() -> Any:  # noqa: ANN401  a type of that engine
        return _tool(plan)

    async def run(count: int) -> None:
        samples = [dataset.Sample(input=f"{PROMPT} ({n})") for n in range(count)]
        task = engine.Task(dataset=samples, solver=[solver.use_tools(looks()), solver.generate()])
        model = models.get_model("openai/bench", base_url=plan.url, api_key="none")
        options = {"log_dir": str(plan.folder / "logs"), "max_samples": plan.at_once}
        [log] = await engine.eval_async(task, model=model, max_connections=plan.at_once, **options)
        for number, sample in enumerate(log.samples or ()):
            _expect(number, sample.output.completion)
        if len(log.samples or ()) != count:
            raise RuntimeError(f"{count} samples were given, {len(log.samples or ())} ended: {log.error}")

    await run(1)
    meter = Meter()
    watch = asyncio.create_task(meter.watch())
    await run(plan.episodes)
    cost = meter.cost("inspect_ai", plan)
    watch.cancel()
    return cost


def _tool(plan: Plan) -> Callable[..., Any]:
    async def look_at(start: int) -> str:
        """Lines of the file.

        Args:
            start: First line.
        """
        return look(start, plan.lines)

    look_at.__name__ = "look"
    return look_at


def _expect(number: int, answer: str) -> None:
    if answer != "notes.txt":
        raise RuntimeError(f"episode {number} ended with {answer!r}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--url", required=True)
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--lines", type=int, default=4)
    parser.add_argument("--at-once", type=int, default=16)
    options = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(options.url, options.episodes, options.steps, options.at_once, options.lines, Path(folder))
        cost = asyncio.run(measure(options.driver, plan))
    json.dump(asdict(cost), sys.stdout)


if __name__ == "__main__":
    main()
