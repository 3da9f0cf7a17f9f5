"""The files that are no targets: their names and what stands in them, read when needed and remembered."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

from selfplay.gate.source_files import is_prose, parse_source
from selfplay.gate.text.view import code_tokens_of, words_of
from selfplay_tools.code.code_file import read_definitions_of
from selfplay_tools.errors import ToolsError
from selfplay_tools.protocols import Snapshot


class OtherPaths:
    """The files and folders that are no targets, by their last name."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._files: dict[str, list[str]] = {}
        self._folders: dict[str, set[str]] = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            self._files.setdefault(name.lower(), []).append(path.lower())
            while folder and folder.lower() not in self._folders.setdefault(folder.rpartition("/")[2].lower(), set()):
                self._folders[folder.rpartition("/")[2].lower()].add(folder.lower())
                folder = folder.rpartition("/")[0]

    def count_files_named(self, name: str) -> int:
        """How many files have the name."""
        return len(self._files.get(name.lower(), ()))

    def has_folder(self, name: str) -> bool:
        """Whether a folder that holds other files too has the name."""
        return name.lower() in self._folders

    def has_path(self, path: str) -> bool:
        """Whether a file or folder ends so: `client/response.py`, `http`."""
        lower = path.lower()
        last = lower.rpartition("/")[2]
        known = (*self._files.get(last, ()), *self._folders.get(last, ()))
        return any(known_path == lower or known_path.endswith(f"/{lower}") for known_path in known)

    def has_module(self, pieces: Sequence[str]) -> bool:
        """Whether a file without its extension ends so: `client`, `response`."""
        lower = "/".join(pieces).lower()
        return any(self.has_path(f"{lower}.{extension}") for extension in self._extensions)

    def has_extension(self, extension: str) -> bool:
        """Whether any file ends so."""
        return extension.lower() in self._extensions

    @cached_property
    def _extensions(self) -> frozenset[str]:
        return frozenset(name.rpartition(".")[2] for name in self._files if "." in name)


class OtherContent:
    """Questions about the files that are no targets."""

    def __init__(self, snapshot: Snapshot | None, targets: frozenset[str]) -> None:
        self._snapshot = snapshot
        self._targets = targets
        self._answers: dict[tuple[str, str], bool] = {}

    @property
    def is_readable(self) -> bool:
        """False when the repository could not be opened: every answer is no, then."""
        return self._snapshot is not None

    def has_identifier(self, token: str) -> bool:
        """Whether the word stands there as a whole identifier, in any case."""
        pattern = re.compile(rf"(?<!\w){re.escape(token)}(?!\w)", re.IGNORECASE)
        return self._answer_once("token", token.lower(), [token], lambda text: pattern.search(text) is not None)

    def has_word(self, word: str) -> bool:
        """Whether the word (in lower case) stands there by itself or as a part of an identifier."""
        pattern = re.compile(re.escape(word), re.IGNORECASE)
        return self._answer_once(
            "word", word, [word], lambda text: any(_is_identifier_part(text, m) for m in pattern.finditer(text))
        )

    def has_identifier_in_code(self, token: str) -> bool:
        """Whether the code of a file has the identifier, exactly so, or a string that is nothing else.

        Comments, and files written for people, don't count.
        """
        pattern = re.compile(rf"(?<!\w){re.escape(token)}(?!\w)")
        key = ("code", token)
        if key not in self._answers:
            texts = self._read_candidates([token], ignore_case=False)
            self._answers[key] = any(_has_code_token(path, text, token) for path, text in texts if pattern.search(text))
        return self._answers[key]

    def defines(self, name: str) -> bool:
        """Whether a file defines the name: `find_symbol` leads there too. A mere declaration does not count."""
        key = ("defined", name)
        if key not in self._answers:
            self._answers[key] = any(
                self._is_defined_in(path, name) for path in self._find_candidate_paths([name], ignore_case=False)
            )
        return self._answers[key]

    def _is_defined_in(self, path: str, name: str) -> bool:
        if self._snapshot is None:
            return False
        try:
            found = read_definitions_of(self._snapshot, path, name, self._snapshot.text_span(path)).definitions
        except ToolsError:
            return False
        return any(definition.kind != "declaration" for definition in found)

    def has_text(self, text: str) -> bool:
        """Whether the text stands there, in any case."""
        lower = text.lower()
        return self._answer_once("text", lower, [text], lambda other: lower in other.lower())

    def has_word_run(self, words: Sequence[str]) -> bool:
        """Whether the words (in lower case) stand there side by side, identifiers taken apart."""
        wanted = f" {' '.join(words)} "
        longest = sorted(set(words), key=lambda w: (-len(w), w))[:4]
        return self._answer_once("words", wanted, longest, lambda text: wanted in f" {' '.join(words_of(text))} ")

    def _answer_once(self, kind: str, what: str, literals: list[str], holds: Callable[[str], bool]) -> bool:
        key = (kind, what)
        if key not in self._answers:
            self._answers[key] = self._search_files(literals, holds)
        return self._answers[key]

    def _search_files(self, literals: list[str], holds: Callable[[str], bool]) -> bool:
        return any(holds(text) for _, text in self._read_candidates(literals, ignore_case=True))

    def has_code_run(self, tokens: Sequence[str]) -> bool:
        """Whether the tokens of code (`code_tokens_of`) stand there side by side."""
        wanted = f" {' '.join(tokens)} "
        words = sorted((t for t in tokens if t.isidentifier()), key=lambda w: (-len(w), w))[:4]
        return self._answer_once("tokens", wanted, words, lambda text: wanted in f" {' '.join(code_tokens_of(text))} ")

    def _find_candidate_paths(self, literals: list[str], *, ignore_case: bool) -> Iterator[str]:
        if self._snapshot is None:
            return
        for entry in self._snapshot.index.find_candidates(literals, ignore_case=ignore_case):
            if entry.path not in self._targets:
                yield entry.path

    def _read_candidates(self, literals: list[str], *, ignore_case: bool) -> Iterator[tuple[str, str]]:
        for path in self._find_candidate_paths(literals, ignore_case=ignore_case):
            if self._snapshot is None:
                return
            try:
                yield path, "\n".join(self._snapshot.text(path).lines)
            except ToolsError:
                continue


def _has_code_token(path: str, text: str, token: str) -> bool:
    if is_prose(path):
        return False
    source = parse_source(path, text)
    return token in source.identifiers or token in source.literals


def _is_identifier_part(text: str, match: re.Match[str]) -> bool:
    """Whether the match is a word or a part of an identifier: `jwt` in `verify_jwt` and `JwtError`, not in `xjwty`."""
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    found = match.group()
    starts = not before.isalpha() or (before.islower() and found[0].isupper())
    ends = not after.isalpha() or (found[-1].islower() and after.isupper()) or (found.isupper() and after.islower())
    return starts and ends
