"""The tools that a configuration offers, and whether they are those of a contract."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from selfplay.config import AskWebConfig, LspConfig, ToolsConfig
from selfplay.core.contract import Contract
from selfplay.core.errors import ConfigError
from selfplay.core.plugins import load_object, load_plugins
from selfplay.environments.environment import ANSWER_TOOL
from selfplay.environments.find_files.semantic_search import make_semantic_tool
from selfplay_tools import release_version
from selfplay_tools.errors import NotUsable
from selfplay_tools.output import DEFAULT_LIMITS, ResultLimits, format_names
from selfplay_tools.tools.schema import Schema, find_differences, function_schema
from selfplay_tools.tools.tool import AnyTool, Tool, tool_within
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS

GROUP = "selfplay.tools"
"""An entry point's value: a `Tool`, or what returns one or several when it is called."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""What servers take as the name of a function."""


def make_tools(config: ToolsConfig) -> tuple[AnyTool, ...]:
    """The player's tools: the default ones, those that are configured, those of others; or `only` some, in its order.

    Each keeps to the configured limits. Raises ConfigError.
    """
    try:
        web = () if config.ask_web is None else (_make_web_tool(config.ask_web),)
        semantic = () if config.semantic_search is None else (make_semantic_tool(config.semantic_search),)
        lsp = () if config.lsp is None else _make_lsp_tools(config.lsp)
    except NotUsable as error:
        raise ConfigError(f"tools.{error}") from None
    extra = [tool for spec in config.extra for tool in _load_tools(spec)]
    offered = [*DEFAULT_TOOLS, *web, *semantic, *lsp, *extra]
    _require_different_names(offered)
    chosen = offered if config.only is None else _choose(offered, config.only)
    _require_different_names(chosen)
    limits = result_limits(config)
    return tuple(tool_within(tool, limits) for tool in chosen)


def result_limits(config: ToolsConfig) -> ResultLimits:
    """How long results may be."""
    return ResultLimits(config.max_result_chars, config.max_lines, config.max_rows)


def refuse_code_of_others(config: ToolsConfig) -> None:
    """Raise ConfigError where settings that come with a trace, and not from whoever runs this, name code to import."""
    if paths := [spec for spec in config.extra if ":" in spec]:
        raise ConfigError(
            f"the trace was played with tools of other code ({format_names(paths)}), which is not run because a trace "
            "says so; give its settings yourself, with --config"
        )


def _choose(offered: Sequence[AnyTool], names: Sequence[str]) -> list[AnyTool]:
    if ANSWER_TOOL not in names:
        raise ConfigError(f"tools.only: {ANSWER_TOOL!r} is missing, and without it no episode can end well; add it")
    by_name = {tool.name: tool for tool in offered}
    chosen: list[AnyTool] = []
    for name in names:
        if name in by_name:
            chosen.append(by_name[name])
        elif name in (plugins := load_plugins(GROUP)):
            chosen += _tools_of(plugins[name], name)
        else:
            known = ", ".join(dict.fromkeys([*by_name, *plugins]))
            raise ConfigError(f"tools.only: there is no tool {name!r}; known: {known}")
    return chosen


def _load_tools(spec: str) -> list[AnyTool]:
    if ":" in spec:
        return _tools_of(load_object(spec), spec)
    plugins = load_plugins(GROUP)
    if spec not in plugins:
        raise ConfigError(
            f"tools.extra: no installed package offers {spec!r} in the group {GROUP}; known: "
            f"{', '.join(plugins) or 'none'}; code of your own is named as package.module:name"
        )
    return _tools_of(plugins[spec], spec)


def _tools_of(found: object, spec: str) -> list[AnyTool]:
    """What an object of another package stands for, checked. Raises ConfigError."""
    if callable(found):
        try:
            found = found()
        except Exception as error:  # code of others, which may raise anything
            raise ConfigError(f"tools.extra: {spec!r} made no tool: {type(error).__name__}: {error}") from error
    parts = list(cast("Iterable[object]", found)) if isinstance(found, Iterable) else [found]
    return [_require_tool(part, spec) for part in parts]


def _require_tool(found: object, spec: str) -> AnyTool:
    if not isinstance(found, Tool):
        raise ConfigError(
            f"tools.extra: {spec!r} is no tool, but of type {type(found).__name__}; give a "
            "selfplay_tools.tools.tool.Tool, or a function that returns one or several"
        )
    tool = cast("AnyTool", found)
    if not _NAME.fullmatch(tool.name):
        raise ConfigError(f"tools.extra: {spec!r}: no server takes a tool named {tool.name!r}; use letters, digits, _")
    try:
        function_schema(tool)
    except Exception as error:  # its arguments may be of any type
        raise ConfigError(f"tools.extra: {spec!r}: {error}") from error
    return tool


def _require_different_names(tools: Sequence[AnyTool]) -> None:
    names = [tool.name for tool in tools]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"tools: {format_names(twice)} is offered twice; give each tool a name of its own")


def _make_web_tool(config: AskWebConfig) -> AnyTool:
    from selfplay_tools.tools.ask_web import WebSearchModel, make_ask_web  # noqa: PLC0415  its client takes most of a second to import

    return make_ask_web(
        WebSearchModel(
            model=config.model,
            base_url=config.base_url,
            api_key_env=config.api_key_env,
            extra_body=config.extra_body,
            timeout_s=config.timeout_s,
            tries=config.tries,
        )
    )


def _make_lsp_tools(config: LspConfig) -> tuple[AnyTool, ...]:
    try:
        from selfplay_tools.lsp import servers, tools  # noqa: PLC0415  an extra, and it takes time to import
    except ModuleNotFoundError as error:
        raise NotUsable(f"lsp: {error}") from error
    shared = config.model_dump(exclude={"servers"})
    configured = [
        servers.server_for(language, **server.model_dump(), **shared) for language, server in config.servers.items()
    ]
    return tools.make_lsp_tools(configured)


def contract_limits(contract: Contract, otherwise: ResultLimits = DEFAULT_LIMITS) -> ResultLimits:
    """How long results were in training; `otherwise` where the contract of traces from elsewhere does not know."""
    context = contract.context
    if context.max_result_chars is None:
        return otherwise
    return ResultLimits(
        context.max_result_chars,
        context.max_lines or DEFAULT_LIMITS.max_lines,
        context.max_rows or DEFAULT_LIMITS.max_rows,
    )


def find_contract_differences(
    schemas: Sequence[Schema], contract: Contract, limits: ResultLimits = DEFAULT_LIMITS
) -> list[str]:
    """Where these tools, and this release of them, are not what a contract says; a line each, none if they are."""
    found = find_differences(schemas, contract.tools)
    if (here := release_version()) != contract.tools_version:
        found.append(f"release of the tools: {here} here, {contract.tools_version} expected")
    return [*found, *_find_limit_differences(contract, limits)]


def _find_limit_differences(contract: Contract, limits: ResultLimits) -> Iterator[str]:
    context, expected = contract.context, contract_limits(contract)
    if context.max_result_chars != limits.max_chars:
        yield f"characters of a result: {limits.max_chars} here, {context.max_result_chars} expected"
    if expected.max_lines != limits.max_lines:
        yield f"lines of a file in one result: {limits.max_lines} here, {expected.max_lines} expected"
    if expected.max_rows != limits.max_rows:
        yield f"rows of a result: {limits.max_rows} here, {expected.max_rows} expected"
