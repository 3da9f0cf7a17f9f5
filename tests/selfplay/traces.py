"""Traces built by hand, for every test that needs some."""

from collections.abc import Sequence

import orjson

from selfplay.clean.pipeline import check_outcome
from selfplay.clean.settings import CleanSettings
from selfplay.clean.stages.strip import strip_supervision
from selfplay.core.clean_trace import CleanTrace
from selfplay.core.contract import ContextPolicy, Contract, ToolSchema
from selfplay.core.drop_codes import DroppedTrace
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.core.trace import (
    Hint,
    HintAttempt,
    HintKind,
    Judgement,
    Quality,
    Step,
    StopReason,
    ToolResult,
    Trace,
    Verdict,
)
from selfplay_tools.tools.tool import AnswerFile

PLAYED_PROMPT = "You search a code base. A supervisor may help you."
PRODUCTION_PROMPT = "You search a code base."
TASK_TEXT = "Return the server fingerprint as a header on every HTTP response."


def a_task(name: str = "fingerprint") -> Task:
    """A task with one target."""
    brief = Brief(id=name, repo="lantern", commit="HEAD", prompt=TASK_TEXT)
    return Task(brief=brief, answer=Answer(targets=(Target(path="lantern/respond.py"),)))


def a_tool(name: str, required: str, *, also: str | None = None) -> ToolSchema:
    """A tool that takes one text, and perhaps a second one that may be left out or null."""
    properties: dict[str, object] = {required: {"type": "string"}}
    if also is not None:
        properties[also] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    parameters = {"type": "object", "properties": properties, "required": [required], "additionalProperties": False}
    function = {"name": name, "description": f"Calls {name}.", "parameters": parameters}
    return orjson.loads(orjson.dumps({"type": "function", "function": function}))


FINISH: ToolSchema = {
    "type": "function",
    "function": {
        "name": "finish",
        "description": "Ends the search.",
        "parameters": {
            "type": "object",
            "properties": {
                "files": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"path": {"type": "string"}, "reason": {"type": "string"}},
                        "required": ["path", "reason"],
                    },
                }
            },
            "required": ["files"],
        },
    },
}


def a_contract(
    prompt: str = PRODUCTION_PROMPT, tools: Sequence[ToolSchema] = (), *, tools_version: str = "0.1.0"
) -> Contract:
    """The contract of these traces: `grep`, `read_file` and `finish`."""
    offered = tools or (a_tool("grep", "pattern", also="glob"), a_tool("read_file", "path"), FINISH)
    context = ContextPolicy(earlier_reasoning="sent_back", max_result_chars=8000)
    return Contract(tools_version=tools_version, prompt=prompt, tools=tuple(offered), context=context)


def a_call(name: str, *, id: str, raw: str | None = None, is_cut: bool = False, **arguments: object) -> ToolCall:  # noqa: A002  the field's name
    """A call; `raw` stands for arguments that are not what `json` would write."""
    text = orjson.dumps(arguments).decode() if raw is None else raw
    return ToolCall(id=id, name=name, arguments=text, is_cut=is_cut)


def finish(id: str = "end") -> ToolCall:  # noqa: A002  the field's name
    """An answer."""
    return a_call("finish", id=id, files=[{"path": "lantern/respond.py", "reason": "writes the headers"}])


def a_result(call: ToolCall, text: str = "", *, ok: bool = True) -> ToolResult:
    """What the tools made of a call; a `finish` that is ok is accepted."""
    answer = (
        (AnswerFile(path="lantern/respond.py", reason="writes the headers"),) if call.name == "finish" and ok else None
    )
    message = Message(
        role="tool", content=text or f"result of {call.id}", origin=Origin.TOOL, tool_call_id=call.id, name=call.name
    )
    return ToolResult(message=message, ok=ok, answer=answer)


def a_hint(text: str) -> Hint:
    """A hint as it was delivered."""
    return Hint(text=text, kind=HintKind.PROPOSED, level=1)


def a_step(
    *calls: ToolCall,
    text: str = "",
    reasoning: str | None = None,
    results: Sequence[ToolResult] | None = None,
    quality: Quality | None = None,
    hint: str | None = None,
    nudge: str | None = None,
) -> Step:
    """A step; every call that is not cut and has parsable arguments succeeds unless `results` says otherwise."""
    action = Message(role="assistant", content=text, origin=Origin.PLAYER, tool_calls=calls, reasoning=reasoning)
    carried_out = [a_result(c, ok=not c.is_cut and c.parse_arguments() is not None) for c in calls]
    judgement = Judgement(
        verdict=Verdict(quality=quality, why="because", hint=hint) if quality else None,
        attempts=(HintAttempt(text=hint),) if hint else (),
        hint=a_hint(hint) if hint else None,
    )
    done = tuple(carried_out if results is None else results)
    return Step(action=action, results=done, judgement=judgement, nudge=nudge)


def a_trace(*steps: Step, stop: StopReason | None = StopReason.FOUND, episode: str = "e1") -> Trace:
    """A trace of the one task."""
    trace = Trace(
        episode=episode,
        task=a_task(),
        prompt=Message(role="system", content=PLAYED_PROMPT, origin=Origin.PROMPT),
        opening=Message(role="user", content=TASK_TEXT, origin=Origin.TASK),
        steps=steps,
    )
    return trace if stop is None else trace.with_stop(stop)


def a_search(episode: str = "e1") -> Trace:
    """A found trace with one of everything: hints, a nudge, two calls at once, a refused call, reasoning, odd text."""
    one, other = (
        a_call("grep", id="c2", pattern="header", glob=None),
        a_call("read_file", id="c3", path="lantern/wire.py"),
    )
    missing = a_call("read_file", id="c4", path="lantern/header.py")
    return a_trace(
        a_step(
            a_call("grep", id="c1", raw='{ "pattern":"finger\\u0070rint" }'),
            text="The task names a fingerprint.",
            reasoning="Start with the word itself.",
            quality=Quality.PRODUCTIVE,
            hint="Good. Now think about where a response gets its headers.",
        ),
        a_step(text="I wonder where headers are set.", nudge="Call a tool, or call `finish` with your answer."),
        a_step(one, other, reasoning="Two at once.", quality=Quality.NEUTRAL),
        a_step(
            missing,
            text="Perhaps a module of its own.",
            results=[a_result(missing, "no file 'lantern/header.py'", ok=False)],
            quality=Quality.MISTAKEN,
            hint="There is no such module. Who writes what goes out to the client?",
        ),
        a_step(finish("early"), quality=Quality.MISTAKEN, nudge="Something is still missing from this answer."),
        a_step(a_call("read_file", id="c5", path="lantern/respond.py"), text="Responses are written here: “ü\u2028”."),
        a_step(finish(), text="Everything is here.", quality=Quality.PRODUCTIVE),
        episode=episode,
    )


def as_clean_traces(*traces: Trace, contract: Contract | None = None) -> list[CleanTrace | DroppedTrace]:
    """Traces without their supervisor, nothing else changed; those that ended otherwise than well are dropped."""
    return [_as_clean_trace(trace, contract or a_contract()) for trace in traces]


def _as_clean_trace(trace: Trace, contract: Contract) -> CleanTrace | DroppedTrace:
    clean = strip_supervision(trace, contract)
    problem = check_outcome(trace, clean, CleanSettings())
    if problem is None:
        return clean
    return DroppedTrace(episode=trace.episode, task=clean.task, code=problem.code, detail=problem.detail)
