"""Does a sentence repeat what only the hint had said?"""

import re
from collections.abc import Sequence

from selfplay.clean.echoes.folding import fold

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[^\W\d_]", re.ASCII)
_TOKEN = re.compile(r"[^\W_]+")
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ENDINGS = ("ings", "ing", "edly", "ed", "es", "s", "e")
_MIN_STEM = 4
COMMON = frozenset(
    """a about above after again all also always an and another any anything are aren't around as ask at away back be because
    been before being beyond between both but by call calls came can can't case cases change code come comes consider could
    deal deals did different do does doesn't doing done don't down each either else enough even every everything example far
    few file files find first follow for found from further get gets give given go goes going good had happen happens has have
    having he help her here his how however i i'll i'm i've idea if in inside instead interesting into is isn't it it's its
    itself just keep kind know last later least less let let's like likely line lines little look looked looking looks made
    make makes many may maybe me mean meet might more most much must my name names near need needs never new next no none not
    nothing now of off often on once one ones only open or other others our out outside over own part parts path perhaps place
    places point possible put question rather read really relevant right same say says search second see seem seems seen
    several shall she should show shown shows side since so some something sort start started step steps still stop such
    sure system take takes task tell tells than that that's the their them then there there's these they thing things think
    this those though three through time to together too toward towards try turn two under until up upon us use used useful
    uses using usually very want wants was way ways we well were what what's whatever when where where's whether which while
    who whole whose why wide wider will with within without won't word words work working works would yet you you'll you're
    your yours der die das und ist ein eine zu den dem des mit von auf wo wie was le la les un une des du de et est que qui
    dans ou el los las una del y es en se donde
    """.split()
)
"""Words that say nothing about where a thought comes from."""
_RUN = 5
_MOST = 0.6
_HALF = 0.4
_FEW = 2
_MANY = 4


def tokens_of(text: str) -> list[str]:
    """Stems of the words of a folded text in order; of scripts without blanks each pair of neighbouring signs."""
    found: list[str] = []
    for match in _TOKEN.finditer(text):
        word = match.group()
        if _IDEOGRAPH.search(word):
            found += [word[i : i + 2] for i in range(max(len(word) - 1, 1))]
        else:
            found.append(word if word in COMMON else _stem(word))
    return found


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM:
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > _MIN_STEM and word[-1] == word[-2] else word


class Restating:
    """What a hint said that the player could not know otherwise."""

    def __init__(self, hint: str, visible: Sequence[str] = ()) -> None:
        known = {token for text in visible for token in tokens_of(fold(text))}
        tokens = tokens_of(fold(hint))
        self._telling = {t for t in tokens if t not in COMMON and t not in known and not (t.isascii() and len(t) < 3)}
        self._runs = {
            run
            for i in range(len(tokens) - _RUN + 1)
            if len(self._telling.intersection(run := tuple(tokens[i : i + _RUN]))) >= _FEW
        }

    def is_in(self, sentence: str) -> bool:
        """Whether a folded sentence has most of the telling words, many of them, or some in the hint's own order."""
        if not self._telling:
            return False
        tokens = tokens_of(sentence)
        said = self._telling.intersection(tokens)
        share = len(said) / len(self._telling)
        if (len(said) >= _FEW and share >= _MOST) or (len(said) >= _MANY and share >= _HALF):
            return True
        return any(tuple(tokens[i : i + _RUN]) in self._runs for i in range(len(tokens) - _RUN + 1))
