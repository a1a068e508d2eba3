"""The cost pane by its keys: typed figures, the estimate after each, undo, and how it looks."""

import dataclasses
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from engine.economics.prices import models_like
from engine.paths import Home
from engine.project import Project
from engine.records.cost import CostInputs
from tests.hostile import control_characters
from tests.tui.panes.cost_helpers import CASES
from tests.tui.panes.helpers import messages
from tests.tui.piloting import SIZES, footer, go_to_pane, pane_of, screen_text, settled, shown, text_of, until
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.panes.cost.figures import Figures
from tui.panes.cost.pane import CostPane
from tui.panes.cost.state import FIELDS, MODEL, CostState
from tui.services import cost as service
from tui.services.cost import MODELS_SHOWN, CostPage, CostService
from tui.widgets.page import Page

HOSTILE = "[@click=app.quit]x[/] \x1b]52;c;aGk=\x07\x9b31m\u202eevil"
pane = partial(pane_of, kind=CostPane)
text = partial(text_of, kind=CostPane)


def inputs(app: DistillApp) -> CostInputs:
    """What the shown estimate is computed from."""
    page = pane(app).state.page
    assert page is not None
    return page.inputs


async def open_pane(pilot: Pilot[int], app: DistillApp) -> None:
    await go_to_pane(pilot, 8, CostPane, lambda: pane(app).state.page is not None)


