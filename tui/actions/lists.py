"""Moving through lines, and searching them: the same keys wherever there is a list or a long text."""

from tui.actions.words import Action

MOVES = (
    Action("line_down", "j,down", "down", "Down a line."),
    Action("line_up", "k,up", "up", "Up a line."),
    Action("page_down", "pagedown,ctrl+d", "page down", "Down a page."),
    Action("page_up", "pageup,ctrl+u", "page up", "Up a page."),
    Action("first", "g,home", "first", "To the beginning."),
    Action("last", "G,end", "last", "To the end."),
)
SEARCHING = (
    Action(
        "take",
        "enter",
        "keep",
        "Stay at what was found; {found.found_next} and {found.found_before} go on.",
        footer=True,
    ),
    Action("leave", "escape", "restore", "Leave the search, and go back to where it began.", footer=True),
)
WORDS = (
    Action("take", "enter", "take", "Go on with the words.", footer=True),
    Action("leave", "escape", "leave", "Leave the words.", footer=True),
)
HELP = (
    *MOVES,
    Action("leave", "escape,q,enter", "close", "Close the help; so does the key that opened it.", footer=True),
)
# While a search is on these come before the pane's own keys.
FOUND = (
    Action("found_next", "n", "next", "The next row or line that holds the words.", footer=True),
    Action("found_before", "N", "before", "The row or line before that holds the words.", footer=True),
    Action("found_leave", "escape", "end", "End the search, and go back to where it began.", footer=True),
)
