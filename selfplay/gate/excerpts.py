"""Does a text quote a target in few words: a whole sentence of a comment, or a piece of code with its signs?"""

from collections.abc import Iterator, Sequence

from selfplay.gate.quotes import quote_finding, telling
from selfplay.gate.secret import MIN_SENTENCE, Secret
from selfplay.gate.seen import Seen
from selfplay.gate.text import PART, View, code_matches, code_tokens
from selfplay.trace import Finding

_MIN_TELLING = 3
_MIN_TOKENS = 6
"""Tokens of code in a row, signs counted, that are a quote."""
_MIN_NAMES = 2
_MIN_SIGNS = 2
_OPERATORS = frozenset("=+-*/%<>[](){}|&^:@!")


def excerpts_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """Every such quote that neither the task, nor what was shown, nor another file holds."""
    yield from _sentences(view, secret, shown)
    yield from _code(view, secret, shown)


def _sentences(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    words = [(m.group().lower(), m.start(), m.end()) for m in PART.finditer(view.text)]
    longest = max(map(len, secret.sentences), default=0)
    for first in range(len(words)):
        for last in range(first + MIN_SENTENCE, min(first + longest, len(words)) + 1):
            run = tuple(w for w, _, _ in words[first:last])
            if run not in secret.sentences or len(telling(run)) < _MIN_TELLING:
                continue
            known = any(seen.has_words(run) for seen in (shown, secret.told))
            if not known and not secret.elsewhere.has_words(run):
                yield quote_finding(view, words[first][1], words[last - 1][2], secret, run)


def _code(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    tokens = [(m.group().lower(), m.start(), m.end()) for m in code_matches(view.text)]
    first = 0
    while first < len(tokens):
        path, last = _reach(tokens, first, secret)
        run = [t for t, _, _ in tokens[first:last]]
        if _is_code(run) and not _is_known(run, secret, shown):
            start, end = view.span(tokens[first][1], tokens[last - 1][2])
            why = f"quotes code of {path}, which the player has not been shown; say in your own words what it does"
            yield Finding(kind="quote", text=view.original[start:end], span=(start, end), why=why)
            first = last
        else:
            first += 1


def _reach(tokens: Sequence[tuple[str, int, int]], first: int, secret: Secret) -> tuple[str, int]:
    """The target that holds the longest run from `first`, and where the run ends, exclusive."""
    best = ("", first)
    if len(tokens) - first < _MIN_TOKENS:
        return best
    start = f" {' '.join(t for t, _, _ in tokens[first : first + _MIN_TOKENS])} "
    for path, stream in secret.code_streams:
        if start not in stream:
            continue
        last = first + _MIN_TOKENS
        while last < len(tokens) and f" {' '.join(t for t, _, _ in tokens[first : last + 1])} " in stream:
            last += 1
        best = max(best, (path, last), key=lambda one: one[1])
    return best


def _is_code(run: Sequence[str]) -> bool:
    if len(run) < _MIN_TOKENS:
        return False
    names = {t for t in run if t.isidentifier()}
    signs = [t for t in run if not t[0].isalnum() and t[0] != "_"]
    return len(names) >= _MIN_NAMES and len(signs) >= _MIN_SIGNS and any(s in _OPERATORS for s in signs)


def _is_known(run: Sequence[str], secret: Secret, shown: Seen) -> bool:
    wanted = f" {' '.join(run)} "
    texts = (secret.prompt, *shown.lines)
    named = max((t for t in run if t.isidentifier()), key=len)
    if any(wanted in f" {' '.join(code_tokens(text))} " for text in texts if named in text.lower()):
        return True
    return secret.elsewhere.has_tokens(run)
