"""Training as a job runs it over a real project: what it stores, how it stops and resumes, why it fails."""

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from engine.errors import DatasetError, JobStopped, NotFoundError, TrainingError
from engine.jobs.context import StopFlag
from engine.jobs.control_file import write_command
from engine.jobs.devices import Holder, Ticket
from engine.jobs.protocol import Metrics, Progress, SampleAnswer, StateChanged, WorstTokens
from engine.model.adapter_place import holds_adapter
from engine.model.load import load_base, with_adapter
from engine.project import Project
from engine.records.run import RunState, measure_of
from engine.training.memory import GPU_PEAK
from engine.training.outlook import error_text
from engine.training.validation import Measurement
from tests.engine.training.job_helpers import (
    at_step,
    events_of,
    make_run,
    notes_of,
    raise_flag,
    steps_of,
    train,
    when_emitted,
)
from tests.engine.training.trainer_helpers import PROMPT


def test_finished_run_stores_its_adapter_curve_and_figures(project: Project, model_folder: Path) -> None:
    new_run = make_run(project, model_folder)
    context = train(project, new_run.id)
    done = project.runs.get(new_run.id)
    assert (done.state, done.step, done.steps) == ("done", 12, 12)
    assert [point.step for point in done.curve] == [0, 6, 12]
    assert [point.step for point in done.curve if point.best] == [done.best_step]
    assert done.curve[-1].train_loss < done.curve[0].train_loss
    assert done.train_s > 0
    assert done.peak_rss_mb > 50
    assert (done.device, done.dtype) == ("cpu", "float32")
    assert project.settings.timings()["train"] == pytest.approx(done.train_s)
    events = events_of(context)
    steps = steps_of(context)
    assert [metrics.step for metrics in steps] == list(range(1, 13))
    assert {"learning_rate", "gradient_norm", "tokens_per_second", "rss_mb"} <= steps[0].values.keys()
    watched = [event.step for event in events if isinstance(event, SampleAnswer)]
    assert watched == [6, 6, 12, 12], "two answers at each evaluation, however short the run"
    assert [event.step for event in events if isinstance(event, WorstTokens)] == [0, 6, 12]
    assert done.estimate is not None
    assert done.estimate.seconds is None, "no earlier run was measured"
    assert done.estimate.memory_mb is not None
    assert done.estimate.disk_mb is not None
    assert done.disk_mb > 0.5 * done.estimate.disk_mb
    assert error_text(done) != ""
    assert error_text(done) in notes_of(context)
    progress = [event for event in events if isinstance(event, Progress)]
    assert (progress[-1].done, progress[-1].total) == (12, 12)
    notes = [note for note, _ in groupby(event.note for event in progress)]
    assert notes[-5:] == ["measuring the untrained student", *2 * ["training", "validating"]]
    assert done.estimate.gpu_peak_mb is None
    with_adapter(load_base(model_folder, device="cpu", dtype="float32"), project.folder / done.folder / "adapter")
    assert any("already" in note for note in notes_of(train(project, new_run.id)))
    assert project.runs.trained_by() == {new_run.id: (1,)}, "the second job trained nothing"


