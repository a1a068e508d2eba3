"""What a widget of automatic height needs so that it has the height of its newest content. Knows no content."""

from typing import Self

from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static


class Growing(Widget):
    """Counts every change of its size.

    Textual (8.2.8) counts only the first of several between two idle moments of a widget. Where the screen is laid out
    in between, the height that it finds then stands in its cache for the later content too, and nothing asks again.
    """

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """As every widget's; one that changes the size makes what was measured before void."""
        if layout:
            self._layout_updates += 1
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


class Words(Static, Growing):
    """Words that may change several times before the screen is laid out."""
