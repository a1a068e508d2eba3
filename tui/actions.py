"""The one table of actions: it feeds the bindings, the footer, the help screen and the palette.

Pure data. What an action does is the method `action_<id>` of the screen or app that carries it.
"""

from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding, BindingType

Place = Literal["everywhere", "workspace", "curate", "start"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do: its keys, a word for the footer, a sentence for help."""

    id: str
    keys: str  # Textual's names, by comma
    shown: str  # the keys as people read them
    label: str
    help: str
    place: Place
    footer: bool = False  # six at most a place


ACTIONS: tuple[Action, ...] = (
    Action(
        "follow", "f,end", "f", "follow", "Show the station where the work is, and stay with it.", "workspace", True
    ),
    Action("station_down", "j,down", "j", "next", "Show the next station.", "workspace"),
    Action("station_up", "k,up", "k", "previous", "Show the station before.", "workspace"),
    Action("pause", "p", "p", "pause", "Pause the job, or let it go on.", "workspace", True),
    Action("stop", "x", "x", "stop", "End the job at its next safe point; what it made is kept.", "workspace"),
    Action("resume", "r", "r", "resume", "Take up a job that stopped, failed or was killed.", "workspace", True),
    Action("page_down", "pagedown,ctrl+d", "PgDn", "down", "Scroll the pane down.", "workspace"),
    Action("page_up", "pageup,ctrl+u", "PgUp", "up", "Scroll the pane up.", "workspace"),
    Action("projects", "o", "o", "projects", "Choose another project.", "workspace"),
    Action("curate", "c", "c", "curate", "Review the teacher's answers, one key a decision.", "workspace", True),
    Action("accept", "a", "a", "accept", "Accept the answer, and go on to the next.", "curate", True),
    Action("reject", "x", "x", "reject", "Reject the answer, and go on to the next.", "curate", True),
    Action("edit", "e", "e", "edit", "Change the answer in your editor, and accept it.", "curate", True),
    Action("next_undecided", "n", "n", "next open", "Go to the next answer that is undecided.", "curate", True),
    Action("undo", "u", "u", "undo", "Take back the last step of decisions.", "curate"),
    Action("redo", "ctrl+r", "^r", "redo", "Decide again what was taken back.", "curate"),
    Action("check", "v", "v", "rules decide", "Let the rules decide what no person decided.", "curate"),
    Action("filter", "t", "t", "filter", "List all, the undecided, the accepted, or the rejected.", "curate"),
    Action("search", "slash", "/", "search", "Look for words in questions and answers.", "curate"),
    Action("row_down", "j,down", "j", "down", "The next answer.", "curate"),
    Action("row_up", "k,up", "k", "up", "The answer before.", "curate"),
    Action("rows_down", "pagedown,ctrl+d", "PgDn", "ten down", "Ten answers on.", "curate"),
    Action("rows_up", "pageup,ctrl+u", "PgUp", "ten up", "Ten answers back.", "curate"),
    Action("first", "g,home", "g", "first", "The first answer.", "curate"),
    Action("last", "G,end", "G", "last", "The last answer.", "curate"),
    Action("back", "escape", "esc", "back", "Go back to the stations.", "curate"),
    Action("open", "enter", "enter", "open", "Open the project.", "start", True),
    Action("demo", "d", "d", "demo", "Run the demo: distil the bundled prompt.", "start", True),
    Action("help", "question_mark,f1", "?", "help", "Show every key.", "everywhere", True),
    Action("quit", "q,ctrl+q", "q", "quit", "Leave; running jobs go on.", "everywhere", True),
)

STATION_KEYS = "1234567"


def bindings(*places: Place) -> list[BindingType]:
    """The bindings of these places. Textual's own footer is not used, so none is shown by it."""
    made: list[BindingType] = [
        Binding(action.keys, action.id, action.label, show=False, id=action.id)
        for action in ACTIONS
        if action.place in places
    ]
    if "workspace" in places:
        made += [
            Binding(key, f"station({index})", f"station {key}", show=False, id=f"station_{key}")
            for index, key in enumerate(STATION_KEYS)
        ]
    return made


def footer_actions(place: Place) -> tuple[Action, ...]:
    """What the footer of this place shows: its own actions first, then those that hold everywhere."""
    own = [action for action in ACTIONS if action.place == place and action.footer]
    return (*own, *(action for action in ACTIONS if action.place == "everywhere" and action.footer))


def help_actions(place: Place) -> tuple[Action, ...]:
    """Every action of this place, for the help screen."""
    return tuple(action for action in ACTIONS if action.place in (place, "everywhere"))
