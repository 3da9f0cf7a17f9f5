"""What the gate finds in the table of hints, and how long it takes: the figures of docs/gate.md.

python -m benchmarks.gate
"""

import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from selfplay.gate import ShownText, check_hint
from tests.selfplay.gate.hint_table import GateCase, LabelledHint, find_in_hint, open_cases, read_hints

LENGTHS = (1_000, 20_000)
"""Characters: what a hint may have at most in a run, and far more."""
PIECES = {
    "prose": "Consider how each request is handled by the server and where its answer is written. ",
    "one word": "a",
    "two letters": "ab ",
    "blanks": " ",
    "numbers": "12 ",
    "bits": "01",
    "base64": "QUJD",
    "spelled": "r e s p ",
    "escapes": "%41",
    "paths": "a/",
    "patterns": "a*b?c*",
    "quotes": '"a" ',
    "asterisks": "*",
    "Cyrillic": "\u043e\u0442\u0432\u0435\u0442 ",
    "a target": "response.py ",
}


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder, open_cases(Path(folder)) as cases:
        table = [(row, find_in_hint(row, cases[row.task])) for row in read_hints()]
        for name in dict.fromkeys(row.set for row, _ in table):
            print_set(name, [(row, bool(found)) for row, found in table if row.set == name])
        print_set("all", [(row, bool(found)) for row, found in table])
        print("\n| kind | rows that expect it | found |\n|---|---|---|")
        expected, met = Counter[str](), Counter[str]()
        for row, found in table:
            for kind in row.kinds[:1]:
                expected[kind] += 1
                met[kind] += bool(found)
        for kind, count in sorted(expected.items()):
            print(f"| {kind} | {count} | {met[kind]} |")
        print_times(cases["harbor-fingerprint"])


def print_set(name: str, results: Iterable[tuple[LabelledHint, bool]]) -> None:
    """One line: revealing hints refused, innocent hints passed."""
    results = list(results)
    refused = [found for row, found in results if row.reveals]
    passed = [not found for row, found in results if not row.reveals]
    print(
        f"{name:12} revealing {sum(refused)} of {len(refused)} refused, innocent {sum(passed)} of {len(passed)} passed"
    )


def print_times(case: GateCase) -> None:
    """Seconds for hints of one thing in two lengths, and for an ordinary hint."""
    ordinary = "Think about where each response leaves the process, and who writes its headers."
    check_hint(ordinary, case.guard, ShownText())
    texts = [("an ordinary hint", ordinary)]
    texts += [(name, (piece * size)[:size]) for size in LENGTHS for name, piece in PIECES.items()]
    print("\n| hint | characters | seconds |\n|---|---|---|")
    for name, text in texts:
        start = time.perf_counter()
        check_hint(text, case.guard, ShownText())
        print(f"| {name} | {len(text)} | {time.perf_counter() - start:.3f} |")


if __name__ == "__main__":
    main()
