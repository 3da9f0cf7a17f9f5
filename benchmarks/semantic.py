"""What `semantic_search` costs beside its model: cutting texts, and looking for the nearest among many vectors.

    python benchmarks/semantic.py [FOLDER] [--chunks 300000] [--length 1024]

FOLDER is cut into chunks. The vectors are random, around a few hundred centres: their number and length are what
counts for time. Ranks are held against single-precision vectors.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from selfplay_tools.semantic.chunks import CodeChunk, cut_into_chunks, kind_of
from selfplay_tools.semantic.embedders import Floats, QuantizedVectors, normalise_rows
from selfplay_tools.semantic.vector_index import ChunkedBlob, SegmentContent, VectorIndex, VectorSegment, write_segment

PER_SEGMENT = 20_000
PER_BLOB = 12
QUERIES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    parser.add_argument("--chunks", type=int, default=300_000)
    parser.add_argument("--length", type=int, default=1_024)
    given = parser.parse_args()
    measure_cutting(given.folder)
    measure_search(given.chunks, given.length)


def measure_cutting(folder: Path) -> None:
    sources = [(path, path.read_bytes()) for path in sorted(folder.rglob("*")) if is_text(path)]
    size = sum(len(data) for _, data in sources)
    start = perf_counter()
    count = sum(len(cut_into_chunks(kind_of(path.name), data)) for path, data in sources)
    took = perf_counter() - start
    print(f"cut: {len(sources):,} files, {size / 1e6:.1f} MB, {count:,} chunks, {size / 1e6 / took:.1f} MB/s")


def is_text(path: Path) -> bool:
    return ".git" not in path.parts and path.is_file() and path.suffix in {".py", ".c", ".h", ".md", ".rst", ".txt"}


def measure_search(count: int, length: int) -> None:
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((300, length)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        segments: list[VectorSegment] = []
        exact: list[Floats] = []
        for start in range(0, count, PER_SEGMENT):
            size = min(PER_SEGMENT, count - start)
            noise = rng.standard_normal((size, length)).astype(np.float32)
            rows = normalise_rows(centres[rng.integers(0, 300, size)] + noise)
            exact.append(rows)
            segments.append(VectorSegment.load(write_segment(Path(folder), start, make_part(start, rows))))
        disk = sum(one.size for one in segments) / 1e6
        start_s = perf_counter()
        index = VectorIndex(segments, length)
        print(f"{count:,} vectors of {length}: {disk:.0f} MB on disk, {perf_counter() - start_s:.2f} s to list")
        noise = rng.standard_normal((QUERIES, length)).astype(np.float32)
        queries = list(normalise_rows(centres[:QUERIES] + noise))
        for share in (1.0, 0.3, 0.02):
            time_queries(index, queries, share)
        compare_ranks(index, queries, np.concatenate(exact))


def make_part(start: int, rows: Floats) -> SegmentContent:
    found = [CodeChunk(1, 2, "a.b", f"text {at}") for at in range(start, start + len(rows))]
    groups = [found[at : at + PER_BLOB] for at in range(0, len(found), PER_BLOB)]
    cuts = [ChunkedBlob(f"{start}.{at}".encode(), group) for at, group in enumerate(groups)]
    return SegmentContent.from_blobs(cuts, [chunk.digest for chunk in found], QuantizedVectors.quantize(rows))


def time_queries(index: VectorIndex, queries: list[Floats], share: float) -> None:
    blobs = list(range(0, len(index.blobs), max(round(1 / share), 1)))
    times: list[float] = []
    inside = index.chunks_of(blobs)[0]
    for query in queries:
        start = perf_counter()
        index.find_nearest(query, inside, 10)
        times.append((perf_counter() - start) * 1000)
    print(f"  nearest 10 of {len(inside):,}: p50 {np.median(times):.0f} ms, max {max(times):.0f} ms")


def compare_ranks(index: VectorIndex, queries: list[Floats], exact: Floats) -> None:
    """The share of the ten nearest that a byte per component does not lose."""
    everything, _ = index.chunks_of(range(len(index.blobs)))
    same = 0
    for query in queries:
        best = set(np.argsort(-(exact @ query), kind="stable")[:10].tolist())
        same += len(best & {at for at, _ in index.find_nearest(query, everything, 10)})
    print(f"  of the 10 nearest by single precision: {same / len(queries) / 10:.1%}")


if __name__ == "__main__":
    main()
