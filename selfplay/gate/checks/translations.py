"""Does a text name a target in another language? From a small lexicon of the words that files are named after."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from selfplay.core.trace import HintFinding
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.forbidden_names import ForbiddenName, NameMatch
from selfplay.gate.text.mention import Enclosure, NameMention
from selfplay.gate.text.ordinary_words import is_introduced
from selfplay.gate.text.view import TextToken, TextView, fold
from selfplay.gate.text.words import is_common_phrase, is_english, singular_of

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
class TranslatedName:
    """A name in one other language: for each of its words its translations."""

    name: ForbiddenName
    language: str
    words: tuple[tuple[str, ...], ...]


@cache
def load_lexicon() -> dict[str, dict[str, tuple[str, ...]]]:
    """For each language, for each English word, its translations, folded and in lower case."""
    text = resources.files("selfplay.gate").joinpath("data/lexicon.tsv").read_text("utf-8")
    head, *rows = (line.split("\t") for line in text.splitlines())
    table: dict[str, dict[str, tuple[str, ...]]] = {language: {} for language in head[1:]}
    for english, *cells in rows:
        for language, cell in zip(head[1:], cells, strict=True):
            table[language][english] = tuple(fold(word).lower() for word in cell.split("|"))
    return table


def find_translations(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """Every name of a target that stands there in another language."""
    tokens = view.tokens
    is_english_text = _is_english_text(tokens)
    has_ideographs = _IDEOGRAPHS.search(view.text) is not None
    for translated in _list_translated_names(guard):
        if guard.is_permitted(translated.name, shown):
            continue
        if translated.language in _CJK:
            yield from _find_in_ideographs(view, translated, is_english_text=is_english_text) if has_ideographs else ()
        else:
            yield from _find_in_words(view, translated, guard, shown, is_english_text=is_english_text)
    yield from _find_transliterations(view, guard, shown)


def _list_translated_names(guard: Guard) -> Iterator[TranslatedName]:
    for name in guard.names:
        if name.kind not in {"stem", "directory"} or name.cuts or name.is_generic:
            continue
        for language, table in load_lexicon().items():
            ways = tuple(_translations_of(word, table) for word in name.words)
            if any(way != (word,) for way, word in zip(ways, name.words, strict=True)) and all(ways):
                yield TranslatedName(name, language, ways)


def _translations_of(word: str, table: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The translations of a word; itself where it is not English (`http`), nothing where the lexicon lacks it."""
    known = table.get(word) or table.get(singular_of(word))
    return known or (() if is_english(word) and not word.isdigit() else (word,))


def _is_english_text(tokens: Sequence[TextToken]) -> bool:
    words = [t.text for t in tokens if len(t.text) > 1 and not t.text.isdigit()]
    return sum(map(is_english, words)) >= _MOSTLY * len(words)


def _make_translation_finding(view: TextView, at: int, to: int, name: ForbiddenName) -> HintFinding:
    why = _WHY.format(written=name.written, paths=", ".join(sorted(name.targets)))
    return view.make_finding(at, to, "translated", why)


def _find_in_ideographs(view: TextView, translated: TranslatedName, *, is_english_text: bool) -> Iterator[HintFinding]:
    pattern = r"\s?[の的・-]?\s?".join(f"(?:{'|'.join(map(re.escape, way))})" for way in translated.words)
    for match in re.finditer(pattern, view.text, re.IGNORECASE):
        before, after = view.text[: match.start()][-1:], view.text[match.end() :]
        is_named = (bool(before) and before in "「『“\"'`《«") or after.lstrip("」』”\"'`》»").startswith(_NOUN_SIGNS)
        if is_named or len(translated.words) > 1 or (is_english_text and len(match.group()) > 1):
            yield _make_translation_finding(view, *match.span(), translated.name)


def _find_in_words(
    view: TextView, translated: TranslatedName, guard: Guard, shown: ShownText, *, is_english_text: bool
) -> Iterator[HintFinding]:
    tokens = view.tokens
    initials = {phrase[0] for way in translated.words for phrase in way}
    for first in (i for i, token in enumerate(tokens) if token.text[0] in initials):
        last = _find_last_word(tokens, first, translated.words)
        if last is None:
            continue
        mention = NameMention(view, tokens, NameMatch(translated.name, first, last))
        words = [t.text for t in tokens[first : last + 1]]
        if words == list(translated.name.words) or guard.is_ordinary(words[0], shown):
            continue
        if _is_used_as_name(mention, words, is_english_text=is_english_text):
            yield _make_translation_finding(view, mention.at, mention.to, translated.name)


def _find_last_word(tokens: Sequence[TextToken], first: int, ways: tuple[tuple[str, ...], ...]) -> int | None:
    """The last of the words from `first` on that translate all of `ways`, in any order, close together."""
    if len(ways) > 1 and _is_compound(tokens[first].text, ways):
        return first
    open_ways = list(ways)
    last, i = first, first
    while i < len(tokens) and i <= first + len(ways) + _SPREAD:
        length = 0
        for way in open_ways:
            length = max((_count_phrase_words(tokens, i, phrase) for phrase in way), default=0)
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


def _count_phrase_words(tokens: Sequence[TextToken], i: int, phrase: str) -> int:
    """How many words from position i on are the phrase; 0 for none. Endings of up to two letters are allowed."""
    words = re.findall(r"[^\W_]+", phrase)
    if i + len(words) > len(tokens):
        return 0
    written = (tokens[i + k].text for k in range(len(words)))
    return len(words) if all(_is_inflected_form(a, b) for a, b in zip(written, words, strict=True)) else 0


def _is_inflected_form(word: str, base: str) -> bool:
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


def _is_used_as_name(mention: NameMention, words: Sequence[str], *, is_english_text: bool) -> bool:
    if is_english_text and all(map(is_english, words)):
        return False
    is_named = (
        mention.enclosure is Enclosure.QUOTES
        or is_introduced(mention)
        or bool(_NOUNS & {*mention.before[:2], *mention.after[:1]})
    )
    if is_named or mention.member:
        return True
    if is_english_text:
        return True
    return len(mention.name.words) > 1 and not is_common_phrase(mention.name.words)


def _find_transliterations(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """English words in Cyrillic letters: `респонс`."""
    stems = [n for n in guard.names if n.kind == "stem" and not n.is_generic and len(n.compact) >= _MIN_TRANSLITERATED]
    for token in view.tokens:
        if len(token.text) < _MIN_TRANSLITERATED - 1 or not all(c in _LATIN for c in token.text):
            continue
        latin = "".join(_LATIN[c] for c in token.text)
        for stem in stems:
            if _is_close_spelling(latin, stem.compact) and not guard.is_permitted(stem, shown):
                yield _make_translation_finding(view, token.at, token.to, stem)


def _is_close_spelling(latin: str, name: str) -> bool:
    """Whether two spellings differ by no more than a silent ending."""
    return latin == name or latin == name.rstrip("e") or latin.replace("k", "c") == name.replace("k", "c").rstrip("e")
