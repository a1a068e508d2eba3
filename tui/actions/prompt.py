"""Actions of the prompt pane: the prompt, its rules, versions, trial answers, and the editor."""

from tui.actions.words import Action

ACTIONS = (
    Action("edit", "e,enter", "edit", "Edit the prompt here, as one document.", footer=True),
    Action("versions", "v", "versions", "List the versions and what changed.", footer=True),
    Action("rules", "R", "rules", "Go to the rules.", footer=True),
    Action("trial", "T", "try", "Let the teacher answer a few questions, or show the trial.", footer=True),
    Action("editor", "E", "open editor", "Edit the prompt in your own editor."),
    Action("bring", "m", "import", "Import a prompt from a file; nothing is stored until you save it."),
    Action("copy", "y", "copy", "Copy the stored prompt as one document."),
    Action("propose", "P", "propose rules", "Propose rules from the prompt's own sentences."),
    Action("check", "C", "check", "Find vague, contradictory, untestable or repeated demands."),
    Action("drop", "D", "discard draft", "Discard the unsaved draft, or restore it."),
)
RULES = (
    Action("change", "e,enter", "edit", "Edit the rule.", footer=True),
    Action("add", "a", "add", "Write a new rule.", footer=True),
    Action("test", "t", "test", "Test the rules on an answer of your own.", footer=True),
    Action("remove", "D,delete", "delete", "Delete the rule; {rules.undo} undoes it.", footer=True),
    Action("undo", "u", "undo", "Undo the last change to the rules."),
    Action("bring", "m", "import", "Import rules from a YAML file."),
    Action("back", "escape", "back", "Go back to the prompt.", footer=True),
)
PROPOSALS = (
    Action(
        "accept",
        "a,enter",
        "add",
        "Add the rule under the cursor; without a check, as a rubric for a judge.",
        footer=True,
    ),
    Action("accept_all", "A", "add all", "Add every proposed rule that has a check.", footer=True),
    Action("undo", "u", "undo", "Undo the last change to the rules.", footer=True),
    Action("back", "escape,q", "back", "Go back to the rules.", footer=True),
)
FINDINGS = (
    Action("again", "R", "check again", "Check the prompt again.", footer=True),
    Action("back", "escape,q", "back", "Go back to the prompt.", footer=True),
)
VERSIONS = (
    Action("make_current", "b", "make current", "Make this version the current one; the others are kept.", footer=True),
    Action("whole", "enter", "full text", "Show the full text, or only what changed.", footer=True),
    Action("back", "escape,q,v", "back", "Go back to the prompt.", footer=True),
    Action("line_down", "j,down", "down", "Go to the next version in the list."),
    Action("line_up", "k,up", "up", "Go to the previous version in the list."),
    Action("page_down", "pagedown,ctrl+d", "page down", "Scroll down a page in what changed."),
    Action("page_up", "pageup,ctrl+u", "page up", "Scroll up a page in what changed."),
    Action("first", "g,home", "first", "Go to the newest version."),
    Action("last", "G,end", "last", "Go to the oldest version."),
)
TRIAL = (
    Action("back", "escape,q", "back", "Go back to the prompt; answers keep coming.", footer=True),
    Action("end", "x", "stop asking", "Ask no more questions; the answers stay.", footer=True),
)
EDITING = (
    Action("save", "ctrl+s,ctrl+g,f10", "save", "Save the text as a new version.", footer=True),
    Action("leave", "escape", "leave", "Leave the editor; unsaved text is kept as a draft.", footer=True),
    Action("undo", "ctrl+underscore,ctrl+z", "undo", "Undo the last change to the text.", footer=True),
    Action("redo", "ctrl+y", "redo", "Redo what was undone last.", footer=True),
)
TESTING = (
    Action("back", "escape", "back", "Go back to the rules.", footer=True),
    Action("findings_down", "pagedown", "scroll down", "Scroll down in the results.", footer=True),
    Action("findings_up", "pageup", "scroll up", "Scroll up in the results."),
)
