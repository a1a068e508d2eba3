"""How a report writes numbers: the same in text, Markdown and HTML. Pure."""

from engine.records.evaluation import Interval, Rate
from engine.reports.document import Measured

MISSING = "–"
_MINUS = "\u2212"


def share(value: float) -> str:
    """0.975 as `97.5 %`; a decimal of 0 is dropped."""
    return f"{_decimals(100 * value)}\u00a0%"


def bounds(low: float, high: float) -> str:
    """The interval of a share, in whole per cent."""
    return f"{100 * low:.0f}\u2013{100 * high:.0f}"


def figure(value: Measured) -> str:
    """A share in per cent without the sign, always with one decimal: such figures are aligned in columns."""
    return f"{100 * value.value:.1f}"


def measured(value: Measured | None) -> str:
    """A share and its interval, in per cent without the sign; a dash if nothing was counted."""
    return MISSING if value is None else f"{figure(value)} ({bounds(value.low, value.high)})"


def of_rate(rate: Rate) -> Measured | None:
    """A pass rate as a share with its counts; None if nothing was counted."""
    return Measured(rate.rate, rate.low, rate.high, f"{rate.passed:,} of {rate.total:,}") if rate.total else None


def interval(found: Interval) -> str:
    """A share with its interval, as text."""
    return f"{share(found.value)} ({bounds(found.low, found.high)})"


def points(found: Interval) -> str:
    """A difference of two shares in percentage points, with its interval."""
    low, high = _signed(100 * found.low, 0), _signed(100 * found.high, 0)
    return f"{_signed(100 * found.value, 1)} ({low} to {high})"


def change(new: float, old: float, decimals: int) -> str:
    """How much a number changed, with its sign."""
    return _signed(new - old, decimals)


def p_value(p: float) -> str:
    """A p value, with as many digits as matter for a decision."""
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0") if p < 0.1 else f"{p:.2f}"


def nats(value: float) -> str:
    """A divergence or a loss."""
    return f"{value:.3f}"


def nats_between(low: float, high: float) -> str:
    """The interval of a divergence."""
    return f"{low:.3f}\u2013{high:.3f}"


def known(value: float | None, decimals: int = 0) -> str:
    """A measured quantity; None and 0 mean that it was not measured."""
    return f"{value:,.{decimals}f}" if value else MISSING


def usd(value: float) -> str:
    """An amount in US dollars, with enough digits to distinguish small sums."""
    sign, value = (_MINUS, -value) if value < 0 else ("", value)
    if value >= 1000 or value == 0:
        return f"{sign}${value:,.0f}"
    if value >= 0.1:
        return f"{sign}${value:,.2f}"
    return f"{sign}${value:.2g}" if value >= 1e-4 else f"{sign}${value:.6f}"


def format_time(stored: str) -> str:
    """A stored time to the minute."""
    return f"{stored[:10]} {stored[11:16]} UTC" if stored.endswith("+00:00") else stored or MISSING


def _decimals(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _signed(value: float, decimals: int) -> str:
    text = f"{abs(value):,.{decimals}f}"
    if not float(text.replace(",", "")):
        return "0"
    return f"{'+' if value > 0 else _MINUS}{text}"
