"""The action table: its handlers exist, its keys do not clash, and footer and help show them correctly."""

import pytest

from engine.paths import Home
from tests.tui.piloting import open_app, shown, until
from tests.tui.seeds import make_stage
from tui.actions import ACTIONS, PANE_KEYS, PANES, TEXT_PLACES, Action, Place, chain
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.keys import footer_actions, key_of, with_keys
from tui.panes import pane_class
from tui.panes.chat.question import QuestionField
from tui.panes.cost.figures import Figures
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.prompt.advice_views import FindingsView, ProposalsView
from tui.panes.prompt.editor import Editor
from tui.panes.prompt.own_answer import OwnAnswerView
from tui.panes.prompt.rules_view import RulesView
from tui.panes.prompt.trial_view import TrialView
from tui.panes.prompt.versions_view import VersionsView
from tui.panes.questions.pane import QuestionsPane
from tui.screens.curate.editing import AnswerScreen
from tui.screens.curate.narrow import NarrowScreen
from tui.screens.curate.screen import CurateScreen
from tui.screens.help.screen import HelpScreen, Keys, help_text
from tui.screens.jobs.screen import Jobs
from tui.screens.start.screen import StartScreen
from tui.screens.workspace.screen import WorkspaceScreen
from tui.screens.workspace.search import SearchLine
from tui.widgets.line import Line
from tui.widgets.page import Page

