"""The evaluation pane: measured by keys, bars, the worst answers side by side, the history, and how it looks."""

import dataclasses
from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Static

from engine.evaluation.lapses import Lapse
from engine.evaluation.statistics import wilson
from engine.jobs.protocol import AnswerEnded, AnswerStarted, Event, Progress, StageStarted, StampedEvent, StateChanged
from engine.jobs.wishes import write_wish
from engine.paths import Home
from engine.project import Project
from engine.records.comparison import Comparison, Paired, RulePaired
from engine.records.evaluation import Divergence, Evaluation, Interval, RuleRate
from engine.records.job import Job
from engine.records.options import EvaluateOptions, ProjectSettings, SynthesizeOptions, TeacherSpec
from engine.records.run import Run, TrainingConfig
from engine.store.jobs import options_of_job
from tests.engine.evaluation.made import arm_answer, evaluation
from tests.tui.panes.measured import add_measured_evaluation, add_measured_run, make_compared, make_evaluating
from tests.tui.panes.measured import arm_answer as kept_answer
from tests.tui.piloting import facts_of, footer, form_of, pane_of, reach, settled, text_of, until, workspace
from tests.tui.seeds import add_dataset, add_examples, arm, make_project, make_stage
from tui.app import DistillApp
from tui.panes.evaluation.bars import interval_bar
from tui.panes.evaluation.drawing import draw
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.evaluation.settings import nothing_to_ask, options_of, outlook
from tui.panes.evaluation.state import EvaluationState
from tui.panes.job import JobView
from tui.panes.questions.pane import QuestionsPane
from tui.panes.view import View
from tui.services.evaluation import EvaluationAnswers, EvaluationBasis
from tui.services.facts import Facts
from tui.services.follower import JobEvents

SIZES = [pytest.param((80, 24), id="80"), pytest.param((120, 40), id="120")]
TEACHER = TeacherSpec("endpoint", "gpt", "https://llm.example.com/v1")
VALUES = {"run": "2", "split": "test", "samples": "2", "temperature": "0.5", "limit": ""}


pane = partial(pane_of, kind=EvaluationPane)
text = partial(text_of, kind=EvaluationPane)


async def opened(pilot: Pilot[int], app: DistillApp, words: str) -> None:
    await reach(pilot, 6, EvaluationPane, lambda: words in text(app))


@given(st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))), st.integers(5, 40))
def test_a_bar_is_as_wide_as_its_room_and_its_point_lies_within(counts: tuple[int, int], width: int) -> None:
    bar = interval_bar(wilson(*counts), width)
    assert len(bar) == width
    assert bar.count("●") == 1
    assert set(bar) <= set("·├─●┤")
    inside = bar.strip("·")
    assert inside[0] in "├●"
    assert inside[-1] in "┤●"


def test_bars_stand_where_their_rates_are() -> None:
    assert interval_bar(Interval(0.5, 0.25, 0.75), 9) == "··├─●─┤··"
    assert interval_bar(Interval(1.03, 0.9, 1.2), 11) == "·········├●"
    assert interval_bar(Interval(0.0, 0.0, 0.0), 5) == "●····"


def read(*lapses: Lapse, samples: int = 2) -> EvaluationState:
    state = EvaluationState(asked_for=1)
    answers = {
        (lapse.question_id, sample): (arm_answer("distilled", lapse.question_id, sample, True, True),)
        for lapse in lapses
        for sample in range(samples)
    }
    state.take(EvaluationAnswers(1, lapses, {}, answers))
    return state


def test_answers_are_turned_sample_by_sample_and_on_into_the_next_question() -> None:
    state = read(Lapse(7, 2, (1,), 2, 1), Lapse(3, 0, (), 2, 0))
    assert state.open()
    seen = [(state.row, state.sample)]
    for by in (1, 1, 1, -1, -1, -1, -1):
        state.turn_answer(by)
        seen.append((state.row, state.sample))
    assert seen == [(0, 1), (1, 0), (1, 1), (1, 1), (1, 0), (0, 1), (0, 0), (0, 0)]


def test_answers_of_another_evaluation_come_too_late() -> None:
    state = read(Lapse(7, 2, (1,), 2, 1))
    state.open()
    state.take(EvaluationAnswers(9, ()))
    assert state.lapse is not None
    state.take(EvaluationAnswers(1, ()))
    assert (state.lapse, state.mode) == (None, "table")
    assert not state.open()


