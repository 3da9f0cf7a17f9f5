"""Text that a tokenizer reads as one of its control tokens.

Most trainers let the tokenizer look for control tokens in the text itself: an `<|im_end|>` in a file that was read
ends the turn for the model. The families below are those of the common open and hosted models. With the target's own
`tokenizer.json` its own list is used instead.

Only the target's tokens do harm. Where it is not known, tokens in the shape of ordinary code are let through: dropping
each trace that read a usage line would cost more than it spares.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain

from selfplay.clean.across.conversation import Conversation, ConversationText
from selfplay.core.errors import ConfigError

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "chatml": ("<|im_start|>", "<|im_end|>", "<|im_sep|>"),
    "gpt": ("<|endoftext|>", "<|endofprompt|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
    "harmony": (
        "<|startoftext|>",
        "<|start|>",
        "<|end|>",
        "<|message|>",
        "<|channel|>",
        "<|constrain|>",
        "<|call|>",
        "<|return|>",
    ),
    "llama2": ("<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"),
    "llama3": (
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|python_tag|>",
        "<|finetune_right_pad_id|>",
    ),
    "llama4": ("<|header_start|>", "<|header_end|>", "<|eot|>", "<|eom|>", "<|image_start|>", "<|image_end|>"),
    "mistral": (
        "[AVAILABLE_TOOLS]",
        "[/AVAILABLE_TOOLS]",
        "[TOOL_CALLS]",
        "[TOOL_RESULTS]",
        "[/TOOL_RESULTS]",
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        "[TOOL_CONTENT]",
        "[CALL_ID]",
        "[ARGS]",
        "[THINK]",
        "[/THINK]",
    ),
    "gemma": ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<|turn>", "<turn|>"),
    "qwen": (
        "<tool_call>",
        "</tool_call>",
        "<tool_response>",
        "</tool_response>",
        "<think>",
        "</think>",
        "<|repo_name|>",
        "<|file_sep|>",
        "<|object_ref_start|>",
        "<|object_ref_end|>",
        "<|box_start|>",
        "<|box_end|>",
        "<|quad_start|>",
        "<|quad_end|>",
        "<|vision_start|>",
        "<|vision_end|>",
        "<|vision_pad|>",
        "<|image_pad|>",
        "<|video_pad|>",
    ),
    "deepseek": (
        "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
        "<\uff5cUser\uff5c>",
        "<\uff5cAssistant\uff5c>",
        "<\uff5ctool\u2581calls\u2581begin\uff5c>",
        "<\uff5ctool\u2581calls\u2581end\uff5c>",
        "<\uff5ctool\u2581call\u2581begin\uff5c>",
        "<\uff5ctool\u2581call\u2581end\uff5c>",
        "<\uff5ctool\u2581outputs\u2581begin\uff5c>",
        "<\uff5ctool\u2581outputs\u2581end\uff5c>",
        "<\uff5ctool\u2581output\u2581begin\uff5c>",
        "<\uff5ctool\u2581output\u2581end\uff5c>",
        "<\uff5ctool\u2581sep\uff5c>",
        "<\uff5cfim\u2581begin\uff5c>",
        "<\uff5cfim\u2581hole\uff5c>",
        "<\uff5cfim\u2581end\uff5c>",
    ),
    "phi": ("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|/tool|>", "<|tool_call|>", "<|/tool_call|>"),
    "glm": ("[gMASK]", "<sop>", "<eop>", "<|observation|>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
    "kimi": (
        "<|im_user|>",
        "<|im_assistant|>",
        "<|im_system|>",
        "<|im_middle|>",
        "<|tool_calls_section_begin|>",
        "<|tool_calls_section_end|>",
        "<|tool_call_begin|>",
        "<|tool_call_end|>",
        "<|tool_call_argument_begin|>",
    ),
    "command": (
        "<|START_OF_TURN_TOKEN|>",
        "<|END_OF_TURN_TOKEN|>",
        "<|SYSTEM_TOKEN|>",
        "<|USER_TOKEN|>",
        "<|CHATBOT_TOKEN|>",
        "<BOS_TOKEN>",
        "<EOS_TOKEN>",
    ),
    "granite": ("<|start_of_role|>", "<|end_of_role|>"),
    "bert": ("[CLS]", "[SEP]", "[MASK]"),
    "t5": ("<pad>", "<unk>"),
}
"""Control tokens by the models that have them; one that several have stands at the first."""

_ORDINARY = re.compile(r"\[/?\w+\]|</?s>")
"""Words in brackets, as usage lines and placeholders have them, and a tag of HTML."""


@dataclass(frozen=True, slots=True)
class SpecialTokenMatch:
    """A control token in a text."""

    token: str
    part: ConversationText
    start: int
    """In characters, in the part's text."""


def tokens_of_families(families: Collection[str]) -> tuple[str, ...]:
    """The control tokens of these families, each once. Raises ConfigError for a family that is not in the table."""
    if unknown := sorted(set(families) - FAMILIES.keys()):
        raise ConfigError(f"no family of special tokens is named {unknown[0]!r}; there are {', '.join(FAMILIES)}")
    return tuple(dict.fromkeys(token for name in families for token in FAMILIES[name]))


DEFAULT_TOKENS: tuple[str, ...] = tuple(
    token
    for token in tokens_of_families([name for name in FAMILIES if name not in {"bert", "t5"}])
    if not _ORDINARY.fullmatch(token)
)
"""Tokens that are looked for where the target's are not known: not those that stand in ordinary code (`[ARGS]`, `<s>`),
nor those of models that are not tuned for search (`<pad>`)."""


def find_special_tokens(conversation: Conversation, tokens: tuple[str, ...]) -> Iterator[SpecialTokenMatch]:
    """Each control token in any text of the conversation, in order; the longest where several begin at one place."""
    if not tokens:
        return
    pattern = _compile_pattern(tokens)
    for part in chain(conversation.texts, conversation.id_texts):
        for found in pattern.finditer(part.text):
            yield SpecialTokenMatch(found[0], part, found.start())


@cache
def _compile_pattern(tokens: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(tokens, key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first)))
