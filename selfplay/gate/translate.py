"""Does a text name a target in another language? From a small lexicon of the words that files are named after."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from selfplay.gate.naming import is_introduced
from selfplay.gate.needles import Match, Needle
from selfplay.gate.place import Mark, Place
from selfplay.gate.secret import Secret
from selfplay.gate.seen import Seen
from selfplay.gate.text import Token, View, fold
from selfplay.gate.words import is_common_phrase, is_english, singular
from selfplay.trace import Finding

_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_CJK = ("zh", "ja")
_NOUNS = frozenset(
    """datei dateien modul skript klasse paket ordner verzeichnis fichier module classe paquet dossier archivo fichero
    modulo clase carpeta paquete file classe cartella pacchetto arquivo ficheiro pasta pacote bestand map klasse plik
    modul klasa folder pakiet файл файле файла модуль модуле класс классе пакет папка папке script component package
    named called heißt heisst namens genannt appele nomme llamado llamada chiamato chamado genaamd nazwany называется
    """.split()
)
_NOUN_SIGNS = ("文件", "模块", "类", "脚本", "包", "ファイル", "モジュール", "クラス", "フォルダ")
_MOSTLY = 0.5
_ENDINGS = 2
_MIN_INFLECTED = 4
_SPREAD = 3
_MIN_TRANSLITERATED = 5
_LATIN = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "a b v g d e e zh z i y k l m n o p r s t u f h ts ch sh sch - y - e yu ya".replace("-", "").split(" "),
        strict=True,
    )
)
_WHY = "says the name {written!r} of the target {paths} in another language; say what the code there does instead"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A name in one other language: for each of its words the ways to say it."""

    needle: Needle
    language: str
    words: tuple[tuple[str, ...], ...]


@cache
def lexicon() -> dict[str, dict[str, tuple[str, ...]]]:
    """For each language, for each English word, its translations, folded and in lower case."""
    text = resources.files("selfplay.gate").joinpath("data/lexicon.tsv").read_text("utf-8")
    head, *rows = (line.split("\t") for line in text.splitlines())
    table: dict[str, dict[str, tuple[str, ...]]] = {language: {} for language in head[1:]}
    for english, *cells in rows:
        for language, cell in zip(head[1:], cells, strict=True):
            table[language][english] = tuple(fold(word).lower() for word in cell.split("|"))
    return table


