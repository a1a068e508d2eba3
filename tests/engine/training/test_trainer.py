"""The loop: it learns, it goes on bit for bit after a kill, and it survives what goes wrong."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch

from engine.errors import TrainingError
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetRow
from engine.records.run import AdapterKind
from engine.training import student as student_module
from engine.training import trainer as trainer_module
from engine.training.batches import Batch
from engine.training.best import best_point
from engine.training.checkpoints import fault_of, steps_in
from engine.training.schedule import evaluation_steps, learning_rate_at
from engine.training.state import read_state
from engine.training.student import ChunkLoss
from engine.training.trainer import Trained
from engine.training.validation import Measurement
from engine.training.validation_plan import ValidationPlan
from tests.engine.training.runs import CONFIG, Killed, MakeRow, Recorder, make_trainer


@pytest.fixture
def rows(make_row: MakeRow) -> list[DatasetRow]:
    train = [make_row(number, f"question {number}", "A" + "b" * (number % 5)) for number in range(1, 17)]
    return train + [make_row(number, f"question {number}", "Abb", split="validation") for number in range(17, 21)]


def adapter_bytes(folder: Path, step: int) -> bytes:
    return (folder / "checkpoints" / f"step-{step}" / "adapter" / "adapter_model.safetensors").read_bytes()


def test_a_run_learns_reports_every_step_and_keeps_its_best_checkpoint(
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
    assert [point.step for point in points] == [0, 16, 32, 48]
    assert points[-1].train_loss < points[0].train_loss
    assert points[0].all_rules_rate < points[-1].all_rules_rate
    assert sum(point.best for point in points) == 1
    assert next(point.step for point in points if point.best) == trained.state.best_step > 0
    assert fault_of(trained.best_checkpoint) is None
    assert len(steps_in(tmp_path / "checkpoints")) <= 3
    watched = [measured.watched for _point, measured in hooks.points if measured is not None]
    assert all(len(answers) == 2 for answers in watched)
    assert {answer.question for answers in watched for answer in answers} <= {f"question {n}" for n in range(17, 21)}


def test_the_kl_to_the_teacher_falls(model_folder: Path, tmp_path: Path, rows: list[DatasetRow]) -> None:
    hooks = Recorder()
    config = replace(CONFIG, objective="forward_kl", epochs=8.0, checkpoint_every_s=1e9)
    trained = make_trainer(model_folder, tmp_path, rows, hooks, config).run()
    first, *_rest, last = trained.state.points
    assert last.validation_kl < 0.5 * first.validation_kl


@pytest.mark.parametrize("killed_after", [(1,), (3, 4, 11), (6,)])
def test_killed_and_resumed_it_ends_with_the_same_bytes(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], killed_after: tuple[int, ...]
) -> None:
    """12 steps, killed before a step, sometimes twice; the checkpoint before each kill is where it goes on."""
    told = Recorder()
    expected = make_trainer(model_folder, tmp_path / "straight", rows, told).run()
    assert expected.state.step == told.saved[-1] == 12
    folder = tmp_path / "killed"
    for step in killed_after:

        def kill(finished: int, at: int = step) -> None:
            if finished >= at:
                raise Killed

        with pytest.raises(Killed):
            make_trainer(model_folder, folder, rows, Recorder(kill)).run()
    (folder / "checkpoints" / "step-2.tmp").mkdir()  # as a kill in the middle of writing leaves it
    trainer = make_trainer(model_folder, folder, rows, Recorder())
    trainer._begin()
    assert not list((folder / "checkpoints").glob("*.tmp"))
    resumed = make_trainer(model_folder, folder, rows, Recorder()).run()
    assert resumed.state.step == 12
    assert adapter_bytes(folder, 12) == adapter_bytes(tmp_path / "straight", 12)
    optimizer = "checkpoints/step-12/optimizer.safetensors"
    assert (folder / optimizer).read_bytes() == (tmp_path / "straight" / optimizer).read_bytes()
    assert [replace(point, tokens_per_second=0) for point in resumed.state.points] == [
        replace(point, tokens_per_second=0) for point in expected.state.points
    ]


def test_ten_kills_at_random_moments_give_the_bytes_of_one_quiet_run(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both stages and what stands beside them; each kill falls between two passes, so that a half made step is lost."""
    monkeypatch.setattr("engine.training.general._ANSWER_TOKENS", 4)
    config = replace(
        CONFIG, micro_batch_rows=2, epochs=2.0, on_policy_steps=8, on_policy_batch_rows=4, on_policy_answer_tokens=6,
        general_fraction=0.2, prompt_back_weight=0.1, on_policy_learning_rate=1e-2,
    )  # fmt: skip
    make_trainer(model_folder, tmp_path / "quiet", rows, Recorder(), config).run()
    folder, chance = tmp_path / "killed", Random(7)
    real = student_module.add_gradients
    passes_left = 0

    def mortal(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> float:
        nonlocal passes_left
        if passes_left == 0:
            raise Killed
        passes_left -= 1
        return real(student, batch, loss, divisor)

    monkeypatch.setattr(trainer_module, "add_gradients", mortal)
    reached = []
    for _kill in range(10):
        passes_left = chance.randrange(2, 12)
        hooks = Recorder()
        with pytest.raises(Killed):
            make_trainer(model_folder, folder, rows, hooks, config).run()
        reached.append(max(steps_in(folder / "checkpoints")))
        assert hooks.saved[-1:] in ([], reached[-1:]), "of what is saved the caller knows"
    assert reached[0] < 8 < reached[-1] < 16, "kills fell into both stages"
    passes_left = -1
    make_trainer(model_folder, folder, rows, Recorder(), config).run()
    for name in ("adapter/adapter_model.safetensors", "optimizer.safetensors"):
        file = Path("checkpoints") / "step-16" / name
        assert (folder / file).read_bytes() == (tmp_path / "quiet" / file).read_bytes()


@pytest.mark.parametrize("kind", ["rslora", "dora", "full"])
def test_other_kinds_of_adapter_go_on_bit_for_bit_too(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], kind: AdapterKind
) -> None:
    config = replace(CONFIG, adapter=kind, epochs=1.0, on_policy_steps=2, on_policy_batch_rows=4)
    hooks = Recorder()
    make_trainer(model_folder, tmp_path / "straight", rows, hooks, config).run()
    assert hooks.steps[3].loss < hooks.steps[0].loss

    def kill(finished: int) -> None:
        if finished == 3:
            raise Killed

    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path / "killed", rows, Recorder(kill), config).run()
    make_trainer(model_folder, tmp_path / "killed", rows, Recorder(), config).run()
    assert adapter_bytes(tmp_path / "killed", 6) == adapter_bytes(tmp_path / "straight", 6)


