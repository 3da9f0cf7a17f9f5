"""What of a turn answers a hint: in its content, in its reasoning, in the prose inside its calls.

Found are echoes by the wordings, and names of code that only a hint had: a thought may mention a name only when it was
to be seen.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from selfplay.clean.echoes import EchoFinding, find_echoes
from selfplay.clean.echoes.prose import IDEOGRAPH
from selfplay.clean.evidence.argument_units import ROLES, walk_arguments
from selfplay.core.clean_trace import CleanTrace
from selfplay.core.message import Message

_SIGNS = r"\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Scripts without blanks: the prose around a name, never a part of it."""
_W, _L = rf"[^\W{_SIGNS}]", rf"[^\W_{_SIGNS}]"
"""A character of a name, and the same without the underscore."""
_P = rf"(?:{_W}|[.-])"
"""A character of a path's part."""
_NAME = re.compile(
    rf"""
    `([^`\n]{{1,120}})`                                   # in code marks, whatever it is
    | (?<!{_W})(?<![.-])((?:{_P}+/)+{_P}*{_W})            # a path
    | (?<!{_W})(?:
        ({_W}+(?:(?:::|\.){_W}+){{0,20}}\.(?:[A-Za-z]{_W}{{0,4}})(?!{_W}))  # a file name, a dotted name
      | ({_W}*{_L}_{_L}{_W}*)                             # snake_case
      | ({_W}*(?:[a-z\d][A-Z]|[A-Z][A-Z][a-z][a-z]){_W}*) # camelCase, HTTPServer; not the APIs
      )
    """,
    re.VERBOSE,
)
"""A name begins where its first word does, and has so many parts at most: a text of one word is not tried from each of
its letters, nor one of many parts from each of these."""
_ABBREVIATIONS = frozenset({"e.g", "i.e", "a.m", "p.m", "u.s"})


def names_in(text: str) -> tuple[str, ...]:
    """Paths, file names and identifiers in a text, each once, in order, without code marks."""
    found = (next(group for group in match.groups() if group) for match in _NAME.finditer(text))
    named = (name.strip("().,;:") for name in found)
    return tuple(dict.fromkeys(name for name in named if name and name.lower() not in _ABBREVIATIONS))


def find_unseen(names: Iterable[str], visible: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that stand in none of the visible texts, letter case aside."""
    missing = list(names)
    for text in visible:
        if not missing:
            break
        folded = text.casefold()
        missing = [name for name in missing if name.casefold() not in folded]
    return tuple(missing)


WordsField = Literal["content", "reasoning"]
WORDS_FIELDS: tuple[WordsField, ...] = ("content", "reasoning")
MIN_PROSE_WORDS = 4
"""An argument with fewer words is a name, a pattern or a query, not an answer. Signs of scripts without blanks are
words."""


@dataclass(frozen=True, slots=True)
class TurnContext:
    """What stood before a turn."""

    prefix: tuple[Message, ...]
    """The clean conversation up to it."""
    hint: str | None = None
    """What the supervisor's side wrote since the turn before, hint and nudge together; None if nothing."""
    hints_so_far: tuple[str, ...] = ()
    """Everything that it had written so far."""

    @property
    def visible(self) -> tuple[str, ...]:
        """Texts that the player could see without a supervisor: the task and the results, not its own words."""
        return tuple(m.content for m in self.prefix if m.role in {"user", "tool"})


@dataclass(frozen=True, slots=True)
class TurnEchoes:
    """What answers a hint in one turn."""

    content: tuple[EchoFinding, ...] = ()
    reasoning: tuple[EchoFinding, ...] = ()
    arguments: tuple[EchoFinding, ...] = ()
    """Spans are in the argument's value. These can't be repaired: a call stays the one that was made."""
    borrowed: tuple[str, ...] = ()
    """Names in its words, and in the prose inside its calls, that some hint had and nothing visible shows."""
    borrowed_in_calls: tuple[str, ...] = ()
    """Those of them that stand in its calls only."""

    @property
    def needs_repair(self) -> bool:
        """Whether its content or its reasoning has to be repaired."""
        return bool(self.content or self.reasoning or len(self.borrowed) > len(self.borrowed_in_calls))

    @property
    def echoes(self) -> tuple[EchoFinding, ...]:
        """All echoes, wherever they stand."""
        return (*self.content, *self.reasoning, *self.arguments)

    def echoes_in(self, part: WordsField) -> tuple[EchoFinding, ...]:
        """The echoes of one part of the words."""
        return self.content if part == "content" else self.reasoning


def turn_context(clean: CleanTrace, turn: int, supervisor_texts: Sequence[tuple[str, ...]]) -> TurnContext:
    """What stood before a turn; `supervisor_texts[i]` is what the supervisor's side wrote right before turn `i`."""
    so_far = tuple(text for texts in supervisor_texts[: turn + 1] for text in texts)
    return TurnContext(clean.conversation_before(turn), "\n".join(supervisor_texts[turn]) or None, so_far)


def find_turn_echoes(action: Message, context: TurnContext) -> TurnEchoes:
    """What in a turn answers, thanks for, restates or leans on what stood before it."""
    words = {part: words_of(action, part) for part in WORDS_FIELDS}
    prose = tuple(text for _, text in _find_prose(action))
    if not any(words.values()) and not prose:
        return TurnEchoes()
    visible = context.visible if context.hints_so_far else ()
    borrowed = _find_borrowed_names("\n".join(words.values()), context.hints_so_far, visible)
    free = "\n".join(text for key, text in _find_prose(action) if ROLES.get(key, "free") == "free")
    in_calls = tuple(name for name in _find_borrowed_names(free, context.hints_so_far, visible) if name not in borrowed)
    return TurnEchoes(
        content=find_echoes(words["content"], context.hint, visible, context.hints_so_far),
        reasoning=find_echoes(words["reasoning"], context.hint, visible, context.hints_so_far),
        arguments=tuple(
            found for text in prose for found in find_echoes(text, context.hint, visible, context.hints_so_far)
        ),
        borrowed=(*borrowed, *in_calls),
        borrowed_in_calls=in_calls,
    )


def words_of(action: Message, part: WordsField) -> str:
    """The text of one part."""
    return action.content if part == "content" else action.reasoning or ""


def _find_borrowed_names(text: str, hints_so_far: Sequence[str], visible: Sequence[str]) -> tuple[str, ...]:
    hints = "\n".join(hints_so_far).casefold()
    return find_unseen((name for name in names_in(text) if name.casefold() in hints), visible) if hints else ()


def _find_prose(action: Message) -> Iterator[tuple[str, str]]:
    """Texts inside the arguments that are long enough to be prose, each with its argument's name."""
    for call in action.tool_calls:
        for _, key, text in walk_arguments(call.parse_arguments()):
            if len(text.split()) >= MIN_PROSE_WORDS or len(IDEOGRAPH.findall(text)) >= MIN_PROSE_WORDS:
                yield key, text