def translations_in(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """Every name of a target that is told in another language."""
    tokens = view.tokens
    is_english_text = _is_english_text(tokens)
    has_ideographs = _IDEOGRAPHS.search(view.text) is not None
    for foreign in _foreign_names(secret):
        if secret.is_free(foreign.needle, shown):
            continue
        if foreign.language in _CJK:
            yield from _in_ideographs(view, foreign, is_english_text=is_english_text) if has_ideographs else ()
        else:
            yield from _in_words(view, foreign, secret, shown, is_english_text=is_english_text)
    yield from _transliterated(view, secret, shown)


def _foreign_names(secret: Secret) -> Iterator[Foreign]:
    for one in secret.names:
        if one.kind not in {"stem", "directory"} or one.cuts or one.is_generic:
            continue
        for language, table in lexicon().items():
            ways = tuple(_ways(word, table) for word in one.words)
            if any(way != (word,) for way, word in zip(ways, one.words, strict=True)) and all(ways):
                yield Foreign(one, language, ways)


def _ways(word: str, table: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """How to say a word; itself where it is no word of English (`http`), nothing where the lexicon lacks it."""
    known = table.get(word) or table.get(singular(word))
    return known or (() if is_english(word) and not word.isdigit() else (word,))


def _is_english_text(tokens: Sequence[Token]) -> bool:
    words = [t.text for t in tokens if len(t.text) > 1 and not t.text.isdigit()]
    return sum(map(is_english, words)) >= _MOSTLY * len(words)


def _finding(view: View, at: int, to: int, one: Needle) -> Finding:
    start, end = view.span(at, to)
    why = _WHY.format(written=one.written, paths=", ".join(sorted(one.targets)))
    return Finding(kind="translated", text=view.original[start:end], span=(start, end), why=why)


def _in_ideographs(view: View, foreign: Foreign, *, is_english_text: bool) -> Iterator[Finding]:
    pattern = r"\s?[の的・-]?\s?".join(f"(?:{'|'.join(map(re.escape, way))})" for way in foreign.words)
    for match in re.finditer(pattern, view.text, re.IGNORECASE):
        before, after = view.text[: match.start()][-1:], view.text[match.end() :]
        is_named = (bool(before) and before in "「『“\"'`《«") or after.lstrip("」』”\"'`》»").startswith(_NOUN_SIGNS)
        if is_named or len(foreign.words) > 1 or (is_english_text and len(match.group()) > 1):
            yield _finding(view, *match.span(), foreign.needle)


def _in_words(view: View, foreign: Foreign, secret: Secret, shown: Seen, *, is_english_text: bool) -> Iterator[Finding]:
    tokens = view.tokens
    initials = {phrase[0] for way in foreign.words for phrase in way}
    for first in (i for i, token in enumerate(tokens) if token.text[0] in initials):
        last = _told(tokens, first, foreign.words)
        if last is None:
            continue
        place = Place(view, tokens, Match(foreign.needle, first, last))
        words = [t.text for t in tokens[first : last + 1]]
        if words == list(foreign.needle.words) or _knows(words, secret, shown):
            continue
        if _is_used(place, words, is_english_text=is_english_text):
            yield _finding(view, place.at, place.to, foreign.needle)


def _told(tokens: Sequence[Token], first: int, ways: tuple[tuple[str, ...], ...]) -> int | None:
    """The last of the words from `first` on that say all of `ways`, in any order, close together."""
    if len(ways) > 1 and _is_compound(tokens[first].text, ways):
        return first
    open_ways = list(ways)
    last, i = first, first
    while i < len(tokens) and i <= first + len(ways) + _SPREAD:
        length = 0
        for way in open_ways:
            length = max((_says(tokens, i, phrase) for phrase in way), default=0)
            if length:
                open_ways.remove(way)
                break
        if not length and i == first:
            return None
        last = i + length - 1 if length else last
        if not open_ways:
            return last
        i += max(length, 1)
    return None


def _says(tokens: Sequence[Token], i: int, phrase: str) -> int:
    """How many words from position i on say the phrase; 0 for none. Endings of up to two letters are put up with."""
    words = re.findall(r"[^\W_]+", phrase)
    if i + len(words) > len(tokens):
        return 0
    said = (tokens[i + k].text for k in range(len(words)))
    return len(words) if all(_is_form(a, b) for a, b in zip(said, words, strict=True)) else 0


def _is_form(word: str, base: str) -> bool:
    if word == base:
        return True
    if len(base) < _MIN_INFLECTED or abs(len(word) - len(base)) > _ENDINGS:
        return False
    root = base[:-1] if base[-1] in "aeiouyаеёиоуыьэюяй" and len(base) > _MIN_INFLECTED else base
    return word.startswith(root)


def _is_compound(word: str, ways: tuple[tuple[str, ...], ...]) -> bool:
    """`Antwortschreiber`, `Sitzungsspeicher`."""
    pattern = r"(?:s|n|en|e|es)?".join(f"(?:{'|'.join(map(re.escape, way))})" for way in ways)
    return re.fullmatch(rf"{pattern}(?:s|n|en|e|er)?", word) is not None


def _knows(words: Sequence[str], secret: Secret, shown: Seen) -> bool:
    """Whether the foreign words belong to the task, to what was shown, or to the repository."""
    return any(
        shown.has_phrase((word,)) or secret.told.has_phrase((word,)) or secret.elsewhere.has_word(word)
        for word in words[:1]
    )


def _is_used(place: Place, words: Sequence[str], *, is_english_text: bool) -> bool:
    if is_english_text and all(map(is_english, words)):
        return False
    is_named = place.mark is Mark.QUOTES or is_introduced(place) or bool(_NOUNS & {*place.before[:2], *place.after[:1]})
    if is_named or place.member:
        return True
    if is_english_text:
        return True
    return len(place.needle.words) > 1 and not is_common_phrase(place.needle.words)


def _transliterated(view: View, secret: Secret, shown: Seen) -> Iterator[Finding]:
    """English words in Cyrillic letters: `респонс`."""
    stems = [n for n in secret.names if n.kind == "stem" and not n.is_generic and len(n.compact) >= _MIN_TRANSLITERATED]
    for token in view.tokens:
        if len(token.text) < _MIN_TRANSLITERATED - 1 or not all(c in _LATIN for c in token.text):
            continue
        latin = "".join(_LATIN[c] for c in token.text)
        for one in stems:
            if _is_close(latin, one.compact) and not secret.is_free(one, shown):
                yield _finding(view, token.at, token.to, one)


def _is_close(latin: str, name: str) -> bool:
    """Whether two spellings differ by no more than a silent ending."""
    return latin == name or latin == name.rstrip("e") or latin.replace("k", "c") == name.replace("k", "c").rstrip("e")
