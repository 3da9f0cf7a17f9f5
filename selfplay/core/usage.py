"""Tokens and money that model calls took."""

from dataclasses import dataclass, field

from selfplay.core.message import Noun


class Usage(Noun):
    """Tokens of one call, or of many added up."""

    input_tokens: int = 0
    cached_tokens: int = 0
    """Of the input: reused from the server's prefix cache, as far as the server says."""
    output_tokens: int = 0
    is_approximate: bool = False
    """True when the server reported nothing and the numbers are estimates."""

    def __add__(self, other: "Usage") -> "Usage":
        """Both together; approximate if either is."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            is_approximate=self.is_approximate or other.is_approximate,
        )

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Spending:
    """What one call took, or many added up."""

    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    """As far as prices are known."""

    def __add__(self, other: "Spending") -> "Spending":
        """Both together."""
        return Spending(self.usage + other.usage, self.cost_usd + other.cost_usd)
