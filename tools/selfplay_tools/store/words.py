"""What ranking must know of each of some thousand texts: its words, and those of the names that it defines."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from selfplay_tools.declared import declared_names
from selfplay_tools.store.container import Array
from selfplay_tools.store.postings import Postings
from selfplay_tools.store.tokens import Counts, counted

_TOGETHER = 256
"""Texts whose words are counted at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of texts 0, 1, ..."""

    text: Postings
    defined: Postings

    @classmethod
    def of(cls, texts: Iterable[memoryview]) -> "Words":
        """Count the words of texts in UTF-8; fewer than 2^24."""
        words: list[Counts] = []
        defined: list[Counts] = []
        left = iter(texts)
        while some := list(islice(left, _TOGETHER)):
            words += counted(some)
            defined += counted([memoryview(b"\n".join(declared_names(bytes(text)))) for text in some])
        return cls(Postings.of(words), Postings.of(defined))

    @classmethod
    def unpacked(cls, arrays: Mapping[str, Array]) -> "Words":
        """What `packed` gave."""
        return cls(*(Postings.unpacked(_named(arrays, f"{field}.")) for field in cls.__slots__))

    def packed(self) -> dict[str, Array]:
        """The arrays, by names for a container."""
        both = {"text": self.text, "defined": self.defined}
        return {f"{field}.{name}": array for field, words in both.items() for name, array in words.packed().items()}


def _named(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
