"""What an echo is called and where it stands."""

from enum import StrEnum

from selfplay.core.message import Noun


class EchoKind(StrEnum):
    """In which way a text answers or leans on a hint."""

    THANKS = "thanks"
    """"Thanks, let me look there"."""
    AGREEMENT = "agreement"
    """Says yes, or sorry, to somebody: "good point", "you're right", "understood"."""
    ATTRIBUTION = "attribution"
    """Names a hint or an adviser as the source: "as suggested", "the hint says", "I was told to"."""
    FOLLOWING = "following"
    """Announces to do as advised: "following your advice", "I'll take the hint"."""
    ADDRESSED = "addressed"
    """Speaks to an adviser: "you mentioned", "is this what you meant?"."""
    RESTATED = "restated"
    """Repeats what only the hint had said."""


class EchoFinding(Noun):
    """One echo in a text."""

    kind: EchoKind
    text: str
    """The part of the text that is one: `text[start:end]` for the span."""
    span: tuple[int, int]
    """Its place: start and end, in characters, end exclusive."""
