"""Whether grep over the index says what a full scan says: some hundred patterns made from a repository's own lines.

    python benchmarks/search_exactness.py GIT_DIR [--commit HEAD] [--patterns 300] [--seed 1]

For each pattern every matching line (path, place of the line, place of its first match) is compared with those of a
search that leaves no file out and looks at every line by itself, with the engine alone. Prints one row of figures;
ends with 1 if anything differs.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from selfplay_tools.index.patterns import LinePattern
from selfplay_tools.index.scan_index import is_text
from selfplay_tools.index.store.blob_table import normalise
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.text.regex import BadRegex, Regex, compile_regex

Hit = tuple[str, int]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("git_dir", type=Path)
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--patterns", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=int, default=200_000, help="matching lines of one pattern that are compared")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        with (
            closing(CommitSnapshot(asked.git_dir, asked.commit, store=store)) as kept,
            closing(CommitSnapshot(asked.git_dir, asked.commit)) as plain,
        ):
            kept.index.rank(["all"], 1)  # has everything stored
            sys.exit(_compare(kept, plain, asked))


def _compare(kept: Snapshot, plain: Snapshot, asked: argparse.Namespace) -> int:
    texts = list(_read_texts(plain))
    chance = random.Random(asked.seed)  # noqa: S311  # which patterns
    patterns = _make_patterns([source for _, source in texts], asked.patterns, chance)
    hits = different = 0
    for source, fold in patterns:
        expected = list(islice(_scan_all(texts, source, fold=fold), asked.lines))
        found = list(islice(_search_index(kept, source, fold=fold), asked.lines))
        hits += len(expected)
        if found != expected:
            different += 1
            print(f"differs: {source!r} (ignoring case: {fold}): {len(found)} and {len(expected)} lines")
    size = sum(len(source) for _, source in texts) / 1e6
    print(f"{len(texts)} files, {size:.0f} MB, {len(patterns)} patterns, {hits} matching lines, {different} differ")
    return int(different > 0)


def _read_texts(snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    """Every text that is searched, read from git and cleaned without the store."""
    skipped = {entry.path for entry in snapshot.index.list_unsearched()}
    for entry in snapshot.entries:
        if entry.kind == "file" and entry.path not in skipped:
            data = snapshot.read(entry.path)
            text = normalise(data) if is_text(data) else None
            if text is not None:
                yield entry.path, text.source


def _search_index(snapshot: Snapshot, source: str, *, fold: bool) -> Iterator[Hit]:
    pattern = LinePattern(source, fold)
    for span in snapshot.index.find_spans(pattern.need):
        for found in pattern.find_texts(span):
            start = span.starts[found.which]
            yield from ((span.paths[found.which], place - start) for place in found.matches)


def _scan_all(texts: Sequence[tuple[str, bytes]], source: str, *, fold: bool) -> Iterator[Hit]:
    alone = compile_regex(source, ignore_case=fold)
    among = compile_regex(f"(?m){source}", ignore_case=fold)
    for path, text in texts:
        # A text without any match, even one over several lines' ends, has no line with one.
        if _is_per_line(source) or among.search(text):
            yield from ((path, place) for place in _search_by_line(alone, text))


def _is_per_line(source: str) -> bool:
    return any(mark in source for mark in (r"\A", r"\z", "(?-", "(?s"))


def _search_by_line(regex: Regex, text: bytes) -> Iterator[int]:
    start = 0
    for line in text.split(b"\n")[:-1]:
        if match := regex.search(line):
            yield start + match.start()
        start += len(line) + 1


def _make_patterns(texts: Sequence[bytes], count: int, chance: random.Random) -> list[tuple[str, bool]]:
    """Patterns of all kinds that fit somewhere, and some that hardly do."""
    found: list[tuple[str, bool]] = []
    while len(found) < count:
        lines = chance.choice(texts).decode().split("\n")
        line = chance.choice(lines)
        source = chance.choice(_KINDS)(line, chance)
        fold = chance.random() < 0.25  # noqa: PLR2004  # a quarter
        if 0 < len(source) < 300 and _is_valid(source):  # noqa: PLR2004  # short enough to be read
            found.append((source, fold))
    return found


def _make_literal(line: str, chance: random.Random) -> str:
    return _escape(_cut_piece(line, chance, 3, 20))


def _cut_piece(line: str, chance: random.Random, least: int, most: int) -> str:
    start = chance.randrange(max(1, len(line)))
    return line[start : start + chance.randint(least, most)]


def _escape(text: str) -> str:
    return "".join(f"\\{char}" if char in r"\.^$*+?()[]{}|" else char for char in text)


def _make_gap(line: str, chance: random.Random) -> str:
    middle = chance.choice([".*", r"\s+", r"\w*", "[^,]*", ".{0,9}", "[a-z_]+"])
    return _escape(_cut_piece(line, chance, 2, 9)) + middle + _escape(_cut_piece(line, chance, 2, 9))


def _make_choice(line: str, chance: random.Random) -> str:
    pieces = [_escape(_cut_piece(line, chance, 2, 8)) for _ in range(chance.randint(2, 5))]
    return f"{chance.choice(['', _escape(line[:2])])}(?:{'|'.join(pieces)}){chance.choice(['', '?', '+', 's?', '_'])}"


def _make_classes(line: str, chance: random.Random) -> str:
    piece = _cut_piece(line, chance, 3, 12)
    return "".join(
        chance.choice([_escape(char), f"[{char}_]", r"\w", "[a-z]"]) if char.isalnum() else _escape(char)
        for char in piece
    )


def _make_anchored(line: str, chance: random.Random) -> str:
    ends = [("^", ""), ("", "$"), (r"\b", r"\b"), (r"^\s*", ""), (r"\A", ""), ("", r"\z"), (r"\B", "")]
    before, after = chance.choice(ends)
    start = line.strip()[:10] if before else line[-8:]
    return before + _escape(start) + after


def _make_odd(line: str, chance: random.Random) -> str:
    word = _escape(_cut_piece(line, chance, 2, 6))
    forms = [
        "{}*",
        "({})?x*",
        "^$",
        "[^a]{}",
        "é|{}",
        r"\p{{Greek}}|{}",
        "(?i:{})",
        "(?-i){}",
        r"\x41{}",
        "[[:upper:]]{}",
    ]
    return chance.choice(forms).format(word)


_KINDS = (_make_literal, _make_literal, _make_gap, _make_choice, _make_classes, _make_anchored, _make_odd)


def _is_valid(source: str) -> bool:
    try:
        compile_regex(source)
        compile_regex(f"(?m){source}")
    except BadRegex:
        return False
    return True


if __name__ == "__main__":
    main()
