"""Journals of made-up searches: the same from the same seed, in the sizes and with the faults of real ones.

Each task has several attempts. Some are hinted; of the hinted turns some answer the hint, some call with a word that
only the hint had. Some attempts repeat an earlier one, some nearly; some results hold a made-up key or a special
token; some fail.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from string import ascii_letters
from typing import Any

import orjson

from selfplay.core.message import Message, Origin, ToolCall
from selfplay.core.trace import Hint, HintKind, Judgement, Quality, Stop, StopReason, ToolResult, Verdict
from selfplay.journal.events import JOURNAL_VERSION, Event
from selfplay.prompts import load_prompt
from selfplay_tools.tools.tool import AnswerFile
from tests.selfplay.traces import a_contract

ATTEMPTS = 4
"""Of each task."""
NOUNS = (
    "header cookie session route socket buffer parser token cache queue worker timer budget ledger invoice parcel "
    "tariff voucher customer warehouse shipment refund payment account profile avatar banner digest checksum archive "
    "snapshot replica shard index cursor filter mapper reader writer encoder decoder signal handler listener monitor"
).split()
VERBS = "load store merge split check build parse route send drop trim join bind lock scan sort".split()
ECHOES = (
    "Good point. ",
    "Thanks for the hint, that helps. ",
    "As you suggested, I turn to another part. ",
    "Following the advice, I look elsewhere. ",
)


def write_journals(folder: Path, count: int, seed: int = 4) -> int:
    """Write so many journals; returns their size in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    size = 0
    for number in range(count):
        data = b"".join(orjson.dumps(event) + b"\n" for event in make_journal(number, seed))
        (folder / f"episode-{number:05}.jsonl").write_bytes(data)
        size += len(data)
    return size


def make_journal(number: int, seed: int) -> Iterator[Event]:
    """The events of one episode."""
    task, attempt = divmod(number, ATTEMPTS)
    world = random.Random(f"{seed}/{task}")  # noqa: S311  repeatable, not secret
    chance = random.Random(f"{seed}/{task}/{attempt}")  # noqa: S311  repeatable, not secret
    if attempt and chance.random() < 0.1:  # noqa: PLR2004  one attempt in ten repeats the first
        chance = random.Random(f"{seed}/{task}/0")  # noqa: S311  repeatable, not secret
    yield from _SyntheticEpisode(number, task, world, chance).make_events()


