"""Actions of the questions pane: import, write, split, search, mark, delete, undo.

Also the actions on near-duplicates, and on an import or a split that is previewed before it is stored.
"""

from tui.actions.words import Action

ACTIONS = (
    Action("bring", "m", "import", "Import questions from a file; you see what would be stored first.", footer=True),
    Action("synthesize", "s", "write", "Let the teacher write questions; a form shows what it will take.", footer=True),
    Action("split", "S", "split", "Draw train, validation and test by topic; you see the result first.", footer=True),
    Action("add", "a", "add", "Type one question."),
    Action("search", "slash", "search", "List only questions with these words; {questions.back} lists all again."),
    Action("found_next", "n", "next match", "Go to the next match of the search."),
    Action("found_before", "N", "previous match", "Go to the previous match of the search."),
    Action("filter", "t", "filter by split", "Cycle the list: all, train, validation, test, unsplit."),
    Action("topics", "T", "topics", "Show the topics and their splits; {questions.take} lists one."),
    Action("twins", "d", "near-duplicates", "Find questions that nearly repeat others."),
    Action("mark", "space", "mark", "Mark the question and go on; keys then act on all marked questions."),
    Action("range", "v", "range", "Start a range of marks; press again to end it."),
    Action("mark_all", "asterisk", "mark all", "Mark all questions in the list, or unmark them."),
    Action(
        "remove", "D,delete", "delete", "Delete the marked questions, or this one; asks first if they have answers."
    ),
    Action("undo", "u", "undo", "Undo the last change made here; after a restart, the last import."),
    Action("take", "enter", "read", "Show the whole question; in the topics, list only the one under the cursor."),
    Action("back", "escape", "back", "Clear the marks, close what is shown, or list all again.", footer=True),
)
TWINS = (
    Action("remove", "D,delete", "delete", "Delete the later question of this pair, or of marked pairs.", footer=True),
    Action("mark", "space", "mark", "Mark the pair and go on.", footer=True),
    Action("mark_all", "asterisk", "mark all", "Mark every pair, or unmark them.", footer=True),
    Action("leave_twins", "escape,q", "back", "Clear the marks, or go back to the list.", footer=True),
)
PREVIEW = (
    Action("take", "enter", "store", "Store what is shown.", footer=True),
    Action("leave_preview", "escape,q", "back", "Go back without storing anything.", footer=True),
)
