"""The stored outcome of an estimate, which is refreshed as the stations measure more."""

import pytest

from engine.economics import stored_outcome
from engine.economics.outlook import outcome
from engine.economics.stored_outcome import estimate_project, refresh_outcome
from engine.economics.tokens import TokenCount, count_prompt_tokens
from engine.errors import StoreError
from engine.paths import Home
from engine.project import Project
from engine.records.cost import CostInputs, CostOutcome
from engine.records.prompt import Prompt
from tests.tui.seeds import add_examples

INPUTS = CostInputs("gpt-5-mini", requests_per_day=1_000.0)


def test_refresh_uses_newly_measured_figures(project: Project) -> None:
    before, sha256 = estimate_project(project, INPUTS)
    project.settings.write_cost(INPUTS, outcome(before, sha256))
    add_examples(project)
    refresh_outcome(project)
    after, _ = estimate_project(project, INPUTS)
    assert after.given.figures["answer_tokens"].origin == "measured" != before.given.figures["answer_tokens"].origin
    assert project.settings.cost_outcome() == outcome(after, sha256) != outcome(before, sha256)


def test_refresh_stores_nothing_if_no_outcome_is_stored(project: Project) -> None:
    project.settings.write_cost(INPUTS, None)
    refresh_outcome(project)
    assert project.settings.cost_outcome() is None


def test_refresh_clears_an_outcome_that_can_no_longer_be_computed(project: Project) -> None:
    inputs = CostInputs("a model that no list knows")
    project.settings.write_cost(inputs, CostOutcome("ab", "worth_it", 9.0))
    refresh_outcome(project)
    assert (project.settings.cost_inputs(), project.settings.cost_outcome()) == (inputs, None)


def test_inputs_saved_during_a_refresh_are_kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    new_inputs, new_outcome = CostInputs("gpt-5", requests_per_day=7.0), CostOutcome("cd", "not_worth_it", 900.0)
    project.settings.write_cost(INPUTS, CostOutcome("ab", "worth_it", 9.0))

    def save_then_count(prompt: Prompt, tokenizer: str, home: Home | None) -> TokenCount:
        project.settings.write_cost(new_inputs, new_outcome)
        return count_prompt_tokens(prompt, tokenizer, home)

    monkeypatch.setattr(stored_outcome, "count_prompt_tokens", save_then_count)
    refresh_outcome(project)
    assert (project.settings.cost_inputs(), project.settings.cost_outcome()) == (new_inputs, new_outcome)


def test_refresh_ignores_a_store_that_cannot_be_written(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = CostOutcome("ab", "worth_it", 9.0)
    project.settings.write_cost(INPUTS, stored)

    refused: list[CostInputs] = []

    def fail(inputs: CostInputs, outcome: CostOutcome | None) -> None:
        refused.append(inputs)
        raise StoreError("The disk is full.")

    monkeypatch.setattr(project.settings, "write_cost", fail)
    refresh_outcome(project)
    assert (refused, project.settings.cost_outcome()) == ([INPUTS], stored)
    assert project.settings.cost_outcome() == stored
