"""Amounts of money as they are read at a glance. Pure."""


def money(value: float) -> str:
    """An amount as it is read at a glance."""
    return f"{'saves' if value > 0 else 'loses'} {dollars(abs(value))}"


def dollars(value: float, of: float | None = None) -> str:
    """US dollars in as many digits as say something; `of`: the largest amount of a column, which chooses for all."""
    largest = value if of is None else of
    if largest >= 1e15:
        return f"${value:.1e}"
    for size, unit, word in ((1e12, 1e12, "T"), (1e9, 1e9, "B"), (1e7, 1e6, "M")):
        if largest >= size:
            return f"${value / unit:,.1f} {word}"
    digits = 0 if largest >= 10_000 else 2 if largest >= 1 or largest == 0 else 4 if largest >= 0.01 else 6
    smallest = 10.0**-digits
    return f"< ${smallest:,.{digits}f}" if 0 < value < smallest / 2 else f"${value:,.{digits}f}"
