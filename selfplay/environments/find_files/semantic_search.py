"""The tool `semantic_search` as a configuration sets it up, and its vectors built ahead."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from selfplay.config import SemanticSearchConfig
from selfplay.core.errors import ConfigError, InputError, TransientModelError
from selfplay_tools.errors import NotUsable
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.tool import AnyTool

if TYPE_CHECKING:
    from selfplay_tools.semantic.embedders import Embedder
    from selfplay_tools.semantic.semantic_index import SemanticIndex


def make_semantic_tool(config: SemanticSearchConfig) -> AnyTool:
    """The tool. Raises NotUsable."""
    from selfplay_tools.semantic.semantic_search import make_semantic_search  # noqa: PLC0415  see `_make_index`

    return make_semantic_search(_make_index(config))


def embed_ahead(
    config: SemanticSearchConfig, snapshot: Snapshot, on_progress: Callable[[int, int], None] | None = None
) -> int:
    """Embed what of a snapshot has no vectors yet, so that `semantic_search` answers at once; the number of pieces.

    Blocks for as long as that takes; what was done when it is stopped stays done. `on_progress` is called with the
    files done and the files in all. Raises ConfigError, TransientModelError where the model gives no vectors,
    InputError where they can't be written.
    """
    from selfplay_tools.semantic.embedders import EmbeddingFailed  # noqa: PLC0415  see `_make_index`

    try:
        index = _make_index(config)
    except NotUsable as error:
        raise ConfigError(f"tools.{error}") from None
    try:
        return index.embed_ahead(snapshot, on_progress)
    except EmbeddingFailed as error:
        raise TransientModelError(f"tools.semantic_search: {error}") from None
    except OSError as error:
        raise InputError(f"tools.semantic_search: the vectors can't be kept on disk: {error}") from None


def _make_index(config: SemanticSearchConfig) -> "SemanticIndex":
    from selfplay_tools.semantic.semantic_index import SemanticIndex  # noqa: PLC0415  what it imports takes most of a second

    return SemanticIndex(_make_embedder(config), max_texts=config.max_pieces, max_bytes=config.max_store_mb << 20)


def _make_embedder(config: SemanticSearchConfig) -> "Embedder":
    if config.base_url is None:
        from selfplay_tools.semantic.embedders import LocalEmbeddingModel, make_local_embedder  # noqa: PLC0415  see `_make_index`

        return make_local_embedder(
            LocalEmbeddingModel(
                model=config.model,
                dimensions=config.dimensions,
                question_prefix=config.question_prefix,
                code_prefix=config.code_prefix,
                batch_size=config.batch_size,
            )
        )
    from selfplay_tools.semantic.embedders import EmbeddingEndpoint, make_endpoint_embedder  # noqa: PLC0415  see `_make_index`

    return make_endpoint_embedder(
        EmbeddingEndpoint(
            model=config.model,
            base_url=config.base_url,
            api_key_env=config.api_key_env,
            dimensions=config.dimensions,
            question_prefix=config.question_prefix,
            code_prefix=config.code_prefix,
            batch_size=config.batch_size,
            parallel=config.parallel,
            timeout_s=config.timeout_s,
            tries=config.tries,
        )
    )
