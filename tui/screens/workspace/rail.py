"""The panes by name: a rail at the left, or one line under the header in narrow terminals."""

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from engine.records.station import STATIONS, Station
from engine.wording import percent
from tui.actions import PANES, PaneName
from tui.keys import key_of
from tui.panes.steps import compared, next_step, step_from
from tui.widgets.lines import ACCENT, DIM, ENDING, MARKS, STRONG, fit, justify, right
from tui.widgets.listing import Listed, Listing, numbered
from tui.widgets.page import Page
from tui.widgets.placed import ShowPane

if TYPE_CHECKING:
    from tui.screens.workspace.state import WorkspaceState
    from tui.services.facts import Facts

_TALL_FROM = 18  # rows: two per station, a blank one, the others, and one spare
_OTHERS = [pane for pane in PANES if pane not in STATIONS]
_NAME = 11  # cells


class _Panes(Page, Listed):
    """The panes as selectable rows."""

    @property
    def choices(self) -> Listing | None:
        """All panes, in the order of their keys."""
        return Listing(0, lambda row: self.post_message(ShowPane(PANES[row])), lambda: PANES)


class Rail(_Panes):
    """One line per pane: key, name, state, count, freshness, and the next step."""

    def show_names(self, width: int) -> None:
        """Draw the names of the panes for `width` cells, before the project was read."""
        names = {pane: _name(pane, None, width).stylize(DIM) for pane in PANES}
        self.show([*(names[station] for station in STATIONS), Content(""), *(names[pane] for pane in _OTHERS)])

    def show_state(self, state: "WorkspaceState") -> None:
        """Draw everything, with the next step under each station if there are enough rows."""
        if (facts := state.facts_shown) is None:
            self.show_names(state.rail_width)
            return
        shown, width = state.shown, state.rail_width
        working = percent(state.progress) if state.progress is not None else ""
        summaries: dict[PaneName, str] = {"cost": facts.cost, "chat": state.arms or compared(facts)}
        tall, ending = self.size.height >= _TALL_FROM, facts.ending_at
        lines: list[Content] = []
        for station in facts.stations:
            lines.append(_rail_line(station, shown, working, width, ending=station.name in ending))
            if tall:
                lines.append(Content.styled(f"    {fit(step_from(shown, station, facts), width - 5)}", DIM))
        lines += [Content(""), *(_other(pane, shown, summaries.get(pane, ""), width) for pane in _OTHERS)]
        if not tall and (step := next_step(facts)):
            lines += [Content(""), Content.styled(f"   {fit(f'next: {step}', width - 4)}", DIM)]
        self.show(lines)


class Spine(_Panes):
    """The same as one line, for narrow terminals."""

    def show_names(self) -> None:
        """Draw the names of the stations, before the project was read."""
        self.show([Content("  ").join(Content.styled(f" {station}", DIM) for station in STATIONS)])

    def show_state(self, state: "WorkspaceState", width: int) -> None:
        """Draw the stations for `width` cells; by their keys if their names do not fit."""
        if (facts := state.facts_shown) is None:
            self.show_names()
            return
        shown = state.shown
        line = spine(facts, shown, names=True)
        self.show([line if line.cell_length <= width else spine(facts, shown, names=False)])


def spine(facts: "Facts", shown: PaneName, *, names: bool) -> Content:
    """The stations on one line, the shown pane always by its name."""
    stations, ending = facts.stations, facts.ending_at
    parts: list[Content] = []
    for station in stations:
        mark, style = _mark(station, ending=station.name in ending)
        here = station.name == shown
        word = station.name if here or names else key_of(f"workspace.{station.name}")
        part = Content.assemble((mark, style), (word, f"{STRONG} {ACCENT}" if here else DIM), "  ")
        parts.append(numbered(part, PANES.index(station.name)))
    if shown not in {station.name for station in stations}:
        parts.append(Content.styled(shown, f"{STRONG} {ACCENT}"))
    return Content.assemble(*parts)


def _name(pane: PaneName, shown: PaneName | None, width: int) -> Content:
    here, key = pane == shown, _key(pane)
    return Content.assemble(
        ("▌" if here else " ", ACCENT),
        (key, DIM),
        (fit(pane.capitalize(), min(_NAME, width - 4 - cell_len(key))), STRONG if here else ""),
    )


def _key(pane: PaneName) -> str:
    """The pane's key, padded to the widest of all panes: custom keys may be as long as `f10`."""
    widest = max(cell_len(key_of(f"workspace.{each}")) for each in PANES)
    return f" {fit(key_of(f'workspace.{pane}'), widest)} "


def _other(pane: PaneName, shown: PaneName, summary: str, width: int) -> Content:
    name = Content.assemble(("▌" if pane == shown else " ", ACCENT), (_key(pane), DIM))
    label = Content.styled(pane.capitalize(), STRONG if pane == shown else "")
    line = justify(Content.assemble(name, label), Content.styled(summary, DIM), width - 2)
    return numbered(line, PANES.index(pane))


def _mark(station: Station, *, ending: bool) -> tuple[str, str]:
    return ENDING if ending and station.state == "running" else MARKS[station.state]


def _rail_line(station: Station, shown: PaneName, working: str, width: int, *, ending: bool) -> Content:
    mark, style = _mark(station, ending=ending)
    working = "stopping" if ending else "freezing" if station.note == "freezing" else working
    figure = working if station.state == "running" and working else f"{station.count:,}" if station.count else ""
    name = _name(station.name, shown, width)
    room = width - 4 - name.cell_length  # for the figure; a cell after the mark and two at the right stay free
    if station.state == "stale":
        figure = "stale" if len(figure) + 6 > room else f"{figure} stale"
    line = Content.assemble(
        name,
        (mark, style),
        " ",
        (right(figure, room) if len(figure) <= room else "", "" if station.state in ("done", "running") else DIM),
    )
    return numbered(line, PANES.index(station.name))
