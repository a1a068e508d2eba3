"""What a person can do with the prompt: in its pane, with its rules, its versions, answers to try, and while typing."""

from tui.actions.words import Action

ACTIONS = (
    Action("edit", "i,enter", "edit", "Change the prompt here, as one document.", footer=True),
    Action("versions", "v", "versions", "List the versions, with what changed.", footer=True),
    Action("rules", "R", "rules", "Go to the rules.", footer=True),
    Action("trial", "T", "try", "Let the teacher answer a few questions, or see what it answered.", footer=True),
    Action("editor", "e", "editor", "Change the prompt in your own editor."),
    Action("bring", "m", "bring a file", "Read a prompt from a file; nothing is stored before you save it."),
    Action("copy", "y", "copy", "Copy the prompt as it is stored, as one document."),
    Action("propose", "P", "propose rules", "Propose rules from the prompt's own sentences, to take one by one."),
    Action("check", "C", "check", "Look for demands that are vague, contradictory, untestable or said twice."),
    Action("drop", "D", "drop draft", "Let go of what is typed and not saved, or take it back."),
)
RULES = (
    Action("change", "enter", "change", "Change the rule.", footer=True),
    Action("add", "n", "new", "Write a new rule.", footer=True),
    Action("test", "t", "test", "Test the rules on an answer of your own.", footer=True),
    Action("remove", "d,delete", "remove", "Remove the rule; {rules.undo} takes it back.", footer=True),
    Action("undo", "u", "undo", "Take back the last change of the rules."),
    Action("bring", "m", "bring a file", "Read rules from a YAML file."),
    Action("back", "escape", "text", "Go back to the text."),
)
PROPOSALS = (
    Action("accept", "a,enter", "take", "Store the rule under the cursor.", footer=True),
    Action("accept_all", "A", "take all", "Store every proposed rule that has a check.", footer=True),
    Action("undo", "u", "undo", "Take back the last change of the rules.", footer=True),
    Action("back", "escape,q", "rules", "Go back to the rules.", footer=True),
)
FINDINGS = (
    Action("again", "r", "look again", "Look at the prompt again.", footer=True),
    Action("back", "escape,q", "text", "Go back to the prompt.", footer=True),
)
VERSIONS = (
    Action("make_current", "b", "back to it", "Make this version the current one; no other is lost.", footer=True),
    Action("whole", "enter", "whole text", "Show the whole text, or what changed alone.", footer=True),
    Action("back", "escape,q,v", "text", "Go back to the prompt.", footer=True),
    Action("line_down", "j,down", "down", "The next version."),
    Action("line_up", "k,up", "up", "The version before."),
    Action("page_down", "pagedown,ctrl+d", "page down", "Down a page of what changed."),
    Action("page_up", "pageup,ctrl+u", "page up", "Up a page of what changed."),
    Action("first", "g,home", "first", "The newest version."),
    Action("last", "G,end", "last", "The oldest version."),
)
TRIAL = (
    Action("back", "escape,q", "text", "Go back to the prompt; answers still come.", footer=True),
    Action("end", "x", "stop asking", "Ask no further question; the answers stay.", footer=True),
)
EDITING = (
    Action("save", "ctrl+g,f10", "save", "Save what stands here.", footer=True),
    Action("leave", "escape", "leave", "Leave; what is not saved is kept as a draft.", footer=True),
    Action("undo", "ctrl+underscore,ctrl+z", "undo", "Take back the last change of the text.", footer=True),
    Action("redo", "ctrl+y", "redo", "Do again what was taken back.", footer=True),
)
TESTING = (
    Action("back", "escape", "rules", "Go back to the rules.", footer=True),
    Action("findings_down", "pagedown", "down", "Scroll down in what the rules find.", footer=True),
    Action("findings_up", "pageup", "up", "Scroll up in it."),
)
