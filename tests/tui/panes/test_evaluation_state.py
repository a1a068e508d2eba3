"""The evaluation pane without a screen: interval bars, its state, the outlook of the form, and the table."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.lapses import Lapse
from engine.evaluation.statistics import wilson
from engine.jobs.protocol import (
    AnswerEnded,
    AnswersFound,
    AnswerStarted,
    Event,
    Progress,
    StageStarted,
    StampedEvent,
    StateChanged,
)
from engine.records.comparison import Comparison, Paired, RulePaired
from engine.records.evaluation import Divergence, Evaluation, Interval, RuleRate
from engine.records.options import EvaluateOptions, ProjectSettings, TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.run import Run, TrainingConfig
from tests.engine.evaluation.handmade_evaluations import arm_answer, evaluation
from tests.tui.seeds import arm
from tui.panes.evaluation.bars import interval_bar
from tui.panes.evaluation.drawing import _divergence, _table, draw
from tui.panes.evaluation.marks import deciding
from tui.panes.evaluation.settings import fields, nothing_to_ask, options_of, outlook
from tui.panes.evaluation.state import EvaluationState
from tui.panes.view import View
from tui.services.evaluation import EvaluationAnswers, EvaluationBasis
from tui.services.facts import Facts
from tui.services.job_view import JobView

TEACHER = TeacherSpec("endpoint", "gpt", "https://llm.example.com/v1")
VALUES = {"run": "2", "split": "test", "samples": "2", "temperature": "0.5", "limit": ""}
BASIS = EvaluationBasis(
    (Run(2, "d", TrainingConfig("starter"), "done", ""),),
    {"test": 40, "validation": 0},
    (dataclasses.replace(evaluation(), id=1),),
    ProjectSettings(),
)


@given(st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))), st.integers(5, 40))
def test_interval_bar_fills_its_width_and_contains_its_point(counts: tuple[int, int], width: int) -> None:
    bar = interval_bar(wilson(*counts), width)
    assert len(bar) == width
    assert bar.count("●") == 1
    assert set(bar) <= set("·├─●┤")
    inside = bar.strip("·")
    assert inside[0] in "├●"
    assert inside[-1] in "┤●"


def test_interval_bar_is_placed_by_its_rates() -> None:
    assert interval_bar(Interval(0.5, 0.25, 0.75), 9) == "··├─●─┤··"
    assert interval_bar(Interval(1.03, 0.9, 1.2), 11) == "·········├●"
    assert interval_bar(Interval(0.0, 0.0, 0.0), 5) == "●····"


def state_with(*lapses: Lapse, samples: int = 2) -> EvaluationState:
    state = EvaluationState(asked_for=1)
    answers = {
        (lapse.question_id, sample): (arm_answer("distilled", lapse.question_id, sample, True, True),)
        for lapse in lapses
        for sample in range(samples)
    }
    questions = {
        lapse.question_id: Question((Message("user", f"why {lapse.question_id}?"),), id=lapse.question_id)
        for lapse in lapses
    }
    state.take(EvaluationAnswers(1, lapses, questions, answers))
    return state


def test_next_sample_continues_into_the_next_question() -> None:
    state = state_with(Lapse(7, 2, (1,), 2, 1), Lapse(3, 0, (), 2, 0))
    assert state.open()
    seen = [(state.row, state.sample)]
    for by in (1, 1, 1, -1, -1, -1, -1):
        state.turn_answer(by)
        seen.append((state.row, state.sample))
    assert seen == [(0, 1), (1, 0), (1, 1), (1, 1), (1, 0), (0, 1), (0, 0), (0, 0)]


def test_answers_of_another_evaluation_are_ignored() -> None:
    state = state_with(Lapse(7, 2, (1,), 2, 1))
    state.open()
    seen = []
    for evaluation_id in (9, 1):
        state.take(EvaluationAnswers(evaluation_id, ()))
        seen.append((state.lapse is not None, state.mode))
    assert seen == [(True, "answers"), (False, "table")]
    assert not state.open()


def test_page_follows_from_the_state_and_the_facts() -> None:
    made = dataclasses.replace(evaluation(), id=1)
    facts = Facts("p", "/p", ProjectSettings(), (), evaluation=made)
    state = state_with(Lapse(7, 2, (1,), 2, 1))
    assert EvaluationState().page(Facts("p", "/p", ProjectSettings(), ()), measuring=False) == "empty"
    assert EvaluationState().page(facts, measuring=False) == "table"
    assert state.page(facts, measuring=False) == "questions"
    other = dataclasses.replace(facts, evaluation=dataclasses.replace(made, id=2))
    assert state.page(other, measuring=False) == "table", "these are another one's answers"
    state.open()
    assert state.page(facts, measuring=False) == "answers"
    assert state.page(facts, measuring=True) == "measuring"
    state.turn_history()
    assert state.page(facts, measuring=True) == "history"


def test_history_opens_an_older_evaluation_and_back_returns() -> None:
    state = state_with(Lapse(7, 2, (1,), 2, 1))
    state.evaluations = tuple(dataclasses.replace(evaluation(), id=number) for number in (1, 2, 3))
    state.turn_history()
    assert (state.mode, state.history_row) == ("history", 2), "the history starts at the evaluation that is shown"
    state.move(-1)
    state.choose()
    assert (state.mode, state.chosen) == ("table", 2)
    state.back()
    assert state.chosen is None


def test_outlook_shows_answer_count_and_duration() -> None:
    text = outlook(VALUES, BASIS)
    assert text.splitlines()[:3] == [
        "240 answers: 3 arms × 40 test questions × 2",
        "and 172 to check what else changed",
        "the job counts 521: 94 are re-read for divergence, 15 timed",
    ]
    assert "time  ≈ 3 min 53 s, at the speed measured for run 1" in text
    alone = outlook({**VALUES, "regressions": "no"}, BASIS)
    assert alone.splitlines()[1] == "the job counts 295: 40 are re-read for divergence, 15 timed"
    assert "time  ≈ 2 min 00 s, at the speed measured for run 1" in alone
    judged = dataclasses.replace(BASIS, settings=ProjectSettings(judge=TEACHER), rubrics=2)
    assert "the job counts 1,001: 94 are re-read for divergence, 15 timed, 480 judged" in outlook(VALUES, judged)
    assert "cannot decide anything" not in text
    assert "fewer than 35 questions cannot decide anything" in outlook({**VALUES, "limit": "10"}, BASIS)
    assert "time  unknown" in outlook(VALUES, dataclasses.replace(BASIS, evaluations=()))
    checks = {field.id: field.check for field in fields(BASIS)}
    for name, typed in (("limit", "x"), ("samples", "9" * 4000), ("limit", "9" * 5000), ("temperature", "nan")):
        assert checks[name](typed)


def test_other_teacher_model_is_an_arm_and_an_empty_split_is_refused() -> None:
    basis = dataclasses.replace(BASIS, settings=ProjectSettings(teacher=TEACHER))
    assert options_of(VALUES, basis) == EvaluateOptions(
        2, temperature=0.5, samples=2, teacher=TEACHER, regressions=True
    )
    assert "4 arms" in outlook(VALUES, basis)
    assert nothing_to_ask(VALUES, BASIS) == ""
    assert nothing_to_ask({**VALUES, "split": "validation"}, BASIS).startswith("There are no validation questions.")


@pytest.mark.parametrize("width", [56, 60, 76])
def test_counts_are_not_cut_and_the_current_phase_is_named(width: int) -> None:
    facts, job = Facts("p", "/p", ProjectSettings(), ()), JobView(1, "evaluate")
    events: list[Event] = [StateChanged("running"), StageStarted("evaluation")]
    for name in ("teacher", "prompted", "distilled"):
        events += [AnswerStarted(name, name, "why?"), AnswerEnded(name, "so", True)]
    events += [Progress(3, 9, "distilled answers"), AnswerStarted("last", "unprompted", "why?")]
    for event in events:
        job.apply(StampedEvent(0.0, event))
    lines = [line.plain for line in draw(View(facts, job, width, 20), EvaluationState())]
    assert all(any(f"{name} 1/1" in line for line in lines) for name in ("teacher", "prompted", "distilled"))
    assert max(map(len, lines)) <= width
    assert "● now: unprompted answers" in lines
    job.apply(StampedEvent(0.0, Progress(3, 9, "unprompted answers (general probes)")))
    lines = [line.plain for line in draw(View(facts, job, width, 20), EvaluationState())]
    assert "● now: unprompted answers (general probes)" in lines


def test_stored_answers_count_in_the_arms_when_the_job_resumes() -> None:
    facts, job = Facts("p", "/p", ProjectSettings(), ()), JobView(1, "evaluate")
    answered = (AnswerStarted("last", "prompted", "why?"), AnswerEnded("last", "so", True))
    before = (StateChanged("running"), StageStarted("evaluation"), *answered)
    after = (
        StageStarted("evaluation"), AnswersFound("unprompted", 400, 0), AnswersFound("prompted", 1, 1),
        Progress(401, 800, "prompted answers"), *answered,
    )  # fmt: skip
    for event in (*before, *after):
        job.apply(StampedEvent(0.0, event))
    lines = [line.plain for line in draw(View(facts, job, 80, 20), EvaluationState())]
    assert any("unprompted 0/400    prompted 2/2" in line for line in lines)


def test_table_with_a_teacher_arm_fits_the_width() -> None:
    made: Evaluation = evaluation(teacher=True)
    for width in (77, 89, 117):
        assert all(line.cell_length <= width for line in _table(made, EvaluationState(), width))


@pytest.mark.parametrize("width", [77, 89, 117])
def test_extra_arms_fit_the_width_and_have_short_names(width: int) -> None:
    made = evaluation(teacher=True)
    student = made.arms[2][1]
    names = ("run:3", "checkpoint:12:1200", "prompt_back")
    lines = _table(
        dataclasses.replace(made, arms=(*made.arms, *((name, student) for name in names))), EvaluationState(), width
    )
    assert all(line.cell_length <= width for line in lines)
    assert any(all(short_name in line.plain for short_name in ("run 3", "12@1200", "+ prompt")) for line in lines)


def test_verdict_and_all_rules_come_before_the_notes_on_undecided_ones() -> None:
    def undecided(more: int | None) -> Paired:
        return Paired(Interval(-0.06, -0.13, 0.01), 2, 8, 0.11, 0.33, "undecided", more)

    made = evaluation()
    rules = tuple(RuleRate(number, f"Rule {number}", "contains", wilson(60, 80)) for number in range(1, 9))
    paired = tuple(RulePaired(rule.id, undecided(300 - rule.id if rule.id != 5 else None)) for rule in rules)
    made = dataclasses.replace(
        made,
        verdict="undecided",
        recovered=Interval(0.93, 0.7, 1.1),
        arms=tuple((name, dataclasses.replace(score, rules=rules)) for name, score in made.arms),
        comparisons=(Comparison("distilled", made.reference, undecided(1), paired),),
    )
    lines = [line.plain for line in _table(made, EvaluationState(), 77)]
    visible = lines[:17]
    assert "○ undecided" in visible[0]
    assert sum(f"Rule {number}" in line for line in visible for number in range(1, 9)) == 8
    assert "○ undecided" in visible
    notes = " ".join(lines[lines.index("○ undecided") + 1 :])
    assert notes.endswith(
        "○ 1 more question would decide “every rule”; 292 rule 8; 293 rule 7; 294 rule 6; 296 rule 4; 297 rule 3; "
        "298 rule 2; 299 rule 1."
    ), "the fewest questions first, without the rule that no number of questions would decide"


@pytest.mark.parametrize(
    ("together", "numbers", "words"),
    [
        (33, (33, 33, 33, 33), "○ 33 more questions would decide every rule."),
        (33, (33, 33, 33, 94), "○ 33 more questions would decide rules 1, 2, 3 and “every rule”; 94 rule 4."),
        (94, (33, 33, 33, 94), "○ 33 more questions would decide rules 1, 2 and 3; 94 rule 4 and “every rule”."),
        (1, (33, 33, 33, 33), "○ 1 more question would decide “every rule”; 33 rules 1, 2, 3 and 4."),
    ],
)
def test_rules_that_need_as_many_questions_are_named_together(
    together: int, numbers: tuple[int, ...], words: str
) -> None:
    def undecided(more: int) -> Paired:
        return Paired(Interval(-0.06, -0.13, 0.01), 2, 8, 0.11, 0.33, "undecided", more)

    rules = tuple(RulePaired(number, undecided(more)) for number, more in enumerate(numbers, start=1))
    (line,) = deciding(Comparison("distilled", "prompted", undecided(together), rules), 200)
    assert line.plain == words


def drawn_with(made: Evaluation, state: EvaluationState) -> list[str]:
    view = View(Facts("p", "/p", ProjectSettings(), (), evaluation=made), None, 77, 40)
    return [line.plain for line in draw(view, state)]


def test_question_is_ticked_only_if_the_student_passes_every_rule() -> None:
    made = dataclasses.replace(evaluation(), id=1)
    passing, alike = Lapse(3, 0, (), 2, 0, passes=True), Lapse(4, 0, (), 2, 0)
    state = state_with(passing, alike)
    lines = drawn_with(made, state)
    assert "✓ passes every rule   = no worse than the prompted model" in lines
    assert [line[1] for line in lines if "why 3?" in line or "why 4?" in line] == ["✓", "="]
    assert not any("no worse" in line for line in drawn_with(made, state_with(passing)))


def test_answers_cut_off_at_the_limit_are_reported() -> None:
    made = dataclasses.replace(evaluation(), max_answer_tokens=24)
    arms = tuple((name, dataclasses.replace(score, cut_off=12)) for name, score in made.arms)
    lines = [line.plain for line in _table(dataclasses.replace(made, arms=arms), EvaluationState(), 117)]
    assert any(line.startswith("12 of 40 answers of unprompted, 12 of 40 of prompted") for line in lines)
    assert not any("cut off" in line.plain for line in _table(made, EvaluationState(), 117))


def test_times_are_grouped_like_in_the_report() -> None:
    lines = [line.plain for line in _table(evaluation(), EvaluationState(), 117)]
    assert any("1,234 ms" in line for line in lines)


@pytest.mark.parametrize(
    ("kl", "expected"), [(0.1, "−90\u00a0%  0.100"), (1.0, "0\u00a0%  1.000"), (1.2, "+20\u00a0%  1.200")]
)
def test_divergence_shows_its_change_from_the_base(kl: float, expected: str) -> None:
    base = Divergence(1.0, 0.9, 1.1, 1.0)
    score = arm((360, 360, 360, 360), 360, Divergence(kl, kl, kl, kl), 18.0)
    assert _divergence("distilled", score, base, lambda each: each.mean, 20) == expected


def test_answer_that_was_cut_off_names_the_limit() -> None:
    state = state_with(Lapse(3, 0, (), 2, 0, passes=True))
    cut = {
        place: (dataclasses.replace(each, finish_reason="length"),) for place, (each,) in state.answers.answers.items()
    }
    state.answers = dataclasses.replace(state.answers, answers=cut)
    state.open()
    lines = drawn_with(dataclasses.replace(evaluation(), id=1, max_answer_tokens=24), state)
    assert "cut off at 24 tokens" in map(str.strip, lines)
