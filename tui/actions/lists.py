"""Moving through lines and searching them: the same keys in every list and long text."""

from tui.actions.words import Action

MOVES = (
    Action("line_down", "j,down", "down", "Go down one line."),
    Action("line_up", "k,up", "up", "Go up one line."),
    Action("page_down", "pagedown,ctrl+d", "page down", "Go down one page."),
    Action("page_up", "pageup,ctrl+u", "page up", "Go up one page."),
    Action("first", "g,home", "first", "Go to the start."),
    Action("last", "G,end", "last", "Go to the end."),
)
SEARCHING = (
    Action(
        "take",
        "enter",
        "keep",
        "Stay at this match; {found.found_next} and {found.found_before} go to the others.",
        footer=True,
    ),
    Action("leave", "escape", "cancel", "Cancel the search and go back to where it started.", footer=True),
)
WORDS = (
    Action("take", "enter", "done", "Use the text.", footer=True),
    Action("leave", "escape", "cancel", "Cancel; the text is not used.", footer=True),
)
HELP = (
    *MOVES,
    Action("leave", "escape,q,enter", "close", "Close the help; so does the key that opened it.", footer=True),
)
# During a search these take precedence over the pane's own keys.
FOUND = (
    Action("found_next", "n", "next", "Go to the next match.", footer=True),
    Action("found_before", "N", "previous", "Go to the previous match.", footer=True),
    Action("found_leave", "escape", "end search", "End the search and go back to where it started.", footer=True),
)