def test_the_way_out_is_the_way_in() -> None:
    state = read(Lapse(7, 2, (1,), 2, 1))
    state.evaluations = tuple(dataclasses.replace(evaluation(), id=number) for number in (1, 2, 3))
    state.turn_history()
    assert (state.mode, state.history_row) == ("history", 2), "it begins at the one that is shown"
    state.move(-1)
    state.choose()
    assert (state.mode, state.chosen) == ("table", 2)
    state.back()
    assert state.chosen is None


BASIS = EvaluationBasis(
    (Run(2, "d", TrainingConfig("starter"), "done", ""),),
    {"test": 40, "validation": 0},
    (dataclasses.replace(evaluation(), id=1),),
    ProjectSettings(),
)


def test_an_outlook_says_how_many_answers_and_how_long() -> None:
    words = outlook(VALUES, BASIS)
    assert words.splitlines()[:3] == [
        "240 answers: 3 arms × 40 test questions × 2",
        "and 172 to check what else changed",
        "the job counts 506: 94 are re-read for divergence",
    ]
    assert "time  ≈ 3 min 53 s, at the speed measured for run 1" in words
    alone = outlook({**VALUES, "regressions": "no"}, BASIS)
    assert alone.splitlines()[:2] == [words.splitlines()[0], "the job counts 280: 40 are re-read for divergence"]
    assert "time  ≈ 2 min 00 s, at the speed measured for run 1" in alone
    judged = dataclasses.replace(BASIS, settings=ProjectSettings(judge=TEACHER), rubrics=2)
    assert "the job counts 986: 94 are re-read for divergence, 480 are verdicts" in outlook(VALUES, judged)
    assert "cannot decide anything" not in words
    assert "fewer than 35 questions cannot decide anything" in outlook({**VALUES, "limit": "10"}, BASIS)
    assert "time  unknown" in outlook(VALUES, dataclasses.replace(BASIS, evaluations=()))
    for name, typed in (("limit", "x"), ("samples", "9" * 4000), ("limit", "9" * 5000), ("temperature", "nan")):
        assert outlook({**VALUES, name: typed}, BASIS) == ""


def test_a_teacher_that_is_another_model_is_an_arm_and_an_empty_split_is_refused() -> None:
    basis = dataclasses.replace(BASIS, settings=ProjectSettings(teacher=TEACHER))
    assert options_of(VALUES, basis) == EvaluateOptions(
        2, temperature=0.5, samples=2, teacher=TEACHER, regressions=True
    )
    assert "4 arms" in outlook(VALUES, basis)
    assert nothing_to_ask(VALUES, BASIS) == ""
    assert nothing_to_ask({**VALUES, "split": "validation"}, BASIS).startswith("There are no validation questions.")


@pytest.mark.parametrize("alone", [False, True], ids=["with-probes", "alone"])
@pytest.mark.parametrize("size", SIZES)
async def test_an_evaluation_is_started_by_keys(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], alone: bool
) -> None:
    monkeypatch.setattr("engine.jobs.launch.launch", lambda folder, job, home: job)
    folder = make_compared(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "every rule")
        await pilot.press("e")
        await form_of(pilot)
        assert "3 arms × 8 test questions × 3" in said(app)
        assert "and 148 to check what else changed" in said(app)
        await pilot.press("right", "down", "down", "backspace", "1", "down", "down", "down", "down", "right")
        await until(pilot, lambda: "what else changed" not in said(app))
        await pilot.press("left")
        await until(pilot, lambda: "148 to check what else changed" in said(app))
        await pilot.press(*(("right",) if alone else ()), "enter")
        await until(pilot, lambda: last_job(folder, home).kind == "evaluate")
        assert options_of_job(last_job(folder, home)) == EvaluateOptions(run_id=2, samples=1, regressions=not alone)


def said(app: DistillApp) -> str:
    """What the form says that its values mean."""
    return str(app.screen.query_one("#aside", Static).visual)


def last_job(folder: Path, home: Home) -> Job:
    with Project.open(folder, home) as project:
        return project.jobs.all()[-1]


async def test_without_a_run_the_keys_say_what_comes_first(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "train a run first")
        await pilot.press("e", "equals_sign", "enter")
        await until(pilot, lambda: len(app._notifications) == 2)
        assert {note.message for note in app._notifications} == {
            "There is no trained run yet. Go to Run (5) to train one.",
            "There is no evaluation yet.",
        }


