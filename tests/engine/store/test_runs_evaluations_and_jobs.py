"""Runs, evaluations, jobs, settings and releases: stored, updated and read back."""

from dataclasses import replace

import pytest

from engine.errors import NotFoundError, StoreError
from engine.project import Project
from engine.records.evaluation import ArmAnswer, ArmScore, Divergence, Evaluation, Interval, Rate, RuleRate
from engine.records.options import EvaluateOptions, GenerateOptions, ProjectSettings, TeacherSpec
from engine.records.rule import CheckResult, Span
from engine.records.run import CurvePoint, Run, TrainingConfig
from engine.store.jobs import options_of_job
from tests.engine.store.sample_records import dataset

_RATE = Rate(118, 120, 118 / 120, 0.94, 0.995)


@pytest.fixture
def run(project: Project, twelve_questions: None) -> Run:
    project.datasets.add(dataset())
    return project.runs.add(dataset().sha256, TrainingConfig("starter", learning_rate=1e-3))


def test_run_update_changes_only_the_given_fields(project: Project, run: Run) -> None:
    assert (run.id, run.state, run.folder) == (1, "waiting", "runs/1")
    project.runs.update(1, state="running", steps=100, step=0, device="cpu")
    project.runs.update(1, step=50, best_step=40, train_s=1.5, reason="")
    project.runs.update(1)
    found = project.runs.latest()
    assert found == replace(run, state="running", steps=100, step=50, best_step=40, train_s=1.5, device="cpu")
    with pytest.raises(NotFoundError):
        project.runs.update(9, step=1)
    with pytest.raises(NotFoundError):
        project.runs.update(9)
    with pytest.raises(StoreError):
        project.runs.add("no such dataset", TrainingConfig("starter"))


def test_curve_point_measured_again_replaces_the_earlier_one(project: Project, run: Run) -> None:
    point = CurvePoint(10, 0.5, 1.0, 0.3, ((1, 0.5), (2, 1.0)), 0.5, 1e-3, 400.0, best=False)
    for later in (replace(point, step=20), point, replace(point, best=True)):
        project.runs.add_curve_point(run.id, later)
    assert project.runs.get(run.id).curve == (replace(point, best=True), replace(point, step=20))
    assert project.runs.all() == (project.runs.get(run.id),)


def test_each_arm_answer_is_stored_once_per_key(project: Project, run: Run) -> None:
    answer = ArmAnswer("distilled", 2, 0, "text", "stop", (CheckResult(1, True, fixed=(Span(0, 4),)),), 9, 3)
    others = [replace(answer, sample=1), replace(answer, arm="prompted"), replace(answer, question_id=1)]
    project.evaluations.add_answers(run.id, "key", [answer, *others])
    project.evaluations.add_answers(run.id, "key", [replace(answer, answer="again")])
    project.evaluations.add_answers(run.id, "other key", [answer])
    assert project.evaluations.answers("other key") == (answer,)
    assert project.evaluations.answers("key") == (others[2], answer, others[0], others[1])


def test_arm_answers_are_found_by_their_source(project: Project, run: Run) -> None:
    answer = ArmAnswer("distilled", 2, 0, "text", "stop", (CheckResult(1, True),), 9, 3)
    refused = replace(answer, sample=1, answer="", finish_reason="error")
    project.evaluations.add_answers(run.id, "old", [answer, refused, replace(answer, question_id=1)], "source")
    project.evaluations.add_answers(run.id, "new", [replace(answer, arm="run:1", answer="later")], "source")
    project.evaluations.add_answers(run.id, "other", [replace(answer, question_id=3)], "elsewhere")
    project.evaluations.add_answers(run.id, "unknown", [replace(answer, sample=7)])
    assert project.evaluations.answers_from("source") == (replace(answer, question_id=1), answer)
    assert project.evaluations.answers_from("") == (), "answers stored without a source have an unknown one"


def test_stored_evaluation_gets_a_number_and_reads_back_unchanged(project: Project, run: Run) -> None:
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
    stored = project.evaluations.add(evaluation)
    assert stored == replace(evaluation, id=1, created_at=stored.created_at)
    assert project.evaluations.latest() == project.evaluations.latest(run.id) == stored
    assert project.evaluations.latest(99) is None
    assert project.evaluations.all() == (stored,)


def test_job_keeps_its_options_when_its_state_changes(project: Project) -> None:
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


def test_settings_timings_and_releases_are_stored(project: Project, run: Run) -> None:
    assert project.settings.read() == ProjectSettings()
    settings = ProjectSettings("org/model", 0.2, TeacherSpec("endpoint", "m", "https://x"))
    project.settings.write(settings)
    project.settings.write(settings)
    assert project.settings.read() == settings
    project.settings.write_timing("train", 1.0)
    project.settings.write_timing("train", 2.0)
    assert project.settings.timings() == {"train": 2.0}
    release = project.releases.add("adapter", run.id, "releases/adapter-1", "abc")
    assert project.releases.all() == (release,)
    with pytest.raises(StoreError):
        project.releases.add("merged", 99, "", "")