def test_a_stop_is_saved_first(model_folder: Path, tmp_path: Path, rows: list[DatasetRow]) -> None:
    hooks = Recorder()

    def stop(finished: int) -> None:
        if finished == 5:
            raise Killed

    hooks.interrupt, hooks.wants_save = stop, lambda: bool(hooks.steps) and hooks.steps[-1].step == 5
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path, rows, hooks, replace(CONFIG, checkpoint_every_s=1e9)).run()
    assert max(steps_in(tmp_path / "checkpoints")) == 5
    again = Recorder()
    make_trainer(model_folder, tmp_path, rows, again, replace(CONFIG, checkpoint_every_s=1e9)).run()
    assert [metrics.step for metrics in again.steps] == list(range(6, 13))


def test_a_run_that_ends_early_is_measured_once_more_and_its_best_counts(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    # An untrained adapter is worth nothing: one step is made in any case.
    trained = make_trainer(model_folder, tmp_path / "first", rows, Recorder(wants_end=lambda: True)).run()
    assert [point.step for point in trained.state.points] == [0, 1]
    hooks = Recorder(wants_end=lambda: len(hooks.steps) == 4)
    trained = make_trainer(model_folder, tmp_path / "later", rows, hooks).run()
    assert [point.step for point in trained.state.points] == [0, 4]
    assert trained.state.best_step == 4
    assert (trained.best_checkpoint / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize("checkpoint_every_s", [0.0, 1e9])
def test_what_may_still_become_the_best_is_kept_however_many_checkpoints_time_makes(
    model_folder: Path,
    tmp_path: Path,
    rows: list[DatasetRow],
    monkeypatch: pytest.MonkeyPatch,
    checkpoint_every_s: float,
) -> None:
    """The first point is beaten within the tolerance, then its rival falls out of it: the first is the best again."""
    told = iter([(9.0, 0.0), (1.0, 0.54), (0.8, 0.5), (0.9, 0.5), (0.95, 0.5), (1.2, 0.56), (1.3, 0.56)])
    scripted = [Measurement(kl, all_rules_rate=rate, asked=100) for kl, rate in told]
    hooks = Recorder()
    config = replace(CONFIG, epochs=6.0, evaluations=6, checkpoint_every_s=checkpoint_every_s)
    trainer = make_trainer(model_folder, tmp_path, rows, hooks, config)
    monkeypatch.setattr(trainer.validator, "measure", lambda *_args, **_words: scripted.pop(0))
    trained = trainer.run()
    points = trained.state.points
    assert not scripted
    assert best_point(points).step == points[1].step, "of all points"
    assert [point.step for point in points if point.best] == [trained.state.best_step] == [points[1].step]
    last = 20 if checkpoint_every_s else 23
    assert sorted(steps_in(tmp_path / "checkpoints")) == sorted({points[1].step, points[5].step, last, 24})
    told_last = {point.step: point.best for point, _ in hooks.points}
    assert told_last == {point.step: point.best for point in points}
    assert trained.best_checkpoint.name == f"step-{trained.state.best_step}"
    assert not hooks.notes


@pytest.mark.parametrize(("a_step_s", "asked"), [(1e-9, 16), (1e9, 2)])
def test_on_a_gpu_what_decoding_was_measured_to_take_decides_once_how_many_answers_are_sampled(
    model_folder: Path,
    tmp_path: Path,
    rows: list[DatasetRow],
    monkeypatch: pytest.MonkeyPatch,
    a_step_s: float,
    asked: int,
) -> None:
    plan = ValidationPlan(1, 8, "trained", 1.0, by_measure=True)
    monkeypatch.setattr("engine.training.sampling_pace.VALIDATION_SHARE", 1e3)  # such tiny steps cost next to nothing

    def run(hooks: Recorder, a_step_s: float) -> list[int]:
        """The numbers of answers that one process was to sample."""
        told: list[int] = []

        def measure(*_given: object, answers: int) -> Measurement:
            told.append(answers)
            return Measurement(1.0, asked=answers, decoding_step_s=a_step_s)

        config = replace(CONFIG, epochs=6.0, evaluations=4)
        trainer = make_trainer(model_folder, tmp_path, rows, hooks, config)
        trainer.validator.plan = plan
        monkeypatch.setattr(trainer.validator, "measure", measure)
        with suppress(Killed):
            trainer.run()
        return told

    def kill(finished: int) -> None:
        if finished == 8:
            raise Killed

    assert run(Recorder(kill), a_step_s) == [2, asked]
    assert run(Recorder(), 1e9 if asked == 16 else 1e-9) == [asked] * 3, "it stands in the checkpoint"


@pytest.mark.parametrize("killed_after", [None, 9, 14])
@pytest.mark.parametrize(
    ("patience", "told", "last", "best"),
    [
        (2, [9.0, 3.0, 2.0, 2.5, 2.6, 1.0, 1.0], 16, 8),
        (2, [9.0, 3.0, 2.0, 2.5, 1.9, 2.5, 1.0], 24, 24),
        (0, [9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 24, 4),
        (6, [9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 24, 4),
    ],
)
def test_a_run_ends_where_evaluations_in_a_row_find_nothing_better_killed_or_not(
    model_folder: Path,
    tmp_path: Path,
    rows: list[DatasetRow],
    monkeypatch: pytest.MonkeyPatch,
    patience: int,
    told: list[float],
    last: int,
    best: int,
    killed_after: int | None,
) -> None:
    config = replace(CONFIG, epochs=6.0, evaluations=6, patience=patience)
    evaluated = {4 * place: kl for place, kl in enumerate(told)}

    def process(hooks: Recorder) -> Trained:
        trainer = make_trainer(model_folder, tmp_path, rows, hooks, config)

        def measure(*_given: object, **_named: object) -> Measurement:
            return Measurement(evaluated[trainer.state.step])

        monkeypatch.setattr(trainer.validator, "measure", measure)
        return trainer.run()

    def kill(finished: int) -> None:
        if finished == killed_after:
            raise Killed

    with suppress(Killed):
        process(Recorder(kill))
    trained = process(Recorder())
    assert (trained.state.step, trained.state.best_step) == (last, best)
    assert trained.given_up == ("2 evaluations in a row found nothing better" if last < 24 else "")
    assert len(trained.state.points) == last // 4 + 1, "it is not measured twice"


def test_what_a_first_stage_found_is_no_reason_to_end_the_second(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, epochs=1.0, evaluations=4, patience=2, on_policy_steps=4, on_policy_batch_rows=4)
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), config)
    worse = iter(range(1, 20))
    monkeypatch.setattr(trainer.validator, "measure", lambda *_given, **_named: Measurement(float(next(worse))))
    assert trainer.run().state.step == 6


def test_a_damaged_newest_checkpoint_is_skipped_with_a_note(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    def kill(finished: int) -> None:
        if finished == 5:
            raise Killed

    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path, rows, Recorder(kill)).run()
    weights = tmp_path / "checkpoints" / "step-5" / "adapter" / "adapter_model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    hooks = Recorder()
    make_trainer(model_folder, tmp_path, rows, hooks).run()
    assert [metrics.step for metrics in hooks.steps] == list(range(5, 13))
    assert "Skipped checkpoint step-5: adapter/adapter_model.safetensors is damaged." in hooks.notes


def test_checkpoints_of_another_configuration_are_refused(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    make_trainer(model_folder, tmp_path, rows, Recorder()).run()
    other = make_trainer(model_folder, tmp_path, rows, Recorder(), replace(CONFIG, learning_rate=0.1))
    with pytest.raises(TrainingError, match="another run"):
        other.run()


def test_out_of_memory_halves_the_micro_batch_and_changes_nothing_else(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = make_trainer(model_folder, tmp_path / "roomy", rows, Recorder())
    straight.run()
    real = student_module.add_gradients
    failures = 0

    def cramped(student: LocalModel, batch: Batch, loss: ChunkLoss, tokens: int) -> float:
        nonlocal failures
        total = real(student, batch, loss, tokens)  # gradients of the failed pass must not be kept
        if len(batch.input_ids) > 2:
            failures += 1
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: …")
        return total

    monkeypatch.setattr(trainer_module, "add_gradients", cramped)
    hooks = Recorder()
    cramped_run = make_trainer(model_folder, tmp_path / "cramped", rows, hooks)
    trained = cramped_run.run()
    assert failures == 1
    assert trained.state.micro_batch_rows == 2
    assert any("2 rows per pass" in note for note in hooks.notes)
    assert read_state(tmp_path / "cramped" / "checkpoints" / "step-12").micro_batch_rows == 2
    for one, other in zip(straight.parameters, cramped_run.parameters, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_one_row_that_does_not_fit_has_its_layers_computed_again_and_stays_so(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = make_trainer(model_folder, tmp_path / "roomy", rows, Recorder(), replace(CONFIG, micro_batch_rows=1))
    straight.run()
    real = student_module.add_gradients
    kept = []  # bytes that the forward passes keep for the backward pass

    def cramped(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> float:
        saved = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal saved
            saved += tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            total = real(student, batch, loss, divisor)
        kept.append(saved)
        if not any(getattr(module, "gradient_checkpointing", False) for module in student.base.modules()):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return total

    def kill(finished: int) -> None:
        if finished == 5:
            raise Killed

    monkeypatch.setattr(trainer_module, "add_gradients", cramped)
    hooks = Recorder(kill)
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path / "cramped", rows, hooks).run()
    assert any("layers recomputed" in note for note in hooks.notes)
    resumed = Recorder()
    trained = make_trainer(model_folder, tmp_path / "cramped", rows, resumed).run()
    assert not any("memory" in note for note in resumed.notes), "it is kept in the checkpoint"
    assert (trained.state.micro_batch_rows, trained.state.recomputed) == (1, True)
    assert adapter_bytes(tmp_path / "cramped", 12) == adapter_bytes(tmp_path / "roomy", 12)
    assert min(kept) < 0.5 * max(kept[:3])


def test_a_single_row_that_does_not_fit_is_named(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_arguments: object) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer_module, "add_gradients", never)
    with pytest.raises(TrainingError, match=r"A single row does not fit.*Example \d+"):
        make_trainer(model_folder, tmp_path, rows, Recorder()).run()


def test_a_kill_by_the_kernel_for_memory_halves_the_micro_batch_of_the_next_process(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(finished: int) -> None:
        if finished == 3:
            raise Killed

    monkeypatch.setattr(trainer_module, "kernel_oom_kills", lambda: 7)
    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path, rows, Recorder(kill)).run()
    monkeypatch.setattr(trainer_module, "kernel_oom_kills", lambda: 8)
    hooks = Recorder()
    trained = make_trainer(model_folder, tmp_path, rows, hooks).run()
    assert trained.state.micro_batch_rows == 2
    assert any("kernel" in note for note in hooks.notes)


def spoil(monkeypatch: pytest.MonkeyPatch, hooks: Recorder, steps: set[int]) -> None:
    """Make the loss of these steps (from 1) not a number, gradients included."""
    real = student_module.add_gradients
    seen = 0

    def spoiled(student: LocalModel, batch: Batch, loss: ChunkLoss, tokens: int) -> float:
        nonlocal seen
        seen += 1
        if seen in steps:
            return real(student, batch, lambda logits, here: loss(logits, here) * torch.nan, tokens)
        return real(student, batch, loss, tokens)

    monkeypatch.setattr(trainer_module, "add_gradients", spoiled)


def test_two_bad_steps_are_skipped_and_counted(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Recorder()
    spoil(monkeypatch, hooks, {2, 3, 6, 7})
    trained = make_trainer(model_folder, tmp_path, rows, hooks).run()
    assert trained.state.skipped == 4
    assert trained.state.skipped_in_row == 0
    assert [metrics.step for metrics in hooks.steps] == [1, 4, 5, 8, 9, 10, 11, 12]
    assert all(torch.isfinite(torch.tensor(metrics.loss)) for metrics in hooks.steps)


def test_three_bad_steps_in_a_row_end_the_run_at_its_last_good_checkpoint(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Recorder()
    spoil(monkeypatch, hooks, {7, 8, 9})
    trainer = make_trainer(model_folder, tmp_path, rows, hooks, replace(CONFIG, checkpoint_every_s=1e9))
    with pytest.raises(TrainingError, match=r"3 bad steps in a row.*is not finite") as caught:
        trainer.run()
    assert "Steps 7 to 9 of 12" in caught.value.message
    assert trainer.state.step == 6
    assert trainer.state.skipped == 3
    assert all(torch.isfinite(parameter).all() for parameter in trainer.parameters)


def blow_up(monkeypatch: pytest.MonkeyPatch, hooks: Recorder, after: int) -> None:
    """Spoil the weights at the end of step `after`, as a step that is too long does; every loss stays finite."""
    real = torch.optim.AdamW.step

    def step(optimizer: torch.optim.AdamW, *given: object) -> object:
        made = real(optimizer, *given)
        if len(hooks.steps) + 1 >= after:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.data.mul_(8.0).add_(1.0)
        return made

    monkeypatch.setattr(torch.optim.AdamW, "step", step)


@pytest.mark.parametrize("checkpoint_every_s", [0.0, 1e9])
def test_a_finite_loss_that_blows_up_ends_the_run_at_its_last_good_checkpoint(
    model_folder: Path,
    tmp_path: Path,
    rows: list[DatasetRow],
    monkeypatch: pytest.MonkeyPatch,
    checkpoint_every_s: float,
) -> None:
    hooks = Recorder()
    config = replace(
        CONFIG, objective="cross_entropy", epochs=8.0, evaluations=8, checkpoint_every_s=checkpoint_every_s
    )
    good = make_trainer(model_folder, tmp_path / "good", rows, Recorder(), replace(config, checkpoint_every_s=0.0))
    good.hooks.interrupt = lambda finished: None if finished < 25 else stop()
    with pytest.raises(Killed):
        good.run()
    blow_up(monkeypatch, hooks, 26)
    trainer = make_trainer(model_folder, tmp_path / "bad", rows, hooks, config)
    with pytest.raises(TrainingError, match=r"3 bad steps in a row.*loss rose from [\d.]+ to [\d.]+ nats") as caught:
        trainer.run()
    assert all(torch.isfinite(torch.tensor(metrics.loss)) for metrics in hooks.steps)
    back = 25 if checkpoint_every_s == 0 else 24
    assert f"back at the checkpoint of step {back}" in str(caught.value)
    assert trainer.state.step == back
    checkpoints = steps_in(tmp_path / "bad" / "checkpoints")
    assert max(checkpoints) == back, "nothing goes on from weights that are spoiled"
    assert trainer.state.best_step in checkpoints
    assert adapter_bytes(tmp_path / "bad", back) == adapter_bytes(tmp_path / "good", back)
    told = {point.step: point for point, _measured in hooks.points}
    assert [step for step, point in told.items() if point.best] == [trainer.state.best_step]


def stop() -> None:
    raise Killed


def test_a_validation_that_is_not_finite_ends_the_run_before_the_weights_that_it_measured(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Recorder()
    trainer = make_trainer(model_folder, tmp_path, rows, hooks, replace(CONFIG, epochs=2.0))
    real = torch.optim.AdamW.step

    def step(optimizer: torch.optim.AdamW, *given: object) -> object:
        made = real(optimizer, *given)
        if len(hooks.steps) == 7:
            trainer.parameters[0].data.fill_(torch.inf)
        return made

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    with pytest.raises(TrainingError, match=r"not a finite number.*back at the checkpoint of step 7"):
        trainer.run()
    assert all(torch.isfinite(parameter).all() for parameter in trainer.parameters)
    assert max(steps_in(tmp_path / "checkpoints")) == trainer.state.step == 7
    assert trainer.state.best_step == 4


def test_a_dataset_of_one_example_trains(model_folder: Path, tmp_path: Path, make_row: MakeRow) -> None:
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
    assert trained.state.points[-1].validation_kl < trained.state.points[0].validation_kl


def test_an_edited_behaviour_in_a_few_dozen_answers_changes_the_student(
    model_folder: Path, tmp_path: Path, make_row: MakeRow
) -> None:
    """The teacher's distribution holds up to the edit; forward KL on the edited tokens would teach the old answer."""
    plain = [make_row(number, f"question {number}", "Ab") for number in range(1, 25)]
    edited = [make_row(number, f"question {number}", "AbZZ", edited_from=2) for number in range(1, 25)]
    config = replace(CONFIG, objective="mix", epochs=4.0, evaluations=1, checkpoint_every_s=1e9)
    shares = []
    for name, rows in (("plain", plain), ("edited", edited)):
        validation = [replace(row, example_id=row.example_id + 100, split="validation") for row in rows[:4]]
        trainer = make_trainer(model_folder, tmp_path / name, [*rows, *validation], Recorder(), config)
        trainer.run()
        ids = torch.tensor([[*rows[0].question_ids, *rows[0].completion_ids[:2]]])
        with torch.no_grad():
            chances = torch.softmax(trainer.student.model(input_ids=ids).logits[0, -1], -1)
        shares.append(float(chances[edited[0].completion_ids[2]]))
    assert shares[0] < 0.05
    assert shares[1] > 0.5


def test_the_rate_warms_up_and_decays_without_ever_being_zero() -> None:
    rates = [learning_rate_at(step, 100, 1e-2, 0.1) for step in range(100)]
    assert rates[9] == 1e-2 == max(rates)
    assert rates[:10] == sorted(rates[:10])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert min(rates) > 0
    assert learning_rate_at(0, 1, 1e-2, 0.05) == 1e-2


def test_evaluations_are_spread_evenly_and_the_last_step_is_one_of_them() -> None:
    assert evaluation_steps(100, 4) == {25, 50, 75, 100}
    assert max(evaluation_steps(7, 3)) == 7
    assert evaluation_steps(2, 6) == {1, 2}