@pytest.fixture(autouse=True)
def count_commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Count tokens without a subprocess; the arguments of each command, in order."""
    recorded: list[list[str]] = []

    def carry_out(args: list[str], folder: Path, home: Home) -> dict[str, object]:
        recorded.append(args)
        return {"tokens": {"prompt": 1_200, "tokenizer": "o200k_base", "exact": True}}

    monkeypatch.setattr(service, "carry_out", carry_out)
    return recorded


@pytest.mark.parametrize("size", SIZES)
async def test_estimate_follows_the_chosen_model_and_each_key(
    home: Home, size: tuple[int, int], count_commands: list[list[str]]
) -> None:
    folder = make_stage(home, "done")
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app)
        assert "Which model answers today?" in text(app)
        await pilot.press("e", *"GPT-5-mi")
        await until(pilot, lambda: "gpt-5-mini" in text(app))
        await pilot.press("enter")
        assert pane(app).query_one(f"#{MODEL}", Input).value == "gpt-5-mini"
        await until(pilot, lambda: "1,200" in text(app))
        assert count_commands[-1][:3] == ["estimate", "--model", "gpt-5-mini"]
        await pilot.press(*"5,000")
        await until(pilot, lambda: inputs(app).requests_per_day == 5_000.0)
        before = text(app)
        await pilot.press(*["tab"] * 6, *"9")
        await until(pilot, lambda: text(app) != before and "$/M" not in text(app).split("tokens, money")[1])
        await pilot.press("enter", "escape", "7")
        await until(pilot, lambda: shown(app) == "release")
    with Project.open(folder, home) as project:
        assert project.settings.cost_inputs() == CostInputs(
            "gpt-5-mini", requests_per_day=5_000.0, input_usd_per_mtok=9.0
        )
        outcome = project.settings.cost_outcome()
    assert outcome is not None
    assert outcome.verdict == "worth_it"


async def test_stored_figures_are_shown_again_with_their_outcome_in_the_rail(home: Home) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_cost(CostInputs("gpt-5", requests_per_day=5_000.0, cache_hit_rate=0.9), None)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app)
        values = {field.id: field.value for field in pane(app).query(Input)}
        assert (values[MODEL], values["requests_per_day"], values["cache_hit_rate"]) == ("gpt-5", "5,000", "90")
        assert values["question_tokens"] == ""
        assert pane(app).query_one("#question_tokens", Input).placeholder == "18"
        await pilot.press("e", "tab", *"10", "tab", "escape")
        await until(pilot, lambda: "pays at once" in app.screen.query_one("#rail", Page).plain)
    with Project.open(folder, home) as project:
        prompt = project.prompts.current()
        assert prompt is not None
        project.prompts.set(dataclasses.replace(prompt.prompt, messages=prompt.prompt.messages[:1]))
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: bool(app.screen.query("#rail")))
        await until(pilot, lambda: "◐ pays at once" in app.screen.query_one("#rail", Page).plain)


async def test_invalid_figure_is_named_and_not_stored(home: Home) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app)
        await pilot.press("e", *"gpt-5", "enter")
        await until(pilot, lambda: "tokens, money" in text(app))
        await pilot.press(*"many")
        await until(pilot, lambda: "requests/day: enter a number" in text(app))
        for key in ("enter", "tab", "down"):
            await pilot.press(key)
            assert pane(app).query_one(Figures).field == "requests_per_day", "until it is right, it is not left"
        await pilot.press("escape")
        await until(pilot, lambda: field_value(app, "requests_per_day") == "")
        await pilot.press("escape", "q")
    with Project.open(folder, home) as project:
        assert project.settings.cost_inputs() == CostInputs("gpt-5")


def field_value(app: DistillApp, name: str) -> str:
    """The text of a field."""
    return pane(app).query_one(f"#{name}", Input).value


def make_priced(home: Home) -> Path:
    """A measured project with 5,000 requests a day; its folder."""
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_cost(CostInputs("gpt-5", requests_per_day=5_000.0), None)
    return folder


def stored_inputs(home: Home, folder: Path) -> CostInputs:
    with Project.open(folder, home) as project:
        return project.settings.cost_inputs()


@pytest.mark.parametrize("typed", ["9", "many"])
async def test_escape_discards_the_current_field_and_keeps_accepted_ones(home: Home, typed: str) -> None:
    folder = make_priced(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: "1,200" in text(app))
        before = text(app)
        await pilot.press("e", "tab", *typed)
        await until(pilot, lambda: text(app) != before)
        assert stored_inputs(home, folder) == CostInputs("gpt-5", requests_per_day=5_000.0)
        await pilot.press("escape")
        await until(pilot, lambda: text(app) == before and app.focused is pane(app))
        assert field_value(app, "requests_per_day") == "5,000"
        await pilot.press("e", "tab", *"70", "tab", *"9", "escape")
        await until(pilot, lambda: stored_inputs(home, folder) == CostInputs("gpt-5", requests_per_day=70.0))
        assert field_value(app, "question_tokens") == ""


async def test_losing_window_focus_does_not_accept_typed_text(home: Home) -> None:
    folder = make_priced(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: "1,200" in text(app))
        before = text(app)
        await pilot.press("e", "tab", "7")
        await until(pilot, lambda: text(app) != before)
        app.post_message(events.AppBlur())
        await until(pilot, lambda: app.focused is None)
        app.post_message(events.AppFocus())
        await until(pilot, lambda: app.focused is not None)
        await pilot.press("escape")
        await until(pilot, lambda: text(app) == before and app.focused is pane(app))
        assert stored_inputs(home, folder) == CostInputs("gpt-5", requests_per_day=5_000.0)


async def test_escape_restores_the_previous_model(home: Home) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_cost(CostInputs("gpt-5"), None)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app)
        await pilot.press("e", *"claude-son")
        await until(pilot, lambda: "claude-sonnet" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "claude" not in text(app) and app.focused is pane(app))
        assert field_value(app, MODEL) == "gpt-5"
        assert inputs(app).model == "gpt-5"


async def test_changes_are_undone_one_by_one(home: Home) -> None:
    folder = make_priced(home)
    app = DistillApp(home, folder)

    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app)
        await pilot.press("u")
        await until(pilot, lambda: messages(app) == ["Nothing to undo."])
        assert "undo" not in footer(app)
        await pilot.press("e", *"gpt-4o-mini", "enter", *"70", "enter", "escape")
        await until(pilot, lambda: stored_inputs(home, folder) == CostInputs("gpt-4o-mini", requests_per_day=70.0))
        await until(pilot, lambda: "undo" in footer(app))
        await pilot.press("u")
        await until(pilot, lambda: stored_inputs(home, folder) == CostInputs("gpt-4o-mini", requests_per_day=5_000.0))
        assert field_value(app, "requests_per_day") == "5,000"
        assert messages(app)[-1] == "Undone: requests a day."
        await pilot.press("u")
        await until(pilot, lambda: stored_inputs(home, folder) == CostInputs("gpt-5", requests_per_day=5_000.0))
        assert messages(app)[-1] == "Undone: the model."
        await until(pilot, lambda: "undo" not in footer(app))


async def test_moving_through_the_fields_requests_no_estimate(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_cost(CostInputs("gpt-5"), None)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: "1,200" in text(app))
        await pilot.press("e")
        await until(pilot, lambda: app.focused is not None and app.focused.id == MODEL)
        requests: list[CostInputs] = []
        estimate = CostService.estimate

        def noted(cost: CostService, project: Project, inputs: CostInputs, *, keep: bool) -> CostPage:
            requests.append(inputs)
            return estimate(cost, project, inputs, keep=keep)

        monkeypatch.setattr(CostService, "estimate", noted)
        await pilot.press("tab", "down", "down", "up", "escape")
        await until(pilot, lambda: app.focused is pane(app))
        assert requests == []
        await pilot.press("e", "tab", "7")
        await until(pilot, lambda: requests == [CostInputs("gpt-5", requests_per_day=7.0)])


async def test_enter_moves_through_the_fields_and_leaves_after_the_last(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app)
        await pilot.press("enter")
        seen = []
        for _ in range(len(FIELDS) + 1):
            assert app.focused is not None
            seen.append(app.focused.id)
            await pilot.press("enter")
        assert seen == [MODEL, *FIELDS]
        assert app.focused is pane(app)
        await pilot.press("e", "down", "down", "up")
        assert app.focused is not None
        assert app.focused.id == next(iter(FIELDS))


async def test_without_a_prompt_the_pane_says_how_to_set_one(home: Home) -> None:
    folder = home.projects / "empty"
    Project.create(folder, home=home).close()
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: "There is no prompt yet" in text(app))
        assert "distill-tui prompt set" in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_model_name_is_escaped_on_screen(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_cost(CostInputs(HOSTILE), None)
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: "[@click=app.quit]x" in text(app))
        await pilot.press("e")
        assert isinstance(app.focused, Input)
        app.focused.post_message(events.Paste(f"{HOSTILE}2"))
        await until(pilot, lambda: "evil2" in pane(app).query_one(f"#{MODEL}", Input).value)
        assert not control_characters(screen_text(app))


def follows(state: CostState, name: str) -> bool:
    """Whether the models and the estimate are those of this name."""
    return (
        state.models == models_like(name, MODELS_SHOWN) and state.page is not None and state.page.inputs.model == name
    )


SNAPSHOTS = [
    ("new", CostInputs(), "", "asks"),
    ("done", CASES["pays"], "", "pays"),
    ("done", CASES["never"], "", "never"),
    ("done", CostInputs(), "e g p t - 5", "models"),
    ("done", CASES["pays"], "e tab m", "wrong"),
]


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize(("stage", "inputs", "keys", "name"), SNAPSHOTS, ids=[state[3] for state in SNAPSHOTS])
@pytest.mark.usefixtures("fixed_meter")
def test_pane_matches_its_snapshot(
    snap_compare: Callable[..., bool],
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    inputs: CostInputs,
    keys: str,
    name: str,
    size: tuple[int, int],
) -> None:
    monkeypatch.setattr("engine.economics.prices.version", lambda _name: "0.2.3")
    monkeypatch.setattr("engine.economics.figures.today", lambda: date(2026, 1, 31))
    folder = make_stage(home, stage)
    with Project.open(folder, home) as project:
        project.settings.write_cost(inputs, None)
    app = DistillApp(home, folder)

    async def settle(pilot: Pilot[int]) -> None:
        await open_pane(pilot, app)
        await until(pilot, lambda: not inputs.model or "1,200" in text(app))
        for field in pane(app).query(Input):
            field.cursor_blink = False
        await pilot.press(*keys.split())
        # The list and the estimate follow each letter: wait for those of the last one.
        await until(pilot, lambda: name != "models" or follows(pane(app).state, "gpt-5"))
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=settle)
