"""The one table of actions: it feeds the bindings, the footer, the help screen and the palette.

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
from tui.actions.words import as_read as as_read

ACTIONS: dict[Place, tuple[Action, ...]] = {
    "everywhere": everywhere.ACTIONS,
    "workspace": workspace.ACTIONS,
    "prompt": (*prompt.ACTIONS, *MOVES),
    "rules": (*prompt.RULES, *MOVES),
    "versions": prompt.VERSIONS,
    "trial": (*prompt.TRIAL, *MOVES),
    "proposals": (*prompt.PROPOSALS, *MOVES),
    "findings": (*prompt.FINDINGS, *MOVES),
    "editing": prompt.EDITING,
    "testing": prompt.TESTING,
    "questions": (*questions.ACTIONS, *MOVES),
    "examples": examples.ACTIONS,
    "dataset": (*dataset.ACTIONS, *MOVES),
    "run": (*run.ACTIONS, *MOVES),
    "evaluation": (*evaluation.ACTIONS, *MOVES),
    "release": (*release.ACTIONS, *MOVES),
    "cost": (*cost.ACTIONS, *MOVES),
    "figures": cost.FIGURES,
    "chat": (*chat.ACTIONS, *MOVES),
    "asking": chat.ASKING,
    "searching": SEARCHING,
    "found": FOUND,
    "words": WORDS,
    "answers": evaluation.ANSWERS,
    "history": (*evaluation.HISTORY, *MOVES),
    "differences": (*evaluation.DIFFERENCES, *MOVES),
    "twins": (*questions.TWINS, *MOVES),
    "preview": (*questions.PREVIEW, *MOVES),
    "curate": curate.ACTIONS,
    "narrow": curate.NARROW,
    "correcting": curate.CORRECTING,
    "jobs": (*jobs.ACTIONS, *MOVES),
    "start": start.ACTIONS,
    "form": form.ACTIONS,
    "help": HELP,
}
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
# What a pane may show over its own page: these keys take precedence over the pane's.
OVER_PANES: dict[PaneName, tuple[Place, ...]] = {
    "evaluation": ("answers", "history", "differences"),
    "questions": ("preview", "twins"),
}
# Places that wait for a yes or no: no other keys are shown.
CONFIRM_PLACES: tuple[Place, ...] = ("preview",)
TEXT_PLACES: tuple[Place, ...] = ("editing", "testing", "asking", "figures", "searching", "words", "correcting", "form")


def bindings(place: Place) -> list[BindingType]:
    """Return the bindings of a place, hidden from Textual's own footer, which is not used."""
    made: list[BindingType] = [
        Binding(action.keys, action.id, action.label, show=False, id=f"{place}.{action.id}", priority=place == "found")
        for action in ACTIONS[place]
    ]
    if place == "workspace":
        made += [
            Binding(key, f"pane('{pane}')", pane, show=False, id=f"workspace.{pane}") for pane, key in PANE_KEYS.items()
        ]
    return made


def non_printing(keys: str) -> list[str]:
    """Return the keys of a comma-separated list that insert no character in a text field."""
    return [key for key in keys.split(",") if not (key_to_character(key) or "\n").isprintable()]
