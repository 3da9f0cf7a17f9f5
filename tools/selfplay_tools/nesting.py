"""How deeply a text nests, counted before it is parsed: some grammars take memory by the square of that."""

import re

MAX_BRACKETS = 3_000
"""Open round, square and curly brackets at one place. Brackets in strings and comments are counted too."""
MAX_ANGLES = 1_000
"""Open `<` right behind a word, within one statement: type arguments, or comparisons that look so."""

_TOKEN = re.compile(rb"[(\[{)\]};]|\w<|[^-=]>")


def nests_too_deeply(source: bytes) -> bool:
    """Whether more brackets are open somewhere than any code that people write has."""
    if sum(map(source.count, (b"(", b"[", b"{"))) <= MAX_BRACKETS and source.count(b"<") <= MAX_ANGLES:
        return False
    brackets = angles = 0
    for token in _TOKEN.findall(source):
        mark = token[-1:]
        if mark == b"<":
            angles += 1
        elif mark == b">":
            angles = max(angles - 1, 0)
        elif mark in b"([{":
            brackets += 1
        elif mark in b")]}":
            brackets = max(brackets - 1, 0)
        if mark in b";{}":
            angles = 0
        if brackets > MAX_BRACKETS or angles > MAX_ANGLES:
            return True
    return False
