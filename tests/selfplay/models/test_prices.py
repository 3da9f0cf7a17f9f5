import pytest
from genai_prices import Usage as Priced
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from selfplay.core.usage import Spending, Usage
from selfplay.models.prices import FREE, Price, PriceTier, price_of, spending_of

PRICE = Price(input=2.0, cached_input=0.5, output=8.0)
COUNTS = st.integers(0, 2_000_000)


def test_cached_input_has_its_own_price() -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=500_000)
    assert spending_of(usage, PRICE).cost_usd == pytest.approx(0.6 * 2.0 + 0.4 * 0.5 + 0.5 * 8.0)


def test_a_long_input_has_its_own_price_for_all_its_tokens() -> None:
    price = Price(
        **PRICE.model_dump(exclude={"tiers"}),
        tiers=(
            PriceTier(above=100, input=4, cached_input=1, output=10),
            PriceTier(above=200, input=6, cached_input=2, output=9),
        ),
    )
    assert [price.rate_for(n).input for n in (0, 100, 101, 200, 201)] == [2, 2, 4, 4, 6]
    assert spending_of(Usage(input_tokens=150), price).cost_usd == pytest.approx(150 * 4 / 1e6)


def test_what_is_free_costs_nothing() -> None:
    assert spending_of(Usage(input_tokens=10**9, output_tokens=10**9), FREE).cost_usd == 0


def test_a_call_without_a_price_takes_tokens_only() -> None:
    usage = Usage(input_tokens=7, output_tokens=3)
    assert spending_of(usage, None) == Spending(usage, 0.0)
    assert spending_of(usage, None) + spending_of(usage, PRICE) == Spending(usage + usage, (7 * 2 + 3 * 8) / 1e6)


def test_unknown_models_and_servers_have_no_price() -> None:
    assert price_of("no-such-model-1") is None
    assert price_of("gpt-4.1", "http://localhost:8000/v1") is None


def test_a_known_model_is_priced_with_or_without_its_server() -> None:
    price = price_of("gpt-4.1")
    assert price is not None
    assert 0 < price.cached_input < price.input < price.output
    assert price == price_of("gpt-4.1", "https://api.openai.com/v1")


@given(tokens_in=COUNTS, cached=st.floats(0, 1), tokens_out=COUNTS)
@pytest.mark.parametrize("name", ["gpt-4.1", "gpt-6-luna", "deepseek-chat"])
def test_costs_are_those_of_the_price_list(name: str, tokens_in: int, cached: float, tokens_out: int) -> None:
    price = price_of(name)
    assert price is not None
    reused = int(tokens_in * cached)
    usage = Usage(input_tokens=tokens_in, cached_tokens=reused, output_tokens=tokens_out)
    listed = calc_price(Priced(input_tokens=tokens_in, cache_read_tokens=reused, output_tokens=tokens_out), name)
    assert spending_of(usage, price).cost_usd == pytest.approx(float(listed.total_price), abs=1e-9)