async def test_while_it_measures_the_arms_are_counted(home: Home) -> None:
    app = DistillApp(home, make_evaluating(home))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app, "distilled 4 of 4")
        assert "unprompted 0 of 8    prompted 7 of 8" in text(app)
        assert "● now: distilled answers" in text(app)
        await pilot.press("enter")
        assert "measuring" in text(app)


@pytest.mark.parametrize("width", [56, 60, 76])
def test_a_count_stands_whole_beside_its_arm_and_now_is_what_is_written(width: int) -> None:
    facts, job = Facts("p", "/p", ProjectSettings(), ()), JobView(1, "evaluate")
    events: list[Event] = [StateChanged("running"), StageStarted("evaluation")]
    for name in ("teacher", "prompted", "distilled"):
        events += [AnswerStarted(name, name, "why?"), AnswerEnded(name, "so", True)]
    events += [Progress(3, 9, "distilled answers"), AnswerStarted("last", "unprompted", "why?")]
    for event in events:
        job.apply(StampedEvent(0.0, event))
    lines = [line.plain for line in draw(View(facts, job, width, 20), EvaluationState()).lines]
    assert all(any(f"{name} 1/1" in line for line in lines) for name in ("teacher", "prompted", "distilled"))
    assert max(map(len, lines)) <= width
    assert "● now: unprompted answers" in lines
    job.apply(StampedEvent(0.0, Progress(3, 9, "unprompted answers (general probes)")))
    lines = [line.plain for line in draw(View(facts, job, width, 20), EvaluationState()).lines]
    assert "● now: unprompted answers (general probes)" in lines


@pytest.mark.parametrize("size", SIZES)
async def test_after_the_last_answer_it_says_what_it_does(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_evaluating(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "distilled 4")
        job = workspace(app).state.job
        assert job is not None
        for note in ("distilled answers (general probes)", "divergence from the base", "verdicts of the judge"):
            workspace(app).post_message(JobEvents(job.job_id, [StampedEvent(0.0, Progress(30, 44, note))]))
            await until(pilot, lambda note=note: f"● now: {note}" in text(app))
        for state, words in (("paused", "‖ paused   r resumes it"), ("waiting", "○ waiting   for the judge")):
            event = StampedEvent(0.0, StateChanged(state, "for the judge"))
            workspace(app).post_message(JobEvents(job.job_id, [event]))
            await until(pilot, lambda words=words: words in text(app) and "now:" not in text(app))
        watched = facts_of(app).newest_job
        assert watched is not None
        write_wish(Path(facts_of(app).folder) / watched.folder, "stop")  # as from another terminal
        await until(pilot, lambda: "■ stopping   at its next safe point" in text(app))
        assert " left" not in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_the_worst_answers_are_read_side_by_side(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "2 of 8 questions where the student fails")
        assert "98 % of the prompt's gain is recovered" in " ".join(text(app).split())
        await pilot.press("j")
        assert "▌✗ 3   rule 2" in text(app)
        await pilot.press("k", "enter")
        page = text(app)
        assert "question 1 of 8" in page
        assert "sample 2 of 3" in page
        assert "Question 8 about fraud" in page
        assert page.count("26 tok") == 3
        assert page.count("✗ 2: 5 of at most 3") == 2
        assert "✓ passes every rule" in page
        side_by_side = any("unprompted" in line and "distilled" in line for line in page.splitlines())
        assert side_by_side == (size[0] >= 100)
        await pilot.press("right_square_bracket", "right_square_bracket")
        assert "question 2 of 8" in text(app)
        assert "sample 1 of 3" in text(app)
        await pilot.press("left_square_bracket")
        assert "question 1 of 8" in text(app)
        assert "sample 3 of 3" in text(app)
        await pilot.press("escape")
        assert "every rule" in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_the_footer_tells_what_holds_in_what_is_shown_over_the_table(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "2 of 8 questions where the student fails")
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await until(pilot, lambda: footer(app).startswith("e evaluate   enter answers   = history"))
        await pilot.press("enter")
        reading = "] next sample   [ prev   j next question   k prev   esc back   ? help"
        await until(pilot, lambda: footer(app) == reading)
        await pilot.press("escape", "d")
        await until(pilot, lambda: footer(app).startswith("esc back   e evaluate   = history"))
        assert "enter" not in footer(app)
        await pilot.press("escape", "equals_sign")
        await until(pilot, lambda: footer(app).startswith("enter show   esc back   e evaluate"))
        assert "= history" not in footer(app)
        await pilot.press("equals_sign")
        await until(pilot, lambda: footer(app).endswith("? help   q quit"))
        assert footer(app).startswith("e evaluate   enter answers   = history")


async def test_questions_are_read_one_after_the_other_and_a_long_page_scrolls(home: Home) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "2 of 8 questions where the student fails")
        await pilot.press("enter", "j")
        assert "question 2 of 8" in text(app)
        await pilot.press("k")
        assert "question 1 of 8" in text(app)
        assert "sample 2 of 3" in text(app)  # its worst one
        await pilot.press("pagedown")
        await until(pilot, lambda: pane(app).scroll_offset.y > 0)
        assert "question 1 of 8" in text(app)
        await pilot.press("g")
        await until(pilot, lambda: pane(app).scroll_offset.y == 0)


