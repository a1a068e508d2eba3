"""The stage as a job runs it, over a real project: what it keeps in the store, how it stops and goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import DatasetError, JobStopped, NotFoundError, TrainingError
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.devices import Holder, Ticket
from engine.jobs.follow import Follower
from engine.jobs.protocol import Event, Metrics, Note, Progress, SampleAnswer, StateChanged, WorstTokens
from engine.jobs.wishes import write_wish
from engine.model.adapter_place import require_adapter
from engine.model.chat_format import ChatFormat
from engine.model.load import load_base, with_adapter
from engine.project import Project
from engine.records.dataset import Dataset, DatasetRow
from engine.records.options import TrainOptions
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.run import Run, RunState, TrainingConfig, measure_of
from engine.store.datasets import dataset_sha256
from engine.training.job import run
from engine.training.memory import GPU_PEAK
from engine.training.outlook import error_text
from engine.training.validation import Measurement
from tests.engine.training.runs import PROMPT


def make_run(project: Project, base: Path, *, answer: str = "ABC", teacher: bool = True) -> Run:
    chat = ChatFormat.load(base)
    project.questions.add(
        Question((Message("user", f"Question {number}?"),), split="validation" if number > 9 else "train")
        for number in range(1, 13)
    )
    rows = []
    for question in project.questions.all():
        completion = tuple(chat.completion_ids(answer))
        rows.append(
            DatasetRow(
                question.id, question.id, question.split or "train", tuple(chat.question_ids(question.messages)),
                completion, len(completion) if teacher else 0, (False,) * len(completion),
            )
        )  # fmt: skip
    sha256 = dataset_sha256(PROMPT.sha256, str(base), rows)
    project.datasets.add(Dataset(sha256, PROMPT.sha256, str(base), tuple(rows)))
    config = TrainingConfig(
        base=str(base), top_k=8, lora_rank=4, lora_alpha=8, learning_rate=1e-2, epochs=4.0, batch_rows=3,
        micro_batch_rows=3, evaluations=2, device="cpu", dtype="float32",
    )  # fmt: skip
    return project.runs.add(sha256, config)


def events_of(context: JobContext) -> list[object]:
    return [stamped.event for stamped in Follower(context.folder).read_new()]


def carry_out(project: Project, number: int, stop: StopFlag | None = None) -> JobContext:
    options = TrainOptions(number)
    context = JobContext(project, project.jobs.add(options), stop)
    try:
        run(context, options)
    finally:
        context.close()
    return context


def test_a_run_ends_with_an_adapter_a_curve_and_its_figures(project: Project, model_folder: Path) -> None:
    made = make_run(project, model_folder)
    context = carry_out(project, made.id)
    done = project.runs.get(made.id)
    assert (done.state, done.step, done.steps) == ("done", 12, 12)
    assert [point.step for point in done.curve] == [0, 6, 12]
    assert [point.step for point in done.curve if point.best] == [done.best_step]
    assert done.curve[-1].train_loss < done.curve[0].train_loss
    assert done.train_s > 0
    assert done.peak_rss_mb > 50
    assert (done.device, done.dtype) == ("cpu", "float32")
    assert project.settings.timings()["train"] == pytest.approx(done.train_s)
    events = events_of(context)
    losses = [event for event in events if isinstance(event, Metrics) and "loss" in event.values]
    assert [event.step for event in losses] == list(range(1, 13))
    assert {"learning_rate", "gradient_norm", "tokens_per_second", "rss_mb"} <= losses[0].values.keys()
    watched = [event.step for event in events if isinstance(event, SampleAnswer)]
    assert watched == [6, 6, 12, 12], "however short the run"
    assert [event.step for event in events if isinstance(event, WorstTokens)] == [0, 6, 12]
    assert done.estimate is not None
    assert done.estimate.seconds is None, "nothing was measured before"
    assert done.estimate.memory_mb is not None
    assert done.estimate.disk_mb is not None
    assert done.disk_mb > 0.5 * done.estimate.disk_mb
    assert any(isinstance(event, Note) and event.text == error_text(done) != "" for event in events)
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert (last.done, last.total, last.seconds_left) == (12, 12, 0.0)
    assert done.estimate.gpu_peak_mb is None
    with_adapter(load_base(model_folder, device="cpu", dtype="float32"), project.folder / done.folder / "adapter")
    assert any("already" in event.text for event in events_of(carry_out(project, made.id)) if isinstance(event, Note))
    assert project.runs.trained_by() == {made.id: (1,)}, "the second job trained nothing"


def test_a_run_on_a_gpu_keeps_what_it_held_there_and_tells_the_estimates_error(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(project, model_folder)
    monkeypatch.setattr("engine.training.job.device_memory", lambda _device: {GPU_PEAK: 1_234.5})
    carry_out(project, made.id)
    done = project.runs.get(made.id)
    assert done.estimate is not None
    assert done.estimate.gpu_peak_mb == 1_234.5
    assert "memory" in error_text(replace(done, device="cuda:0"))


def test_a_stop_keeps_a_checkpoint_and_the_next_job_goes_on(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(project, model_folder)
    stop = StopFlag()
    emit = JobContext.emit

    def stopping(self: JobContext, event: object) -> None:
        emit(self, event)
        if isinstance(event, Metrics) and event.step == 4 and "loss" in event.values:
            stop.up = True

    monkeypatch.setattr(JobContext, "emit", stopping)
    with pytest.raises(JobStopped):
        carry_out(project, made.id, stop)
    stopped = project.runs.get(made.id)
    assert (stopped.state, stopped.step) == ("stopped", 4)
    assert stopped.train_s > 0
    context = carry_out(project, made.id)
    done = project.runs.get(made.id)
    assert (done.state, done.step) == ("done", 12)
    assert done.train_s > stopped.train_s
    steps = [event.step for event in events_of(context) if isinstance(event, Metrics) and "loss" in event.values]
    assert steps == list(range(5, 13))


def wish_at_step(step: int, carry_it_out: Callable[[JobContext], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's wish that comes while this step is told."""
    emit = JobContext.emit

    def wishing(self: JobContext, event: Event) -> None:
        emit(self, event)
        if isinstance(event, Metrics) and event.step == step and "loss" in event.values:
            carry_it_out(self)

    monkeypatch.setattr(JobContext, "emit", wishing)


