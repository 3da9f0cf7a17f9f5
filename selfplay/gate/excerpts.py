"""Does a text quote a target in few words: a whole sentence of a comment, or a piece of code with its signs?"""

from collections.abc import Iterator, Sequence

from selfplay.gate.quotes import make_quote_finding, content_words_of
from selfplay.gate.secret import MIN_SENTENCE, Guard
from selfplay.gate.seen import ShownText
from selfplay.gate.text import PART, TextView, match_code_tokens, code_tokens_of
from selfplay.trace import HintFinding

_MIN_CONTENT_WORDS = 3
_MIN_TOKENS = 6
"""Tokens of code in a row, signs counted, that are a quote."""
_MIN_NAMES = 2
_MIN_SIGNS = 2
_OPERATORS = frozenset("=+-*/%<>[](){}|&^:@!")


def find_short_quotes(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every such quote that neither the task, nor what was shown, nor another file holds."""
    yield from _find_quoted_sentences(view, guard, shown)
    yield from _find_quoted_code(view, guard, shown)


def _find_quoted_sentences(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    words = [(m.group().lower(), m.start(), m.end()) for m in PART.finditer(view.text)]
    longest = max(map(len, guard.sentences), default=0)
    for first in range(len(words)):
        for last in range(first + MIN_SENTENCE, min(first + longest, len(words)) + 1):
            run = tuple(w for w, _, _ in words[first:last])
            if run not in guard.sentences or len(content_words_of(run)) < _MIN_CONTENT_WORDS:
                continue
            known = any(seen.has_word_run(run) for seen in (shown, guard.task_text))
            if not known and not guard.other_content.has_word_run(run):
                yield make_quote_finding(view, words[first][1], words[last - 1][2], guard, run)


def _find_quoted_code(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    tokens = [(m.group().lower(), m.start(), m.end()) for m in match_code_tokens(view.text)]
    first = 0
    while first < len(tokens):
        path, last = _find_longest_code_run(tokens, first, guard)
        run = [t for t, _, _ in tokens[first:last]]
        if _is_code_run(run) and not _is_known_code(run, guard, shown):
            start, end = view.original_span(tokens[first][1], tokens[last - 1][2])
            why = f"quotes code of {path}, which the player has not been shown; say in your own words what it does"
            yield HintFinding(kind="quote", text=view.original[start:end], span=(start, end), why=why)
            first = last
        else:
            first += 1


def _find_longest_code_run(tokens: Sequence[tuple[str, int, int]], first: int, guard: Guard) -> tuple[str, int]:
    """The target that holds the longest run from `first`, and where the run ends, exclusive."""
    best = ("", first)
    if len(tokens) - first < _MIN_TOKENS:
        return best
    start = f" {' '.join(t for t, _, _ in tokens[first : first + _MIN_TOKENS])} "
    for path, stream in guard.code_streams:
        if start not in stream:
            continue
        last = first + _MIN_TOKENS
        while last < len(tokens) and f" {' '.join(t for t, _, _ in tokens[first : last + 1])} " in stream:
            last += 1
        best = max(best, (path, last), key=lambda one: one[1])
    return best


def _is_code_run(run: Sequence[str]) -> bool:
    if len(run) < _MIN_TOKENS:
        return False
    names = {t for t in run if t.isidentifier()}
    signs = [t for t in run if not t[0].isalnum() and t[0] != "_"]
    return len(names) >= _MIN_NAMES and len(signs) >= _MIN_SIGNS and any(s in _OPERATORS for s in signs)


def _is_known_code(run: Sequence[str], guard: Guard, shown: ShownText) -> bool:
    wanted = f" {' '.join(run)} "
    texts = (guard.prompt, *shown.lines)
    named = max((t for t in run if t.isidentifier()), key=len)
    if any(wanted in f" {' '.join(code_tokens_of(text))} " for text in texts if named in text.lower()):
        return True
    return guard.other_content.has_code_run(run)