@pytest.mark.parametrize("way", ["enter", "d", "equals_sign"])
async def test_q_goes_one_level_back_and_leaves_from_the_table_alone(home: Home, way: str) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "2 of 8 questions where the student fails")
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await pilot.press(way)
        await until(pilot, lambda: "q quit" not in footer(app))
        await pilot.press("q")
        await until(pilot, lambda: "q quit" in footer(app))
        assert "2 of 8 questions where the student fails" in text(app)
        assert app.return_value is None
        await pilot.press("q")
        await until(pilot, lambda: app.return_value == 0)


@pytest.mark.parametrize("size", SIZES)
async def test_the_worst_tokens_take_the_place_of_the_questions_and_give_it_back(
    home: Home, size: tuple[int, int]
) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "2 of 8 questions where the student fails")
        await pilot.press("d")
        page = text(app)
        assert "differs most from the prompted model" in page
        assert "where the student fails" not in page
        assert "required by rule 1; student's answer fails rules 1, 2" in page
        assert page.count("‹end›") == 4
        await pilot.press("enter")
        assert "2 of 8 questions" in text(app)
        await pilot.press("d", "escape")
        assert "2 of 8 questions" in text(app)


async def test_an_evaluation_without_its_tokens_says_so(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "every rule")
        await pilot.press("d")
        await until(pilot, lambda: len(app._notifications) == 1)
        assert {note.message for note in app._notifications} == {"The tokens of this evaluation were not stored."}


async def test_an_evaluation_that_is_opened_begins_with_its_title(home: Home) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "2 of 8 questions")
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        assert pane(app).max_scroll_y > 0
        await pilot.press("G", "equals_sign", "enter")
        await until(pilot, lambda: pane(app).state.mode == "table" and "every rule" in text(app))
        await settled(pilot)
        assert pane(app).scroll_offset.y == 0
        pane(app).open(pane(app).state.evaluations[-1].id)
        await settled(pilot)
        assert pane(app).scroll_offset.y == 0


async def test_the_cursor_is_always_seen(home: Home) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "2 of 8 questions")
        for key in ("j", "j", "G", "k", "pagedown", "g", "pagedown", "pageup"):
            await pilot.press(key)
            await pilot.pause()
            top, height = pane(app).scroll_offset.y, pane(app).size.height
            line = next(index for index, line in enumerate(text(app).splitlines()) if line.startswith("▌"))
            assert top <= line < top + height or key == "g", key


@pytest.mark.parametrize("size", SIZES)
async def test_the_history_shows_an_older_evaluation_and_comes_back(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "✓ pass")
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await pilot.press("equals_sign")
        assert "71 % 62–79" in text(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "✗ fail" in text(app) and "2 of 8 questions" in text(app))
        assert "is entirely below 95" in " ".join(text(app).split())
        await pilot.press("v")
        assert "├" not in text(app)
        await pilot.press("escape")
        await until(pilot, lambda: "✓ pass" in text(app))


async def test_answers_that_were_not_kept_are_said_to_be_so(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "every rule")
        await pilot.press("enter")
        await until(pilot, lambda: len(app._notifications) == 1)
        assert "every rule" in text(app)


