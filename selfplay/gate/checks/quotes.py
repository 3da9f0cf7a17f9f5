"""Does a text quote a target: a run of words of its code, comments or strings?"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from selfplay.core.trace import HintFinding
from selfplay.gate.guard import MIN_SENTENCE, Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.view import PART, TextView, code_tokens_of, match_code_tokens, words_of

_RUN = 6
"""So many words in a row are a quote, whatever stands around them."""
_SHORT_RUN = 3
"""So many are one inside quotes or code marks."""
_CODE_RUN = 4
"""So many are one where the text between them is code."""
_ENCLOSED = re.compile(r"```(?P<f>.+?)```|`(?P<c>[^`\n]+)`|\"(?P<d>[^\"\n]+)\"|“(?P<q>[^”\n]+)”|«(?P<g>[^»\n]+)»|(?<!\w)'(?P<s>[^'\n]+)'(?!\w)", re.DOTALL)  # fmt: skip
_CODE_SIGN = re.compile(r"[=(){}\[\];<>+*&|]|->|::|\.(?=\w)|_")
_MIN_CODE_GAPS = 2
_FUNCTION_WORDS = frozenset(
    """a an the of to in on at by for and or not is are was be been it its this that with as if then else from into each
    every all any no which what when where who how do does than so such only one two more most can may must will has
    have had there their they them you your we our he she his her same other""".split()
)
_MIN_CONTENT_WORDS = 3
_MIN_TOKENS = 6
"""Tokens of code in a row, signs counted, that are a quote."""
_MIN_NAMES = 2
_MIN_SIGNS = 2
_OPERATORS = frozenset("=+-*/%<>[](){}|&^:@!")


def find_quotes(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every quote from a target that neither the task, nor what was shown, nor another file holds."""
    words = [(m.group().lower(), m.start(), m.end()) for m in PART.finditer(view.text)]
    yield from _find_quoted_runs(view, words, guard, shown)
    for match in _ENCLOSED.finditer(view.text):
        group = match.lastgroup or 0
        inside = tuple(words_of(match.group(group)))
        if len(inside) >= _SHORT_RUN and _has_content(inside) and _is_quote(inside, guard, shown):
            yield _make_quote_finding(view, match.start(group), match.end(group), guard, inside)


def find_short_quotes(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every whole sentence of a comment, and run of code tokens, that only a target holds, as far as the player knows."""
    yield from _find_quoted_sentences(view, guard, shown)
    yield from _find_quoted_code(view, guard, shown)


def _find_quoted_runs(
    view: TextView, words: Sequence[tuple[str, int, int]], guard: Guard, shown: ShownText
) -> Iterator[HintFinding]:
    """The longest runs of words that a target holds, from left to right."""
    first = 0
    while first < len(words):
        last = first
        for _, stream in guard.word_streams:
            last = max(last, _find_run_end(words, first, stream))
        run = tuple(w for w, _, _ in words[first:last])
        if _is_long_run(view.text, words[first:last]) and _has_content(run) and _is_quote(run, guard, shown):
            yield _make_quote_finding(view, words[first][1], words[last - 1][2], guard, run)
        first = max(first + 1, last - _CODE_RUN + 1)


def _find_run_end(words: Sequence[tuple[str, int, int]], first: int, stream: str) -> int:
    """Where the longest run from `first` that the stream holds ends, exclusive."""
    last = min(first + _CODE_RUN, len(words))
    if f" {' '.join(w for w, _, _ in words[first:last])} " not in stream:
        return first
    while last < len(words) and f" {' '.join(w for w, _, _ in words[first : last + 1])} " in stream:
        last += 1
    return last


def _is_long_run(text: str, run: Sequence[tuple[str, int, int]]) -> bool:
    if len(run) >= _RUN:
        return True
    if len(run) < _CODE_RUN:
        return False
    gaps = [text[a[2] : b[1]] for a, b in pairwise(run)]
    return sum(1 for gap in gaps if _CODE_SIGN.search(gap)) >= _MIN_CODE_GAPS


def _has_content(words: Sequence[str]) -> bool:
    """Whether a run is more than function words."""
    return len(_content_words_of(words)) >= min(_SHORT_RUN, len(words) - 1)


def _content_words_of(words: Sequence[str]) -> frozenset[str]:
    """Those of the words that are no function words."""
    return frozenset(words) - _FUNCTION_WORDS


def _is_quote(words: tuple[str, ...], guard: Guard, shown: ShownText) -> bool:
    """Whether a target has the words side by side, and neither the task, nor a shown text, nor another file has."""
    joined = f" {' '.join(words)} "
    return any(joined in stream for _, stream in guard.word_streams) and not _is_known_run(words, guard, shown)


def _is_known_run(words: tuple[str, ...], guard: Guard, shown: ShownText) -> bool:
    """Whether a text that was shown, the task or another file has the words side by side."""
    is_shown = shown.has_word_run(words) or guard.task_text.has_word_run(words)
    return is_shown or guard.other_content.has_word_run(words)


def _make_quote_finding(view: TextView, at: int, to: int, guard: Guard, words: tuple[str, ...]) -> HintFinding:
    """The finding for words of a target that stand between those places of the view."""
    joined = f" {' '.join(words)} "
    where = ", ".join(path for path, stream in guard.word_streams if joined in stream)
    why = f"quotes {where}, which the player has not been shown; say in your own words what the code does"
    return view.make_finding(at, to, "quote", why)


def _find_quoted_sentences(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    words = [(m.group().lower(), m.start(), m.end()) for m in PART.finditer(view.text)]
    longest = max(map(len, guard.sentences), default=0)
    for first in range(len(words)):
        for last in range(first + MIN_SENTENCE, min(first + longest, len(words)) + 1):
            run = tuple(w for w, _, _ in words[first:last])
            if run not in guard.sentences or len(_content_words_of(run)) < _MIN_CONTENT_WORDS:
                continue
            if not _is_known_run(run, guard, shown):
                yield _make_quote_finding(view, words[first][1], words[last - 1][2], guard, run)


def _find_quoted_code(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    tokens = [(m.group().lower(), m.start(), m.end()) for m in match_code_tokens(view.text)]
    first = 0
    while first < len(tokens):
        path, last = _find_longest_code_run(tokens, first, guard)
        run = [t for t, _, _ in tokens[first:last]]
        if _is_code_run(run) and not _is_known_code(run, guard, shown):
            why = f"quotes code of {path}, which the player has not been shown; say in your own words what it does"
            yield view.make_finding(tokens[first][1], tokens[last - 1][2], "quote", why)
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
        best = max(best, (path, last), key=lambda run: run[1])
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
