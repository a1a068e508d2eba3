"""The second (on-policy) stage: it trains on the student's own answers, sampled with a seed per step."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import TrainingError
from engine.model.decode import Decoded, decode
from engine.model.load import adapter_off, load_base
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetRow
from engine.training import on_policy as on_policy_module
from engine.training import trainer as trainer_module
from engine.training.batches import Batch
from engine.training.decode_shared import decode_shared
from engine.training.on_policy import OnPolicy
from engine.training.ranks import Ranks
from engine.training.student import ChunkLoss, add_gradients, eval_mode, token_losses
from engine.training.trainer import Trainer
from tests.engine.training.trainer_helpers import (
    BOTH_STAGES,
    ON_POLICY_ONLY,
    PROMPT,
    Killed,
    MakeRow,
    Recorder,
    kill_after,
    make_trainer,
    questions_of,
    randomise_adapter,
)


def test_time_left_accounts_for_the_slower_steps_of_the_second_stage(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), BOTH_STAGES)
    course, first = trainer.course, trainer.course.stages[0].steps
    trainer.state = replace(trainer.state, step=first, train_s=10.0)
    trainer._paced_from = 0, 0.0
    first_step_s = 10.0 / first
    relative_cost = course.cost(first, first + 1) / course.cost(0, 1)
    assert relative_cost > 2
    assert trainer._seconds_left() == pytest.approx(relative_cost * first_step_s * BOTH_STAGES.on_policy_steps)
    trainer.state = replace(trainer.state, step=first + 2, train_s=16.0)
    trainer._paced_from = first, 10.0
    assert trainer._seconds_left() == pytest.approx(3.0 * (BOTH_STAGES.on_policy_steps - 2))


def second_stage(trainer: Trainer) -> OnPolicy:
    stage = trainer.course.stages[-1]
    assert isinstance(stage, OnPolicy)
    return stage


def reverse_kls(student: LocalModel, answers: list[DatasetRow]) -> list[torch.Tensor]:
    """The full divergence at every token of every answer, from plain forward passes, in float64."""
    questions = questions_of(answers, student)
    found = []
    for row in answers:
        count = len(row.completion_ids)
        prompted = student.format.prompted_ids(PROMPT, questions[row.question_id].messages)
        log_probs = []
        for ids, base_only in ((row.question_ids, False), (prompted, True)):
            tokens = torch.tensor([[*ids, *row.completion_ids]])
            with torch.no_grad():
                if base_only:
                    with adapter_off(student):
                        logits = student.model(input_ids=tokens).logits
                else:
                    logits = student.model(input_ids=tokens).logits
            log_probs.append(torch.log_softmax(logits[0, -count - 1 : -1].double(), -1))
        q, p = log_probs
        found.append((q.exp() * (q - p)).sum(-1))
    return found


def fresh_answers(student: LocalModel, rows: list[DatasetRow]) -> list[DatasetRow]:
    """Newly sampled answers that the run has not seen."""
    repeated = [row for row in rows for _ in range(8)]
    with eval_mode(student):
        decoded = decode(
            student, [row.question_ids for row in repeated], temperature=1.0, max_new_tokens=3,
            seeds=[10**9 + number for number in range(len(repeated))],
        )  # fmt: skip
    return [replace(row, completion_ids=one.ids, edited_from=0) for row, one in zip(repeated, decoded, strict=True)]


def test_reverse_kl_on_fresh_answers_falls(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.on_policy.MANY_CUT", 1.0)  # answers of three tokens are all cut off
    config = replace(
        ON_POLICY_ONLY, lora_rank=16, lora_alpha=32, on_policy_steps=60, on_policy_batch_rows=16,
        on_policy_answer_tokens=3, on_policy_skipped_tokens=0, on_policy_ratio_clip=100.0, evaluations=1,
        checkpoint_every_s=1e9,
    )  # fmt: skip
    hooks = Recorder()
    trainer = make_trainer(model_folder, tmp_path, rows, hooks, config)
    before = torch.cat(reverse_kls(trainer.student, fresh_answers(trainer.student, rows[:16]))).mean()
    trainer.run()
    after = torch.cat(reverse_kls(trainer.student, fresh_answers(trainer.student, rows[:16]))).mean()
    assert after < 0.6 * before
    assert hooks.steps[-1].step == 60
    assert all(set(metrics.figures) == {"cut_answers", "answer_tokens"} for metrics in hooks.steps)


@pytest.mark.parametrize("killed_after", [(3,), (4,), (5,), (2, 4, 7)])
def test_run_killed_in_or_between_stages_ends_with_the_same_bytes(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], killed_after: tuple[int, ...]
) -> None:
    """Four steps off-policy, five on-policy; the optimizer's moments are reset between them."""
    uninterrupted = make_trainer(model_folder, tmp_path / "uninterrupted", rows, Recorder(), BOTH_STAGES).run()
    assert uninterrupted.state.step == 9
    assert [point.step for point in uninterrupted.state.points] == [0, 2, 4, 6, 9]
    folder = tmp_path / "killed"
    for step in killed_after:
        with pytest.raises(Killed):
            make_trainer(model_folder, folder, rows, Recorder(kill_after(step)), BOTH_STAGES).run()
    resumed = make_trainer(model_folder, folder, rows, Recorder(), BOTH_STAGES).run()
    for name in ("adapter/adapter_model.safetensors", "optimizer.safetensors", "random.safetensors"):
        path = Path("checkpoints/step-9") / name
        assert (folder / path).read_bytes() == (tmp_path / "uninterrupted" / path).read_bytes()
    assert [replace(point, tokens_per_second=0) for point in resumed.state.points] == [
        replace(point, tokens_per_second=0) for point in uninterrupted.state.points
    ]


