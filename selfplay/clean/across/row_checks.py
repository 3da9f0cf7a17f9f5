"""What is wrong with conversations as rows, and which traces give no row for it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from selfplay.clean.across.contamination import read_benchmarks
from selfplay.clean.across.conversation import Conversation, ConversationText, conversation_of, rejected_conversation_of
from selfplay.clean.across.duplicates import DuplicateFinder, DuplicateMatch
from selfplay.clean.across.secrets_in_texts import find_scanner, keys_of, require_scanner, scan
from selfplay.clean.across.special_tokens import DEFAULT_TOKENS, find_special_tokens, tokens_of_families
from selfplay.clean.across.token_length import length_of, tokenizer_of
from selfplay.clean.settings import AcrossSettings
from selfplay.core.clean_trace import CleanTrace, PreferencePair
from selfplay.core.drop_codes import DropCode
from selfplay.core.message import Noun

T = TypeVar("T")


class RowFault(Noun):
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


class RowChecks:
    """The checks that settings ask for, with their lists and tokenizer. Raises InputError for what can't be used."""

    def __init__(self, settings: AcrossSettings) -> None:
        self.keys = keys_of(settings.key_names)
        self.tokenizer = tokenizer_of(settings.tokenizer)
        self.scanner = _choose_scanner(settings)
        self._settings = settings
        self._benchmarks = read_benchmarks(settings.benchmarks)
        self._tokens = _choose_tokens(settings, self.tokenizer.special)
        self._duplicates = DuplicateFinder(settings.near_duplicates)

    def check_all(self, conversations: Iterable[Conversation]) -> Iterator[tuple[Conversation, tuple[RowFault, ...]]]:
        """Each conversation with what is wrong with it, in order; so many at once as a batch has are held in memory.

        Only one with no other fault is compared with the earlier ones that had none, so that a trace that is dropped
        takes no good one with it. Raises ScanError.
        """
        for batch in split_batches(conversations, self._settings.batch):
            for conversation, secrets in zip(batch, self._find_secrets(batch), strict=True):
                faults = (
                    *secrets,
                    *self._find_special_tokens(conversation),
                    *self._check_length(conversation),
                    *self._check_contamination(conversation),
                )
                yield (
                    conversation,
                    tuple(dict.fromkeys(faults))
                    or (self._check_duplicate(conversation) if conversation.is_compared else ()),
                )

    def _find_secrets(self, batch: Sequence[Conversation]) -> list[tuple[RowFault, ...]]:
        scanned = scan(batch, self.scanner) if self.scanner else ((),) * len(batch)
        allowed = set(self._settings.allowed_rules)
        return [
            (
                *(f for part in chain(conversation.texts, conversation.id_texts) for f in self._find_keys(part)),
                *(_secret_fault(s.rule, s.part) for s in found if s.rule not in allowed),
            )
            for conversation, found in zip(batch, scanned, strict=True)
        ]

    def _find_keys(self, part: ConversationText) -> Iterator[RowFault]:
        for name in self.keys.names_in(part.text):
            yield _secret_fault(f"the key in {name}", part)

    def _find_special_tokens(self, conversation: Conversation) -> Iterator[RowFault]:
        for found in find_special_tokens(conversation, self._tokens):
            yield RowFault(
                code=DropCode.SPECIAL_TOKEN,
                detail=f"{found.token} in {found.part.place} ({found.part.role})",
                message=found.part.message,
                place=found.part.place,
                span=(found.start, found.start + len(found.token)),
            )

    def _check_length(self, conversation: Conversation) -> Iterator[RowFault]:
        limit = self._settings.max_tokens
        if limit is not None:
            length = length_of(conversation, self.tokenizer, self._settings.template_tokens)
            if length.tokens > limit:
                detail = f"{length} by {self.tokenizer.name}, more than {limit}"
                yield RowFault(code=DropCode.TOO_LONG, detail=detail)

    def _check_contamination(self, conversation: Conversation) -> Iterator[RowFault]:
        if (why := self._benchmarks.find_contamination(conversation)) is not None:
            yield RowFault(code=DropCode.CONTAMINATED, detail=why)

    def _check_duplicate(self, conversation: Conversation) -> tuple[RowFault, ...]:
        double = self._duplicates.add(conversation)
        return () if double is None else (_duplicate_fault(double),)


def split_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items, so many at once."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _choose_scanner(settings: AcrossSettings) -> Path | None:
    if settings.scanner == "off":
        return None
    return require_scanner() if settings.scanner == "on" else find_scanner()


def _choose_tokens(settings: AcrossSettings, special: tuple[str, ...]) -> tuple[str, ...]:
    if settings.token_families is not None:
        families = tokens_of_families(settings.token_families)
    else:
        families = () if special else DEFAULT_TOKENS
    wanted = dict.fromkeys((*special, *families))
    return tuple(token for token in wanted if token and token not in set(settings.allowed_tokens))


def _secret_fault(rule: str, part: ConversationText | None) -> RowFault:
    if part is None:
        return RowFault(code=DropCode.SECRET, detail=rule)
    return RowFault(
        code=DropCode.SECRET, detail=f"{rule} in {part.place} ({part.role})", message=part.message, place=part.place
    )


def _duplicate_fault(double: DuplicateMatch) -> RowFault:
    if double.similarity is None:
        return RowFault(code=DropCode.DUPLICATE, detail=f"the same words and calls as {double.of}")
    detail = f"{double.by} {double.similarity:.0%} like {double.of}"
    return RowFault(code=DropCode.NEAR_DUPLICATE, detail=detail)


MAX_LISTED_FAULTS = 5
"""Faults that a rejection names; of more it says how many."""


class RejectedTrace(Noun):
    """A trace that gives no row."""

    episode: str
    code: DropCode
    detail: str
    """What was found and where; never a secret itself."""


def reject_traces(traces: Iterable[CleanTrace], settings: AcrossSettings) -> Iterator[RejectedTrace]:
    """The traces that give no row, in order; the others may be kept together.

    Deterministic: of two doubles the later is rejected. Memory grows by some kilobytes for each trace that is kept;
    whole traces are held only so many at once as `settings.batch` says. Raises InputError for settings that can't be
    used, and ScanError if the secret scanner fails: then nothing is known of the rest.
    """
    for conversation, faults in RowChecks(settings).check_all(map(conversation_of, traces)):
        if faults:
            same = [f.detail for f in faults if f.code is faults[0].code]
            more = f" and {len(same) - MAX_LISTED_FAULTS} more" if len(same) > MAX_LISTED_FAULTS else ""
            yield RejectedTrace(
                episode=conversation.id, code=faults[0].code, detail="; ".join(same[:MAX_LISTED_FAULTS]) + more
            )


def find_pair_faults(pairs: Iterable[PreferencePair], settings: AcrossSettings) -> Iterator[tuple[RowFault, ...]]:
    """For each pair what is wrong with its rejected side, in order; the other side and the prefix are the trace's.

    Raises as `reject_traces` does.
    """
    return (faults for _, faults in RowChecks(settings).check_all(map(rejected_conversation_of, pairs)))
