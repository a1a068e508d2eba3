"""The training loop: what it learns from different data, what it reports, and how many answers it samples."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.records.dataset import DatasetRow
from engine.training.checkpoints import fault_of, steps_in
from engine.training.validation import Measurement
from engine.training.validation_plan import ValidationPlan
from tests.engine.training.trainer_helpers import CONFIG, Killed, MakeRow, Recorder, kill_after, make_trainer


def test_run_learns_reports_every_step_and_keeps_its_best_checkpoint(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    hooks = Recorder()
    config = replace(CONFIG, objective="cross_entropy", epochs=12.0, evaluations=3, checkpoint_every_s=1e9)
    trained = make_trainer(model_folder, tmp_path, rows, hooks, config).run()
    assert [metrics.step for metrics in hooks.steps] == list(range(1, 49))
    assert hooks.steps[-1].loss < 0.3 * hooks.steps[0].loss
    assert hooks.steps[-1].epoch == pytest.approx(12.0)
    assert all(metrics.rss_mb > 0 and metrics.tokens_per_second > 0 for metrics in hooks.steps)
    points = trained.state.points
    assert [point.step for point in points] == hooks.validated == [0, 16, 32, 48]
    assert points[-1].train_loss < points[0].train_loss
    first, last = points[0].all_rules_rate, points[-1].all_rules_rate
    assert first is not None
    assert last is not None
    assert first < last
    assert sum(point.best for point in points) == 1
    assert next(point.step for point in points if point.best) == trained.state.best_step > 0
    assert fault_of(trained.best_checkpoint) is None
    assert len(steps_in(tmp_path / "checkpoints")) <= 3
    watched = [measured.watched for _point, measured in hooks.points if measured is not None]
    assert all(len(answers) == 2 for answers in watched)
    assert {answer.question for answers in watched for answer in answers} <= {f"question {n}" for n in range(17, 21)}


def test_forward_kl_training_lowers_the_kl_to_the_teacher(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    config = replace(CONFIG, objective="forward_kl", epochs=8.0, checkpoint_every_s=1e9)
    trained = make_trainer(model_folder, tmp_path, rows, Recorder(), config).run()
    first, *_rest, last = trained.state.points
    assert last.validation_kl < 0.5 * first.validation_kl


def test_dataset_of_one_example_trains(model_folder: Path, tmp_path: Path, make_row: MakeRow) -> None:
    hooks = Recorder()
    trained = make_trainer(model_folder, tmp_path, [make_row(1, "only", "A")], hooks).run()
    assert trained.state.step == trained.state.best_step == 3
    assert hooks.steps[-1].loss < hooks.steps[0].loss


def test_without_a_teacher_the_curve_shows_cross_entropy(model_folder: Path, tmp_path: Path, make_row: MakeRow) -> None:
    rows = [make_row(number, f"q{number}", "Abc", edited_from=0) for number in range(1, 9)]
    rows.append(make_row(9, "q9", "Abc", edited_from=0, split="validation"))
    hooks = Recorder()
    trainer = make_trainer(model_folder, tmp_path, rows, hooks, local_teacher=False)
    assert not trainer.validator.has_teacher
    trained = trainer.run()
    assert {measured.measure for _point, measured in hooks.points if measured is not None} == {"cross-entropy"}
    assert trained.state.points[-1].validation_kl < trained.state.points[0].validation_kl


def test_edited_answers_change_the_students_behaviour(model_folder: Path, tmp_path: Path, make_row: MakeRow) -> None:
    """The teacher's distribution applies up to the edit; forward KL on edited tokens would teach the old answer."""
    plain = [make_row(number, f"question {number}", "Ab") for number in range(1, 25)]
    edited = [make_row(number, f"question {number}", "AbZZ", edited_from=2) for number in range(1, 25)]
    config = replace(CONFIG, objective="mix", epochs=4.0, evaluations=1, checkpoint_every_s=1e9)
    probability_of_edit = {}
    for name, rows in (("plain", plain), ("edited", edited)):
        validation = [replace(row, example_id=row.example_id + 100, split="validation") for row in rows[:4]]
        trainer = make_trainer(model_folder, tmp_path / name, [*rows, *validation], Recorder(), config)
        trainer.run()
        ids = torch.tensor([[*rows[0].question_ids, *rows[0].completion_ids[:2]]])
        with torch.no_grad():
            probabilities = torch.softmax(trainer.student.model(input_ids=ids).logits[0, -1], -1)
        probability_of_edit[name] = float(probabilities[edited[0].completion_ids[2]])
    assert probability_of_edit["plain"] < 0.05
    assert probability_of_edit["edited"] > 0.5


@pytest.mark.parametrize(("decoding_step_s", "affordable"), [(1e-9, 16), (1e9, 2)])
def test_measured_decoding_time_sets_the_number_of_sampled_answers_once(
    model_folder: Path,
    tmp_path: Path,
    rows: list[DatasetRow],
    monkeypatch: pytest.MonkeyPatch,
    decoding_step_s: float,
    affordable: int,
) -> None:
    plan = ValidationPlan(1, 8, "trained", 1.0, by_measure=True)
    monkeypatch.setattr("engine.training.sampling_pace.VALIDATION_SHARE", 1e3)  # such tiny steps cost next to nothing

    def sampled_counts(hooks: Recorder, decoding_step_s: float) -> list[int]:
        """How many answers one process samples at each of its evaluations."""
        counts: list[int] = []

        def measure(*_args: object, answers: int) -> Measurement:
            counts.append(answers)
            return Measurement(1.0, asked=answers, decoding_step_s=decoding_step_s)

        config = replace(CONFIG, epochs=6.0, evaluations=4)
        trainer = make_trainer(model_folder, tmp_path, rows, hooks, config)
        trainer.validator.plan = plan
        monkeypatch.setattr(trainer.validator, "measure", measure)
        with suppress(Killed):
            trainer.run()
        return counts

    assert sampled_counts(Recorder(kill_after(8)), decoding_step_s) == [2, affordable]
    opposite = 1e9 if affordable == 16 else 1e-9
    assert sampled_counts(Recorder(), opposite) == [affordable] * 3, "the checkpoint holds the number"
