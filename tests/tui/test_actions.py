"""The action table: what it feeds agrees with what is there."""

import pytest

from tui.actions import ACTIONS, PANE_KEYS, PANES, Action, Place
from tui.app import DistillApp
from tui.keys import footer_actions, told
from tui.panes import pane_class
from tui.panes.chat.question import QuestionField
from tui.panes.cost.pane import Figures
from tui.panes.prompt.advice_faces import FindingsFace, ProposalsFace
from tui.panes.prompt.editor import Editor
from tui.panes.prompt.own_answer import OwnAnswerFace
from tui.panes.prompt.rules_face import RulesFace
from tui.panes.prompt.trial_face import TrialFace
from tui.panes.prompt.versions_face import VersionsFace
from tui.screens.curate.narrow import NarrowScreen
from tui.screens.curate.screen import CurateScreen
from tui.screens.form.screen import FormScreen
from tui.screens.help.screen import Keys, help_text
from tui.screens.start.screen import StartScreen
from tui.screens.workspace.screen import WorkspaceScreen
from tui.screens.workspace.search import SearchLine
from tui.widgets.line import Line

CARRIERS: dict[Place, type] = {
    "everywhere": DistillApp,
    "workspace": WorkspaceScreen,
    "curate": CurateScreen,
    "narrow": NarrowScreen,
    "form": FormScreen,
    "help": Keys,
    "start": StartScreen,
    "rules": RulesFace,
    "versions": VersionsFace,
    "trial": TrialFace,
    "editing": Editor,
    "testing": OwnAnswerFace,
    "asking": QuestionField,
    "figures": Figures,
    "searching": SearchLine,
    "words": Line,
    "proposals": ProposalsFace,
    "findings": FindingsFace,
    "found": WorkspaceScreen,
    **{pane: pane_class(pane) for pane in PANES},
}
EATEN_BY_TMUX = {"ctrl+b", "ctrl+a", "ctrl+s", "ctrl+j", "ctrl+h", "ctrl+z"}
# Where a person can be: the places whose keys hold there, the nearest first.
WHEREABOUTS: list[tuple[Place, ...]] = [
    *((pane, "workspace") for pane in PANES),
    *((part, "prompt", "workspace") for part in ("rules", "versions", "trial", "proposals", "findings")),
    ("editing", "workspace"),
    ("testing", "workspace"),
    ("asking", "workspace"),
    ("figures", "workspace"),
    ("searching", "workspace"),
    ("words", "workspace"),
    *(("found", pane, "workspace") for pane in PANES),
    ("curate",),
    ("words",),
    ("narrow",),
    ("start",),
    ("form",),
    ("help",),
]
ROWS = [
    pytest.param(place, action, id=f"{place}.{action.id}") for place, actions in ACTIONS.items() for action in actions
]


@pytest.mark.parametrize(("place", "action"), ROWS)
def test_every_action_has_a_carrier_and_a_key_that_arrives(place: Place, action: Action) -> None:
    assert callable(getattr(CARRIERS[place], f"action_{action.id}"))
    assert set(action.keys.split(",")) - EATEN_BY_TMUX
    assert action.help.endswith(".")


@pytest.mark.parametrize("places", WHEREABOUTS, ids="-".join)
def test_a_footer_fits_80_columns_and_help_names_every_action(places: tuple[Place, ...]) -> None:
    shown = footer_actions(*places)
    assert {"help", "quit"} <= {action.id for action in shown}
    assert len(shown) <= 6
    assert sum(len(action.shown) + len(action.label) + 4 for action in shown) <= 78
    text = " ".join(help_text(*places).plain.split())
    for place in (*places, "everywhere"):
        for action in ACTIONS[place]:
            assert told(action.help) in text


@pytest.mark.parametrize("place", ACTIONS)
def test_no_key_means_two_things_in_one_place(place: Place) -> None:
    keys = [key for action in ACTIONS[place] for key in action.keys.split(",")]
    ids = [action.id for action in ACTIONS[place]]
    assert len(keys) == len(set(keys))
    assert len(ids) == len(set(ids))


def test_no_pane_takes_the_keys_that_choose_panes() -> None:
    for pane in (*PANES, "rules", "versions", "trial"):
        keys = {key for action in ACTIONS[pane] for key in action.keys.split(",")}
        assert not keys & {*PANE_KEYS.values(), "question_mark", "q", "w", "J", "K", "f", "o"}, pane
