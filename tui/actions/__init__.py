"""The one table of actions: it feeds the bindings, the footer, the help screen and the palette.

Pure data, one module a place. What an action does is the method `action_<id>` of the widget, screen or app that carries
the place. A person's own keys name an action `place.id`.
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
# Every binding's id, which is how a person's own keys name it, with its keys as Textual names them.
BOUND: dict[str, str] = {
    **{f"{place}.{action.id}": action.keys for place, actions in ACTIONS.items() for action in actions},
    **{f"workspace.{pane}": key for pane, key in PANE_KEYS.items()},
}
# The same for what holds everywhere, on a screen that lies over another: there no letter leaves the app.
OVER: dict[str, str] = {
    f"over.{action.id}": ",".join(key for key in action.keys.split(",") if len(key) > 1)
    for action in everywhere.ACTIONS
}
FOOTER_KEYS = 6
# What a pane shows over its own page: there these keys are looked for before the pane's.
OVER_PANES: dict[PaneName, tuple[Place, ...]] = {
    "evaluation": ("answers", "history", "differences"),
    "questions": ("preview", "twins"),
}
# Where something waits for a yes or a no, other keys are not told.
WAITING: tuple[Place, ...] = ("preview",)
TYPED: tuple[Place, ...] = ("editing", "testing", "asking", "figures", "searching", "words", "form")


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


def typeless(keys: str) -> list[str]:
    """Those of Textual's names of keys, by comma, that type nothing where text is typed."""
    return [key for key in keys.split(",") if not (key_to_character(key) or "\n").isprintable()]
