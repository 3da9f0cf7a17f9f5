"""The store of vectors: what is kept, shared, repaired and dropped; exact neighbours."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.semantic import vector_store as stores
from selfplay_tools.semantic.chunks import CodeChunk
from selfplay_tools.semantic.embedders import EmbeddingFailed, Floats, QuantizedVectors, normalise_rows
from selfplay_tools.semantic.vector_index import (
    DECIMALS,
    NAME,
    ChunkedBlob,
    SegmentContent,
    VectorIndex,
    VectorSegment,
    write_segment,
)
from selfplay_tools.semantic.vector_store import MAX_SEGMENTS, VectorStore
from tests.toy_embeddings import LENGTH, ToyEmbedder, toy_vectors

ROOT = Path(__file__).parents[3]


def blob(name: str, *texts: str) -> ChunkedBlob:
    return ChunkedBlob(name.encode(), [CodeChunk(at, at, f"{name}.{at}", text) for at, text in enumerate(texts, 1)])


def add(store: VectorStore, toy: ToyEmbedder, *cuts: ChunkedBlob) -> int:
    return store.add(iter(cuts), toy.length, toy.embed_code)


def files(store: VectorStore) -> list[Path]:
    return sorted(path for path in store.folder.iterdir() if NAME.fullmatch(path.name))


def best(index: VectorIndex, text: str, blobs: Sequence[str], limit: int = 3) -> list[tuple[str, int]]:
    """Names of the nearest chunks of some blobs, and how many there are of each."""
    inside, _ = index.chunks_of([index.blobs[name.encode()] for name in blobs])
    vector = normalise_rows(toy_vectors([text]))[0]
    return [(index.place_of(int(inside[at])).name, copies) for at, copies in index.find_nearest(vector, inside, limit)]


@pytest.fixture
def toy() -> ToyEmbedder:
    return ToyEmbedder()


def test_a_text_is_embedded_once_in_whatever_blobs_it_is(tmp_path: Path, toy: ToyEmbedder) -> None:
    store = VectorStore(tmp_path, "m")
    assert add(store, toy, blob("a", "read file", "write file"), blob("b", "write file", "read file")) == 2
    assert add(store, toy, blob("c", "read file", "close file")) == 1
    assert toy.embedded == ["read file", "write file", "close file"]
    assert set(store.load_index(LENGTH).blobs) == {b"a", b"b", b"c"}


def test_what_one_store_adds_another_sees(tmp_path: Path, toy: ToyEmbedder) -> None:
    one, other = VectorStore(tmp_path, "m"), VectorStore(tmp_path, "m")
    add(one, toy, blob("a", "read file"))
    assert set(other.load_index(LENGTH).blobs) == {b"a"}
    assert add(other, toy, blob("a", "read file")) == 0


def test_models_do_not_share_vectors(tmp_path: Path, toy: ToyEmbedder) -> None:
    add(VectorStore(tmp_path, "m"), toy, blob("a", "read file"))
    assert not VectorStore(tmp_path, "n").load_index(LENGTH).blobs


def test_vectors_of_another_length_count_as_not_there(tmp_path: Path, toy: ToyEmbedder) -> None:
    """A server that gives another model under the same name."""
    store = VectorStore(tmp_path, "m")
    add(store, toy, blob("a", "read file"))
    assert not store.load_index(LENGTH + 1).blobs
    add(store, ToyEmbedder(length=LENGTH + 1), blob("a", "read file"))
    assert set(store.load_index(LENGTH + 1).blobs) == {b"a"}


def test_a_blob_without_chunks_is_known_all_the_same(tmp_path: Path, toy: ToyEmbedder) -> None:
    store = VectorStore(tmp_path, "m")
    add(store, toy, blob("empty"))
    assert set(store.load_index(LENGTH).blobs) == {b"empty"}
    assert toy.embedded == []


@pytest.mark.parametrize("at", [0, 20, 200, -1])
def test_a_damaged_file_is_left_out_and_made_anew(tmp_path: Path, toy: ToyEmbedder, at: int) -> None:
    store = VectorStore(tmp_path, "m")
    add(store, toy, blob("a", "read file"))
    [path] = files(store)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    again = VectorStore(tmp_path, "m")
    assert not again.load_index(LENGTH).blobs
    assert add(again, toy, blob("a", "read file")) == 1
    assert best(again.load_index(LENGTH), "read", ["a"]) == [("a.1", 1)]
    assert len(files(again)) == 1


def test_a_file_that_was_cut_is_left_out(tmp_path: Path, toy: ToyEmbedder) -> None:
    store = VectorStore(tmp_path, "m")
    add(store, toy, blob("a", "read file"))
    [path] = files(store)
    for size in (0, 5, path.stat().st_size - 64):
        os.truncate(path, size)
        assert not VectorStore(tmp_path, "m").load_index(LENGTH).blobs


def test_blobs_whose_vectors_are_gone_count_as_not_there(tmp_path: Path, toy: ToyEmbedder) -> None:
    store = VectorStore(tmp_path, "m")
    add(store, toy, blob("a", "read file"))
    add(store, toy, blob("b", "read file", "close file"))
    files(store)[0].unlink()
    assert not store.load_index(LENGTH).blobs
    assert add(store, toy, blob("b", "read file", "close file")) == 1


def test_what_a_killed_writer_left_is_no_file_of_the_store_and_goes(tmp_path: Path, toy: ToyEmbedder) -> None:
    store = VectorStore(tmp_path, "m")
    store.folder.mkdir(parents=True)
    for name in ("new.chunks", "new.chunks.part"):
        (store.folder / name).write_bytes(b"half")
    assert not store.load_index(LENGTH).blobs
    add(store, toy, blob("a", "read file"))
    assert {path.name for path in store.folder.iterdir()} == {files(store)[0].name, "lock"}


def test_a_failure_keeps_the_portions_before_it(tmp_path: Path, toy: ToyEmbedder) -> None:
    store = VectorStore(tmp_path, "m")
    many = blob("a", *(f"text {n}" for n in range(stores.PORTION_TEXTS)))

    def fails_later(texts: Sequence[str]) -> Floats:
        if toy.embedded:
            raise EmbeddingFailed("gone")
        return toy.embed_code(texts)

    with pytest.raises(EmbeddingFailed):
        store.add(iter([many, blob("b", "other")]), LENGTH, fails_later)
    assert set(store.load_index(LENGTH).blobs) == {b"a"}
    assert add(store, toy, many, blob("b", "other")) == 1


def test_many_small_files_are_put_together_without_a_change(tmp_path: Path, toy: ToyEmbedder) -> None:
    store, reader = VectorStore(tmp_path, "m"), VectorStore(tmp_path, "m")
    cuts = [blob(f"f{n}", f"word{n} common", f"word{n} other") for n in range(MAX_SEGMENTS + 4)]
    for cut in cuts:
        add(store, toy, cut)
        reader.load_index(LENGTH)
    assert len(files(store)) <= MAX_SEGMENTS
    for index in (store.load_index(LENGTH), reader.load_index(LENGTH), VectorStore(tmp_path, "m").load_index(LENGTH)):
        assert set(index.blobs) == {cut.key for cut in cuts}
        assert best(index, "word7 common", ["f6", "f7"])[0] == ("f7.1", 1)


def test_over_the_limit_what_was_of_no_use_for_longest_goes(tmp_path: Path, toy: ToyEmbedder) -> None:
    store = VectorStore(tmp_path, "m")
    for name in ("old", "used", "new"):
        add(store, toy, blob(name, f"{name} text"))
    for at, path in enumerate(files(store)):
        os.utime(path, ns=(at, at))
    index = store.load_index(LENGTH)
    small = VectorStore(tmp_path, "m", max_bytes=3 * files(store)[0].stat().st_size)
    used = index.segments_of([index.blobs[b"used"]])
    small.add(iter([blob("x", "further text")]), LENGTH, toy.embed_code, needed=used)
    assert set(small.load_index(LENGTH).blobs) == {b"used", b"new", b"x"}


def test_a_limit_does_not_drop_what_the_call_itself_needs(tmp_path: Path, toy: ToyEmbedder) -> None:
    store = VectorStore(tmp_path, "m", max_bytes=1)
    add(store, toy, blob("a", "read file"))
    index = store.load_index(LENGTH)
    store.add(iter([blob("b", "close file")]), LENGTH, toy.embed_code, needed=index.segments_of([0]))
    assert set(store.load_index(LENGTH).blobs) == {b"a", b"b"}


def test_two_that_add_at_once_embed_each_text_once(tmp_path: Path) -> None:
    toys = [ToyEmbedder(), ToyEmbedder()]
    together = Barrier(2)

    def work(toy: ToyEmbedder) -> None:
        store = VectorStore(tmp_path, "m")
        together.wait()
        add(store, toy, *(blob(f"f{n}", f"text {n}", "common") for n in range(40)))

    threads = [Thread(target=work, args=(toy,)) for toy in toys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(toy.embedded) for toy in toys) == [0, 41]
    assert len(VectorStore(tmp_path, "m").load_index(LENGTH).blobs) == 40


ADDS = """
import sys
from pathlib import Path
from selfplay_tools.semantic.chunks import CodeChunk
from selfplay_tools.semantic.vector_index import ChunkedBlob
from selfplay_tools.semantic.vector_store import VectorStore
from tests.toy_embeddings import LENGTH, ToyEmbedder

