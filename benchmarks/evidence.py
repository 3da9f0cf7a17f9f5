"""How long evidence takes, and how right it is on the labelled rows: the figures of docs/evidence.md.

python -m benchmarks.evidence
"""

import re
import statistics
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random

import orjson

from selfplay.clean.evidence import evidence_of
from selfplay.clean.evidence.word_knowledge import common_knowledge
from selfplay.core.message import Message, Origin, ToolCall
from selfplay.gate.text.words import is_english
from tests.selfplay.clean.evidence.test_grounded_table import Score, labelled_calls, score_rows

TURNS = 60
RESULT_CHARS = 4_000
REPEATS = 9


def main() -> None:
    """Print the tables."""
    common_knowledge()
    is_english("words")  # both lists are read once in a process
    print("| conversation | characters | links | milliseconds of processor time |\n|---|---|---|---|")
    for name, make in CONVERSATIONS.items():
        time_one(name, make)
    print("\n| set | leaps found | grounded parts taken for leaps | recall | precision |\n|---|---|---|---|---|")
    for name in ("dev", "held", "hard", "real"):
        print_score(name, score_rows(row for row in labelled_calls() if row.set == name))


def time_one(name: str, make: Callable[[int], Sequence[Message]]) -> None:
    """Median over conversations that differ, of processor time: whatever else the machine does."""
    seconds: list[float] = []
    messages: Sequence[Message] = ()
    links = 0
    for seed in range(REPEATS):
        messages = make(seed)
        began = time.process_time()
        links = len(evidence_of(messages).links)
        seconds.append(time.process_time() - began)
    size = sum(len(message.content) for message in messages)
    print(f"| {name} | {size:,} | {links} | {1000 * statistics.median(seconds):.1f} |")


def print_score(name: str, score: Score) -> None:
    print(
        f"| {name} | {score.found} of {score.leaps} | {score.false} of {score.grounded} "
        f"| {score.recall:.3f} | {score.precision:.3f} |"
    )


@cache
def read_sources() -> str:
    """The code of this project, one file after another."""
    root = Path(__file__).parents[1]
    return "\n".join(path.read_text("utf-8") for path in sorted(root.glob("selfplay/**/*.py")))


def draw_piece(random: Random, chars: int) -> str:
    """So much of the code, from anywhere, as `read_file` shows it."""
    start = random.randrange(len(read_sources()) - chars)
    return f"src/app/io.py: lines 1-99 of 99\n{read_sources()[start : start + chars]}"


def make_conversation(seed: int, turns: int = TURNS, chars: int = RESULT_CHARS) -> list[Message]:
    """A task, and turns that search, grep and read with words that were read, that hints have, or that are nowhere."""
    random = Random(seed)  # noqa: S311  draws a sample
    messages = [
        Message(role="system", content="You search a code base.", origin=Origin.PROMPT),
        Message(role="user", content=draw_piece(random, 500), origin=Origin.TASK),
    ]
    for number in range(turns):
        name, arguments = draw_call(random, messages)
        call = ToolCall(id=f"c{number}", name=name, arguments=orjson.dumps(arguments).decode())
        messages.append(Message(role="assistant", content="I look.", origin=Origin.PLAYER, tool_calls=(call,)))
        messages.append(
            Message(role="tool", content=draw_piece(random, chars), origin=Origin.TOOL, tool_call_id=call.id)
        )
        messages.append(Message(role="user", content=f"Think of {draw_name(random)}.", origin=Origin.HINT))
    return messages


def draw_name(random: Random) -> str:
    """A name of the code, perhaps one that was not read yet."""
    return random.choice(re.findall(r"[a-z]\w{3,}", draw_piece(random, 300)) or ["name"])


def draw_call(random: Random, messages: Sequence[Message]) -> tuple[str, dict[str, str]]:
    """One call: two words that were read and one that perhaps was not, in every role."""
    read = re.findall(r"\w+", random.choice([m for m in messages if m.role != "assistant"]).content)
    old, new = random.choice(read), draw_name(random)
    calls = {
        "search": {"query": f"{old} {new} {random.choice(read)}"},
        "grep": {"pattern": rf"def {new}\(|{old}", "path": "src/app"},
        "read_file": {"path": f"src/app/{new}.py"},
        "find_symbol": {"name": f"{new}_{old}"},
    }
    name = random.choice(list(calls))
    return name, calls[name]


def make_one_line(_seed: int) -> list[Message]:
    """A result of two million characters without a line end."""
    return [
        *make_conversation(1, 2),
        Message(role="tool", content="ab_Cd9 " * 300_000, origin=Origin.TOOL),
        *make_conversation(2, 3),
    ]


CONVERSATIONS: dict[str, Callable[[int], Sequence[Message]]] = {
    "60 turns, results of 4 kB": make_conversation,
    "20 turns, results of 4 kB": lambda seed: make_conversation(seed, 20),
    "200 turns, results of 8 kB": lambda seed: make_conversation(seed, 200, 8_000),
    "6 turns, and one line of 2 MB": make_one_line,
}


if __name__ == "__main__":
    main()
