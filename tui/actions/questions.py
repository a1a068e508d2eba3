"""What a person can do with questions: bring, write, split, search, tell twins, mark, delete, take back.

And what they can say to an import or a split that is shown before it is stored.
"""

from tui.actions.words import Action

ACTIONS = (
    Action("bring", "i", "import", "Bring questions from a file; what would be stored is shown first.", footer=True),
    Action("synthesize", "s", "write", "Let the teacher write questions; a form shows what it takes.", footer=True),
    Action("split", "S", "split", "Draw train, validation and test by topic; the result is shown first.", footer=True),
    Action("add", "a", "add", "Type one question."),
    Action("search", "slash", "search", "List only what holds the words; {questions.back} restores the place."),
    Action("found_next", "n", "next found", "The next question that the search found."),
    Action("found_before", "N", "found before", "The question before that the search found."),
    Action("filter", "t", "split list", "List one split after the other, those without one, or all."),
    Action("topics", "T", "topics", "Show the topics with their splits; {questions.take} lists one."),
    Action("twins", "d", "near twins", "Find questions that repeat others, side by side."),
    Action("mark", "space", "mark", "Mark the question, and go on; keys then act on all marks."),
    Action("range", "v", "range", "Begin a range of marks; once more ends it."),
    Action("mark_all", "asterisk", "mark all", "Mark all that is listed, or unmark it."),
    Action("remove", "D,delete", "delete", "Delete the marked questions, or the one here; asks for answered ones."),
    Action("undo", "u", "undo", "Take back what was done last here; after a restart, the last import."),
    Action("take", "enter", "take", "In the topics: list the one under the cursor."),
    Action("back", "escape", "back", "Clear the marks, leave what is shown, or list all again."),
)
TWINS = (
    Action("remove", "D,delete", "delete", "Delete the later one of the pair, or of all that are marked.", footer=True),
    Action("mark", "space", "mark", "Mark the pair, and go on.", footer=True),
    Action("mark_all", "asterisk", "mark all", "Mark every pair, or unmark it.", footer=True),
    Action("leave_twins", "escape,q", "back", "Clear the marks, or go back to the list.", footer=True),
)
PREVIEW = (
    Action("take", "enter", "store", "Store what is shown.", footer=True),
    Action("leave_preview", "escape,q", "back", "Go back; nothing is stored.", footer=True),
)
