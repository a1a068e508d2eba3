"""Runs, evaluations, jobs, settings and releases come back as they were stored."""

from dataclasses import replace

import pytest

from engine.errors import NotFoundError, StoreError
from engine.project import Project
from engine.records.evaluation import ArmAnswer, ArmScore, Divergence, Evaluation, Interval, Rate, RuleRate
from engine.records.options import EvaluateOptions, GenerateOptions, ProjectSettings, TeacherSpec
from engine.records.rule import CheckResult, Span
from engine.records.run import CurvePoint, Run, TrainingConfig
from engine.store.jobs import options_of_job
from tests.engine.store.facts import dataset

_RATE = Rate(118, 120, 118 / 120, 0.94, 0.995)


@pytest.fixture
def run(asked: Project) -> Run:
    asked.datasets.add(dataset())
    return asked.runs.add(dataset().sha256, TrainingConfig("starter", learning_rate=1e-3))


def test_a_run_is_updated_field_by_field(asked: Project, run: Run) -> None:
    assert (run.id, run.state, run.folder) == (1, "waiting", "runs/1")
    asked.runs.update(1, state="running", steps=100, step=0, device="cpu")
    asked.runs.update(1, step=50, best_step=40, train_s=1.5, reason="")
    asked.runs.update(1)
    found = asked.runs.latest()
    assert found == replace(run, state="running", steps=100, step=50, best_step=40, train_s=1.5, device="cpu")
    with pytest.raises(NotFoundError):
        asked.runs.update(9, step=1)
    with pytest.raises(NotFoundError):
        asked.runs.update(9)
    with pytest.raises(StoreError):
        asked.runs.add("no such dataset", TrainingConfig("starter"))


def test_a_point_that_is_measured_again_is_replaced(asked: Project, run: Run) -> None:
    point = CurvePoint(10, 0.5, 1.0, 0.3, ((1, 0.5), (2, 1.0)), 0.5, 1e-3, 400.0, best=False)
    for later in (replace(point, step=20), point, replace(point, best=True)):
        asked.runs.add_curve_point(run.id, later)
    assert asked.runs.get(run.id).curve == (replace(point, best=True), replace(point, step=20))
    assert asked.runs.all() == (asked.runs.get(run.id),)


def test_arm_answers_are_kept_once(asked: Project, run: Run) -> None:
    answer = ArmAnswer("distilled", 2, 0, "text", "stop", (CheckResult(1, True, fixed=(Span(0, 4),)),), 9, 3)
    others = [replace(answer, sample=1), replace(answer, arm="prompted"), replace(answer, question_id=1)]
    assert asked.evaluations.add_answers(run.id, "key", [answer, *others]) == 4
    assert asked.evaluations.add_answers(run.id, "key", [replace(answer, answer="again")]) == 0
    assert asked.evaluations.add_answers(run.id, "other key", [answer]) == 1
    assert asked.evaluations.answers("key") == (others[2], answer, others[0], others[1])


def test_answers_are_found_by_what_they_come_from(asked: Project, run: Run) -> None:
    answer = ArmAnswer("distilled", 2, 0, "text", "stop", (CheckResult(1, True),), 9, 3)
    refused = replace(answer, sample=1, answer="", finish_reason="error")
    asked.evaluations.add_answers(run.id, "old", [answer, refused, replace(answer, question_id=1)], "source")
    asked.evaluations.add_answers(run.id, "new", [replace(answer, arm="run:1", answer="later")], "source")
    asked.evaluations.add_answers(run.id, "other", [replace(answer, question_id=3)], "elsewhere")
    asked.evaluations.add_answers(run.id, "unknown", [replace(answer, sample=7)])
    assert asked.evaluations.answers_from("source") == (replace(answer, question_id=1), answer)
    assert asked.evaluations.answers_from("") == (), "those of before this was kept are of nobody knows what"


def test_an_evaluation_comes_back_with_its_number(asked: Project, run: Run) -> None:
    score = ArmScore((RuleRate(1, "t", "label", _RATE),), _RATE, Divergence(0.1, 0.0, 0.2, 0.3), 18, 41.5, 60, 20)
    evaluation = Evaluation(
        id=0,
        run_id=run.id,
        dataset_sha256=dataset().sha256,
        prompt_sha256="p",
        temperature=0.7,
        samples=3,
        reference="prompted",
        arms=(("distilled", score), ("unprompted", replace(score, kl_to_prompted=None))),
        recovered=Interval(0.97, 0.91, 1.04),
        recovered_note="",
        ceiling=None,
        verdict="pass",
        questions=120,
        evaluate_s=9.0,
        peak_rss_mb=900.0,
    )
    stored = asked.evaluations.add(evaluation)
    assert stored == replace(evaluation, id=1, created_at=stored.created_at)
    assert asked.evaluations.latest() == asked.evaluations.latest(run.id) == stored
    assert asked.evaluations.latest(99) is None
    assert asked.evaluations.all() == (stored,)


def test_jobs_keep_what_they_were_asked(project: Project) -> None:
    options = EvaluateOptions(3, teacher=TeacherSpec("endpoint", "m", "https://x"))
    project.jobs.add(GenerateOptions(samples=2, max_cost_usd=1.5))
    job = project.jobs.add(options)
    assert (job.id, job.state, job.folder) == (2, "waiting", "jobs/2")
    assert options_of_job(job) == options
    project.jobs.update(1, state="done", done=5, total=5, pid=7, pid_started_at=1.5, boot_id="b", note="", ended_at="t")
    assert [live.id for live in project.jobs.live()] == [2]
    assert project.jobs.get(1).pid_started_at == 1.5
    assert project.jobs.latest("evaluation") == job
    assert project.jobs.latest("run") is None
    with pytest.raises(NotFoundError):
        project.jobs.update(9, state="done")
    with pytest.raises(StoreError):
        options_of_job(replace(project.jobs.get(1), kind="train"))


def test_settings_timings_and_releases(asked: Project, run: Run) -> None:
    assert asked.settings.read() == ProjectSettings()
    settings = ProjectSettings("org/model", 0.2, TeacherSpec("endpoint", "m", "https://x"))
    asked.settings.write(settings)
    asked.settings.write(settings)
    assert asked.settings.read() == settings
    asked.settings.keep_timing("train", 1.0)
    asked.settings.keep_timing("train", 2.0)
    assert asked.settings.timings() == {"train": 2.0}
    release = asked.releases.add("adapter", run.id, "releases/adapter-1", "abc")
    assert asked.releases.all() == (release,)
    with pytest.raises(StoreError):
        asked.releases.add("merged", 99, "", "")
