"""What is remembered of an estimate follows what the stations measure."""

from collections.abc import Iterator

import pytest

from engine.economics import stored_outcome as keeping
from engine.economics.outlook import outcome
from engine.economics.stored_outcome import estimate_project, refresh_outcome
from engine.economics.tokens import TokenCount
from engine.errors import StoreError
from engine.paths import Home
from engine.project import Project
from engine.records.cost import CostInputs, CostOutcome
from engine.records.prompt import Prompt
from tests.tui.seeds import add_examples, make_project

ASKED = CostInputs("gpt-5-mini", requests_per_day=1_000.0)


@pytest.fixture
def project(private_home: object) -> Iterator[Project]:
    with make_project(Home.locate()) as project:
        yield project


def test_it_is_reckoned_anew_with_what_was_measured_since(project: Project) -> None:
    before, sha256 = estimate_project(project, ASKED)
    project.settings.write_cost(ASKED, outcome(before.result, sha256))
    add_examples(project)
    refresh_outcome(project)
    after, _ = estimate_project(project, ASKED)
    assert after.figures["answer_tokens"].origin == "measured" != before.figures["answer_tokens"].origin
    assert project.settings.cost_outcome() == outcome(after.result, sha256) != outcome(before.result, sha256)


def test_where_nobody_asked_nothing_is_remembered(project: Project) -> None:
    refresh_outcome(project)
    assert project.settings.cost_outcome() is None


def test_what_cannot_be_reckoned_any_more_is_forgotten(project: Project) -> None:
    inputs = CostInputs("a model that no list knows")
    project.settings.write_cost(inputs, CostOutcome("ab", "worth_it", 9.0))
    refresh_outcome(project)
    assert (project.settings.cost_inputs(), project.settings.cost_outcome()) == (inputs, None)


def test_what_a_person_types_meanwhile_stands(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    typed, came = CostInputs("gpt-5", requests_per_day=7.0), CostOutcome("cd", "not_worth_it", 900.0)
    project.settings.write_cost(ASKED, CostOutcome("ab", "worth_it", 9.0))
    count = keeping.count_prompt_tokens

    def typing(prompt: Prompt, tokenizer: str, home: Home | None) -> TokenCount:
        project.settings.write_cost(typed, came)
        return count(prompt, tokenizer, home)

    monkeypatch.setattr(keeping, "count_prompt_tokens", typing)
    refresh_outcome(project)
    assert (project.settings.cost_inputs(), project.settings.cost_outcome()) == (typed, came)


def test_a_store_that_cannot_keep_it_fails_no_station(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = CostOutcome("ab", "worth_it", 9.0)
    project.settings.write_cost(ASKED, kept)

    def full(inputs: CostInputs, outcome: CostOutcome | None) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(project.settings, "write_cost", full)
    refresh_outcome(project)
    assert project.settings.cost_outcome() == kept