async def test_the_report_of_the_shown_run_is_written_and_its_place_said(home: Home) -> None:
    folder = make_compared(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "✓ pass")
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await pilot.press("equals_sign", "down", "enter")
        await until(pilot, lambda: "✗ fail" in text(app))
        await pilot.press("h")
        file = folder / "report.html"
        await until(pilot, lambda: any(str(file) in note.message for note in app._notifications), seconds=60)
        file.write_text("an older one", encoding="utf-8")
        await pilot.press("h")
        await until(pilot, lambda: file.read_text(encoding="utf-8") != "an older one", seconds=60)
    page = file.read_text(encoding="utf-8")
    assert "meridian-desk" in page
    assert "Run 1: the student without the prompt, compared with the prompted model" in page
    with Project.open(folder, home) as project:
        project.delete()
    assert not folder.exists(), "the report goes with the project"


async def test_without_an_evaluation_there_is_no_report(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "train a run first")
        await pilot.press("h")
        await until(pilot, lambda: {note.message for note in app._notifications} == {"There is no evaluation yet."})


@pytest.mark.parametrize("size", SIZES)
async def test_what_failed_on_validation_becomes_a_wish_for_training_questions(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("engine.jobs.launch.launch", lambda folder, job, home: job)
    folder = make_compared(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "every rule")
        await pilot.press("i")
        await until(pilot, lambda: any("e to start one" in note.message for note in app._notifications))
        with Project.open(folder, home) as project:
            failed = add_failed_validation(project)
        await until(pilot, lambda: "i writes training questions like them" in text(app))
        await pilot.press("i")
        form = await form_of(pilot)
        await until(pilot, lambda: "2 requests for up to 10 questions." in str(form.query_one("#aside", Static).visual))
        await pilot.press("backspace", "1", "down", "backspace", "3", "enter")
        await until(pilot, lambda: last_job(folder, home).kind == "synthesize")
        await until(pilot, lambda: "questions" in text_of(app, kind=QuestionsPane).lower())  # where the work is
    assert options_of_job(last_job(folder, home)) == SynthesizeOptions(per_topic=3, like=failed[:1])
    with Project.open(folder, home) as project:
        assert project.questions.get(failed[0]).split == "validation"


async def test_where_no_validation_question_failed_nothing_is_written(home: Home) -> None:
    folder = make_compared(home)
    with Project.open(folder, home) as project:
        add_failed_validation(project, broken=((), ()))
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "every rule")
        await pilot.press("i")
        await until(pilot, lambda: any("nothing to improve" in note.message for note in app._notifications))


def add_failed_validation(project: Project, broken: tuple[tuple[int, ...], ...] = ((2,), (2, 3))) -> tuple[int, ...]:
    """An evaluation on validation questions, the first of which are failed so; their numbers, the worst first."""
    held = project.evaluations.all()[-1]
    asked = [each.id for each in project.questions.all(split="validation")]
    answers = [
        kept_answer(project, name, number, 0, rules if name == "distilled" else ())
        for number, rules in zip_longest(asked, broken, fillvalue=())
        for name in ("unprompted", "prompted", "distilled")
    ]
    project.evaluations.add_answers(held.run_id, "validation", answers)
    project.evaluations.add(
        dataclasses.replace(
            held, id=0, created_at="", split="validation", answers_key="validation", questions=len(asked)
        )
    )
    return tuple(sorted(asked[: len(broken)], key=lambda number: -len(broken[asked.index(number)])))


async def test_hostile_answers_stay_words(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        run_id = add_measured_run(project, add_dataset(project), TrainingConfig("starter"))
        add_measured_evaluation(project, run_id, "fail", Interval(0.5, 0.4, 0.6), foreign=True)
        folder = project.folder
    app = DistillApp(home, folder)
    for size in ((80, 24), (120, 40)):
        async with app.run_test(size=size, notifications=True) as pilot:
            await opened(pilot, app, "2 of 8 questions")
            await pilot.press("enter")
            await pilot.pause()
            assert "[@click=app.quit]" in text(app)
            assert not any(character in text(app) for character in "\x1b\x07\x9b\u202e")
        app = DistillApp(home, folder)


def test_an_evaluation_with_a_teacher_has_four_arms_that_fit() -> None:
    from tui.panes.evaluation.drawing import _table

    made: Evaluation = evaluation(teacher=True)
    for width in (77, 89, 117):
        assert all(line.cell_length <= width for line in _table(made, EvaluationState(), width))


@pytest.mark.parametrize("width", [77, 89, 117])
def test_extra_arms_have_columns_that_fit_and_short_names(width: int) -> None:
    from tui.panes.evaluation.drawing import _table

    made = evaluation(teacher=True)
    student = made.arms[2][1]
    names = ("run:3", "checkpoint:12:1200", "prompt_back")
    lines = _table(
        dataclasses.replace(made, arms=(*made.arms, *((name, student) for name in names))), EvaluationState(), width
    )
    assert all(line.cell_length <= width for line in lines)
    assert any(all(words in line.plain for words in ("run 3", "12@1200", "+ prompt")) for line in lines)


async def test_marks_say_what_is_worse_and_what_would_decide(home: Home) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app, "◐ 94 more questions would decide rule 3.")
        assert "◐ undecided\n" in text(app)
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await pilot.press("equals_sign", "down", "enter")
        await until(pilot, lambda: "▼ worse than prompted (McNemar, Holm-corrected)" in text(app))
        assert text(app).count("▼") == 3


