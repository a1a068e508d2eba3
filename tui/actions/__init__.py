"""The one table of places and their actions: it feeds the bindings, the footer, the help screen and the palette.

Pure data, one module per place. The behaviour of an action is the method `action_<id>` of the widget, screen or app
that carries the place. The user's own key settings name an action as `place.id`.
"""

from textual.binding import Binding, BindingType
from textual.keys import key_to_character

from tui.actions import (
    chat,
    cost,
    curate,
    dataset,
    evaluation,
    everywhere,
    examples,
    form,
    jobs,
    prompt,
    questions,
    release,
    run,
    start,
    workspace,
)
from tui.actions.lists import FOUND, HELP, MOVES, SEARCHING, WORDS
from tui.actions.words import Action as Action
from tui.actions.words import PaneName as PaneName
from tui.actions.words import Place as Place
from tui.actions.words import Spot as Spot
from tui.actions.words import as_read as as_read

PLACES: dict[Place, Spot] = {
    "everywhere": Spot(everywhere.ACTIONS, None),
    "workspace": Spot(workspace.ACTIONS),
    "prompt": Spot((*prompt.ACTIONS, *MOVES), "workspace"),
    "rules": Spot((*prompt.RULES, *MOVES), "prompt"),
    "versions": Spot(prompt.VERSIONS, "prompt"),
    "trial": Spot((*prompt.TRIAL, *MOVES), "prompt", title="Try"),
    "proposals": Spot((*prompt.PROPOSALS, *MOVES), "prompt", title="Proposed rules"),
    "findings": Spot((*prompt.FINDINGS, *MOVES), "prompt", title="Prompt check"),
    "editing": Spot(prompt.EDITING, "workspace", typed=True),
    "testing": Spot(prompt.TESTING, "workspace", typed=True, title="Test the rules"),
    "questions": Spot((*questions.ACTIONS, *MOVES), "workspace"),
    "examples": Spot(examples.ACTIONS, "workspace"),
    "dataset": Spot((*dataset.ACTIONS, *MOVES), "workspace"),
    "run": Spot((*run.ACTIONS, *MOVES), "workspace"),
    "evaluation": Spot((*evaluation.ACTIONS, *MOVES), "workspace"),
    "release": Spot((*release.ACTIONS, *MOVES), "workspace"),
    "cost": Spot((*cost.ACTIONS, *MOVES), "workspace"),
    "figures": Spot(cost.FIGURES, "workspace", typed=True),
    "chat": Spot((*chat.ACTIONS, *MOVES), "workspace"),
    "asking": Spot(chat.ASKING, "chat", typed=True),
    "searching": Spot(SEARCHING, "workspace", typed=True),
    "found": Spot(FOUND, "workspace"),  # over any pane, whose keys give way while its search is on
    "words": Spot(WORDS, "workspace", typed=True),
    "answers": Spot(evaluation.ANSWERS, "evaluation"),
    "history": Spot((*evaluation.HISTORY, *MOVES), "evaluation", title="Evaluations"),
    "differences": Spot((*evaluation.DIFFERENCES, *MOVES), "evaluation"),
    "twins": Spot((*questions.TWINS, *MOVES), "questions", title="Near-duplicates"),
    "preview": Spot((*questions.PREVIEW, *MOVES), "workspace", confirms=True),
    "curate": Spot(curate.ACTIONS, title="Review"),
    "narrow": Spot(curate.NARROW),
    "correcting": Spot(curate.CORRECTING, typed=True),
    "jobs": Spot((*jobs.ACTIONS, *MOVES)),
    "start": Spot(start.ACTIONS, title="Projects"),
    "form": Spot(form.ACTIONS, typed=True),
    "help": Spot(HELP),
}
ACTIONS: dict[Place, tuple[Action, ...]] = {place: spot.actions for place, spot in PLACES.items()}
PANE_KEYS: dict[PaneName, str] = {
    "prompt": "1",
    "questions": "2",
    "examples": "3",
    "dataset": "4",
    "run": "5",
    "evaluation": "6",
    "release": "7",
    "cost": "8",
    "chat": "9",
}
PANES: tuple[PaneName, ...] = tuple(PANE_KEYS)
# Every binding id, as used in the user's own key settings, with its keys as Textual names them.
BOUND: dict[str, str] = {
    **{f"{place}.{action.id}": action.keys for place, actions in ACTIONS.items() for action in actions},
    **{f"workspace.{pane}": key for pane, key in PANE_KEYS.items()},
}
# The actions of everywhere on a screen that covers another one: there no single letter quits the app.
OVER: dict[str, str] = {
    f"over.{action.id}": ",".join(key for key in action.keys.split(",") if len(key) > 1)
    for action in everywhere.ACTIONS
}
FOOTER_KEYS = 6
TEXT_PLACES: frozenset[Place] = frozenset(place for place, spot in PLACES.items() if spot.typed)


def chain(place: Place) -> tuple[Place, ...]:
    """Return the places where a key pressed at this one is looked up, nearest first."""
    over = PLACES[place].over
    return (place, *(chain(over) if over is not None else ()))


def bindings(*places: Place) -> list[BindingType]:
    """Return the bindings of places, hidden from Textual's own footer, which is not used."""
    made: list[BindingType] = [
        Binding(action.keys, action.id, action.label, show=False, id=f"{place}.{action.id}", priority=place == "found")
        for place in places
        for action in ACTIONS[place]
    ]
    if "workspace" in places:
        made += [
            Binding(key, f"pane('{pane}')", pane, show=False, id=f"workspace.{pane}") for pane, key in PANE_KEYS.items()
        ]
    return made


def non_printing(keys: str) -> list[str]:
    """Return the keys of a comma-separated list that insert no character in a text field."""
    return [key for key in keys.split(",") if not (key_to_character(key) or "\n").isprintable()]
