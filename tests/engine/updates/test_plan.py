"""The plan of an update and carrying answers over: which answers are kept, which are affected and asked again."""

import pytest

from engine.curation.automatic import check_examples
from engine.curation.decisions import accept, edit, reject
from engine.errors import NotFoundError
from engine.paths import Home
from engine.project import Project
from engine.records.example import Example, ExampleKey
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Check, Rule
from engine.records.selection import Selection
from engine.updates.carry import carry
from engine.updates.plan import plan_update
from engine.updates.plan_text import plan_json, plan_text
from tests.engine.updates.bank_project import (
    LONG_ANSWER,
    NEW_PROMPT,
    OLD_PROMPT,
    SHORT_ANSWER,
    add_answers,
    add_dataset,
    change_rule,
)


def test_plan_without_changes_is_empty(project: Project) -> None:
    plan = plan_update(project)
    assert not plan.changed
    assert plan.to_ask == 0
    assert "frozen with prompt version 1 and the current rules" in plan_text(plan)


def test_tighter_rule_affects_the_answers_that_fail_it(project: Project) -> None:
    plan = change_rule(project)
    assert [row.kind for row in plan.rules] == ["changed"]
    assert plan.passages == ()
    assert [row.curated.example.id for row in plan.touched] == [1, 2, 3]
    assert [row.curated.example.id for row in plan.kept] == [4, 5, 6, 7, 8]
    assert plan.asks == ((1, 1), (2, 1), (3, 1))
    assert "3  breaks rule 1\n         examples 1, 2, 3" in plan_text(plan)
    assert plan_json(plan)["to_ask"] == 3


def test_work_of_a_person_that_is_touched_is_named(project: Project) -> None:
    edit(project, 2, "These are nine words that I wrote by hand.")
    accept(project, Selection(ids=(3,)))
    plan = change_rule(project, OLD_PROMPT)
    assert "examples 2 (edited), 3 (accepted by a person), 1" in plan_text(plan)
    touched = plan_json(plan)["touched"]
    assert isinstance(touched, list)
    assert [(row["example"], row["edited"], row["by_person"]) for row in touched] == [
        (1, False, False), (2, True, True), (3, False, True),
    ]  # fmt: skip


def test_nothing_is_touched_while_nothing_has_changed(project: Project) -> None:
    edit(project, 2, "These are certainly more than the nine words that the rule allows.")
    add_dataset(project)
    plan = plan_json(plan_update(project))
    assert (plan["changed"], plan["touched"], plan["to_ask"]) == (False, [], 0)


def test_kept_answers_are_carried_to_the_new_version_with_their_origin(project: Project) -> None:
    edit(project, 4, "My own words.")
    reject(project, Selection(ids=(5,)))
    spent_before = project.spending.usd()
    carried = carry(project, change_rule(project))
    assert carried.answers == 4
    examples = project.examples.all(NEW_PROMPT.sha256)
    assert [row.example.carried_from for row in examples] == [4, 6, 7, 8]
    assert all(row.example.token_ids == (5, 6) and row.example.usage.cost_usd == 0 for row in examples)
    assert examples[0].answer == "My own words."
    assert examples[0].decision is not None
    assert (examples[0].decision.source, examples[0].decision.reason) == ("person", "as decided about example 4")
    assert [row.state for row in examples[1:]] == ["undecided"] * 3
    assert project.spending.usd() == spent_before, "carried answers are not paid for again"
    assert project.spending.mean_answer_tokens("starter") == 3
    assert [row.example.id for row in project.examples.window(0, 9, Selection(NEW_PROMPT.sha256))] == [9, 10, 11, 12]


def test_affected_answers_are_asked_once_with_the_earlier_temperature(project: Project) -> None:
    plan = change_rule(project)
    options = carry(project, plan).options
    assert options is not None
    assert (options.asks, options.temperature) == (((1, 0), (2, 0), (3, 0)), 0.7)
    add_answers(project, NEW_PROMPT, {1: SHORT_ANSWER, 2: LONG_ANSWER})
    again = plan_update(project)
    assert again.asks == ((3, 1),), "a new answer is not asked again, even if it fails a rule"
    second = carry(project, again)
    assert second.answers == 0
    assert second.options is not None
    assert second.options.asks == ((3, 0),)
    add_answers(project, NEW_PROMPT, {3: SHORT_ANSWER})
    check_examples(project)
    add_dataset(project)
    assert not plan_update(project).changed


def test_rule_change_under_the_same_prompt_asks_for_another_attempt(project: Project) -> None:
    plan = change_rule(project, OLD_PROMPT)
    assert (len(plan.kept), plan.asks) == (5, ((1, 1), (2, 1), (3, 1)))
    carried = carry(project, plan)
    assert carried.answers == 0
    assert carried.options is not None
    assert carried.options.asks == ((1, 1), (2, 1), (3, 1)), "each question gets another attempt"


def test_refrozen_identical_dataset_treats_answers_before_the_last_freeze_as_old(project: Project) -> None:
    again = ExampleKey(OLD_PROMPT.sha256, 1, "starter", 1)  # an answer to the old rules, not to the new ones
    project.examples.add([Example(again, SHORT_ANSWER, "stop", "local", temperature=0.7)])
    add_dataset(project)
    assert change_rule(project, OLD_PROMPT).asks == ((1, 1), (2, 1), (3, 1))


def test_looser_rule_keeps_answers_that_the_stricter_one_rejected(project: Project) -> None:
    project.rules.put([Rule(1, "At most 4 words", Check("length", max=4))])
    check_examples(project)
    add_dataset(project)
    plan = change_rule(project, max_words=9)
    assert len(plan.kept) == 8


def test_removed_rule_affects_the_answers_that_show_it(project: Project) -> None:
    signed = Rule(2, "Ends with answer", Check("ends_with", text="answer."))
    project.rules.put([*project.rules.all(), signed])
    add_dataset(project)
    project.rules.remove(2)
    plan = plan_update(project)
    assert {row.reason for row in plan.touched} == {"shows the removed rule 2"}
    assert [row.curated.example.id for row in plan.kept] == [1, 2, 3]


def test_new_instruction_affects_all_answers_but_a_fact_only_those_on_its_subject(project: Project) -> None:
    project.prompts.set(Prompt((Message("system", OLD_PROMPT.system + " Always write kindly."),)))
    assert len(plan_update(project).touched) == 8
    assert len(plan_update(project, by_rules_alone=True).touched) == 0
    project.prompts.set(Prompt((Message("system", OLD_PROMPT.system + " A loan takes two days."),)))
    plan = plan_update(project)
    assert [row.curated.example.id for row in plan.touched] == [1]
    assert plan.touched[0].reason == "mentions “A loan takes two days.”"


def test_new_rubric_affects_all_answers(project: Project) -> None:
    project.rules.add([Rule(0, "Always write kindly.", Check("rubric"))])
    project.prompts.set(Prompt((Message("system", OLD_PROMPT.system + " Always write kindly."),)))
    plan = plan_update(project)
    assert (len(plan.kept), len(plan.touched)) == (0, 8)


def test_new_question_is_asked_too(project: Project) -> None:
    project.questions.add([Question((Message("user", "And a ninth?"),), topic="9", split="train")])
    assert change_rule(project).asks[-1] == (9, 1)


def test_update_without_a_dataset_is_refused() -> None:
    home = Home.locate()
    with Project.create(home.projects / "bare", None, home) as project:
        project.prompts.set(OLD_PROMPT)
        with pytest.raises(NotFoundError, match="dataset"):
            plan_update(project)
