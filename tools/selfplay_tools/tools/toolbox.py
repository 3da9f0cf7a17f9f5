"""The player's tools as one object: their schemas, and calls by name with arguments as a model wrote them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from selfplay_tools.errors import BadArgument, NoSuchPath, NotReadable
from selfplay_tools.output import DEFAULT_LIMITS, MAX_PROBLEM_CHARS, ResultLimits, clean_text, cut_at_line_end, shorten
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.call_arguments import parse_arguments, refuse_unknown_tool
from selfplay_tools.tools.find_files import FIND_FILES
from selfplay_tools.tools.find_references import FIND_REFERENCES
from selfplay_tools.tools.find_symbol import FIND_SYMBOL
from selfplay_tools.tools.finish import FINISH
from selfplay_tools.tools.grep import GREP
from selfplay_tools.tools.list_dir import LIST_DIR
from selfplay_tools.tools.outline import OUTLINE
from selfplay_tools.tools.read_file import READ_FILE
from selfplay_tools.tools.schema import Schema, function_schema
from selfplay_tools.tools.search import SEARCH
from selfplay_tools.tools.tool import AnyTool, CallResult, tool_within

DEFAULT_TOOLS: tuple[AnyTool, ...] = (
    LIST_DIR,
    FIND_FILES,
    READ_FILE,
    GREP,
    SEARCH,
    FIND_SYMBOL,
    FIND_REFERENCES,
    OUTLINE,
    FINISH,
)
"""What a player has if not set otherwise, in the order in which a request lists them."""


@dataclass(frozen=True)
class Toolbox:
    """Tools over one snapshot. Safe to use from several threads at once."""

    snapshot: Snapshot
    tools: Sequence[AnyTool] = DEFAULT_TOOLS
    limits: ResultLimits = DEFAULT_LIMITS
    """Of every result: `tools` are made for them, and what is longer all the same is cut."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tools", tuple(tool_within(tool, self.limits) for tool in self.tools))

    @cached_property
    def _by_name(self) -> dict[str, AnyTool]:
        return {tool.name: tool for tool in self.tools}

    def schemas(self) -> list[Schema]:
        """The tools' function schemas, in order; the same bytes every time they are dumped. Not to be changed."""
        return list(self._schemas)

    @cached_property
    def _schemas(self) -> tuple[Schema, ...]:
        return tuple(function_schema(tool) for tool in self.tools)

    def run(self, name: str, arguments: str) -> CallResult:
        """Carry out one call; blocks. `arguments` is the JSON text of an object.

        Whatever the model got wrong is a result with `ok=False` that says what was wrong and what to do. A fault of
        the tools or of git is raised.
        """
        try:
            tool = self._by_name.get(name) or refuse_unknown_tool(name, tuple(self._by_name))
            result = tool.run(self.snapshot, parse_arguments(tool, arguments))
        except (BadArgument, NoSuchPath, NotReadable) as mistake:
            return CallResult(
                text=clean_text(shorten(str(mistake), min(MAX_PROBLEM_CHARS, self.limits.max_chars))), ok=False
            )
        return _bound_result(result, self.limits.max_chars)


def tools_expected(tools: Sequence[AnyTool], names: Sequence[str]) -> list[AnyTool]:
    """The tools in the order of the names, without the default ones that are not named; others stand last."""
    default = {tool.name for tool in DEFAULT_TOOLS}
    order = {name: number for number, name in enumerate(names)}
    chosen = [tool for tool in tools if tool.name in order or tool.name not in default]
    return sorted(chosen, key=lambda tool: order.get(tool.name, len(order)))


def _bound_result(result: CallResult, max_chars: int) -> CallResult:
    """The result, clean; one that is too long is cut at a line end and no longer counts as having shown lines."""
    text = clean_text(result.text)
    if len(text) <= max_chars:
        return CallResult(text=text, ok=result.ok, shown=result.shown, answer=result.answer)
    remark = "\n[the rest is left out: the result was too long; ask for less]"
    return CallResult(text=cut_at_line_end(text, max_chars, remark), ok=result.ok, answer=result.answer)
