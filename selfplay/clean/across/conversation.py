"""A conversation as the checks across traces read it: its texts part by part, each with its place."""

from collections.abc import Iterator

import orjson

from selfplay.core.clean_trace import CleanTrace, PreferencePair
from selfplay.core.contract import ToolSchema
from selfplay.core.message import Message, Noun
from selfplay.export.row_models import walk_strings


class ConversationText(Noun):
    """One text of a conversation, as a reader of the row sees it."""

    message: int
    """Position in the conversation, from 0; -1 for the tools' schemas."""
    place: str
    """`messages[3].tool_calls[0].arguments`, or `tools`."""
    role: str
    text: str


class Conversation(Noun):
    """A conversation that may become a row, from whatever source."""

    id: str
    task_id: str = ""
    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...] = ()
    repo: str = ""
    commit: str = ""
    snapshot: str = ""
    is_compared: bool = True
    """False for one side of a preference pair: the other side resembles it on purpose."""

    @property
    def texts(self) -> Iterator[ConversationText]:
        """Every text, in order; arguments as written, and once more without JSON's escapes if they have any."""
        for number, message in enumerate(self.messages):
            for place, text in _message_texts(message):
                if text:
                    yield ConversationText(
                        message=number, place=f"messages[{number}].{place}", role=message.role, text=text
                    )
        if self.tools:
            yield ConversationText(message=-1, place="tools", role="tools", text=orjson.dumps(self.tools).decode())

    @property
    def id_texts(self) -> Iterator[ConversationText]:
        """Every name that the row carries: its own, its task's, and its calls'. Random ones look like secrets."""
        for place, text in (("id", self.id), ("task", self.task_id)):
            if text:
                yield ConversationText(message=-1, place=place, role="row", text=text)
        for number, message in enumerate(self.messages):
            named = [(f"tool_calls[{k}].id", call.id) for k, call in enumerate(message.tool_calls)]
            for place, text in (*named, ("tool_call_id", message.tool_call_id or "")):
                if text:
                    yield ConversationText(
                        message=number, place=f"messages[{number}].{place}", role=message.role, text=text
                    )

    @property
    def task(self) -> str:
        """The first user message with its white space evened out: two conversations with the same are at one task."""
        return next((" ".join(m.content.split()) for m in self.messages if m.role == "user"), "")


def conversation_of(trace: CleanTrace) -> Conversation:
    """What an exported row of the trace would hold."""
    return Conversation(
        id=trace.episode,
        task_id=trace.task,
        messages=trace.conversation,
        tools=trace.contract.tools,
        repo=trace.repo,
        commit=trace.commit,
        snapshot=trace.snapshot,
    )


def rejected_conversation_of(pair: PreferencePair) -> Conversation:
    """What an exported pair holds beside its trace: the action that was not preferred."""
    return Conversation(id=pair.episode, task_id=pair.task, messages=(pair.rejected,), is_compared=False)


def _message_texts(message: Message) -> Iterator[tuple[str, str]]:
    yield "content", message.content
    yield "reasoning", message.reasoning or ""
    for k, call in enumerate(message.tool_calls):
        yield f"tool_calls[{k}].name", call.name
        yield f"tool_calls[{k}].arguments", call.arguments
        if "\\" in call.arguments:
            yield f"tool_calls[{k}].arguments", "\n".join(text for _, text in walk_strings(call.parse_arguments()))
