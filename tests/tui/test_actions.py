"""The action table: what it feeds agrees with what is there."""

import pytest

from engine.paths import Home
from tests.tui.piloting import open_app, shown, until
from tests.tui.seeds import make_stage
from tui.actions import ACTIONS, PANE_KEYS, PANES, TEXT_PLACES, Action, Place
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.keys import footer_actions, with_keys
from tui.panes import pane_class
from tui.panes.chat.question import QuestionField
from tui.panes.cost.pane import Figures
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.prompt.advice_views import FindingsView, ProposalsView
from tui.panes.prompt.editor import Editor
from tui.panes.prompt.own_answer import OwnAnswerView
from tui.panes.prompt.rules_view import RulesView
from tui.panes.prompt.trial_view import TrialView
from tui.panes.prompt.versions_view import VersionsView
from tui.panes.questions.pane import QuestionsPane
from tui.screens.curate.narrow import NarrowScreen
from tui.screens.curate.screen import CurateScreen
from tui.screens.help.screen import HelpScreen, Keys, help_text
from tui.screens.jobs.screen import Jobs
from tui.screens.start.screen import StartScreen
from tui.screens.workspace.screen import WorkspaceScreen
from tui.screens.workspace.search import SearchLine
from tui.widgets.line import Line
from tui.widgets.page import Page

CARRIERS: dict[Place, type] = {
    "everywhere": DistillApp,
    "workspace": WorkspaceScreen,
    "curate": CurateScreen,
    "narrow": NarrowScreen,
    "form": FormScreen,
    "help": Keys,
    "jobs": Jobs,
    "start": StartScreen,
    "rules": RulesView,
    "versions": VersionsView,
    "trial": TrialView,
    "editing": Editor,
    "testing": OwnAnswerView,
    "asking": QuestionField,
    "figures": Figures,
    "searching": SearchLine,
    "words": Line,
    "proposals": ProposalsView,
    "findings": FindingsView,
    "found": WorkspaceScreen,
    "answers": EvaluationPane,
    "history": EvaluationPane,
    "differences": EvaluationPane,
    "preview": QuestionsPane,
    "twins": QuestionsPane,
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
    *((over, "evaluation", "workspace") for over in ("answers", "history", "differences")),
    ("preview", "workspace"),
    ("twins", "questions", "workspace"),
    ("curate",),
    ("words",),
    ("narrow",),
    ("start",),
    ("form",),
    ("help",),
]
# Where the key that leaves the program goes one level back.
LEFT_BY_Q: tuple[Place, ...] = (
    "curate", "narrow", "help", "answers", "history", "differences", "preview", "twins",
    "versions", "trial", "proposals", "findings",
)  # fmt: skip
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
    left = [action.shown for action in shown if action.id == "quit"]
    assert "help" in {action.id for action in shown}
    assert left == ([] if places[0] in LEFT_BY_Q else ["^q"] if places[0] in TEXT_PLACES else ["q"])
    assert len(shown) <= 6
    assert sum(len(action.shown) + len(action.label) + 4 for action in shown) <= 78
    text = " ".join(help_text(*places).plain.split())
    for place in (*places, "everywhere"):
        for action in ACTIONS[place]:
            assert with_keys(action.help) in text


@pytest.mark.parametrize("place", ACTIONS)
def test_no_key_means_two_things_in_one_place(place: Place) -> None:
    keys = [key for action in ACTIONS[place] for key in action.keys.split(",")]
    ids = [action.id for action in ACTIONS[place]]
    assert len(keys) == len(set(keys))
    assert len(ids) == len(set(ids))


def test_no_pane_takes_the_keys_that_choose_panes() -> None:
    for pane in (*PANES, "rules", "versions", "trial"):
        keys = {key for action in ACTIONS[pane] for key in action.keys.split(",")}
        assert not keys & {*PANE_KEYS.values(), "question_mark", "w", "J", "K", "f", "o"}, pane
        assert ("q" in keys) == (pane in LEFT_BY_Q), pane


def test_a_footer_tells_no_key_that_something_nearer_takes() -> None:
    with_keys = [(action.shown, action.id) for action in footer_actions("differences", "evaluation", "workspace")]
    assert ("esc", "leave_differences") in with_keys
    assert ("enter", "open") not in with_keys
    with_keys = [(action.shown, action.id) for action in footer_actions("history", "evaluation", "workspace")]
    assert with_keys[:3] == [("enter", "open"), ("esc", "leave_history"), ("e", "evaluate")]


def test_near_twins_tell_their_own_keys_before_those_of_the_list() -> None:
    with_keys = [action.label for action in footer_actions("twins", "questions", "workspace")]
    assert with_keys[:4] == ["delete", "mark", "mark all", "back"]


def test_where_something_waits_for_an_answer_no_other_key_is_told() -> None:
    with_keys = [(action.shown, action.label) for action in footer_actions("preview", "workspace")]
    assert with_keys == [("enter", "store"), ("esc", "back"), ("?", "help")]


@pytest.mark.parametrize("width", [60, 70, 80])
async def test_no_sentence_of_the_help_goes_on_under_its_key(home: Home, width: int) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(width, 24)) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and bool(app.screen.query_one(Page).rows))
        page = app.screen.query_one(Page)
        await until(pilot, lambda: page.rows == tuple(page.plain.split("\n")))
        await pilot.resize_terminal(64, 24)
        await until(pilot, lambda: page.size.width < 60 and page.rows == tuple(page.plain.split("\n")))


def test_help_names_only_the_key_that_leaves_where_a_nearer_place_takes_the_other() -> None:
    assert "q ^q          Quit; running jobs continue." in help_text("evaluation", "workspace").plain
    assert "\n^q            Quit; running jobs continue." in help_text("answers", "evaluation", "workspace").plain
