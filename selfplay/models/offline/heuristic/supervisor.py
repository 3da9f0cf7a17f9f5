"""A supervisor without a language model: its hints are made of words in and around the targets.

It has the answer from its assignment, as any supervisor has; its hints pass the same gate.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import orjson

from selfplay.core.message import Message
from selfplay.models.offline.heuristic.words import compound_identifiers, distinct_words, stem, telling_words
from selfplay.models.protocol import ModelReply, ModelRequest
from selfplay.models.token_counts import estimate_usage

_FOUND = re.compile(r"^Targets found so far: (.*)$", re.MULTILINE)
_MISSING = re.compile(r"^Targets not found yet: (.*)$", re.MULTILINE)
_LEVEL = re.compile(r"^A hint at level (\d) \(.*?\) is wanted now\.|^Answer again .* at level (\d) \(", re.MULTILINE)
_COMMENT = re.compile(r"#\s?(.*)$|//+\s?(.*)$|^\s*\*\s(.*)$|\"\"\"(.*)$")

TEMPLATES = {
    1: ("Look beyond the words of the task: what here has to do with {}?", 2),
    2: ("Think of {}. Where do they meet?", 2),
    3: ("Turn to the part of the system that deals with {}.", 3),
    4: ("What you are after has to do with {}; look for these.", 4),
}
"""By level: the words of a hint, and how many terms it takes."""
HINTS_WITHOUT_TERMS = (
    "Follow what the files you have read make use of, and what makes use of them.",
    "Look wider: is there a part of the code base that you have not seen at all?",
    "Go back to the task, and say each of its words in another way.",
    "Who calls what you have read, and who is called by it?",
    "Think of what has to happen before, and of what comes after.",
)
"""What is left to say when a target's words are used up, each once."""


class HeuristicSupervisor:
    """Judges by what was found and repeated; hints with words of the first target that is missing."""

    @property
    def name(self) -> str:
        """`heuristic`."""
        return "heuristic"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The verdict on the last report, as JSON."""
        texts = [(m.value["role"], m.value["content"]) for m in request.messages]
        message = Message(role="assistant", content=_write_verdict(texts), origin=request.origin)
        return ModelReply(message=message, usage=estimate_usage(request, message), model=self.name)

    async def aclose(self) -> None:
        """Nothing to close."""


def _write_verdict(texts: Sequence[tuple[str, str]]) -> str:
    assignment = texts[1][1]
    earlier_hints = [orjson.loads(text)["hint"] or "" for role, text in texts if role == "assistant"]
    reports = [text for role, text in texts[1:] if role == "user" and _FOUND.search(text)]
    quality, why = _judge_step(reports)
    hint = None
    level = _LEVEL.search(texts[-1][1])
    missing = _MISSING.findall(reports[-1])[-1].split(", ")
    if level and missing:
        is_first = level.group(1) is not None
        hint = _write_hint(
            _hint_words(assignment, missing[0], is_first=is_first), int(level.group(1) or level.group(2)), earlier_hints
        )
    return orjson.dumps({"quality": quality, "why": why, "hint": hint}).decode()


CANDIDATE = "Judge one turn that the player might take next."
"""How the question about a turn outside of an episode begins."""


def _judge_candidate(text: str) -> tuple[str, str]:
    """The verdict on a turn that was not taken: does it open a target, does it repeat?"""
    before, _, candidate = text.partition(CANDIDATE)
    calls = _calls_in(candidate)
    missing = _MISSING.findall(before)[-1].split(", ")
    if any(f'"{target.partition(":")[0]}"' in call for target in missing for call in calls):
        return "productive", "The turn goes to a target."
    if not calls:
        return "wasteful", "The turn makes no call."
    if set(calls) <= set(_calls_in(before)):
        return "wasteful", "The turn repeats a call."
    return "neutral", "The turn goes to no target."


def _judge_step(reports: Sequence[str]) -> tuple[str, str]:
    if CANDIDATE in reports[-1]:
        return _judge_candidate(reports[-1])
    found = [_FOUND.findall(report)[-1] for report in reports]
    before = found[-2] if len(found) > 1 else "none"
    if found[-1] != before:
        return "productive", "The step showed a target."
    calls = [_calls_in(report) for report in reports]
    if calls[-1] and any(calls[-1] == earlier for earlier in calls[:-1]):
        return "wasteful", "The step repeated a call."
    if not calls[-1]:
        return "wasteful", "The step made no call."
    return "neutral", "The step showed no target."


def _calls_in(report: str) -> tuple[str, ...]:
    lines = report.split("\n")
    return tuple(line for line, after in pairwise(lines) if after.strip() == "->")


CARELESS_LEVEL = 3
"""From this level on the first proposal takes a name out of the target, as a careless supervisor would."""


@dataclass(frozen=True, slots=True)
class _HintWords:
    """What hints about a target are made of, most telling first."""

    terms: list[str]
    names: list[str]
    """Names of several words in the target's code; the gate refuses those that the player has not seen."""


def _hint_words(assignment: str, target: str, *, is_first: bool) -> _HintWords:
    names = compound_identifiers("\n".join(_find_excerpt(assignment, target))) if is_first else ()
    return _HintWords(_rank_terms(assignment, target), list(names))


def _write_hint(hint_words: _HintWords, level: int, earlier_hints: Sequence[str]) -> str | None:
    """A hint at this level with terms that no earlier hint had; None when there is nothing left to say."""
    template, count = TEMPLATES[level]
    used = {stem(word) for text in earlier_hints for word in telling_words(text)}
    terms = [term for term in hint_words.terms if stem(term) not in used]
    names = [name for name in hint_words.names if not any(name in text for text in earlier_hints)]
    if level >= CARELESS_LEVEL and names:
        terms = [names[0], *terms]
    if terms:
        return template.format(_join_terms(terms[:count]))
    return next((text for text in HINTS_WITHOUT_TERMS if text not in earlier_hints), None)


def _join_terms(terms: Sequence[str]) -> str:
    return terms[0] if len(terms) == 1 else f"{', '.join(terms[:-1])} and {terms[-1]}"


def _rank_terms(assignment: str, target: str) -> list[str]:
    """Telling words of a target's excerpt, most telling first: words of prose before words of code.

    Not the task's own words, and none of the target's name.
    """
    task = assignment.split("The task, as the player has it:", 1)[1].split("The targets, which only you know:", 1)[0]
    known = {stem(word) for word in (*distinct_words(task), *distinct_words(target))}
    excerpt = _find_excerpt(assignment, target)
    prose = Counter(
        telling_words("\n".join("".join(filter(None, m)) for line in excerpt for m in _COMMENT.findall(line)))
    )
    code = Counter(telling_words("\n".join(excerpt)))
    ranked = sorted(code, key=lambda word: (-3 * prose[word] - code[word], word))
    unique = {stem(word): word for word in reversed(ranked) if stem(word) not in known}
    return [word for word in ranked if unique.get(stem(word)) == word]


def _find_excerpt(assignment: str, target: str) -> list[str]:
    """The indented lines under the target in the assignment."""
    _, _, after = assignment.partition(f"\n- {target}\n")
    lines: list[str] = []
    for line in after.split("\n"):
        if line and not line.startswith("    "):
            break
        lines.append(line)
    path = target.partition(":")[0]
    heads = ("What it defines", "How it begins", path)
    return [line for line in lines if not line.strip().startswith(heads)]