def test_in_a_low_window_the_verdict_and_all_rules_are_seen_before_what_would_decide() -> None:
    from tui.panes.evaluation.drawing import _table

    def open_still(more: int | None) -> Paired:
        return Paired(Interval(-0.06, -0.13, 0.01), 2, 8, 0.11, 0.33, "undecided", more)

    made = evaluation()
    rules = tuple(RuleRate(number, f"Rule {number}", "contains", wilson(60, 80)) for number in range(1, 9))
    found = tuple(RulePaired(rule.id, open_still(300 - rule.id if rule.id != 5 else None)) for rule in rules)
    made = dataclasses.replace(
        made,
        verdict="undecided",
        recovered=Interval(0.93, 0.7, 1.1),
        arms=tuple((name, dataclasses.replace(score, rules=rules)) for name, score in made.arms),
        comparisons=(Comparison("distilled", made.reference, open_still(1), found),),
    )
    lines = [line.plain for line in _table(made, EvaluationState(), 77)]
    seen = lines[:17]
    assert "◐ undecided" in seen[0]
    assert sum(f"Rule {number}" in line for line in seen for number in range(1, 9)) == 8
    assert "◐ undecided" in seen
    told = " ".join(lines[lines.index("◐ undecided") + 1 :])
    assert told.endswith(
        "◐ 1 more question would decide «every rule», 292 rule 8, 293 rule 7, 294 rule 6, 296 rule 4, 297 rule 3, "
        "298 rule 2, 299 rule 1."
    ), "the nearest first, and none for the rule that no number decides"


@pytest.mark.parametrize(("kl", "words"), [(0.1, "−90 %  0.100"), (1.0, "0 %  1.000"), (1.2, "+20 %  1.200")])
def test_a_divergence_says_how_much_of_it_is_gone_or_came(kl: float, words: str) -> None:
    from tui.panes.evaluation.drawing import _divergence

    base = Divergence(1.0, 0.9, 1.1, 1.0)
    score = arm((360, 360, 360, 360), 360, Divergence(kl, kl, kl, kl), 18.0)
    assert _divergence("distilled", score, base, lambda each: each.mean, 20) == words


LOOKS = [
    ("compared", "j", "done"),
    ("compared", "enter", "answers"),
    ("compared", "equals_sign j", "history"),
    ("compared", "v", "figures"),
    ("compared", "d", "differing"),
    ("compared", "e", "form"),
    ("evaluating", "", "busy"),
]
MAKERS: dict[str, Callable[[Home], Path]] = {"compared": make_compared, "evaluating": make_evaluating}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "keys", "look"), [pytest.param(*look, id=look[2]) for look in LOOKS])
@pytest.mark.usefixtures("still_meter")
def test_the_pane_looks_as_it_did(
    snap_compare: Callable[..., bool], home: Home, size: tuple[int, int], name: str, keys: str, look: str
) -> None:
    app = DistillApp(home, MAKERS[name](home))

    async def settle(pilot: Pilot[int]) -> None:
        await opened(
            pilot, app, "2 of 8 questions" if name == "compared" else f"distilled 4{'/' if size[0] < 100 else ' of '}4"
        )
        if name == "evaluating":
            await until(pilot, lambda: app.screen.state.load is not None)
        else:
            await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await pilot.press(*keys.split())
        if look == "form":
            await form_of(pilot)
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=settle)
