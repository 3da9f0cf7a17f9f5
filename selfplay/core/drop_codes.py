"""Why a whole trace gives no row: one code for every reason, so that nothing is left out silently."""

from enum import StrEnum

from selfplay.core.message import Noun
from selfplay.core.trace import StopReason


class DropCode(StrEnum):
    """Reasons, in the order in which they are checked; a trace is dropped for the first that holds."""

    UNREADABLE = "unreadable"
    """The journal is damaged, or ends before the episode began."""
    NO_OPENING = "no_opening"
    """Imported: no system prompt, or no task, before the model's first turn."""
    NO_TOOLS = "no_tools"
    """Imported: the schemas of its tools stand neither in the file nor in the options."""
    SPOKEN_TO = "spoken_to"
    """Imported: a message that is no tool result stands between the model's turns, where a row has no place for it."""
    UNFINISHED = "unfinished"
    """The episode goes on, or was interrupted: running it again resumes it."""

    GAVE_UP = "gave_up"
    """The player ended the search without every target, or stopped searching."""
    STEPS = "steps"
    """The episode's limit of steps."""
    TOKENS = "tokens"
    """The episode's limit of tokens."""
    TIME = "time"
    """The episode's limit of time."""
    COST = "cost"
    """The episode's limit of money."""
    CONVERSATION = "conversation"
    """The episode's limit of how long its conversation may grow."""
    MODEL_ERROR = "model_error"
    """A model could not go on: its context was full, or its server refused the request."""
    TOOL_ERROR = "tool_error"
    """A tool broke."""
    CANCELLED = "cancelled"
    """The episode was cancelled."""
    BUG = "bug"
    """A fault of the program."""

    NO_ANSWER = "no_answer"
    """It does not end with an accepted `finish`."""
    NO_CHAIN = "no_chain"
    """Nothing visible leads to a target: its chain from the task needs a hint."""
    LEAP = "leap"
    """The answer names a file that only a hint, or nothing, explains."""
    ECHO = "echo"
    """Words that answer a hint stand where they can't be taken out."""
    IMPRECISE_ANSWER = "imprecise_answer"
    """The answer names too many files that are no targets."""
    NOTHING_TO_LEARN = "nothing_to_learn"
    """Every turn is only context."""
    LINT = "lint"
    """What a trainer would refuse: the row's problems are listed with it."""

    SURPLUS = "surplus"
    """The task has as many traces as were asked for, and better ones."""
    SECRET = "secret"  # noqa: S105  a reason, no password
    """A key, a token or a password stands in it."""
    SPECIAL_TOKEN = "special_token"  # noqa: S105  a reason, no password
    """Text that a tokenizer reads as one of its control tokens."""
    TOO_LONG = "too_long"
    """More tokens than the limit; nothing is ever cut."""
    CONTAMINATED = "contaminated"
    """Its repository or commit belongs to a benchmark."""
    DUPLICATE = "duplicate"
    """The same conversation as an earlier trace."""
    NEAR_DUPLICATE = "near_duplicate"
    """Almost the same conversation as an earlier trace."""


def drop_code_of(reason: StopReason) -> DropCode | None:
    """The code of an episode that ended so; None for one that ended well."""
    return None if reason is StopReason.FOUND else DropCode(reason.value)


class DroppedTrace(Noun):
    """A trace that gives no row."""

    episode: str
    task: str = ""
    """The task's id; empty where the journal can't be read."""
    code: DropCode
    detail: str = ""
    """In words: where, and what was found."""
