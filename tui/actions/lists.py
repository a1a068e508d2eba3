"""Moving through lines: the same keys wherever there is a list or a long text."""

from tui.actions.words import Action

MOVES = (
    Action("line_down", "j,down", "j", "down", "Down a line."),
    Action("line_up", "k,up", "k", "up", "Up a line."),
    Action("page_down", "pagedown,ctrl+d", "PgDn", "page down", "Down a page."),
    Action("page_up", "pageup,ctrl+u", "PgUp", "page up", "Up a page."),
    Action("first", "g,home", "g", "first", "To the beginning."),
    Action("last", "G,end", "G", "last", "To the end."),
)