HANDLERS: dict[Place, type] = {
    "everywhere": DistillApp,
    "workspace": WorkspaceScreen,
    "curate": CurateScreen,
    "narrow": NarrowScreen,
    "correcting": AnswerScreen,
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
TAKEN_BY_TERMINALS = {"ctrl+b", "ctrl+a", "ctrl+s", "ctrl+j", "ctrl+h", "ctrl+z"}
# For each place where the focus can be: the places whose keys work there, the nearest first.
KEY_CHAINS: list[tuple[Place, ...]] = [
    *(chain(place)[:-1] for place in ACTIONS if place != "everywhere"),
    *(("found", pane, "workspace") for pane in PANES),
]
# Places where q goes back one level instead of quitting.
CLOSED_BY_Q: tuple[Place, ...] = (
    "curate", "narrow", "help", "jobs", "answers", "history", "differences", "preview", "twins",
    "versions", "trial", "proposals", "findings",
)  # fmt: skip
ROWS = [
    pytest.param(place, action, id=f"{place}.{action.id}") for place, actions in ACTIONS.items() for action in actions
]


@pytest.mark.parametrize(("place", "action"), ROWS)
def test_every_action_has_a_handler_and_a_usable_key(place: Place, action: Action) -> None:
    assert callable(getattr(HANDLERS[place], f"action_{action.id}"))
    assert set(action.keys.split(",")) - TAKEN_BY_TERMINALS
    assert action.help.endswith(".")


@pytest.mark.parametrize("places", KEY_CHAINS, ids="-".join)
def test_footer_fits_80_columns_and_help_lists_every_action(places: tuple[Place, ...]) -> None:
    actions = footer_actions(*places)
    quit_keys = [action.shown for action in actions if action.id == "quit"]
    assert "help" in {action.id for action in actions}
    assert quit_keys == ([] if places[0] in CLOSED_BY_Q else ["^q"] if places[0] in TEXT_PLACES else ["q"])
    assert len(actions) <= 6
    assert sum(len(action.shown) + len(action.label) + 4 for action in actions) <= 78
    text = " ".join(help_text(*places).plain.split())
    typed, taken = places[0] in TEXT_PLACES, set[str]()
    for place in (*places, "everywhere"):
        for action in ACTIONS[place]:
            hidden = set(action.keys.split(",")) <= taken or (typed and place not in (places[0], "everywhere"))
            assert hidden or with_keys(action.help) in text
        if not typed or place == places[0]:
            taken |= {key for action in ACTIONS[place] for key in action.keys.split(",")}


@pytest.mark.parametrize("place", ACTIONS)
def test_keys_and_ids_are_unique_within_a_place(place: Place) -> None:
    keys = [key for action in ACTIONS[place] for key in action.keys.split(",")]
    ids = [action.id for action in ACTIONS[place]]
    assert len(keys) == len(set(keys))
    assert len(ids) == len(set(ids))


def test_the_same_act_has_the_same_key_everywhere() -> None:
    """In a text field letters only type, so that other keys are needed there."""
    keys: dict[str, dict[str, set[Place]]] = {}
    for place, actions in ACTIONS.items():
        for action in actions if place not in TEXT_PLACES else ():
            keys.setdefault(action.label, {}).setdefault(action.keys.partition(",")[0], set()).add(place)
    several = {label: found for label, found in keys.items() if len(found) > 1}
    assert {label: found for label, found in several.items() if len(set().union(*found.values())) > 1} == {}
    firsts = {f"{place}.{action.id}": action.keys.partition(",")[0] for place in ACTIONS for action in ACTIONS[place]}
    for key, names in {
        "u": "rules.undo questions.undo curate.undo cost.undo start.undo chat.unvote",
        "D": "rules.remove questions.remove twins.remove run.delete start.delete",
        "m": "prompt.bring rules.bring questions.bring",
        "R": "curate.again examples.retry chat.again findings.again dataset.look",
        "e": "prompt.edit rules.change curate.edit cost.edit chat.rewrite",
        "E": "prompt.editor curate.editor",
        "a": "rules.add questions.add proposals.accept",
        "y": "prompt.copy examples.copy curate.copy release.copy chat.copy answers.copy jobs.copy",
        "T": "questions.topics curate.choose",
        "t": "questions.filter curate.filter",
        "d": "run.differing evaluation.differing",
    }.items():
        assert {name: firsts[name] for name in names.split()} == dict.fromkeys(names.split(), key)


def test_panes_do_not_use_the_global_keys() -> None:
    panes: tuple[Place, ...] = (*PANES, "rules", "versions", "trial")
    for pane in panes:
        keys = {key for action in ACTIONS[pane] for key in action.keys.split(",")}
        assert not keys & {*PANE_KEYS.values(), "question_mark", "w", "J", "K", "f", "o"}, pane
        assert ("q" in keys) == (pane in CLOSED_BY_Q), pane


def test_panes_do_not_use_the_keys_of_the_next_steps_that_the_header_names_everywhere() -> None:
    steps = ("workspace.update", "workspace.resume", "workspace.curate", "workspace.jobs")
    used = {key for pane in PANES for action in ACTIONS[pane] for key in action.keys.split(",")}
    assert used.isdisjoint(map(key_of, steps))


def test_footer_omits_keys_taken_by_a_nearer_place() -> None:
    footer = [(action.shown, action.id) for action in footer_actions("differences", "evaluation", "workspace")]
    assert ("esc", "leave_differences") in footer
    assert ("enter", "open") not in footer
    footer = [(action.shown, action.id) for action in footer_actions("history", "evaluation", "workspace")]
    assert footer[:2] == [("enter", "open"), ("e", "evaluate")]


def test_footer_shows_keys_of_near_duplicates_before_those_of_the_list() -> None:
    labels = [action.label for action in footer_actions("twins", "questions", "workspace")]
    assert labels[:3] == ["delete", "mark", "mark all"]


@pytest.mark.parametrize("places", KEY_CHAINS, ids="-".join)
def test_the_way_out_is_the_last_key_of_the_footer_before_help(places: tuple[Place, ...]) -> None:
    footer = footer_actions(*places)
    ways = [action.id for action in ACTIONS[places[0]] if action.leaves and action.footer]
    own = [action.id for action in footer if action.id not in ("help", "quit")]
    assert own[-1:] == ways if ways else not any(action.leaves for action in footer)


def test_footer_of_a_preview_shows_only_its_own_keys_and_help() -> None:
    footer = [(action.shown, action.label) for action in footer_actions("preview", "workspace")]
    assert footer == [("enter", "store"), ("esc", "back"), ("?", "help")]


@pytest.mark.parametrize("width", [60, 70, 80])
async def test_help_lines_do_not_wrap(home: Home, width: int) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(width, 24)) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and bool(app.screen.query_one(Page).rows))
        page = app.screen.query_one(Page)
        await until(pilot, lambda: page.rows == tuple(page.plain.split("\n")))
        await pilot.resize_terminal(64, 24)
        await until(pilot, lambda: page.size.width < 60 and page.rows == tuple(page.plain.split("\n")))


def test_help_shows_a_key_once_and_no_letters_while_they_type() -> None:
    chat = help_text("chat", "workspace").plain
    assert "\n0             Neither answer is good." in chat
    assert chat.count("\n0 ") == 1, "the workspace's is taken"
    typing = help_text("asking", "chat", "workspace").plain
    assert "Pause the job" not in typing
    assert "Go to that pane" not in typing
    assert "Start a new line in the question." in typing


def test_help_omits_q_for_quitting_where_a_nearer_place_takes_it() -> None:
    assert "q ^q          Quit; running jobs continue." in help_text("evaluation", "workspace").plain
    assert "\n^q            Quit; running jobs continue." in help_text("answers", "evaluation", "workspace").plain


def test_help_names_each_place_as_its_page_does() -> None:
    titles: dict[Place, str] = {"start": "Projects", "curate": "Review", "trial": "Try", "prompt": "Prompt"}
    assert {place: help_text(place).plain.splitlines()[0] for place in titles} == titles
