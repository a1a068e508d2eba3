"""Actions of a form. In a text field, letters are typed and ← → move within the text."""

from tui.actions.words import Action

ACTIONS = (
    Action("submit", "enter,ctrl+g,f10", "continue", "Continue, or show which field is wrong.", footer=True),
    Action("next_field", "down,tab", "next", "Go to the next field.", footer=True),
    Action("field_before", "up,shift+tab", "previous", "Go to the previous field."),
    Action(
        "next_choice", "right,l,space", "choose", "Select the next choice, if the field offers several.", footer=True
    ),
    Action("choice_before", "left,h", "previous", "Select the previous choice."),
    Action("page_down", "pagedown", "page down", "Scroll down in a long form."),
    Action("page_up", "pageup", "page up", "Scroll up in a long form."),
    Action("leave", "escape", "cancel", "Close the form without doing anything.", footer=True),
)
