"""Where each figure comes from, and what is refused."""

from collections.abc import Iterator
from unittest.mock import ANY

import pytest

from engine.economics.figures import ASSUMED, complete, estimate_costs
from engine.economics.measured import Measured, measure
from engine.economics.prices import find_prices
from engine.economics.tokens import TokenCount
from engine.errors import UsageError
from engine.paths import Home
from engine.project import Project
from engine.records.cost import CostInputs, CostOutcome, Figure
from engine.records.options import TrainOptions
from tests.tui.seeds import add_dataset, add_evaluation, add_examples, add_run, make_project

TOKENS = TokenCount(2_000, "o200k_base", exact=True)


@pytest.fixture
def project(private_home: object) -> Iterator[Project]:
    with make_project(Home.locate()) as project:
        yield project


def test_what_is_given_wins_over_what_is_measured_listed_or_assumed() -> None:
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
    sources = dict(estimate_costs(inputs, measured, TOKENS).result.sources)
    assert sources["question_tokens"] == "measured: here"
    assert sources["answer_tokens"] == "given"
    assert "genai-prices" in sources["prices"]
    assert "given" in sources["prices"]


def test_a_given_zero_is_a_figure_and_no_gap() -> None:
    figures = complete(CostInputs("gpt-5", cache_hit_rate=0.0, input_usd_per_mtok=0.0), Measured(), TOKENS)
    assert figures["cache_hit_rate"] == Figure(0.0, "given", "", 0.0, 0.1)
    assert figures["input_usd_per_mtok"] == Figure(0.0, "given", "")


def test_a_model_that_nobody_lists_needs_its_prices_and_has_no_cache_discount() -> None:
    inputs = CostInputs("our-own", input_usd_per_mtok=2.0)
    with pytest.raises(UsageError, match=r"our-own.*missing: output"):
        estimate_costs(inputs, Measured(), TOKENS)
    with pytest.raises(UsageError, match="Which model"):
        estimate_costs(CostInputs(), Measured(), TOKENS)
    costs = estimate_costs(CostInputs("our-own", input_usd_per_mtok=2.0, output_usd_per_mtok=8.0), Measured(), TOKENS)
    assert costs.result.prompted_usd == pytest.approx((2_040 * 2.0 + 200 * 8.0) / 1e6)
    assert costs.result.prompted_cached_usd == costs.result.prompted_usd
    assert any("no discount" in reason for reason in costs.result.reasons)


def test_a_write_price_goes_with_the_listed_discount_alone() -> None:
    listed = estimate_costs(CostInputs("claude-sonnet-4-5", cache_hit_rate=0.0), Measured(), TOKENS).result
    assert listed.prompted_cached_usd > listed.prompted_usd
    own = CostInputs("claude-sonnet-4-5", cache_hit_rate=0.0, cached_input_usd_per_mtok=1.0)
    assert estimate_costs(own, Measured(), TOKENS).result.prompted_cached_usd == listed.prompted_usd


@pytest.mark.parametrize("value", [5e-324, 1e-320, 1e-300, 1e300, 1e308])
@pytest.mark.parametrize("name", [*ASSUMED, "input_usd_per_mtok", "one_time_usd"])
def test_a_number_whose_quotients_leave_the_range_of_floats_is_refused_by_name(name: str, value: float) -> None:
    ranges = (("generation_usd" if name == "one_time_usd" else name, 0.0, value),)
    for inputs in (CostInputs("gpt-5", **{name: value}), CostInputs("gpt-5", ranges=ranges)):
        with pytest.raises(UsageError, match=r"The estimate has an invalid number.*Give"):
            estimate_costs(inputs, Measured(), TOKENS)


def test_a_project_measures_first_by_its_teacher_then_by_its_evaluation(project: Project) -> None:
    assert measure(project) == Measured(
        generation_usd=Figure(0.0, "exact", "the teacher is on this machine"), prompt_facts=ANY
    )
    add_examples(project)
    first = measure(project)
    assert (first.question_tokens, first.gpu_hours) == (None, None)
    assert first.answer_tokens == Figure(24.0, "measured", "the teacher's answers")
    add_evaluation(project, add_run(project, add_dataset(project), done=True))
    after = measure(project)
    assert after.question_tokens == Figure(18.0, "measured", "evaluation of run 1")
    assert after.answer_tokens == Figure(26.0, "measured", "evaluation of run 1")


def test_every_process_of_a_training_counts_its_hours(project: Project) -> None:
    number = add_run(project, add_dataset(project), done=True)
    project.runs.update(number, train_s=3_600.0, device="cuda:0")
    assert measure(project).gpu_hours == Figure(1.0, "measured", f"run {number}")
    project.runs.keep_job(number, project.jobs.add(TrainOptions(number, processes=4)).id)
    assert measure(project).gpu_hours == Figure(4.0, "measured", f"run {number}, 4 processes")
    project.runs.keep_job(number, project.jobs.add(TrainOptions(number, processes=None)).id)
    launched = measure(project).gpu_hours
    assert launched is not None
    assert (launched.value, "launcher" in launched.source) == (1.0, True)


def test_what_a_person_said_and_what_came_of_it_are_kept(project: Project) -> None:
    assert (project.settings.cost_inputs(), project.settings.cost_outcome()) == (CostInputs(), None)
    inputs = CostInputs("gpt-5", requests_per_day=5_000.0)
    kept = CostOutcome("ab", "worth_it", 9.0)
    project.settings.write_cost(inputs, kept)
    assert (project.settings.cost_inputs(), project.settings.cost_outcome()) == (inputs, kept)
    project.settings.write_cost(inputs, None)
    assert project.settings.cost_outcome() is None
    assert project.settings.read().student_base == "starter"
