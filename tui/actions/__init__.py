"""The one table of actions: it feeds the bindings, the footer, the help screen and the palette.

Pure data, one module a place. What an action does is the method `action_<id>` of the widget, screen or app that carries
the place. A person's own keys name an action `place.id`.
"""

from dataclasses import replace

from textual.binding import Binding, BindingType

from tui.actions import (
    chat,
    cost,
    curate,
    dataset,
    evaluation,
    everywhere,
    examples,
    prompt,
    questions,
    release,
    run,
    start,
    workspace,
)
from tui.actions.lists import FOUND, MOVES, SEARCHING
from tui.actions.words import Action as Action
from tui.actions.words import PaneName as PaneName
from tui.actions.words import Place as Place

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
    "curate": curate.ACTIONS,
    "start": start.ACTIONS,
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
FOOTER_KEYS = 6
TYPED: tuple[Place, ...] = ("editing", "testing", "asking", "figures", "searching")
_SHORT = {
    "question_mark": "?",
    "slash": "/",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "ctrl+": "^",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "equals_sign": "=",
    "escape": "esc",
}


def bindings(place: Place) -> list[BindingType]:
    """The bindings of a place. Textual's own footer is not used, so none is shown by it."""
    made: list[BindingType] = [
        Binding(action.keys, action.id, action.label, show=False, id=f"{place}.{action.id}", priority=place == "found")
        for action in ACTIONS[place]
    ]
    if place == "workspace":
        made += [
            Binding(key, f"pane('{pane}')", pane, show=False, id=f"workspace.{pane}") for pane, key in PANE_KEYS.items()
        ]
    return made


def footer_actions(*places: Place) -> tuple[Action, ...]:
    """What the footer shows: the actions of these places, the nearest first, then those that hold everywhere.

    Where text is typed, a letter is a letter: there only the field's own keys hold, and of what holds everywhere those
    that are no letters.
    """
    shown = [action for action in ACTIONS["everywhere"] if action.footer]
    if places and places[0] in TYPED:
        places = places[:1]
        shown = [replace(action, shown=as_read(action.keys.rpartition(",")[2])) for action in shown]
    own = [action for place in places for action in ACTIONS[place] if action.footer]
    return (*own[: FOOTER_KEYS - len(shown)], *shown)


def as_read(keys: str) -> str:
    """Textual's names of keys as people read them."""
    shown = keys.replace(",", " ")
    for name, short in _SHORT.items():
        shown = shown.replace(name, short)
    return shown
