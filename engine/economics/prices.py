"""Token prices: those given in a project's settings, and providers' from the table of genai-prices; nothing is fetched.

Knows nothing of prompts or of savings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from urllib.parse import urlsplit

from engine.economics.formulas import PER_MTOK
from engine.records.cost import EndpointPrices
from engine.records.example import Usage

GIVEN = "the project's settings"  # the source of prices that the user gave there


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in US dollars per million tokens. `source` says where they come from."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float  # read from the provider's cache; the input price if there is no discount
    cache_write_usd_per_mtok: float | None = None  # instead of the input price, for tokens put into the cache
    source: str = "given"


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model whose prices are known, with the name to look them up by."""

    name: str
    provider: str
    prices: Prices


def find_prices(model: str, base_url: str = "", input_tokens: int = 0, provider: str = "") -> Prices | None:
    """Return today's prices of `model`, or None if they are not known.

    With `base_url`, only that provider's table counts: a local server may serve a model under a well-known name.
    `input_tokens`, per request, selects the tier if a provider charges more for long inputs. `provider`, as named by
    genai-prices, selects one of several that offer the model.
    """
    return _find(model, base_url, input_tokens, provider.strip())


def prices_for(given: Sequence[EndpointPrices], model: str, base_url: str, input_tokens: int = 0) -> Prices | None:
    """Return what `model` costs at `base_url`: as given, else as `find_prices` lists it; None if neither is known."""
    return own_prices(given, model, base_url) or find_prices(model, base_url, input_tokens)


def own_prices(given: Sequence[EndpointPrices], model: str, base_url: str = "") -> Prices | None:
    """Return the prices given for `model` at `base_url`; without one, those given last; None if none are."""
    for each in reversed(given):
        if each.model == model and base_url in ("", each.base_url):
            plain, cached, output = each.input_usd_per_mtok, each.cached_input_usd_per_mtok, each.output_usd_per_mtok
            return Prices(plain, output, cached, source=GIVEN)
    return None


def with_own_prices(
    given: Sequence[EndpointPrices], model: str, base_url: str, usd_per_mtok: tuple[float, float, float] | None
) -> tuple[EndpointPrices, ...]:
    """Return the given prices with those of one model at one endpoint replaced, or forgotten if None.

    `usd_per_mtok`: US dollars per million input, cached input and output tokens.
    """
    others = tuple(each for each in given if (each.model, each.base_url) != (model, base_url))
    return others if usd_per_mtok is None else (*others, EndpointPrices(model, base_url, *usd_per_mtok))


def models_like(text: str, limit: int) -> tuple[ListedModel, ...]:
    """Return listed models whose name contains `text`: exact match first, then those that start with it, then others.

    A name that several providers offer is listed once, with the prices that `find_prices` returns for it.
    """
    wanted = text.strip().casefold()
    # The names are in reverse order, because higher numbers are newer.
    found = [name for name in _names() if wanted in name.casefold()] if wanted else []
    found.sort(key=lambda name: (name.casefold() != wanted, not name.casefold().startswith(wanted), "/" in name))
    listed: list[ListedModel] = []
    for name in found:
        if len(listed) == limit:
            break
        if (prices := find_prices(name)) is not None:
            listed.append(ListedModel(name, prices.source.split(", ")[-1].split(" ")[0], prices))
    return tuple(listed)


def cost_usd(prices: Prices, usage: Usage) -> float:
    """Return the cost of one answer: plain, cached and written prompt tokens and answer tokens, each at its price."""
    written_price = prices.cache_write_usd_per_mtok
    plain = usage.prompt_tokens - usage.cached_tokens - usage.written_tokens
    total = (
        plain * prices.input_usd_per_mtok
        + usage.cached_tokens * prices.cached_input_usd_per_mtok
        + usage.written_tokens * (prices.input_usd_per_mtok if written_price is None else written_price)
        + usage.completion_tokens * prices.output_usd_per_mtok
    )
    return total / PER_MTOK


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    from genai_prices.data_snapshot import get_snapshot

    names = {model.id for provider in get_snapshot().providers for model in provider.models}
    return tuple(sorted(names, reverse=True))


@lru_cache(maxsize=256)
def _find(model: str, base_url: str, input_tokens: int, provider: str) -> Prices | None:
    from genai_prices import Usage as RawUsage
    from genai_prices import calc_price
    from genai_prices.types import TieredPrices

    usage = RawUsage(input_tokens=input_tokens, output_tokens=0)
    try:
        if provider:
            found = calc_price(usage, model, provider_id=provider)
        else:
            found = calc_price(usage, model, provider_api_url=base_url or None)
    except LookupError:
        return None

    def price(key: str) -> float | None:
        value: object = getattr(found.model_price, key)
        if isinstance(value, TieredPrices):
            steps = [tier.price for tier in value.tiers if input_tokens > tier.start]
            return float(steps[-1] if steps else value.base)
        return None if value is None else float(str(value))

    plain, output = price("input_mtok"), price("output_mtok")
    if plain is None or output is None:
        return None
    cached, written = price("cache_read_mtok"), price("cache_write_mtok")
    host = f" at {urlsplit(base_url).hostname}" if base_url else ""
    return Prices(
        input_usd_per_mtok=plain,
        output_usd_per_mtok=output,
        cached_input_usd_per_mtok=plain if cached is None else cached,
        cache_write_usd_per_mtok=written,
        source=f"genai-prices {version('genai-prices')}, {found.provider.id} {found.model.id}{host}",
    )