@pytest.mark.parametrize(
    ("stands", "left"), [("waiting", "stopped"), ("running", "running"), ("paused", "paused"), ("done", "done")]
)
def test_a_job_that_is_stopped_before_its_turn_leaves_the_run_to_the_job_that_trains_it(
    project: Project, model_folder: Path, stands: RunState, left: RunState, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(project, model_folder)
    stop, emit = StopFlag(), JobContext.emit

    def waiting(self: JobContext, event: Event) -> None:
        emit(self, event)
        if isinstance(event, StateChanged) and event.state == "waiting":
            project.runs.update(made.id, state=stands, reason="by the other")
            stop.up = True

    monkeypatch.setattr(JobContext, "emit", waiting)
    ticket = Ticket.draw(project.home.state, "cpu", Holder(7, "train", project.name))
    try:
        with pytest.raises(JobStopped):
            carry_out(project, made.id, stop)
    finally:
        ticket.give_back()
    run = project.runs.get(made.id)
    assert run.state == left
    assert (run.reason == "by the other") == (left == stands)


def test_a_stopped_run_leaves_its_best_adapter_to_be_evaluated(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(project, model_folder)
    stop = StopFlag()
    wish_at_step(8, lambda _context: setattr(stop, "up", True), monkeypatch)
    with pytest.raises(JobStopped):
        carry_out(project, made.id, stop)
    stopped = project.runs.get(made.id)
    assert (stopped.state, stopped.best_step) == ("stopped", 6)
    best = project.folder / stopped.folder / "checkpoints/step-6/adapter/adapter_model.safetensors"
    adapter = require_adapter(project.folder / stopped.folder / "adapter", made.id)
    assert (adapter / "adapter_model.safetensors").read_bytes() == best.read_bytes()


def test_asked_to_keep_what_it_has_a_run_is_measured_once_more_and_ends_as_done(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(project, model_folder)
    wish_at_step(4, lambda context: write_wish(context.folder, "keep"), monkeypatch)
    monkeypatch.setattr("engine.jobs.context._WISH_READ_EVERY_S", 0.0)
    carry_out(project, made.id)
    kept = project.runs.get(made.id)
    assert (kept.state, kept.step, kept.steps, kept.best_step) == ("done", 4, 12, 4)
    assert kept.reason == "Ended at step 4 of 12, as requested."
    assert [point.step for point in kept.curve] == [0, 4]
    require_adapter(project.folder / kept.folder / "adapter", made.id)


def test_answers_without_a_local_teacher_train_by_cross_entropy_alone(project: Project, model_folder: Path) -> None:
    made = make_run(project, model_folder, teacher=False)
    context = carry_out(project, made.id)
    trained = project.runs.get(made.id)
    assert trained.state == "done"
    assert {point.measure for point in trained.curve} == {"cross-entropy"} == {measure_of(trained)}
    told = [event for event in events_of(context) if isinstance(event, Metrics) and "validation_kl" in event.values]
    assert {event.measure for event in told} == {"cross-entropy"}
    assert not list(project.caches.iterdir())
    assert any("cross-entropy" in event.text for event in events_of(context) if isinstance(event, Note))


def test_a_run_of_every_method_starts_from_an_earlier_one(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.general._ANSWER_TOKENS", 4)
    made = make_run(project, model_folder)
    with pytest.raises(NotFoundError, match=f"Run {made.id} has no adapter yet"):
        carry_out(project, project.runs.add(made.dataset_sha256, replace(made.config, initial_run_id=made.id)).id)
    carry_out(project, made.id)
    first = project.runs.get(made.id)
    config = replace(
        made.config, initial_run_id=made.id, epochs=1.0, on_policy_steps=2, on_policy_batch_rows=4,
        on_policy_answer_tokens=5, general_fraction=0.25, prompt_back_weight=0.1,
    )  # fmt: skip
    again = project.runs.add(made.dataset_sha256, config)
    context = carry_out(project, again.id)
    done = project.runs.get(again.id)
    assert (done.state, done.steps) == ("done", 5)
    assert done.curve[0].train_loss < 0.5 * first.curve[0].train_loss
    steps = [event.values for event in events_of(context) if isinstance(event, Metrics) and "loss" in event.values]
    assert {"general_kl", "prompt_back_kl"} <= {name for values in steps for name in values}
    assert {"cut_answers", "answer_tokens"} <= steps[-1].keys()
    other = project.runs.add(made.dataset_sha256, replace(config, adapter="dora"))
    with pytest.raises(TrainingError, match="--adapter lora --lora-rank 4"):
        carry_out(project, other.id)
    assert "--adapter lora" in project.runs.get(other.id).reason


def test_answers_that_run_on_are_told_of_once(project: Project, model_folder: Path) -> None:
    made = make_run(project, model_folder)
    config = replace(made.config, epochs=0.0, on_policy_steps=3, on_policy_batch_rows=4, on_policy_answer_tokens=2)
    context = carry_out(project, project.runs.add(made.dataset_sha256, config).id)
    told = [event.text for event in events_of(context) if isinstance(event, Note) and "were cut" in event.text]
    assert len(told) == 1


def test_a_second_stage_whose_answers_stay_cut_ends_with_the_best_step_and_the_reason(
    project: Project, model_folder: Path
) -> None:
    made = make_run(project, model_folder)
    config = replace(
        made.config, epochs=1.0, on_policy_steps=30, on_policy_batch_rows=4, on_policy_answer_tokens=1,
        on_policy_learning_rate=1e-9,
    )  # fmt: skip
    context = carry_out(project, project.runs.add(made.dataset_sha256, config).id)
    ended = project.runs.all()[-1]
    assert (ended.state, ended.step, ended.steps) == ("done", 13, 33)
    assert ended.reason.startswith("Ended at step 13 of 33: ")
    assert "own answers were cut off (100%), for 10 steps in a row" in ended.reason
    assert f"Step {ended.best_step} is kept" in ended.reason
    assert any(isinstance(event, Note) and event.text == ended.reason for event in events_of(context))
    require_adapter(project.folder / ended.folder / "adapter", ended.id)


def test_a_run_that_finds_nothing_better_says_why_it_ended(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(project, model_folder)
    worse = iter(range(1, 20))

    def measured(*_given: object, **_named: object) -> Measurement:
        return Measurement(float(next(worse)))

    monkeypatch.setattr("engine.training.validation.Validator.measure", measured)
    config = replace(made.config, evaluations=6, patience=3)
    carry_out(project, project.runs.add(made.dataset_sha256, config).id)
    ended = project.runs.all()[-1]
    assert (ended.state, ended.step, ended.best_step) == ("done", 8, 2)
    told = "Ended at step 8 of 12: 3 evaluations in a row found nothing better. Step 2 is kept."
    assert ended.reason == told
    require_adapter(project.folder / ended.folder / "adapter", ended.id)


def test_a_dataset_that_repeats_the_prompt_fails_with_the_reason(project: Project, model_folder: Path) -> None:
    made = make_run(project, model_folder, answer=f"IT SAYS: {PROMPT.system}")
    with pytest.raises(DatasetError, match="repeats the prompt"):
        carry_out(project, made.id)
    failed = project.runs.get(made.id)
    assert failed.state == "failed"
    assert "repeats the prompt" in failed.reason
