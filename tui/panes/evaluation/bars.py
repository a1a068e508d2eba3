"""A rate with its interval as a bar of cells, from 0 to 100 %. Pure."""

from engine.records.evaluation import Interval, Rate

MIDDLE = "●"


def interval_bar(rate: Rate | Interval, width: int) -> str:
    """Return `··├──●──┤··` in exactly `width` cells for 0 to 100 %; values outside are drawn at the edge."""
    value = rate.rate if isinstance(rate, Rate) else rate.value
    low, middle, high = (round(max(0.0, min(share, 1.0)) * (width - 1)) for share in (rate.low, value, rate.high))
    cells = ["·"] * width
    for cell in range(low, high + 1):
        cells[cell] = "─"
    cells[low], cells[high] = "├", "┤"
    cells[middle] = MIDDLE
    return "".join(cells)
