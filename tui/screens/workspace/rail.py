"""The seven stations: a rail at the left where there is room, one line under the header where there is not."""

from textual.content import Content
from textual.widgets import Static

from engine.records.station import Station, StationName
from tui.widgets.lines import ACCENT, DIM, MARKS, STRONG, fit, right

RAIL_WIDTH = 28


class Rail(Static):
    """One station a line: its number, name, state and count."""

    def show(self, stations: tuple[Station, ...], shown: StationName, working: str) -> None:
        """Draw the stations. `working`: what stands beside the running one instead of its count."""
        self.update(Content("\n").join(_rail_line(n, s, shown, working) for n, s in enumerate(stations, start=1)))


class Spine(Static):
    """The same as one line, for narrow terminals."""

    def show(self, stations: tuple[Station, ...], shown: StationName) -> None:
        """Draw the stations."""
        parts: list[Content | str] = []
        for station in stations:
            mark, style = MARKS[station.state]
            name_style = f"{STRONG} {ACCENT}" if station.name == shown else DIM
            parts.append(Content.assemble((mark, style), (station.name, name_style), "  "))
        self.update(Content.assemble(*parts))


def _rail_line(number: int, station: Station, shown: StationName, working: str) -> Content:
    mark, style = MARKS[station.state]
    here = station.name == shown
    figure = working if station.state == "running" and working else f"{station.count:,}" if station.count else ""
    return Content.assemble(
        ("▌" if here else " ", ACCENT),
        (f" {number} ", DIM),
        (fit(station.name.capitalize(), 11), STRONG if here else ""),
        (mark, style),
        (right(figure, RAIL_WIDTH - 18), "" if station.state in ("done", "running") else DIM),
    )
