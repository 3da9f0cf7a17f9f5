"""Ways to play the same episodes, one a process: `selfplay` itself, a bare loop on the `openai` client, other engines.

    python -m benchmarks.engine_drivers NAME --url URL --episodes 64 --steps 10 --at-once 16

Prints one JSON object as its last line: processor seconds and wall seconds of the episodes (starting up and one episode
to warm up are not in it), model calls, memory. Each episode is `steps` turns that look at some lines of a file and one
that answers. Engines are imported by name when they are asked for: each lives in an environment of its own.
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.engine_meter import (
    PROMPT,
    EngineCost,
    EngineMeter,
    EnginePlan,
    PlayEpisode,
    measure_episodes,
    read_lines,
)

OURS = {"selfplay": "batch", "selfplay_supervised": "supervised", "selfplay_through_client": "through_client"}
"""Our drivers, and their functions in `benchmarks.engine_selfplay`."""


async def measure(driver: str, plan: EnginePlan) -> EngineCost:
    """Play all episodes, `at_once` of them at a time."""
    if driver in OURS:
        return await getattr(import_module("benchmarks.engine_selfplay"), OURS[driver])(plan)
    if driver == "inspect_ai":
        return await _measure_inspect(plan)
    return await measure_episodes(driver, plan, PEERS[driver](plan))


TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Lines of the file.",
        "parameters": {"type": "object", "properties": {"start": {"type": "integer"}}, "required": ["start"]},
    },
}


def _make_sdk_episode(plan: EnginePlan) -> PlayEpisode:
    """A plain loop of model calls and tool calls."""
    client = import_module("openai").AsyncOpenAI(base_url=plan.url, api_key="none", max_retries=0)

    async def play(number: int) -> None:
        messages: list[Any] = [{"role": "user", "content": f"{PROMPT} ({number})"}]
        for _ in range(plan.steps + 1):
            reply = await client.chat.completions.create(model="bench", messages=messages, tools=[TOOL])
            message = reply.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            for call in message.tool_calls or ():
                text = read_lines(json.loads(call.function.arguments)["start"], plan.lines)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
        if messages[-1]["content"] != "notes.txt":
            raise RuntimeError(f"episode {number} ended with {messages[-1]}")

    return play


def _make_pydantic_ai_episode(plan: EnginePlan) -> PlayEpisode:
    models, providers = import_module("pydantic_ai.models.openai"), import_module("pydantic_ai.providers.openai")
    model = models.OpenAIChatModel("bench", provider=providers.OpenAIProvider(base_url=plan.url, api_key="none"))
    engine = import_module("pydantic_ai")
    agent = engine.Agent(model, tools=[_make_tool(plan)])
    limits = engine.UsageLimits(request_limit=None)

    async def play(number: int) -> None:
        done = await agent.run(f"{PROMPT} ({number})", usage_limits=limits)
        _require_answer(number, done.output)

    return play


def _make_agents_episode(plan: EnginePlan) -> PlayEpisode:
    engine, client = import_module("agents"), import_module("openai").AsyncOpenAI
    engine.set_tracing_disabled(True)
    model = engine.OpenAIChatCompletionsModel(
        model="bench", openai_client=client(base_url=plan.url, api_key="none", max_retries=0)
    )
    agent = engine.Agent(name="bench", model=model, tools=[engine.function_tool(_make_tool(plan))])

    async def play(number: int) -> None:
        done = await engine.Runner.run(agent, f"{PROMPT} ({number})", max_turns=plan.steps + 5)
        _require_answer(number, done.final_output)

    return play


async def _measure_inspect(plan: EnginePlan) -> EngineCost:
    """It starts its own tasks and writes its own logs, so it is given all samples at once."""
    os.environ["INSPECT_DISPLAY"] = "none"
    engine, solver = import_module("inspect_ai"), import_module("inspect_ai.solver")
    dataset, tools = import_module("inspect_ai.dataset"), import_module("inspect_ai.tool")
    models = import_module("inspect_ai.model")

    @tools.tool(name="look")
    def looks() -> Any:  # noqa: ANN401  a type of that engine
        return _make_tool(plan)

    async def run(count: int) -> None:
        samples = [dataset.Sample(input=f"{PROMPT} ({n})") for n in range(count)]
        task = engine.Task(dataset=samples, solver=[solver.use_tools(looks()), solver.generate()])
        model = models.get_model("openai/bench", base_url=plan.url, api_key="none", responses_api=False)
        options = {"log_dir": str(plan.folder / "logs"), "max_samples": plan.at_once}
        [log] = await engine.eval_async(task, model=model, max_connections=plan.at_once, **options)
        if len(log.samples or ()) != count:
            raise RuntimeError(f"{count} samples were given, {len(log.samples or ())} ended: {log.error}")
        for number, sample in enumerate(log.samples):
            _require_answer(number, sample.output.completion)

    await run(1)
    meter = EngineMeter()
    watch = asyncio.create_task(meter.watch())
    await run(plan.episodes)
    cost = meter.cost("inspect_ai", plan)
    watch.cancel()
    return cost


def _make_tool(plan: EnginePlan) -> Callable[..., Any]:
    async def look_at(start: int) -> str:
        """Lines of the file.

        Args:
            start: First line.
        """
        return read_lines(start, plan.lines)

    look_at.__name__ = "look"
    return look_at


def _require_answer(number: int, answer: str) -> None:
    if answer != "notes.txt":
        raise RuntimeError(f"episode {number} ended with {answer!r}")


PEERS: dict[str, Callable[[EnginePlan], PlayEpisode]] = {
    "sdk": _make_sdk_episode,
    "pydantic_ai": _make_pydantic_ai_episode,
    "agents": _make_agents_episode,
}


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
        plan = EnginePlan(options.url, options.episodes, options.steps, options.at_once, options.lines, Path(folder))
        cost = asyncio.run(measure(options.driver, plan))
    json.dump(asdict(cost), sys.stdout)


if __name__ == "__main__":
    main()
