"""The figures of an estimate: where each comes from, and which are refused."""

from typing import Any
from unittest.mock import ANY

import pytest

from engine.economics.figures import ASSUMED, complete, estimate_costs
from engine.economics.measured import Measured, measure
from engine.economics.prices import find_prices
from engine.economics.tokens import TokenCount
from engine.economics.verdict import reasons
from engine.errors import UsageError
from engine.project import Project
from engine.records.cost import CostInputs, CostOutcome, EndpointPrices, Figure
from engine.records.options import TrainOptions
from tests.tui.seeds import add_dataset, add_evaluation, add_examples, add_run

TOKENS = TokenCount(2_000, "o200k_base", exact=True)


def test_given_figures_precede_measured_listed_and_assumed_ones() -> None:
    measured = Measured(
        question_tokens=Figure(18.0, "measured", "here"), answer_tokens=Figure(26.0, "measured", "here")
    )
    inputs = CostInputs("gpt-5", answer_tokens=99.0, output_usd_per_mtok=7.0)
    origins = {name: (figure.value, figure.origin) for name, figure in complete(inputs, measured, TOKENS).items()}
    listed = find_prices("gpt-5")
    assert listed is not None
    assert origins["question_tokens"] == (18.0, "measured")
    assert origins["answer_tokens"] == (99.0, "given")
    assert origins["output_usd_per_mtok"] == (7.0, "given")
    assert origins["input_usd_per_mtok"] == (listed.input_usd_per_mtok, "listed")
    assert origins["requests_per_day"] == (ASSUMED["requests_per_day"][0], "assumed")
    sources = estimate_costs(inputs, measured, TOKENS).given.sources
    assert sources["question_tokens"] == "measured: here"
    assert sources["answer_tokens"] == "given"
    assert "genai-prices" in sources["prices"]
    assert "given" in sources["prices"]


def test_given_zero_is_used_as_a_figure() -> None:
    figures = complete(CostInputs("gpt-5", cache_hit_rate=0.0, input_usd_per_mtok=0.0), Measured(), TOKENS)
    assert figures["cache_hit_rate"] == Figure(0.0, "given", "", 0.0, 0.1)
    assert figures["input_usd_per_mtok"] == Figure(0.0, "given", "")


def test_prices_in_the_settings_precede_listed_ones() -> None:
    measured = Measured(own_prices=(EndpointPrices("gpt-5", "https://llm.example.com/v1", 3.0, 1.0, 9.0),))
    figures = complete(CostInputs("gpt-5", output_usd_per_mtok=7.0), measured, TOKENS)
    source = "the project's settings"
    assert figures["input_usd_per_mtok"] == Figure(3.0, "given", source)
    assert figures["cached_input_usd_per_mtok"] == Figure(1.0, "given", source)
    assert figures["output_usd_per_mtok"] == Figure(7.0, "given", "")
    for other in (CostInputs("gpt-5-mini"), CostInputs("gpt-5", provider="openai")):
        assert complete(other, measured, TOKENS)["input_usd_per_mtok"].origin == "listed"
    elsewhere = complete(CostInputs("gpt-5"), measured, TOKENS, "https://api.openai.com/v1")
    assert elsewhere["input_usd_per_mtok"].origin == "listed"


def test_unlisted_model_needs_given_prices_and_has_no_cache_discount() -> None:
    inputs = CostInputs("our-own", input_usd_per_mtok=2.0)
    with pytest.raises(UsageError, match=r"our-own.*missing: output"):
        estimate_costs(inputs, Measured(), TOKENS)
    with pytest.raises(UsageError, match="Which model"):
        estimate_costs(CostInputs(), Measured(), TOKENS)
    costs = estimate_costs(CostInputs("our-own", input_usd_per_mtok=2.0, output_usd_per_mtok=8.0), Measured(), TOKENS)
    assert costs.uncached.request_usd.value == pytest.approx((2_040 * 2.0 + 200 * 8.0) / 1e6)
    assert costs.cached.request_usd.value == costs.uncached.request_usd.value
    assert any("no discount" in reason for reason in reasons(costs))


def test_cache_write_price_applies_only_with_the_listed_discount() -> None:
    listed = estimate_costs(CostInputs("claude-sonnet-4-5", cache_hit_rate=0.0), Measured(), TOKENS)
    assert listed.cached.request_usd.value > listed.uncached.request_usd.value
    own = CostInputs("claude-sonnet-4-5", cache_hit_rate=0.0, cached_input_usd_per_mtok=1.0)
    assert estimate_costs(own, Measured(), TOKENS).cached.request_usd.value == listed.uncached.request_usd.value


@pytest.mark.parametrize("value", [5e-324, 1e-320, 1e-300, 1e300, 1e308])
@pytest.mark.parametrize("name", [*ASSUMED, "input_usd_per_mtok", "one_time_usd"])
def test_number_too_large_or_small_for_the_formulas_is_refused(name: str, value: float) -> None:
    ranges = (("generation_usd" if name == "one_time_usd" else name, 0.0, value),)
    given: dict[str, Any] = {name: value}
    for inputs in (CostInputs("gpt-5", **given), CostInputs("gpt-5", ranges=ranges)):
        with pytest.raises(UsageError, match=r"The estimate has an invalid number.*Give"):
            estimate_costs(inputs, Measured(), TOKENS)


def test_measured_figures_come_from_the_teacher_then_from_the_evaluation(project: Project) -> None:
    assert measure(project) == Measured(
        generation_usd=Figure(0.0, "exact", "the teacher is on this machine"), prompt_facts=ANY
    )
    add_examples(project)
    from_teacher = measure(project)
    assert (from_teacher.question_tokens, from_teacher.gpu_hours) == (None, None)
    assert from_teacher.answer_tokens == Figure(24.0, "measured", "the teacher's answers")
    add_evaluation(project, add_run(project, add_dataset(project), done=True))
    from_evaluation = measure(project)
    assert from_evaluation.question_tokens == Figure(18.0, "measured", "evaluation of run 1")
    assert from_evaluation.answer_tokens == Figure(26.0, "measured", "evaluation of run 1")


def test_gpu_hours_count_every_training_process(project: Project) -> None:
    run_id = add_run(project, add_dataset(project), done=True)
    project.runs.update(run_id, train_s=3_600.0, device="cuda:0")
    assert measure(project).gpu_hours == Figure(1.0, "measured", f"run {run_id}")
    project.runs.add_job(run_id, project.jobs.add(TrainOptions(run_id, processes=4)).id)
    assert measure(project).gpu_hours == Figure(4.0, "measured", f"run {run_id}, 4 processes")
    project.runs.add_job(run_id, project.jobs.add(TrainOptions(run_id, processes=None)).id)
    launched = measure(project).gpu_hours
    assert launched is not None
    assert (launched.value, "launcher" in launched.source) == (1.0, True)


def test_cost_inputs_and_outcome_are_stored(project: Project) -> None:
    assert (project.settings.cost_inputs(), project.settings.cost_outcome()) == (CostInputs(), None)
    inputs = CostInputs("gpt-5", requests_per_day=5_000.0)
    outcome = CostOutcome("ab", "worth_it", 9.0)
    project.settings.write_cost(inputs, outcome)
    assert (project.settings.cost_inputs(), project.settings.cost_outcome()) == (inputs, outcome)
    project.settings.write_cost(inputs, None)
    assert project.settings.cost_outcome() is None
    assert project.settings.read().student_base == "starter"
