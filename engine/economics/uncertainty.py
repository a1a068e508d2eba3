"""How far a figure may be off, by its origin: rules of thumb, shown to the user and overridden by given ranges.

Counts and list prices are certain as of today; measured figures vary a little, estimated or assumed ones a lot.
"""

from dataclasses import replace

from engine.records.cost import Figure, Origin

USUAL_CACHE_MIN_TOKENS = 1_024.0  # for OpenAI and most Anthropic models
# Low and high as shares of the value.
_SHARES: dict[Origin, tuple[float, float]] = {
    "exact": (1.0, 1.0),
    "given": (1.0, 1.0),
    "listed": (1.0, 1.0),
    "measured": (0.9, 1.1),
    "estimated": (0.5, 2.0),
    "assumed": (0.5, 2.0),
}
# Where the name says more than the origin does: a forecast stays a forecast even if it was given; usually some answers
# are rejected and a second training is needed.
_BY_NAME: dict[tuple[str, Origin], tuple[float, float]] = {
    ("requests_per_day", "given"): (0.5, 1.5),
    ("requests_per_day", "assumed"): (0.1, 10.0),
    ("question_tokens", "given"): (0.8, 1.25),
    ("answer_tokens", "given"): (0.8, 1.25),
    ("prompt_tokens", "estimated"): (0.75, 1.35),
    ("one_time_usd", "given"): (0.8, 1.5),
    ("generation_usd", "given"): (0.8, 1.5),
    ("generation_usd", "measured"): (1.0, 1.5),
    ("gpu_hours", "given"): (0.8, 1.5),
    ("gpu_hours", "measured"): (1.0, 2.0),
    ("gpu_hours", "assumed"): (0.25, 4.0),
    ("prefill_tokens_per_s", "assumed"): (0.25, 4.0),
    ("horizon_months", "assumed"): (1.0, 1.0),  # a choice, so not uncertain
}
# Absolute low and high, where a share of the value makes no sense.
_BOUNDS: dict[tuple[str, Origin], tuple[float, float]] = {
    ("cache_hit_rate", "assumed"): (0.5, 1.0),
    ("cache_min_tokens", "assumed"): (0.0, USUAL_CACHE_MIN_TOKENS),
    ("retrainings_per_year", "assumed"): (0.0, 4.0),
}
_GIVEN_HIT_RATE = 0.1  # a given hit rate may be off by this much


def with_uncertainty(name: str, figure: Figure) -> Figure:
    """Return the figure with its low and high; unchanged if it already has them."""
    if figure.low is not None or figure.high is not None:
        return figure
    if name == "cache_hit_rate" and figure.origin == "given":
        low, high = max(figure.value - _GIVEN_HIT_RATE, 0.0), min(figure.value + _GIVEN_HIT_RATE, 1.0)
    elif (name, figure.origin) in _BOUNDS:
        low, high = _BOUNDS[name, figure.origin]
    else:
        shares = _BY_NAME.get((name, figure.origin), _SHARES[figure.origin])
        low, high = (figure.value * share for share in shares)
    low, high = min(low, figure.value), max(high, figure.value)
    return replace(figure, low=low, high=high) if low < high else figure