def test_gpu_run_stores_its_peak_memory_and_compares_it_with_the_estimate(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    monkeypatch.setattr("engine.training.job.device_memory", lambda _device: {GPU_PEAK: 1_234.5})
    train(project, new_run.id)
    done = project.runs.get(new_run.id)
    assert done.estimate is not None
    assert done.estimate.gpu_peak_mb == 1_234.5
    assert "memory" in error_text(replace(done, device="cuda:0"))


def test_stopped_run_is_continued_from_its_last_step_by_the_next_job(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    stop = StopFlag()
    at_step(4, raise_flag(stop), monkeypatch)
    with pytest.raises(JobStopped):
        train(project, new_run.id, stop)
    stopped = project.runs.get(new_run.id)
    assert (stopped.state, stopped.step) == ("stopped", 4)
    assert stopped.train_s > 0
    context = train(project, new_run.id)
    done = project.runs.get(new_run.id)
    assert (done.state, done.step) == ("done", 12)
    assert done.train_s > stopped.train_s
    assert [metrics.step for metrics in steps_of(context)] == list(range(5, 13))


@pytest.mark.parametrize(
    ("state", "expected"), [("waiting", "stopped"), ("running", "running"), ("paused", "paused"), ("done", "done")]
)
def test_job_stopped_in_the_queue_stops_only_a_waiting_run(
    project: Project, model_folder: Path, state: RunState, expected: RunState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every other state another job trains the run, or has trained it."""
    new_run = make_run(project, model_folder)
    stop = StopFlag()

    def take_over_and_stop(_context: object) -> None:
        project.runs.update(new_run.id, state=state, reason="by the other job")
        stop.up = True

    when_emitted(
        lambda event: isinstance(event, StateChanged) and event.state == "waiting", take_over_and_stop, monkeypatch
    )
    ticket = Ticket.draw(project.home.state, "cpu", Holder(7, "train", project.name))
    try:
        with pytest.raises(JobStopped):
            train(project, new_run.id, stop)
    finally:
        ticket.give_back()
    run = project.runs.get(new_run.id)
    assert run.state == expected
    assert (run.reason == "by the other job") == (expected == state)


def test_stopped_run_leaves_its_best_adapter_for_evaluation(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    stop = StopFlag()
    at_step(8, raise_flag(stop), monkeypatch)
    with pytest.raises(JobStopped):
        train(project, new_run.id, stop)
    stopped = project.runs.get(new_run.id)
    assert (stopped.state, stopped.best_step) == ("stopped", 6)
    best = project.folder / stopped.folder / "checkpoints/step-6/adapter/adapter_model.safetensors"
    adapter = project.folder / stopped.folder / "adapter"
    assert (adapter / "adapter_model.safetensors").read_bytes() == best.read_bytes()


def test_keep_request_ends_the_run_as_done_after_one_more_evaluation(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    at_step(4, lambda context: write_command(context.folder, "keep"), monkeypatch)
    monkeypatch.setattr("engine.jobs.context._COMMAND_READ_EVERY_S", 0.0)
    train(project, new_run.id)
    ended = project.runs.get(new_run.id)
    assert (ended.state, ended.step, ended.steps, ended.best_step) == ("done", 4, 12, 4)
    assert ended.reason == "Ended at step 4 of 12, as requested."
    assert [point.step for point in ended.curve] == [0, 4]
    assert holds_adapter(project.folder / ended.folder / "adapter")


def test_answers_without_a_local_teacher_train_by_cross_entropy(project: Project, model_folder: Path) -> None:
    new_run = make_run(project, model_folder, teacher=False)
    assert measure_of(new_run) == "cross-entropy", "also before its first validation"
    context = train(project, new_run.id)
    trained = project.runs.get(new_run.id)
    assert trained.state == "done"
    assert {point.measure for point in trained.curve} == {"cross-entropy"} == {measure_of(trained)}
    evaluations = [
        event for event in events_of(context) if isinstance(event, Metrics) and "validation_kl" in event.values
    ]
    assert {event.measure for event in evaluations} == {"cross-entropy"}
    assert not list(project.caches.iterdir())
    assert any("cross-entropy" in note for note in notes_of(context))


def test_run_with_every_method_starts_from_an_earlier_run(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.general._ANSWER_TOKENS", 4)
    new_run = make_run(project, model_folder)
    with pytest.raises(NotFoundError, match=f"Run {new_run.id} has no adapter yet"):
        train(project, project.runs.add(new_run.dataset_sha256, replace(new_run.config, initial_run_id=new_run.id)).id)
    train(project, new_run.id)
    first = project.runs.get(new_run.id)
    config = replace(
        new_run.config, initial_run_id=new_run.id, epochs=1.0, on_policy_steps=2, on_policy_batch_rows=4,
        on_policy_answer_tokens=5, general_fraction=0.25, prompt_back_weight=0.1,
    )  # fmt: skip
    second = project.runs.add(new_run.dataset_sha256, config)
    context = train(project, second.id)
    done = project.runs.get(second.id)
    assert (done.state, done.steps) == ("done", 5)
    assert done.curve[0].train_loss < 0.5 * first.curve[0].train_loss
    steps = steps_of(context)
    assert {"general_kl", "prompt_back_kl"} <= {name for metrics in steps for name in metrics.values}
    assert {"cut_answers", "answer_tokens"} <= steps[-1].values.keys()
    other = project.runs.add(new_run.dataset_sha256, replace(config, adapter="dora"))
    with pytest.raises(TrainingError, match="--adapter lora --lora-rank 4"):
        train(project, other.id)
    assert "--adapter lora" in project.runs.get(other.id).reason


def test_answers_cut_off_at_the_limit_are_noted_once(project: Project, model_folder: Path) -> None:
    new_run = make_run(project, model_folder)
    config = replace(new_run.config, epochs=0.0, on_policy_steps=3, on_policy_batch_rows=4, on_policy_answer_tokens=2)
    context = train(project, project.runs.add(new_run.dataset_sha256, config).id)
    assert len([note for note in notes_of(context) if "were cut" in note]) == 1


def test_second_stage_whose_answers_stay_cut_off_ends_at_the_best_step(project: Project, model_folder: Path) -> None:
    new_run = make_run(project, model_folder)
    config = replace(
        new_run.config, epochs=1.0, on_policy_steps=30, on_policy_batch_rows=4, on_policy_answer_tokens=1,
        on_policy_learning_rate=1e-9,
    )  # fmt: skip
    context = train(project, project.runs.add(new_run.dataset_sha256, config).id)
    ended = project.runs.all()[-1]
    assert (ended.state, ended.step, ended.steps) == ("done", 13, 33)
    assert ended.reason.startswith("Ended at step 13 of 33: ")
    assert "own answers were cut off (100\u00a0%), for 10 steps in a row" in ended.reason
    assert f"Step {ended.best_step} is kept" in ended.reason
    assert ended.reason in notes_of(context)
    assert holds_adapter(project.folder / ended.folder / "adapter")


def test_run_without_improvement_stores_why_it_ended(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    rising_kl = iter(range(1, 20))
    monkeypatch.setattr(
        "engine.training.validation.Validator.measure", lambda *_args, **_kwargs: Measurement(float(next(rising_kl)))
    )
    config = replace(new_run.config, evaluations=6, patience=3)
    train(project, project.runs.add(new_run.dataset_sha256, config).id)
    ended = project.runs.all()[-1]
    assert (ended.state, ended.step, ended.best_step) == ("done", 8, 2)
    assert ended.reason == "Ended at step 8 of 12: 3 evaluations in a row found nothing better. Step 2 is kept."
    assert holds_adapter(project.folder / ended.folder / "adapter")


def test_run_fails_if_its_dataset_repeats_the_prompt(project: Project, model_folder: Path) -> None:
    new_run = make_run(project, model_folder, answer=f"IT SAYS: {PROMPT.system}")
    with pytest.raises(DatasetError, match="repeats the prompt"):
        train(project, new_run.id)
    failed = project.runs.get(new_run.id)
    assert failed.state == "failed"
    assert "repeats the prompt" in failed.reason
