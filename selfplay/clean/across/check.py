"""What is wrong with conversations as rows."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from selfplay.clean.across.contamination import read_benchmarks
from selfplay.clean.across.duplicates import Double, Doubles
from selfplay.clean.across.keys import keys_of
from selfplay.clean.across.length import length_of, tokenizer_of
from selfplay.clean.across.parts import Part, Subject
from selfplay.clean.across.scanner import find_scanner, require_scanner, scan
from selfplay.clean.across.settings import AcrossSettings
from selfplay.clean.across.special_tokens import DEFAULT_TOKENS, special_tokens, tokens_of
from selfplay.clean.codes import DropCode
from selfplay.message import Noun

T = TypeVar("T")


class Fault(Noun):
    """One reason against a conversation."""

    code: DropCode
    detail: str
    """In words, with the place. Holds no secret."""
    message: int | None = None
    """The message it stands in; None if it is about all of the conversation, -1 for the tools' schemas."""
    place: str = ""
    """`messages[3].content`; empty if it is about all of the conversation."""
    span: tuple[int, int] | None = None
    """Characters of the text there, where they are known."""


class Checks:
    """Settings made ready: lists read, tokenizer loaded, scanner found. Raises InputError for what can't be used."""

    def __init__(self, settings: AcrossSettings) -> None:
        self.keys = keys_of(settings.key_names)
        self.tokenizer = tokenizer_of(settings.tokenizer)
        self.scanner = _program(settings)
        self._settings = settings
        self._benchmarks = read_benchmarks(settings.benchmarks)
        self._tokens = _tokens(settings, self.tokenizer.special)
        self._doubles = Doubles(settings.near_duplicates)

    def faults(self, subjects: Iterable[Subject]) -> Iterator[tuple[Subject, tuple[Fault, ...]]]:
        """Each conversation with what is wrong with it, in order; so many at once as a batch has are held in memory.

        Only one with no other fault is compared with the earlier ones that had none, so that a trace that is dropped
        takes no good one with it. Raises ScanError.
        """
        for batch in batches(subjects, self._settings.batch):
            for subject, secrets in zip(batch, self._secrets(batch), strict=True):
                faults = (
                    *secrets,
                    *self._special_tokens(subject),
                    *self._length(subject),
                    *self._contamination(subject),
                )
                yield subject, tuple(dict.fromkeys(faults)) or (self._double(subject) if subject.is_compared else ())

    def _secrets(self, batch: Sequence[Subject]) -> list[tuple[Fault, ...]]:
        scanned = scan(batch, self.scanner) if self.scanner else ((),) * len(batch)
        allowed = set(self._settings.allowed_rules)
        return [
            (
                *(f for part in chain(subject.parts, subject.ids) for f in self._keys_in(part)),
                *(_secret(s.rule, s.part) for s in found if s.rule not in allowed),
            )
            for subject, found in zip(batch, scanned, strict=True)
        ]

    def _keys_in(self, part: Part) -> Iterator[Fault]:
        for name in self.keys.found(part.text):
            yield _secret(f"the key in {name}", part)

    def _special_tokens(self, subject: Subject) -> Iterator[Fault]:
        for found in special_tokens(subject, self._tokens):
            yield Fault(
                code=DropCode.SPECIAL_TOKEN,
                detail=f"{found.token} in {found.part.place} ({found.part.role})",
                message=found.part.message,
                place=found.part.place,
                span=(found.start, found.start + len(found.token)),
            )

    def _length(self, subject: Subject) -> Iterator[Fault]:
        limit = self._settings.max_tokens
        if limit is not None:
            length = length_of(subject, self.tokenizer, self._settings.template_tokens)
            if length.tokens > limit:
                detail = f"{length} by {self.tokenizer.name}, more than {limit}"
                yield Fault(code=DropCode.TOO_LONG, detail=detail)

    def _contamination(self, subject: Subject) -> Iterator[Fault]:
        if (why := self._benchmarks.contaminated(subject)) is not None:
            yield Fault(code=DropCode.CONTAMINATED, detail=why)

    def _double(self, subject: Subject) -> tuple[Fault, ...]:
        double = self._doubles.add(subject)
        return () if double is None else (_fault_of(double),)


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items, so many at once."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _program(settings: AcrossSettings) -> Path | None:
    if settings.scanner == "off":
        return None
    return require_scanner() if settings.scanner == "on" else find_scanner()


def _tokens(settings: AcrossSettings, special: tuple[str, ...]) -> tuple[str, ...]:
    if settings.token_families is not None:
        families = tokens_of(settings.token_families)
    else:
        families = () if special else DEFAULT_TOKENS
    wanted = dict.fromkeys((*special, *families))
    return tuple(token for token in wanted if token and token not in set(settings.allowed_tokens))


def _secret(rule: str, part: Part | None) -> Fault:
    if part is None:
        return Fault(code=DropCode.SECRET, detail=rule)
    return Fault(
        code=DropCode.SECRET, detail=f"{rule} in {part.place} ({part.role})", message=part.message, place=part.place
    )


def _fault_of(double: Double) -> Fault:
    if double.similarity is None:
        return Fault(code=DropCode.DUPLICATE, detail=f"the same words and calls as {double.of}")
    detail = f"{double.by} {double.similarity:.0%} like {double.of}"
    return Fault(code=DropCode.NEAR_DUPLICATE, detail=detail)
