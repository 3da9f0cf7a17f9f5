"""What is found in the table of echoes, and how long it takes: the figures of docs/echoes.md.

python -m benchmarks.echoes
"""

import time
from collections import Counter
from collections.abc import Sequence

from selfplay.clean.echoes import find_echoes, without_echoes
from tests.selfplay.clean.echoes.test_echo_table import LabelledTurn, found_in, labelled_turns

HINT = "Think about what happens when the last reference to a connection goes away. Who is told?"
LENGTHS = (1_000, 20_000, 80_000)
"""Characters: a turn, a long one, and far more."""
PIECES = {
    "prose": "The pool keeps idle connections, and I look at how entries leave the set. ",
    "an echo in each second sentence": "I look. Thanks, I go on. ",
    "nothing but thanks": "Thanks. ",
    "a list of thanks": "- Thanks\n",
    "one long sentence": "as suggested, ",
    "ideographs": "谢谢",
    "blanks": " ",
    "quotes": '"',
    "backticks": "`` ` ",
    "parentheses": "(as suggested",
    "accents": "a\u0301",
}


def main() -> None:
    """Print the tables."""
    table = [(row, {finding.kind for finding in found_in(row)}) for row in labelled_turns()]
    for name in dict.fromkeys(row.set for row, _ in table):
        print_set(name, [(row, bool(kinds)) for row, kinds in table if row.set == name])
    print_set("all", [(row, bool(kinds)) for row, kinds in table])
    expected, found = Counter[str](), Counter[str]()
    for row, kinds in table:
        expected.update(row.kinds[:1])
        found.update(row.kinds[:1] if kinds else ())
    print("\n| kind | turns | found |\n|---|---|---|")
    for kind, count in sorted(expected.items()):
        print(f"| {kind} | {count} | {found[kind]} |")
    print_times()


def print_set(name: str, results: Sequence[tuple[LabelledTurn, bool]]) -> None:
    """One line: echoes found, innocent turns passed."""
    found = [was_found for row, was_found in results if row.echo]
    passed = [not was_found for row, was_found in results if not row.echo]
    print(f"{name:12} echoes {sum(found)} of {len(found)} found, innocent {sum(passed)} of {len(passed)} passed")


def print_times() -> None:
    """Seconds to find and take out the echoes of texts of one thing."""
    find_echoes("Warm up.", HINT)
    print("\n| text | characters | seconds |\n|---|---|---|")
    for name, piece in PIECES.items():
        for size in LENGTHS:
            text = (piece * size)[:size]
            start = time.perf_counter()
            without_echoes(text, find_echoes(text, HINT))
            print(f"| {name} | {size} | {time.perf_counter() - start:.4f} |")


if __name__ == "__main__":
    main()
