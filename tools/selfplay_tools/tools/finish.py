"""`finish`: the player's answer."""

from pydantic import Field

from selfplay_tools.errors import BadArgument, NoSuchPath, NotReadable
from selfplay_tools.output import format_count
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.scope import resolve_file
from selfplay_tools.tools.tool import AnswerFile, CallResult, Tool, ToolArguments

MAX_FILES = 20


class RelevantFile(ToolArguments):
    """One file as the player names it."""

    path: str = Field(min_length=1)
    reason: str = Field(min_length=1, description="Why it matters, in a sentence.")


class Finish(ToolArguments):
    """Arguments of `finish`."""

    files: tuple[RelevantFile, ...] = Field(
        min_length=1, max_length=MAX_FILES, description="Most relevant first, each once."
    )


def finish(snapshot: Snapshot, arguments: Finish) -> CallResult:
    """Record the answer. The result does not say whether the answer is right: in production that is not known."""
    problems: list[str] = []
    answer: dict[str, AnswerFile] = {}
    for number, file in enumerate(arguments.files, 1):
        try:
            path = _resolve_named_file(snapshot, file, answer)
        except (BadArgument, NoSuchPath, NotReadable) as problem:
            problems.append(f"- file {number}: {problem}")
        else:
            answer[path] = AnswerFile(path=path, reason=file.reason.strip())
    if problems:
        raise BadArgument("\n".join(["nothing was recorded; call finish again with the whole list:", *problems]))
    return CallResult(f"Recorded {format_count(len(answer), 'file')}.", answer=tuple(answer.values()))


def _resolve_named_file(snapshot: Snapshot, file: RelevantFile, before: dict[str, AnswerFile]) -> str:
    path = resolve_file(snapshot, file.path)
    if path in before:
        raise BadArgument(f"{path!r} is named twice; name each file once")
    if not file.reason.strip():
        raise BadArgument(f"{path!r} has an empty reason; say why it matters")
    return path


FINISH = Tool(
    name="finish",
    description=(
        f"Give the answer: the files that the task is about (1 to {MAX_FILES}), most relevant first, each with its "
        "reason. Call it when you have seen enough."
    ),
    arguments=Finish,
    run=finish,
)
