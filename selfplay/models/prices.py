"""What tokens cost, in US dollars. Offline: the prices are those of the installed `genai-prices`."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from selfplay.core.message import Noun
from selfplay.core.usage import Spending, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TOKENS = 1_000_000
"""Prices are per so many."""


class TokenRate(Noun):
    """US dollars per million tokens."""

    input: Dollars
    cached_input: Dollars
    output: Dollars


class PriceTier(TokenRate):
    """What all tokens of a call cost whose input is longer than `above` tokens."""

    above: int


class Price(TokenRate):
    """What a model's calls cost."""

    tiers: tuple[PriceTier, ...] = ()
    """For long inputs, shortest first."""

    def rate_for(self, input_tokens: int) -> TokenRate:
        """What the tokens of a call with so much input cost."""
        return next((tier for tier in reversed(self.tiers) if input_tokens > tier.above), self)


FREE = Price(input=0.0, cached_input=0.0, output=0.0)
"""Models that run here without a language model: heuristic, scripted, recorded."""


def price_of(model_name: str, base_url: str | None = None) -> Price | None:
    """The price of a model at the server with that address; None where it is not known.

    `model_name` is as the server knows it. Without an address the vendor that the name belongs to is assumed. A server
    of one's own has no known price.
    """
    import genai_prices  # noqa: PLC0415  brings an HTTP client, which what is free has no use for

    try:
        if base_url is None:
            found = genai_prices.calc_price(genai_prices.Usage(), model_name)
        else:
            found = genai_prices.calc_price(genai_prices.Usage(), model_name, provider_api_url=base_url)
    except LookupError:
        return None
    return _convert_price(found.model_price)


def spending_of(usage: Usage, price: Price | None) -> Spending:
    """What one call took, without money where its price is not known.

    Calls are priced one by one, here only: the rate depends on each call's own input.
    """
    if price is None:
        return Spending(usage)
    rate = price.rate_for(usage.input_tokens)
    fresh = usage.input_tokens - usage.cached_tokens
    total = fresh * rate.input + usage.cached_tokens * rate.cached_input + usage.output_tokens * rate.output
    return Spending(usage, total / TOKENS)


def _convert_price(price: "ModelPrice") -> Price | None:
    base = _rate_at(price, 0)
    if base is None:
        return None
    prices = (price.input_mtok, price.cache_read_mtok, price.output_mtok)
    tiered = [p for p in prices if p is not None and not isinstance(p, Decimal)]
    starts = sorted({tier.start for p in tiered for tier in p.tiers})
    rates = [(start, _rate_at(price, start + 1)) for start in starts]
    tiers = tuple(PriceTier(above=start, **rate.model_dump()) for start, rate in rates if rate is not None)
    return Price(**base.model_dump(), tiers=tiers)


def _rate_at(price: "ModelPrice", input_tokens: int) -> TokenRate | None:
    tokens_in, tokens_out = _dollars_at(price.input_mtok, input_tokens), _dollars_at(price.output_mtok, input_tokens)
    if tokens_in is None or tokens_out is None:
        return None
    cached = _dollars_at(price.cache_read_mtok, input_tokens)
    return TokenRate(input=tokens_in, cached_input=tokens_in if cached is None else cached, output=tokens_out)


def _dollars_at(price: "Decimal | TieredPrices | None", input_tokens: int) -> float | None:
    if price is None or isinstance(price, Decimal):
        return None if price is None else float(price)
    return float(next((t.price for t in reversed(price.tiers) if input_tokens > t.start), price.base))
