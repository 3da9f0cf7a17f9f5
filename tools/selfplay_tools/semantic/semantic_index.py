"""Search by meaning in snapshots: embeds what of a snapshot has no vectors yet, then looks for the nearest.

An answer is one over all chunks in question or there is none: it does not depend on what was embedded before.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from selfplay_tools.errors import NotReadable
from selfplay_tools.protocols import Snapshot, SnapshotEntry
from selfplay_tools.semantic.chunks import cut_into_chunks, kind_of
from selfplay_tools.semantic.embedders import Embedder, EmbeddingFailed, Floats, normalise_rows
from selfplay_tools.semantic.vector_index import ChunkedBlob, ChunkPlace, VectorIndex
from selfplay_tools.semantic.vector_store import DEFAULT_MAX_BYTES, VectorStore, find_new_texts
from selfplay_tools.snapshot.open import user_cache_folder
from selfplay_tools.snapshot.scope import SearchScope, scope_of

MAX_FILE_BYTES = 1 << 20
"""Larger files are generated or data: they are not embedded."""
DEFAULT_MAX_TEXTS = 2_000
_MAX_CACHED_SCOPES = 8


class TooManyTexts(EmbeddingFailed):
    """More texts have no vector yet than one call may embed."""


@dataclass(frozen=True, slots=True)
class NearChunk:
    """A chunk that is near to what was asked for."""

    path: str
    place: ChunkPlace
    copies: int
    """Chunks in question with just this text; it is the first of them."""


@dataclass(frozen=True, slots=True)
class NearestChunks:
    """The answer."""

    best: Sequence[NearChunk]
    """The nearest first."""
    total: int
    """Chunks in question."""
    left_out: Sequence[SnapshotEntry]
    """Files in question that were not embedded, because of their size."""


@dataclass(frozen=True, slots=True)
class _ScopeFiles:
    """The files in question, in path order."""

    paths: Sequence[str]
    keys: Sequence[bytes]
    """What a store knows each by."""
    left_out: Sequence[SnapshotEntry]

    def find_missing(self, index: VectorIndex) -> dict[bytes, str]:
        """Those that are not there: a path for each key."""
        return {key: path for key, path in zip(self.keys, self.paths, strict=True) if key not in index.blobs}


class SemanticIndex:
    """One model over any number of snapshots. Safe to use from several threads."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        folder: Path | None = None,
        max_texts: int = DEFAULT_MAX_TEXTS,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        """Vectors are kept in `folder`; by default where a snapshot says, else below the user's cache.

        A call embeds at most `max_texts` texts; a store takes about `max_bytes` on disk, or what one snapshot needs.
        """
        self._embedder = embedder
        self._folder = folder
        self._max_texts = max_texts
        self._max_bytes = max_bytes
        self._stores: dict[Path, VectorStore] = {}
        self._files: OrderedDict[tuple[str, str], _ScopeFiles] = OrderedDict()
        self._guard = Lock()

    def find_nearest(
        self, snapshot: Snapshot, scope: SearchScope, question: str, code: str, limit: int
    ) -> NearestChunks:
        """The chunks of the scope nearest to a question, or to code as it may stand there, or to both alike.

        Raises TooMany where more must be embedded than a call may, NotEmbedded, OSError where nothing can be kept.
        """
        vector = self._embed_query(question, code)
        files, store = self._files_of(snapshot, scope), self._store_of(snapshot)
        index = store.load_index(len(vector))
        missing = files.find_missing(index)
        if missing:
            few = self._collect_few(index, _chunk_files(snapshot, missing))
            index = self._embed_missing(store, files, index, iter(few))
        there = [at for at, key in enumerate(files.keys) if key in index.blobs]
        blobs = [index.blobs[files.keys[at]] for at in there]
        store.mark_used(index.segments_of(blobs))
        inside, owners = index.chunks_of(blobs)
        best = [
            NearChunk(files.paths[there[int(owners[at])]], index.place_of(int(inside[at])), copies)
            for at, copies in index.find_nearest(vector, inside, limit)
        ]
        return NearestChunks(best, len(inside), files.left_out)

    def embed_ahead(self, snapshot: Snapshot, on_progress: Callable[[int, int], None] | None = None) -> int:
        """Embed all of the snapshot that has no vectors yet, however much; the number of texts that were embedded.

        `on_progress` gets how many of how many files are done. What was done stays done when it is stopped.
        Raises NotEmbedded, OSError.
        """
        length = len(self._embed_query("where is it?", ""))
        files, store = self._files_of(snapshot, scope_of(snapshot, "")), self._store_of(snapshot)
        index = store.load_index(length)
        missing = files.find_missing(index)

        def report_files(done: int) -> None:
            if on_progress:
                on_progress(done, len(missing))

        needed = index.segments_of([index.blobs[key] for key in files.keys if key in index.blobs])
        return store.add(
            _chunk_files(snapshot, missing), length, self._embedder.embed_code, needed=needed, on_progress=report_files
        )

    def _embed_query(self, question: str, code: str) -> Floats:
        """Of length 1; halfway between the two if both are given."""
        rows = [self._embedder.embed_question(question)] if question else []
        rows += [self._embedder.embed_code([code])[0]] if code else []
        return normalise_rows(normalise_rows(np.stack(rows)).sum(axis=0, keepdims=True))[0]

    def _collect_few(self, index: VectorIndex, cuts: Iterator[ChunkedBlob]) -> list[ChunkedBlob]:
        """All of them, if they are few enough for one call. Raises TooMany."""
        few: list[ChunkedBlob] = []
        texts: set[int] = set()
        for cut in cuts:
            few.append(cut)
            texts.update(find_new_texts(index, [cut]))
            if len(texts) > self._max_texts:
                raise TooManyTexts(f"more than {self._max_texts:,} pieces of it have no vector yet")
        return few

    def _embed_missing(
        self, store: VectorStore, files: _ScopeFiles, index: VectorIndex, cuts: Iterator[ChunkedBlob]
    ) -> VectorIndex:
        needed = index.segments_of([index.blobs[key] for key in files.keys if key in index.blobs])
        store.add(cuts, index.length, self._embedder.embed_code, needed=needed)
        return store.load_index(index.length)

    def _store_of(self, snapshot: Snapshot) -> VectorStore:
        folder = self._folder or (snapshot.storage_folder / "semantic" if snapshot.storage_folder else default_folder())
        with self._guard:
            if folder not in self._stores:
                self._stores[folder] = VectorStore(folder, self._embedder.identity, max_bytes=self._max_bytes)
            return self._stores[folder]

    def _files_of(self, snapshot: Snapshot, scope: SearchScope) -> _ScopeFiles:
        key = snapshot.identity, scope.root
        with self._guard:
            known = self._files.get(key)
            if known is not None:
                self._files.move_to_end(key)
                return known
        files = _list_files(snapshot, scope)
        with self._guard:
            self._files[key] = files
            while len(self._files) > _MAX_CACHED_SCOPES:
                self._files.popitem(last=False)
        return files


def default_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where vectors are kept of a snapshot that has no place of its own: below the user's cache."""
    return user_cache_folder(environ) / "semantic"


def _list_files(snapshot: Snapshot, scope: SearchScope) -> _ScopeFiles:
    entries = [entry for path in sorted(scope.files) if (entry := snapshot.entry(path))]
    served = [entry for entry in entries if entry.size <= MAX_FILE_BYTES and entry.oid.strip("0")]
    left_out = [*scope.skipped, *(entry for entry in entries if entry.size > MAX_FILE_BYTES)]
    return _ScopeFiles(
        paths=[entry.path for entry in served],
        keys=[f"{entry.oid}:{kind_of(entry.path)}".encode() for entry in served],
        left_out=sorted(left_out, key=lambda entry: entry.path),
    )


def _chunk_files(snapshot: Snapshot, missing: Mapping[bytes, str]) -> Iterator[ChunkedBlob]:
    """The files in chunks, one by one; one that changed on disk since the snapshot was taken is left out."""
    for key, path in missing.items():
        try:
            span = snapshot.text_span(path)
        except NotReadable:
            continue
        yield ChunkedBlob(key, cut_into_chunks(kind_of(path), span.buffer[span.starts[0] : span.ends[0]]))