class _SyntheticEpisode:
    def __init__(self, number: int, task: int, world: random.Random, chance: random.Random) -> None:
        self.number, self.task, self.chance = number, task, chance
        self.nouns = world.sample(NOUNS, 6)
        self.verbs = world.sample(VERBS, 4)
        self.files = [f"src/{a}/{b}_{c}.py" for a in self.nouns[:3] for b in self.nouns[3:] for c in self.verbs]
        self.targets = world.sample(self.files, 2)
        self.is_hinted = chance.random() < 0.7  # noqa: PLR2004  of all attempts
        self.hint: str | None = None
        self.fresh = ""
        """The word that only the last hint had."""

    def make_events(self) -> Iterator[Event]:
        contract = a_contract()
        first, second = self.nouns[:2]
        words = f"The {first} must be kept when a {second} fails to {self.verbs[0]} (report {self.task})."
        place = {"repo": f"https://example.org/team/{first}-{second}", "commit": f"{self.task:040x}"}
        row = {"id": f"task-{self.task}", **place}
        yield {
            "event": "start",
            "journal": JOURNAL_VERSION,
            "wire": 1,
            "selfplay": contract.tools_version,
            "episode": f"episode-{self.number:05}",
            "task": {**row, "prompt": words, "targets": [{"path": path} for path in self.targets]},
            "snapshot": f"git:{self.task:040x}",
            "supervised": self.is_hinted,
            "attempt": 1,
            "config": {},
            "channel": "user",
            "mark": "[advice 0123456789abcdef]",
            "reasoning": "reasoning_content",
            "production_prompt": load_prompt("player").text,
            "prompts": {},
            "tools": list(contract.tools),
        }
        yield _message_event(Message(role="system", content=load_prompt("player").text, origin=Origin.PROMPT))
        yield _message_event(Message(role="user", content=words, origin=Origin.TASK))
        yield from self._make_steps()

    def _make_steps(self) -> Iterator[Event]:
        plan = [*self.chance.sample(self.files, self.chance.randint(3, 9)), *self.targets]
        turn = 0
        for path in plan:
            word = path.rsplit("/", 1)[1].partition("_")[0]
            hits = self.chance.sample(self.files, 12)
            yield from self._make_step(
                turn, "grep", {"pattern": self._make_pattern(word)}, self._make_listing([path, *hits]), path
            )
            yield from self._make_step(turn + 1, "read_file", {"path": path}, self._make_file(path), path)
            turn += 2
        is_found = self.chance.random() < 0.8  # noqa: PLR2004  of all attempts
        if is_found:
            why = f"It has to {self.verbs[0]} the {self.nouns[0]}."
            files = [{"path": path, "reason": why} for path in self.targets]
            yield from self._make_step(turn, "finish", {"files": files}, "Recorded 2 files.", "")
        reason = StopReason.FOUND if is_found else StopReason.STEPS
        yield {"event": "stop", "stop": Stop(reason=reason).model_dump(mode="json")}

    def _make_step(self, turn: int, name: str, arguments: dict[str, Any], text: str, path: str) -> Iterator[Event]:
        call = ToolCall(id=f"call_{turn}_0", name=name, arguments=orjson.dumps(arguments).decode())
        action = Message(
            role="assistant", content=self._make_thought(name, path), origin=Origin.PLAYER, tool_calls=(call,)
        )
        reply = {"message": action.model_dump(mode="json", exclude_defaults=True), "finish_reason": "tool_calls"}
        yield {"event": "call", "seat": "player", "messages": 2, "sha256": "0" * 64, "reply": reply, "seconds": 0.1}
        answer = tuple(AnswerFile(path=p, reason="named") for p in self.targets) if name == "finish" else None
        message = Message(role="tool", content=text, origin=Origin.TOOL, tool_call_id=call.id, name=name)
        result = ToolResult(message=message, ok=True, answer=answer)
        dumped = result.model_dump(mode="json", exclude_defaults=True) | {"ok": True}
        yield {"event": "result", "step": turn + 1, "call": call.id, "result": dumped, "seconds": 0.01}
        is_target = name == "read_file" and path in self.targets
        found = [self.targets.index(path)] if is_target else []
        judgement = self._make_judgement(is_target=is_target, is_end=name == "finish")
        dumped = judgement.model_dump(mode="json", exclude_defaults=True)
        yield {"event": "step", "step": turn + 1, "found": found, "judgement": dumped, "nudge": None}

    def _make_thought(self, name: str, path: str) -> str:
        echo = self.chance.choice(ECHOES) if self.hint and self.chance.random() < 0.15 else ""  # noqa: PLR2004  a share
        self.hint = None
        noun, verb = self.chance.choice(self.nouns[:2]), self.chance.choice(self.verbs)
        if name == "read_file":
            return f"{echo}{path} came up with {noun!r}, and I have not read it."
        return f"{echo}The task speaks of a {noun}; what could {verb} it has to be found by its name."

    def _make_pattern(self, word: str) -> str:
        fresh, self.fresh = self.fresh, ""
        return fresh if fresh and self.chance.random() < 0.1 else self.chance.choice([word, *self.nouns[:2]])  # noqa: PLR2004  a share

    def _make_judgement(self, *, is_target: bool, is_end: bool) -> Judgement:
        quality = Quality.PRODUCTIVE if is_target or is_end else self.chance.choice([Quality.NEUTRAL, Quality.WASTEFUL])
        if not self.is_hinted or is_end or self.chance.random() < 0.5:  # noqa: PLR2004  a share
            return Judgement(verdict=Verdict(quality=quality, why="It showed what it showed."))
        self.fresh = self.chance.choice(NOUNS)
        self.hint = f"Think about where a {self.fresh} is prepared before anybody else gets to see it."
        hint = Hint(text=self.hint, kind=HintKind.PROPOSED, level=1)
        return Judgement(verdict=Verdict(quality=quality, why="It helps little.", hint=self.hint), hint=hint)

    def _make_listing(self, paths: list[str]) -> str:
        hits = dict.fromkeys(paths)
        return "\n".join(f"{path}:{self.chance.randint(1, 400)}:def {self._make_name()}(value):" for path in hits)

    def _make_name(self) -> str:
        return f"{self.chance.choice(self.verbs)}_{self.chance.choice(self.nouns)}"

    def _make_file(self, path: str) -> str:
        lines = [f"{path}: lines 1-60 of 60"]
        for n in range(20):
            other = self.chance.choice(NOUNS)
            lines += [
                f"def {self._make_name()}_{n}({other}):",
                f"    # how a {other} is handled",
                f"    return {other}",
            ]
        if self.chance.random() < 0.002:  # noqa: PLR2004  a share
            lines.append("token = gh" + "p_" + "".join(self.chance.choices(ascii_letters, k=36)))
        if self.chance.random() < 0.002:  # noqa: PLR2004  a share
            lines.append('END = "<|endoftext|>"')
        return "\n".join(f"{n:6}\t{line}" for n, line in enumerate(lines, 1))


def _message_event(message: Message) -> Event:
    return {"event": "message", "seat": "player", "message": message.model_dump(mode="json", exclude_defaults=True)}
