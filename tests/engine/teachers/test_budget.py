"""The budget: what requests cost, and that their sum stays within the limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.economics.prices import Prices
from engine.errors import BudgetError
from engine.records.cost import EndpointPrices
from engine.records.example import Usage
from engine.records.options import TeacherSpec
from engine.teachers.budget import Budget


def prices(prompt_tokens: int) -> Prices:
    return Prices(2.0, 8.0, 0.5, 2.5) if prompt_tokens <= 10_000 else Prices(4.0, 12.0, 1.0, 5.0)


@given(cents=st.integers(0, 100), costs=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 5_000)), max_size=40),
       in_flight=st.integers(1, 8))  # fmt: skip
def test_budget_is_never_exceeded(cents: int, costs: list[tuple[int, int]], in_flight: int) -> None:
    limit = cents / 100
    budget = Budget(prices, limit)
    unsettled: list[tuple[float, float]] = []
    spent = 0.0
    for prompt, answer in costs:
        worst = budget.worst_usd(prompt, 5_000)
        if len(unsettled) == in_flight:
            budget.settle(*unsettled.pop(0))
        if budget.hold(worst):
            unsettled.append((worst, budget.cost_usd(Usage(prompt, answer, prompt % 7, prompt - prompt % 7))))
            spent += unsettled[-1][1]
    for held, cost in unsettled:
        budget.settle(held, cost)
    assert spent <= limit + 1e-9


def test_budget_without_a_limit_allows_everything() -> None:
    assert Budget(lambda _: None, None).hold(1e9)
    assert Budget(lambda _: None, 1.0).cost_usd(Usage(1000, 1000)) == 0.0


def test_long_prompt_is_charged_at_the_long_prompt_price() -> None:
    spec = TeacherSpec("endpoint", "gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta/openai")
    budget = Budget.of(spec, (), 1.0)
    assert budget.cost_usd(Usage(300_000, 1_000)) > 1.9 * 3 * budget.cost_usd(Usage(100_000, 333))
    assert budget.worst_usd(300_000, 1_000) == budget.cost_usd(Usage(300_000, 1_000))


def test_given_prices_make_a_budget_possible_and_precede_listed_ones() -> None:
    spec = TeacherSpec("endpoint", "own", "https://llm.example.com/v1")
    with pytest.raises(BudgetError) as refused:
        Budget.of(spec, (), 1.0)
    assert "prices: distill-tui settings" in refused.value.next
    given_prices = EndpointPrices(spec.model, spec.base_url, 2.0, 0.5, 8.0)
    budget = Budget.of(spec, (given_prices,), 1.0)
    assert budget.cost_usd(Usage(1_000_000, 1_000_000, 400_000)) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 8)
    listed = TeacherSpec("endpoint", "gpt-5", "https://api.openai.com/v1")
    free = EndpointPrices(listed.model, listed.base_url, 0.0, 0.0, 0.0)
    assert Budget.of(listed, (), None).cost_usd(Usage(1_000, 1_000)) > 0
    assert Budget.of(listed, (free,), None).cost_usd(Usage(1_000, 1_000)) == 0
