"""The panes by name: a rail at the left where there is room, one line under the header where there is not."""

from collections.abc import Mapping

from textual.content import Content

from engine.records.station import STATIONS, Station
from tui.actions import PANE_KEYS, PaneName
from tui.widgets.lines import ACCENT, DIM, MARKS, STRONG, fit, right, spread
from tui.widgets.page import Page


class Rail(Page):
    """One pane a line: its number, name, state and count; under them the one thing that is to be done next."""

    def show_names(self, width: int) -> None:
        """Draw for `width` cells what is known before the project was read: which panes there are."""
        others = [pane for pane in PANE_KEYS if pane not in STATIONS]
        names = [*(_name(station, None) for station in STATIONS), Content(""), *(_name(pane, None) for pane in others)]
        self.show([name.stylize(DIM).truncate(width - 2) for name in names])

    def show_panes(
        self,
        stations: tuple[Station, ...],
        shown: PaneName,
        working: str,
        width: int,
        said: Mapping[PaneName, str],
    ) -> None:
        """Draw for `width` cells.

        `working`: what stands beside the running station instead of its count. `said`: what stands beside a pane that
        is no station.
        """
        lines = [_rail_line(station, shown, working, width) for station in stations]
        others = [pane for pane in PANE_KEYS if pane not in {station.name for station in stations}]
        lines += [Content(""), *(_other(pane, shown, said.get(pane, ""), width) for pane in others)] if others else []
        if (step := next_step(stations)) is not None:
            lines += [Content(""), Content.styled(f"   {fit(f'next: {step}', width - 4)}", DIM)]
        self.show(lines)


class Spine(Page):
    """The same as one line, for narrow terminals."""

    def show_names(self) -> None:
        """Draw what is known before the project was read."""
        self.show([Content("  ").join(Content.styled(f" {station}", DIM) for station in STATIONS)])

    def show_panes(self, stations: tuple[Station, ...], shown: PaneName) -> None:
        """Draw the stations."""
        parts: list[Content | str] = []
        for station in stations:
            mark, style = MARKS[station.state]
            name_style = f"{STRONG} {ACCENT}" if station.name == shown else DIM
            parts.append(Content.assemble((mark, style), (station.name, name_style), "  "))
        if shown not in {station.name for station in stations}:
            parts.append(Content.styled(shown, f"{STRONG} {ACCENT}"))
        self.show([Content.assemble(*parts)])


def next_step(stations: tuple[Station, ...]) -> str | None:
    """The first thing along the line that can be done now, or must be done again; None while a job works."""
    for station in stations:
        if station.state == "running":
            return None
        if station.state in ("failed", "stale", "ready") or (station.state == "empty" and station.name == "prompt"):
            again = " again" if station.state in ("failed", "stale") else ""
            return f"{PANE_KEYS[station.name]} {station.name}{again}"
    return None


def _name(pane: PaneName, shown: PaneName | None) -> Content:
    here = pane == shown
    return Content.assemble(
        ("▌" if here else " ", ACCENT),
        (f" {PANE_KEYS[pane]} ", DIM),
        (fit(pane.capitalize(), 11), STRONG if here else ""),
    )


def _other(pane: PaneName, shown: PaneName, said: str, width: int) -> Content:
    name = Content.assemble(("▌" if pane == shown else " ", ACCENT), (f" {PANE_KEYS[pane]} ", DIM))
    label = Content.styled(pane.capitalize(), STRONG if pane == shown else "")
    return spread(Content.assemble(name, label), Content.styled(said, DIM), width - 2)


def _rail_line(station: Station, shown: PaneName, working: str, width: int) -> Content:
    mark, style = MARKS[station.state]
    figure = working if station.state == "running" and working else f"{station.count:,}" if station.count else ""
    return Content.assemble(
        _name(station.name, shown),
        (mark, style),
        (right(figure, width - 18), "" if station.state in ("done", "running") else DIM),
    )
