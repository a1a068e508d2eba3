"""Gives a widget of automatic height the height of its newest content. Knows no content."""

from typing import Self

from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static


class AutoHeight(Widget):
    """Counts every change of its size.

    Textual (8.2.8) counts only the first of several changes between two idle moments of a widget. If the screen is laid
    out in between, the height found then stays in its cache for the later content, and is never measured again.
    """

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Refresh the widget; a change of layout invalidates the measured size."""
        if layout:
            self._layout_updates += 1
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


class Words(Static, AutoHeight):
    """Text that may change several times before the screen is laid out."""
