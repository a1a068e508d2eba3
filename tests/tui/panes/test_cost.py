"""The cost pane: figures typed by keys, the estimate after each, what is remembered, and what the rail says."""

import dataclasses
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from engine.economics.figures import complete, estimate_costs
from engine.economics.measured import Measured
from engine.economics.prices import models_like
from engine.economics.tokens import TokenCount
from engine.errors import UsageError
from engine.paths import Home
from engine.project import Project
from engine.records.cost import CostInputs
from tests.tui.piloting import footer, pane_of, reach, settled, text_of, until
from tests.tui.seeds import make_stage
from tui.app import DistillApp
from tui.panes.cost.drawing import draw, models, title
from tui.panes.cost.pane import CostPane
from tui.panes.cost.state import FIELDS, MODEL, CostState, number, shown
from tui.services import cost as service
from tui.services.cost import MODELS_SHOWN, CostPage
from tui.widgets.lines import dollars
from tui.widgets.page import Page

SIZES = [(80, 24), (120, 40)]
TOKENS = TokenCount(1_200, "o200k_base", exact=True)
HOSTILE = "[@click=app.quit]x[/] \x1b]52;c;aGk=\x07\x9b31m\u202eevil"


pane = partial(pane_of, kind=CostPane)
text = partial(text_of, kind=CostPane)


