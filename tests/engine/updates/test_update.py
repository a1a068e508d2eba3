"""From an old dataset to a changed prompt: what is kept, what is touched and asked for, and that it is done once."""

import pytest

from engine.curation.automatic import check_examples
from engine.curation.decisions import edit, reject
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
from tests.engine.updates.bank import LONG, NEW, OLD, SHORT, answer, change, freeze


def test_where_nothing_changed_nothing_is_done(project: Project) -> None:
    plan = plan_update(project)
    assert not plan.changed
    assert plan.to_ask == 0
    assert "frozen with prompt version 1 and the current rules" in plan_text(plan)


def test_a_tighter_rule_touches_the_answers_that_break_it(project: Project) -> None:
    plan = change(project)
    assert [row.kind for row in plan.rules] == ["changed"]
    assert plan.passages == ()
    assert [row.curated.example.id for row in plan.touched] == [1, 2, 3]
    assert [row.curated.example.id for row in plan.kept] == [4, 5, 6, 7, 8]
    assert plan.asks == ((1, 1), (2, 1), (3, 1))
    assert "3  breaks rule 1" in plan_text(plan)
    assert plan_json(plan)["to_ask"] == 3


def test_kept_answers_become_examples_of_the_new_version_with_where_they_came_from(project: Project) -> None:
    edit(project, 4, "My own words.")
    reject(project, Selection(ids=(5,)))
    spent = project.spending.usd()
    carried = carry(project, change(project))
    assert carried.answers == 4
    now = project.examples.all(NEW.sha256)
    assert [row.example.carried_from for row in now] == [4, 6, 7, 8]
    assert all(row.example.token_ids == (5, 6) and row.example.usage.cost_usd == 0 for row in now)
    assert now[0].answer == "My own words."
    assert now[0].decision is not None
    assert (now[0].decision.source, now[0].decision.reason) == ("person", "as decided about example 4")
    assert [row.state for row in now[1:]] == ["undecided"] * 3
    assert project.spending.usd() == spent, "nothing is paid for twice"
    assert project.spending.mean_answer_tokens("starter") == 3
    assert [row.example.id for row in project.examples.window(0, 9, Selection(NEW.sha256))] == [9, 10, 11, 12]


def test_the_rest_is_asked_for_as_it_was_asked_before_and_only_once(project: Project) -> None:
    plan = change(project)
    options = carry(project, plan).options
    assert options is not None
    assert (options.asks, options.temperature) == (((1, 0), (2, 0), (3, 0)), 0.7)
    answer(project, NEW, {1: SHORT, 2: LONG})
    again = plan_update(project)
    assert again.asks == ((3, 1),), "an answer that came is not asked for again, whatever it is like"
    second = carry(project, again)
    assert second.answers == 0
    assert second.options is not None
    assert second.options.asks == ((3, 0),)
    answer(project, NEW, {3: SHORT})
    check_examples(project)
    freeze(project)
    assert not plan_update(project).changed


def test_rules_that_change_under_the_same_prompt_touch_its_own_answers(project: Project) -> None:
    plan = change(project, OLD)
    assert (len(plan.kept), plan.asks) == (5, ((1, 1), (2, 1), (3, 1)))
    carried = carry(project, plan)
    assert carried.answers == 0
    assert carried.options is not None
    assert carried.options.asks == ((1, 1), (2, 1), (3, 1)), "another attempt"


def test_an_older_content_that_is_frozen_again_is_of_that_moment(project: Project) -> None:
    again = ExampleKey(OLD.sha256, 1, "starter", 1)  # an answer to the rules of then, and none to those that come
    project.examples.add([Example(again, SHORT, "stop", "local", temperature=0.7)])
    freeze(project)
    assert change(project, OLD).asks == ((1, 1), (2, 1), (3, 1))


def test_a_looser_rule_keeps_what_the_stricter_one_had_rejected(project: Project) -> None:
    project.rules.put([Rule(1, "At most 4 words", Check("length", max=4))])
    check_examples(project)
    freeze(project)
    plan = change(project, most=9)
    assert len(plan.kept) == 8


def test_a_removed_rule_touches_the_answers_that_show_it(project: Project) -> None:
    signed = Rule(2, "Ends with answer", Check("ends_with", text="answer."))
    project.rules.put([*project.rules.all(), signed])
    freeze(project)
    project.rules.remove(2)
    plan = plan_update(project)
    assert {row.reason for row in plan.touched} == {"shows the removed rule 2"}
    assert [row.curated.example.id for row in plan.kept] == [1, 2, 3]


def test_a_demand_without_a_rule_touches_all_and_a_case_those_that_speak_of_it(project: Project) -> None:
    project.prompts.set(Prompt((Message("system", OLD.system + " Always write kindly."),)))
    assert len(plan_update(project).touched) == 8
    assert len(plan_update(project, by_rules_alone=True).touched) == 0
    project.prompts.set(Prompt((Message("system", OLD.system + " A loan takes two days."),)))
    plan = plan_update(project)
    assert [row.curated.example.id for row in plan.touched] == [1]
    assert plan.touched[0].reason == "mentions «A loan takes two days.»"


def test_a_new_demand_that_only_a_judge_can_check_touches_all(project: Project) -> None:
    project.rules.add([Rule(0, "Always write kindly.", Check("rubric"))])
    project.prompts.set(Prompt((Message("system", OLD.system + " Always write kindly."),)))
    plan = plan_update(project)
    assert (len(plan.kept), len(plan.touched)) == (0, 8)


def test_a_new_question_is_asked_for_too(project: Project) -> None:
    project.questions.add([Question((Message("user", "And a ninth?"),), topic="9", split="train")])
    assert change(project).asks[-1] == (9, 1)


def test_without_a_dataset_there_is_nothing_to_update() -> None:
    home = Home.locate()
    with Project.create(home.projects / "bare", None, home) as made:
        made.prompts.set(OLD)
        with pytest.raises(NotFoundError, match="dataset"):
            plan_update(made)
