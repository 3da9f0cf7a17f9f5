"""The tools that a configuration offers, and whether they are those of a contract."""

from collections.abc import Sequence
from importlib.metadata import version

from selfplay.config import AskWebConfig, LspConfig, ToolsConfig
from selfplay.core.contract import Contract
from selfplay.core.errors import ConfigError
from selfplay.environments.find_files.semantic_search import make_semantic_tool
from selfplay_tools.errors import NotUsable
from selfplay_tools.output import MAX_CHARS
from selfplay_tools.tools.schema import Schema, find_differences
from selfplay_tools.tools.tool import AnyTool
from selfplay_tools.tools.toolbox import DEFAULT_TOOLS


def make_tools(config: ToolsConfig) -> tuple[AnyTool, ...]:
    """The player's tools: those it always has, then those that are configured. Raises ConfigError."""
    try:
        web = () if config.ask_web is None else (_make_web_tool(config.ask_web),)
        semantic = () if config.semantic_search is None else (make_semantic_tool(config.semantic_search),)
        lsp = () if config.lsp is None else _make_lsp_tools(config.lsp)
    except NotUsable as error:
        raise ConfigError(f"tools.{error}") from None
    return (*DEFAULT_TOOLS, *web, *semantic, *lsp)


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
        servers.server_for(language, **one.model_dump(), **shared) for language, one in config.servers.items()
    ]
    return tools.make_lsp_tools(configured)


def find_contract_differences(schemas: Sequence[Schema], contract: Contract) -> list[str]:
    """Where these tools, and this release of them, are not what a contract says; a line each, none if they are."""
    found = find_differences(schemas, contract.tools)
    if (here := version("selfplay")) != contract.tools_version:
        found.append(f"release of the tools: {here} here, {contract.tools_version} expected")
    if contract.context.max_result_chars != MAX_CHARS:
        found.append(f"characters of a result: {MAX_CHARS} here, {contract.context.max_result_chars} expected")
    return found