def test_each_stage_has_its_own_learning_rate_and_both_compete_for_the_best_step(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    hooks = Recorder()
    ruinous = replace(BOTH_STAGES, on_policy_learning_rate=1.0)
    trained = make_trainer(model_folder, tmp_path, rows, hooks, ruinous).run()
    rates = [metrics.learning_rate for metrics in hooks.steps]
    assert max(rates[:4]) == BOTH_STAGES.learning_rate
    assert max(rates[4:]) == 1.0
    assert [metrics.epoch for metrics in hooks.steps][3:5] == pytest.approx([1.0, 1.0 + 6 / 16])
    assert trained.state.best_step <= 4


def test_sampling_leaves_modes_gradients_and_random_state_unchanged(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), ON_POLICY_ONLY)
    stage = second_stage(trainer)
    trainer.model.train()
    modes = [module.training for module in trainer.model.modules()]
    random = torch.get_rng_state()
    work = stage.work(0, 4)
    assert [module.training for module in trainer.model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    batch = work.main.batch(work.main.rows)
    work.main.loss(work.main.rows, batch)
    assert [module.training for module in trainer.model.modules()] == modes
    assert all(parameter.requires_grad and parameter.grad is None for parameter in trainer.parameters)


def test_sampled_answers_follow_from_seed_and_step(model_folder: Path, tmp_path: Path, rows: list[DatasetRow]) -> None:
    stage = second_stage(make_trainer(model_folder, tmp_path, rows, Recorder(), ON_POLICY_ONLY))
    same = second_stage(make_trainer(model_folder, tmp_path, rows, Recorder(), ON_POLICY_ONLY))
    other = second_stage(make_trainer(model_folder, tmp_path / "2", rows, Recorder(), replace(ON_POLICY_ONLY, seed=6)))
    first, second = stage.work(0, 4).main.rows, stage.work(1, 4).main.rows
    assert same.work(0, 4).main.rows == first
    assert [row.completion_ids for row in other.work(0, 4).main.rows] != [row.completion_ids for row in first]
    assert not {row.question_id for row in first} & {row.question_id for row in second}
    assert all(1 <= len(row.completion_ids) <= 8 for row in first)
    longest = max(len(row.completion_ids) for row in rows)
    long_answers = replace(ON_POLICY_ONLY, on_policy_answer_tokens=512)
    stage = second_stage(make_trainer(model_folder, tmp_path, rows, Recorder(), long_answers))
    assert stage.answer_tokens == longest + 8


def test_answers_of_a_step_are_sampled_once(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled: list[object] = []

    def counted(*args: Any, seeds: list[int], **options: Any) -> Any:
        sampled.append(seeds)
        return decode_shared(*args, seeds=seeds, **options)

    monkeypatch.setattr(on_policy_module, "decode_shared", counted)
    trained = make_trainer(model_folder, tmp_path, rows, Recorder(), ON_POLICY_ONLY).run()
    assert len(sampled) == trained.state.step == ON_POLICY_ONLY.on_policy_steps


def test_loss_is_the_full_reverse_kl_to_the_prompted_base_after_the_skipped_tokens(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    config = replace(ON_POLICY_ONLY, on_policy_skipped_tokens=2, on_policy_ratio_clip=1e9, on_policy_top_k=10**6)
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), config)
    randomise_adapter(trainer.student, seed=0)
    main = second_stage(trainer).work(0, 4).main
    expected = reverse_kls(trainer.student, list(main.rows))
    assert main.tokens == main.divisor == sum(max(0, len(kls) - 2) for kls in expected)
    for size in (1, 4, len(main.rows)):
        for start in range(0, len(main.rows), size):
            part = main.rows[start : start + size]
            batch = main.batch(part)
            found = token_losses(trainer.student, batch, main.loss(part, batch)).split(
                [len(row.completion_ids) for row in part]
            )
            for kls, expected_kls in zip(found, expected[start : start + size], strict=True):
                assert not kls[:2].any()
                assert torch.allclose(kls[2:].double(), expected_kls[2:], atol=1e-4)


def test_running_out_of_memory_halves_the_rows_when_sampling_and_when_training(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []

    def decode_at_most_16(
        ranks: Ranks,
        student: LocalModel,
        rows: Sequence[Sequence[int]],
        *,
        temperature: float,
        max_new_tokens: Sequence[int],
        seeds: Sequence[int],
        batch_rows: int,
    ) -> list[Decoded]:
        if batch_rows > 16:
            failures.append("decode")
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode_shared(
            ranks,
            student,
            rows,
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            seeds=seeds,
            batch_rows=batch_rows,
        )

    def gradients_of_one_row(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        total = add_gradients(student, batch, loss, divisor)
        if len(batch.input_ids) > 1:
            failures.append("gradients")
            raise torch.OutOfMemoryError("CUDA out of memory")
        return total

    expected = make_trainer(model_folder, tmp_path / "enough", rows, Recorder(), ON_POLICY_ONLY)
    expected.run()
    monkeypatch.setattr(on_policy_module, "decode_shared", decode_at_most_16)
    monkeypatch.setattr(trainer_module, "add_gradients", gradients_of_one_row)
    short = make_trainer(model_folder, tmp_path / "short", rows, Recorder(), ON_POLICY_ONLY)
    assert short.run().state.micro_batch_rows == 1
    assert failures == ["decode", "gradients"]
    for one, other in zip(expected.parameters, short.parameters, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_run_that_ends_early_ends_at_the_same_step_after_a_kill(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    hopeless = replace(ON_POLICY_ONLY, on_policy_steps=20, on_policy_answer_tokens=1, on_policy_learning_rate=1e-9)
    uninterrupted = make_trainer(model_folder, tmp_path / "uninterrupted", rows, Recorder(), hopeless).run()
    assert uninterrupted.state.step == 10
    assert "for 10 steps in a row" in uninterrupted.ended_early

    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path / "killed", rows, Recorder(kill_after(7)), hopeless).run()
    resumed = make_trainer(model_folder, tmp_path / "killed", rows, Recorder(), hopeless).run()
    assert (resumed.state.step, resumed.ended_early) == (10, uninterrupted.ended_early)


def test_questions_with_edited_answers_are_not_asked(
    model_folder: Path, tmp_path: Path, make_row: MakeRow, rows: list[DatasetRow]
) -> None:
    edited = [make_row(number, f"question {number}", "AbZZ", edited_from=2) for number in range(21, 30)]
    stage = second_stage(make_trainer(model_folder, tmp_path, [*rows, *edited], Recorder(), ON_POLICY_ONLY))
    assert {row.question_id for row in stage.rows} == set(range(1, 17))
    foreign = [replace(row, edited_from=0) for row in rows]
    with pytest.raises(TrainingError, match="nothing to ask"):
        make_trainer(model_folder, tmp_path / "foreign", foreign, Recorder(), ON_POLICY_ONLY, local_teacher=False)


def test_base_weights_are_unchanged(model_folder: Path, tmp_path: Path, rows: list[DatasetRow]) -> None:
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), ON_POLICY_ONLY)
    trainer.run()
    ids = torch.tensor([rows[0].question_ids])
    with torch.no_grad(), adapter_off(trainer.student):
        assert torch.equal(
            trainer.student.model(input_ids=ids).logits,
            load_base(model_folder, device="cpu", dtype="float32").model(input_ids=ids).logits,
        )
