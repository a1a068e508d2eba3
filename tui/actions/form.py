"""What a person can do in a form. In a field that is typed a letter is a letter, and ← → move in what stands there."""

from tui.actions.words import Action

ACTIONS = (
    Action("submit", "enter,ctrl+g,f10", "go on", "Go on, or see under its field what is wrong.", footer=True),
    Action("next_field", "down,tab", "next", "The next field.", footer=True),
    Action("field_before", "up,shift+tab", "before", "The field before."),
    Action("next_choice", "right,l,space", "choose", "The next word, where a field offers several.", footer=True),
    Action("choice_before", "left,h", "before", "The word before."),
    Action("page_down", "pagedown", "page down", "Scroll down in a form that is longer than its place."),
    Action("page_up", "pageup", "page up", "Scroll up in it."),
    Action("leave", "escape", "leave", "Leave; nothing is done.", footer=True),
)
