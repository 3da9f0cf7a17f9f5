"""The engine's prompts: one Markdown file each, `string.Template` slots, a text's sha256 is its version."""

import hashlib
from functools import cache, cached_property
from importlib.resources import files
from string import Template

from selfplay.core.message import Noun

PROMPT_NAMES = (
    "player",
    "advice_user",
    "advice_tool",
    "supervisor",
    "assignment",
    "report",
    "candidate",
    "rewrite",
    "refused",
    "unreadable",
    "judge",
    "echo_judge",
    "echo_judge_text",
    "judge_task",
    "judge_step",
    "judge_question",
    "judge_hint",
    "nudge_call",
    "nudge_found",
    "nudge_early",
    "nudge_incomplete",
    "issue",
    "issue_again",
)
LIMITS_PROMPT = "limits"
"""Part of the player's prompt where the limits are announced; other episodes keep their id."""


class Prompt(Noun):
    """A prompt's text, with `$slots`."""

    name: str
    text: str

    @cached_property
    def sha256(self) -> str:
        """The version of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def slots(self) -> frozenset[str]:
        """Names of its slots."""
        return frozenset(Template(self.text).get_identifiers())

    def fill(self, **slots: str) -> str:
        """The text with every slot filled. Raises ValueError for a missing or an extra slot."""
        if self.slots != slots.keys():
            raise ValueError(f"prompt {self.name!r} has the slots {sorted(self.slots)}, got {sorted(slots)}")
        return Template(self.text).substitute(slots)


@cache
def load_prompt(name: str) -> Prompt:
    """The shipped prompt of that name, without the file's last line end."""
    return Prompt(name=name, text=files(__name__).joinpath(f"{name}.md").read_text("utf-8").rstrip("\n"))


def load_all_prompts() -> dict[str, Prompt]:
    """All prompts by name, but for `LIMITS_PROMPT`."""
    return {name: load_prompt(name) for name in PROMPT_NAMES}