store = VectorStore(Path(sys.argv[1]), "m")
print("ready", flush=True)
sys.stdin.readline()
count = 0
for n in range(40):
    blob = ChunkedBlob(f"f{n}".encode(), [CodeChunk(1, 1, "", f"text {n}"), CodeChunk(2, 2, "", "common")])
    count += store.add(iter([blob]), LENGTH, ToyEmbedder().embed_code)
print(count)
"""


def test_two_processes_that_add_at_once_embed_each_text_once_and_lose_none(tmp_path: Path) -> None:
    with ExitStack() as started:
        both = [
            started.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", ADDS, str(tmp_path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
                )
            )
            for _ in range(2)
        ]
        for one in both:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in both:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        counts = [int(one.communicate()[0]) for one in both]
    assert sum(counts) == 41
    assert set(VectorStore(tmp_path, "m").load_index(LENGTH).blobs) == {f"f{n}".encode() for n in range(40)}


def test_equal_texts_are_one_result_and_equal_scores_keep_the_order_asked_for(tmp_path: Path, toy: ToyEmbedder) -> None:
    store = VectorStore(tmp_path, "m")
    add(store, toy, blob("a", "licence", "read file"), blob("b", "licence", "file read"), blob("c", "licence"))
    index = store.load_index(LENGTH)
    assert best(index, "read file", ["b", "a", "c"]) == [("b.2", 1), ("a.2", 1), ("b.1", 3)]
    assert best(index, "read file", ["a", "b"], 2) == [("a.2", 1), ("b.2", 1)]


ROWS = st.lists(st.lists(st.integers(-9, 9), min_size=6, max_size=6).filter(any), min_size=1, max_size=40)


@given(ROWS, st.lists(st.integers(-9, 9), min_size=6, max_size=6).filter(any), st.integers(1, 12), st.data())
def test_the_nearest_are_those_of_a_plain_sort(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]], asked: list[int], limit: int, data: st.DataObject
) -> None:
    """Whatever the segments, and whatever else is in them."""
    folder = tmp_path_factory.mktemp("nearest")
    cuts = [blob(f"b{at}", f"text {at}") for at in range(len(rows))]
    vectors = QuantizedVectors.quantize(np.array(rows, np.float32))
    split = data.draw(st.integers(0, len(rows)))
    segments = [
        VectorSegment.load(
            write_segment(
                folder,
                number,
                SegmentContent.from_blobs(
                    cuts[part],
                    [cut.chunks[0].digest for cut in cuts[part]],
                    QuantizedVectors(vectors.steps[part], vectors.scales[part]),
                ),
            )
        )
        for number, part in enumerate([slice(0, split), slice(split, None)])
    ]
    wanted = data.draw(st.lists(st.sampled_from(range(len(rows))), unique=True, min_size=1))
    vector = normalise_rows(np.array([asked], np.float32))[0]

    def score(at: int) -> float:
        exact = (vectors.steps[at].astype(np.float64) * vector).sum() * float(vectors.scales[at])
        return -round(float(exact), DECIMALS)

    index = VectorIndex(segments, 6)
    inside, _ = index.chunks_of([index.blobs[f"b{at}".encode()] for at in wanted])
    found = [wanted[at] for at, _ in index.find_nearest(vector, inside, limit)]
    assert found == sorted(wanted, key=score)[:limit]


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=4, max_size=64).filter(
        lambda row: any(abs(x) > 1e-3 for x in row)
    )
)
def test_a_byte_per_component_keeps_the_direction(row: list[float]) -> None:
    vectors = QuantizedVectors.quantize(np.array([row], np.float32))
    kept = vectors.steps[0].astype(np.float32) * vectors.scales[0]
    assert float(kept @ normalise_rows(np.array([row], np.float32))[0]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("row", [[0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_a_vector_without_direction_is_refused(row: list[float]) -> None:
    with pytest.raises(EmbeddingFailed, match="zero or not finite"):
        QuantizedVectors.quantize(np.array([row], np.float32))