async def opened(pilot: Pilot[int], app: DistillApp) -> None:
    await reach(pilot, 8, CostPane, lambda: pane(app).state.page is not None)


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The exact count comes from a process of its own; here it is at hand, and what was asked for is kept."""
    asked: list[list[str]] = []

    def carry_out(words: list[str], folder: Path, home: Home) -> dict[str, object]:
        asked.append(words)
        return {"tokens": {"prompt": 1_200, "tokenizer": "o200k_base", "exact": True}}

    monkeypatch.setattr(service, "carry_out", carry_out)
    return asked


@pytest.mark.parametrize("size", SIZES)
async def test_a_model_is_chosen_and_the_estimate_follows_each_key(
    home: Home, size: tuple[int, int], counted: list[list[str]]
) -> None:
    folder = make_stage(home, "done")
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        assert "Which model answers today?" in text(app)
        await pilot.press("e", *"GPT-5-mi")
        await until(pilot, lambda: "gpt-5-mini" in text(app))
        await pilot.press("enter")
        assert pane(app).query_one(f"#{MODEL}", Input).value == "gpt-5-mini"
        await until(pilot, lambda: "1,200" in text(app))
        assert counted[-1][:3] == ["estimate", "--model", "gpt-5-mini"]
        await pilot.press(*"5,000")
        await until(pilot, lambda: pane(app).state.page.inputs.requests_per_day == 5_000.0)
        before = text(app)
        await pilot.press(*["tab"] * 6, *"9")
        await until(pilot, lambda: text(app) != before and "$/M" not in text(app).split("tokens, money")[1])
        await pilot.press("enter", "escape", "7")
        await until(pilot, lambda: app.screen.state.shown == "release")
    with Project.open(folder, home) as project:
        assert project.settings.cost_inputs() == CostInputs(
            "gpt-5-mini", requests_per_day=5_000.0, input_usd_per_mtok=9.0
        )
        outcome = project.settings.cost_outcome()
    assert outcome is not None
    assert outcome.verdict == "worth_it"


async def test_what_was_typed_is_there_again_and_the_rail_says_what_came_of_it(home: Home) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_cost(CostInputs("gpt-5", requests_per_day=5_000.0, cache_hit_rate=0.9), None)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
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


async def test_a_wrong_figure_is_named_and_nothing_is_remembered_of_it(home: Home) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("e", *"gpt-5", "enter")
        await until(pilot, lambda: "tokens, money" in text(app))
        await pilot.press(*"many")
        await until(pilot, lambda: "requests/day: enter a number" in text(app))
        await pilot.press("escape", "escape", "q")
    with Project.open(folder, home) as project:
        assert project.settings.cost_inputs() == CostInputs("gpt-5")


def shown_in(app: DistillApp, name: str) -> str:
    """What stands in a field."""
    return pane(app).query_one(f"#{name}", Input).value


def priced(home: Home) -> Path:
    """A measured project that is asked 5,000 times a day."""
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_cost(CostInputs("gpt-5", requests_per_day=5_000.0), None)
    return folder


def remembered(home: Home, folder: Path) -> CostInputs:
    with Project.open(folder, home) as project:
        return project.settings.cost_inputs()


@pytest.mark.parametrize("typed", ["9", "many"])
async def test_escape_gives_up_what_is_typed_in_a_field_and_what_was_taken_stays(home: Home, typed: str) -> None:
    folder = priced(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "1,200" in text(app))
        before = text(app)
        await pilot.press("e", "tab", *typed)
        await until(pilot, lambda: text(app) != before)
        assert remembered(home, folder) == CostInputs("gpt-5", requests_per_day=5_000.0)
        await pilot.press("escape")
        await until(pilot, lambda: text(app) == before and app.focused is pane(app))
        assert shown_in(app, "requests_per_day") == "5,000"
        await pilot.press("e", "tab", *"70", "tab", *"9", "escape")
        await until(pilot, lambda: remembered(home, folder) == CostInputs("gpt-5", requests_per_day=70.0))
        assert shown_in(app, "question_tokens") == ""


async def test_a_window_that_loses_the_keys_takes_nothing_that_is_being_typed(home: Home) -> None:
    folder = priced(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
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
        assert remembered(home, folder) == CostInputs("gpt-5", requests_per_day=5_000.0)


async def test_escape_gives_the_model_back_that_stood_there(home: Home) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_cost(CostInputs("gpt-5"), None)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("e", *"claude-son")
        await until(pilot, lambda: "claude-sonnet" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "claude" not in text(app) and app.focused is pane(app))
        assert shown_in(app, MODEL) == "gpt-5"
        assert pane(app).state.page.inputs.model == "gpt-5"


async def test_changes_are_taken_back_one_by_one(home: Home) -> None:
    folder = priced(home)
    app = DistillApp(home, folder)

    def said() -> list[str]:
        return [note.message for note in app._notifications]

    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("u")
        await until(pilot, lambda: said() == ["Nothing to undo: no figure was changed."])
        assert "undo" not in footer(app)
        await pilot.press("e", *"gpt-4o-mini", "enter", *"70", "enter", "escape")
        await until(pilot, lambda: remembered(home, folder) == CostInputs("gpt-4o-mini", requests_per_day=70.0))
        await until(pilot, lambda: "undo" in footer(app))
        await pilot.press("u")
        await until(pilot, lambda: remembered(home, folder) == CostInputs("gpt-4o-mini", requests_per_day=5_000.0))
        assert shown_in(app, "requests_per_day") == "5,000"
        assert said()[-1] == "Undid the last change: requests a day."
        await pilot.press("u")
        await until(pilot, lambda: remembered(home, folder) == CostInputs("gpt-5", requests_per_day=5_000.0))
        assert said()[-1] == "Undid the last change: the model."
        await until(pilot, lambda: "undo" not in footer(app))


async def test_moving_through_the_fields_reckons_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_cost(CostInputs("gpt-5"), None)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "1,200" in text(app))
        await pilot.press("e")
        await until(pilot, lambda: app.focused is not None and app.focused.id == MODEL)
        asked: list[CostInputs] = []
        monkeypatch.setattr(service.CostService, "estimate", lambda _service, inputs, *_, **__: asked.append(inputs))
        await pilot.press("tab", "down", "down", "up", "escape")
        await until(pilot, lambda: app.focused is pane(app))
        assert asked == []
        await pilot.press("e", "tab", "7")
        await until(pilot, lambda: asked == [CostInputs("gpt-5", requests_per_day=7.0)])


async def test_fields_are_walked_by_keys_and_left_at_the_end(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("enter")
        seen = []
        for _ in range(len(FIELDS) + 1):
            assert app.focused is not None
            seen.append(app.focused.id)
            await pilot.press("enter")
        assert seen == [MODEL, *(item.name for item in FIELDS)]
        assert app.focused is pane(app)
        await pilot.press("e", "down", "down", "up")
        assert app.focused is not None
        assert app.focused.id == FIELDS[0].name


async def test_without_a_prompt_it_says_where_one_is_written(home: Home) -> None:
    folder = home.projects / "empty"
    Project.create(folder, home=home).close()
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "There is no prompt yet" in text(app))
        assert "distill-tui prompt set" in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_a_hostile_model_name_is_shown_and_never_obeyed(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_cost(CostInputs(HOSTILE), None)
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "[@click=app.quit]x" in text(app))
        await pilot.press("e")
        app.focused.post_message(events.Paste(f"{HOSTILE}2"))
        await until(pilot, lambda: "evil2" in pane(app).query_one(f"#{MODEL}", Input).value)
        rendered = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in rendered)
        assert "\u202e" not in rendered


def page_of(inputs: CostInputs) -> CostPage:
    try:
        costs, error = estimate_costs(inputs, Measured(), TOKENS), None
    except UsageError as found:
        costs, error = None, found
    return CostPage(inputs, complete(inputs, Measured(), TOKENS), True, costs, error)


def state_of(inputs: CostInputs) -> CostState:
    state = CostState()
    state.take(page_of(inputs), state.ask())
    return state


@pytest.mark.parametrize(
    ("text", "value"),
    [("5,000", 5_000.0), (" 0.05 ", 0.05), (".5", 0.5), ("7.", 7.0), ("", None), ("1,5", None), ("5 000", None),
     ("-1", None), ("1e9", None), ("nan", None), ("٣", None)],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text: str, value: float | None) -> None:
    assert number(text) == value


@drawn(st.floats(0, 1e9))
def test_what_is_shown_in_a_field_is_read_back(value: float) -> None:
    assert number(shown(value)) == pytest.approx(value, abs=1e-6)


def test_only_the_answer_to_the_last_question_is_taken() -> None:
    state = CostState()
    first, second = state.ask(), state.ask()
    assert not state.take(page_of(CostInputs("gpt-4o")), first)
    assert state.take(page_of(CostInputs("gpt-5")), second)
    assert state.texts[MODEL] == "gpt-5"
    state.type("cache_hit_rate", "101")
    assert state.errors == ["cache hits %: must be 0 to 100"]
    assert state.inputs is None
    state.type("cache_hit_rate", "90")
    state.type("requests_per_day", "9" * 400)
    assert state.errors == ["requests/day: at most 1,000,000,000,000"]
    state.type("requests_per_day", "")
    assert state.inputs == CostInputs("gpt-5", cache_hit_rate=0.9)


def test_a_text_is_taken_when_its_field_is_left_and_given_up_by_escape() -> None:
    state = state_of(CostInputs("gpt-5", requests_per_day=10.0))
    state.type("requests_per_day", "20")
    assert state.give_up("requests_per_day")
    assert state.texts["requests_per_day"] == "10"
    assert not state.keep("requests_per_day")
    assert state.undo() is None
    for text in ("30", "many"):
        state.type("requests_per_day", text)
        assert state.keep("requests_per_day")
        assert not state.give_up("requests_per_day")
    assert state.undo() == "requests_per_day"
    assert state.inputs == CostInputs("gpt-5", requests_per_day=30.0)
    assert state.undo() == "requests_per_day"
    assert state.inputs == CostInputs("gpt-5", requests_per_day=10.0)
    assert state.texts == state.taken


def test_models_of_an_older_text_are_let_go() -> None:
    state = state_of(CostInputs())
    state.choosing = True
    state.type(MODEL, "claude")
    state.found("claud", models_like("gpt", 6))
    assert state.model is None
    state.found("claude", models_like("claude", 6))
    state.choose(99)
    assert state.model == state.models[-1]
    state.choosing = False
    assert state.model is None


CASES = {
    "pays": CostInputs("gpt-5", requests_per_day=5_000.0, one_time_usd=75.0),
    "uncached": CostInputs("gpt-5", requests_per_day=1_000.0, one_time_usd=900.0),
    "never": CostInputs("gpt-5", distilled_output_usd_per_mtok=500.0),
    "nobody": CostInputs("gpt-5", requests_per_day=0.0),
    "free": CostInputs("gpt-5", one_time_usd=0.0),
    "huge": CostInputs("gpt-5", requests_per_day=1e11, one_time_usd=1e11),
    "unknown": CostInputs("no such \u202emodel"),
}


@pytest.mark.parametrize("width", [58, 76, 88, 140])
@pytest.mark.parametrize("case", CASES)
def test_no_line_is_wider_than_the_page(case: str, width: int) -> None:
    state = state_of(CASES[case])
    for line in (*title(state, width, typing=False), *draw(state, width, 24), *models(state, width)):
        assert line.cell_length <= width, line.plain


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("pays", "✓ Worth it"),
        ("uncached", "! Only without provider caching"),
        ("never", "✗ Not worth it"),
        ("nobody", "no cost over time"),
        ("free", "repaid at once"),
        ("unknown", "The list (genai-prices) has no «no such ‹U+202E›model»; missing: input, cached input, output."),
    ],
)
def test_each_verdict_is_told_by_a_mark_and_a_sentence(case: str, words: str) -> None:
    drawn_text = " ".join(line.plain for line in draw(state_of(CASES[case]), 88, 24))
    assert words in drawn_text


@pytest.mark.parametrize(
    ("value", "of", "words"),
    [(0.000381, None, "$0.000381"), (0.0305, None, "$0.0305"), (695.78, None, "$695.78"), (12_345.6, None, "$12,346"),
     (0.03, 20_000.0, "< $1"), (0.0, 5.0, "$0.00"), (0.42, None, "$0.42"), (0.0053, None, "$0.0053"),
     (0.0053, 0.0053, "$0.005300"), (0.0123, None, "$0.0123"),
     (1e-9, None, "< $0.000001"), (12_345_678.0, None, "$12.3 M")],
)  # fmt: skip
def test_amounts_have_as_many_digits_as_their_column(value: float, of: float | None, words: str) -> None:
    assert dollars(value, of) == words


def follows(state: CostState, name: str) -> bool:
    """Whether the models and the estimate are those of this name."""
    return (
        state.models == models_like(name, MODELS_SHOWN) and state.page is not None and state.page.inputs.model == name
    )


STATES = [
    ("new", CostInputs(), "", "asks"),
    ("done", CASES["pays"], "", "pays"),
    ("done", CASES["never"], "", "never"),
    ("done", CostInputs(), "e g p t - 5", "models"),
    ("done", CASES["pays"], "e tab m", "wrong"),
]


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize(("stage", "inputs", "keys", "name"), STATES, ids=[state[3] for state in STATES])
@pytest.mark.usefixtures("still_meter")
def test_the_pane_looks_as_it_did(
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
        await opened(pilot, app)
        await until(pilot, lambda: not inputs.model or "1,200" in text(app))
        for field in pane(app).query(Input):
            field.cursor_blink = False
        await pilot.press(*keys.split())
        # List and estimate follow the typing letter by letter: those of the last one are waited for.
        await until(pilot, lambda: name != "models" or follows(pane(app).state, "gpt-5"))
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=settle)
