"""The cost pane without a screen: its state, number formats, and the lines that show it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.economics.figures import complete, estimate_costs
from engine.economics.measured import Measured
from engine.economics.prices import models_like
from engine.economics.tokens import TokenCount
from engine.errors import UsageError
from engine.records.cost import CostInputs
from tests.tui.panes.cost_helpers import CASES
from tui.panes.cost.drawing import draw, models, title
from tui.panes.cost.state import MODEL, CostState, number, shown
from tui.services.cost import CostPage
from tui.widgets.lines import dollars

TOKENS = TokenCount(1_200, "o200k_base", exact=True)


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
def test_numbers_are_parsed_as_people_write_them(text: str, value: float | None) -> None:
    assert number(text) == value


@given(st.floats(0, 1e9))
def test_number_shown_in_a_field_is_parsed_back(value: float) -> None:
    assert number(shown(value)) == pytest.approx(value, abs=1e-6)


def test_only_the_latest_estimate_is_accepted() -> None:
    state = CostState()
    first, second = state.ask(), state.ask()
    assert not state.take(page_of(CostInputs("gpt-4o")), first)
    assert state.take(page_of(CostInputs("gpt-5")), second)
    assert state.texts[MODEL] == "gpt-5"


def test_figures_out_of_range_are_named() -> None:
    state = state_of(CostInputs("gpt-5"))
    state.type("cache_hit_rate", "101")
    assert state.errors == ["cache hits %: must be 0 to 100"]
    assert state.inputs is None
    state.type("cache_hit_rate", "90")
    state.type("requests_per_day", "9" * 400)
    assert state.errors == ["requests/day: at most 1,000,000,000,000"]
    state.type("requests_per_day", "")
    assert state.inputs == CostInputs("gpt-5", cache_hit_rate=0.9)


def test_text_is_accepted_on_leaving_a_field_and_discarded_by_escape() -> None:
    state = state_of(CostInputs("gpt-5", requests_per_day=10.0))
    state.type("requests_per_day", "20")
    assert state.give_up("requests_per_day")
    assert state.texts["requests_per_day"] == "10"
    assert not state.keep("requests_per_day")
    assert state.undo() is None
    for text in ("20", "30"):
        state.type("requests_per_day", text)
        assert state.keep("requests_per_day")
        assert not state.give_up("requests_per_day")
    state.type("requests_per_day", "many")
    assert state.keep("requests_per_day"), "what is wrong is not accepted"
    assert state.inputs == CostInputs("gpt-5", requests_per_day=30.0)
    assert state.undo() == "requests_per_day"
    assert state.inputs == CostInputs("gpt-5", requests_per_day=20.0)
    assert state.undo() == "requests_per_day"
    assert state.inputs == CostInputs("gpt-5", requests_per_day=10.0)
    assert state.texts == state.taken


def test_models_found_for_an_older_text_are_ignored() -> None:
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


@pytest.mark.parametrize("width", [58, 76, 88, 140])
@pytest.mark.parametrize("case", CASES)
def test_lines_fit_the_page(case: str, width: int) -> None:
    state = state_of(CASES[case])
    for line in (*title(state, width, typing=False), *draw(state, width, 24), *models(state, width)):
        assert line.cell_length <= width, line.plain


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("pays", "✓ Worth it"),
        ("uncached", "! Only without provider caching"),
        ("never", "✗ Not worth it"),
        ("nobody", "no cost over time"),
        ("free", "repaid at once"),
        ("unknown", "The list (genai-prices) has no “no such ‹U+202E›model”; missing: input, cached input, output."),
    ],
)
def test_each_verdict_has_a_mark_and_a_sentence(case: str, expected: str) -> None:
    text = " ".join(line.plain for line in draw(state_of(CASES[case]), 88, 24))
    assert expected in text


@pytest.mark.parametrize(
    ("value", "of", "expected"),
    [(0.000381, None, "$0.000381"), (0.0305, None, "$0.0305"), (695.78, None, "$695.78"), (12_345.6, None, "$12,346"),
     (0.03, 20_000.0, "< $1"), (0.0, 5.0, "$0.00"), (0.42, None, "$0.42"), (0.0053, None, "$0.0053"),
     (0.0053, 0.0053, "$0.005300"), (0.0123, None, "$0.0123"),
     (1e-9, None, "< $0.000001"), (12_345_678.0, None, "$12.3 M")],
)  # fmt: skip
def test_amounts_have_as_many_digits_as_their_column_needs(value: float, of: float | None, expected: str) -> None:
    assert dollars(value, of) == expected
