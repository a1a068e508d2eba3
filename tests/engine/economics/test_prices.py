"""Prices from the bundled table, and the cost of an answer; unknown prices are never guessed."""

import pytest

from engine.economics.prices import GIVEN, Prices, cost_usd, find_prices, models_like, own_prices, prices_for
from engine.records.cost import EndpointPrices
from engine.records.example import Usage


def test_listed_model_has_its_prices_and_their_source() -> None:
    found = find_prices("gpt-4o")
    assert found is not None
    assert (found.input_usd_per_mtok, found.cached_input_usd_per_mtok, found.output_usd_per_mtok) == (2.5, 1.25, 10)
    assert found.cache_write_usd_per_mtok is None
    assert found.source.startswith("genai-prices ")
    assert "gpt-4o" in found.source


def test_cache_write_price_is_listed_where_it_differs() -> None:
    found = find_prices("claude-3-5-haiku-latest")
    assert found is not None
    assert found.cache_write_usd_per_mtok == 1.0
    assert found.cached_input_usd_per_mtok == 0.08


def test_without_a_cache_discount_cached_input_costs_the_input_price() -> None:
    found = find_prices("mistral-large-latest")
    assert found is not None
    assert found.cached_input_usd_per_mtok == found.input_usd_per_mtok


def test_long_inputs_cost_more_with_tiered_prices() -> None:
    short, long = find_prices("gemini-2.5-pro", input_tokens=1_000), find_prices("gemini-2.5-pro", input_tokens=250_000)
    assert short is not None
    assert long is not None
    assert long.input_usd_per_mtok > short.input_usd_per_mtok
    assert long.output_usd_per_mtok > short.output_usd_per_mtok


def test_unknown_model_or_host_has_no_prices() -> None:
    assert find_prices("no-such-model") is None
    assert find_prices("gpt-4o", "http://127.0.0.1:8000/v1") is None
    assert find_prices("gpt-4o", "https://api.openai.com/v1") is not None
    assert find_prices("") is None


def test_cost_adds_uncached_cached_written_and_output_tokens() -> None:
    usage = Usage(prompt_tokens=1_000, completion_tokens=200, cached_tokens=600, written_tokens=100)
    # 300·2 + 600·0.5 + 100·2.5 + 200·10 = 3150
    assert cost_usd(Prices(2.0, 10.0, 0.5, 2.5), usage) == pytest.approx(0.00315)
    # 300·2 + 600·0.5 + 100·2 + 200·10 = 3100
    assert cost_usd(Prices(2.0, 10.0, 0.5), usage) == pytest.approx(0.0031)
    assert cost_usd(Prices(2.0, 10.0, 0.5), Usage()) == 0


def test_models_are_found_by_part_of_their_name_exact_match_first() -> None:
    found = models_like("GPT-5", 6)
    assert len(found) == 6
    assert (found[0].name, found[0].provider) == ("gpt-5", "openai")
    assert found[0].prices == find_prices("gpt-5")
    assert all("gpt-5" in model.name for model in found)
    assert any("/" not in model.name and model.name.startswith("claude") for model in models_like("sonnet", 3))
    assert models_like("no such model", 6) == models_like("  ", 6) == ()


def test_given_prices_belong_to_a_model_at_an_address() -> None:
    here, there = "https://here.example.com/v1", "https://there.example.com/v1"
    given = (EndpointPrices("large", here, 1.0, 0.25, 4.0), EndpointPrices("large", there, 2.0, 2.0, 8.0))
    assert own_prices(given, "large", here) == Prices(1.0, 4.0, 0.25, source=GIVEN)
    assert own_prices(given, "large", there) == Prices(2.0, 8.0, 2.0, source=GIVEN)
    assert own_prices(given, "large") == own_prices(given, "large", there), "an estimate names no address"
    assert own_prices(given, "large", "https://else.example.com/v1") is None
    assert own_prices(given, "small", here) is None
    assert own_prices((), "large") is None
    openai = "https://api.openai.com/v1"
    assert prices_for(given, "gpt-5", openai) == find_prices("gpt-5", openai)
    assert prices_for((EndpointPrices("gpt-5", openai, 1.0, 0.5, 4.0),), "gpt-5", openai) == Prices(
        1.0, 4.0, 0.5, source=GIVEN
    )
