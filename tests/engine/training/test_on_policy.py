"""The second stage: it learns from the student's own answers, and everything about it follows from the step."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import TrainingError
from engine.model.decode import decode
from engine.model.load import adapter_off, load_base
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetRow
from engine.training import on_policy as on_policy_module
from engine.training import student as student_module
from engine.training import trainer as trainer_module
from engine.training.batches import Batch
from engine.training.on_policy import OnPolicy
from engine.training.student import ChunkLoss, token_losses
from engine.training.trainer import Trainer
from tests.engine.training.runs import CONFIG, PROMPT, Killed, MakeRow, Recorder, make_trainer, questions_of

BOTH = replace(
    CONFIG, epochs=1.0, on_policy_steps=5, on_policy_batch_rows=6, on_policy_answer_tokens=8,
    on_policy_learning_rate=5e-3,
)  # fmt: skip
ALONE = replace(BOTH, epochs=0.0)


@pytest.fixture
def rows(make_row: MakeRow) -> list[DatasetRow]:
    train = [make_row(number, f"question {number}", "A" + "b" * (number % 5)) for number in range(1, 17)]
    return train + [make_row(number, f"question {number}", "Abb", split="validation") for number in range(17, 21)]


def test_the_time_left_reckons_with_the_dearer_steps_of_the_second_stage(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), BOTH)
    course, first = trainer.course, trainer.course.stages[0].steps
    trainer.state = replace(trainer.state, step=first, train_s=10.0)
    trainer._paced_from = 0, 0.0
    of_one = 10.0 / first
    dearer = course.cost(first, first + 1) / course.cost(0, 1)
    assert dearer > 2
    assert trainer._seconds_left() == pytest.approx(dearer * of_one * BOTH.on_policy_steps)
    trainer.state = replace(trainer.state, step=first + 2, train_s=16.0)
    trainer._paced_from = first, 10.0
    assert trainer._seconds_left() == pytest.approx(3.0 * (BOTH.on_policy_steps - 2))


def second_stage(trainer: Trainer) -> OnPolicy:
    stage = trainer.course.stages[-1]
    assert isinstance(stage, OnPolicy)
    return stage


def reverse_kls(student: LocalModel, answers: list[DatasetRow]) -> list[torch.Tensor]:
    """The full divergence at every token of every answer, by the models' own forward passes, in float64."""
    questions = questions_of(answers, student)
    found = []
    for row in answers:
        count = len(row.completion_ids)
        prompted = student.format.prompted_ids(PROMPT, questions[row.question_id].messages)
        shares = []
        for ids, bare in ((row.question_ids, False), (prompted, True)):
            tokens = torch.tensor([[*ids, *row.completion_ids]])
            with torch.no_grad():
                if bare:
                    with adapter_off(student):
                        logits = student.model(input_ids=tokens).logits
                else:
                    logits = student.model(input_ids=tokens).logits
            shares.append(torch.log_softmax(logits[0, -count - 1 : -1].double(), -1))
        q, p = shares
        found.append((q.exp() * (q - p)).sum(-1))
    return found


def fresh_answers(student: LocalModel, rows: list[DatasetRow]) -> list[DatasetRow]:
    """Answers that the run never saw."""
    asked = [row for row in rows for _ in range(8)]
    with student_module.eval_mode(student):
        decoded = decode(
            student, [row.question_ids for row in asked], temperature=1.0, max_new_tokens=3,
            seeds=[10**9 + number for number in range(len(asked))],
        )  # fmt: skip
    return [replace(row, completion_ids=one.ids, edited_from=0) for row, one in zip(asked, decoded, strict=True)]


def test_the_reverse_kl_on_fresh_answers_falls(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.on_policy.MANY_CUT", 1.0)  # answers of three tokens are all cut
    config = replace(
        ALONE, lora_rank=16, lora_alpha=32, on_policy_steps=60, on_policy_batch_rows=16, on_policy_answer_tokens=3,
        on_policy_skipped_tokens=0, on_policy_ratio_clip=100.0, evaluations=1, checkpoint_every_s=1e9,
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
def test_killed_in_either_stage_or_between_them_it_ends_with_the_same_bytes(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], killed_after: tuple[int, ...]
) -> None:
    """4 steps off-policy, 5 on-policy; the moments of the optimizer begin anew between them."""
    straight = make_trainer(model_folder, tmp_path / "straight", rows, Recorder(), BOTH).run()
    assert straight.state.step == 9
    assert [point.step for point in straight.state.points] == [0, 2, 4, 6, 9]
    folder = tmp_path / "killed"
    for step in killed_after:

        def kill(finished: int, at: int = step) -> None:
            if finished >= at:
                raise Killed

        with pytest.raises(Killed):
            make_trainer(model_folder, folder, rows, Recorder(kill), BOTH).run()
    resumed = make_trainer(model_folder, folder, rows, Recorder(), BOTH).run()
    for name in ("adapter/adapter_model.safetensors", "optimizer.safetensors", "random.safetensors"):
        path = Path("checkpoints/step-9") / name
        assert (folder / path).read_bytes() == (tmp_path / "straight" / path).read_bytes()
    assert [replace(point, tokens_per_second=0) for point in resumed.state.points] == [
        replace(point, tokens_per_second=0) for point in straight.state.points
    ]


def test_each_stage_has_its_own_rate_and_the_best_checkpoint_is_that_of_both(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    hooks = Recorder()
    ruinous = replace(BOTH, on_policy_learning_rate=1.0)
    trained = make_trainer(model_folder, tmp_path, rows, hooks, ruinous).run()
    rates = [metrics.learning_rate for metrics in hooks.steps]
    assert max(rates[:4]) == BOTH.learning_rate
    assert max(rates[4:]) == 1.0
    assert [metrics.epoch for metrics in hooks.steps][3:5] == pytest.approx([1.0, 1.0 + 6 / 16])
    assert trained.state.best_step <= 4


def test_sampling_leaves_the_training_as_it_was(model_folder: Path, tmp_path: Path, rows: list[DatasetRow]) -> None:
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), ALONE)
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


def test_answers_are_the_students_own_and_follow_from_seed_and_step(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    stage = second_stage(make_trainer(model_folder, tmp_path, rows, Recorder(), ALONE))
    again = second_stage(make_trainer(model_folder, tmp_path, rows, Recorder(), ALONE))
    other = second_stage(make_trainer(model_folder, tmp_path / "2", rows, Recorder(), replace(ALONE, seed=6)))
    first, second = stage.work(0, 4).main.rows, stage.work(1, 4).main.rows
    assert again.work(0, 4).main.rows == first
    assert [row.completion_ids for row in other.work(0, 4).main.rows] != [row.completion_ids for row in first]
    assert not {row.question_id for row in first} & {row.question_id for row in second}
    assert all(1 <= len(row.completion_ids) <= 8 for row in first)
    longest = max(len(row.completion_ids) for row in rows)
    roomy = replace(ALONE, on_policy_answer_tokens=512)
    assert second_stage(make_trainer(model_folder, tmp_path, rows, Recorder(), roomy)).answer_tokens == longest + 8


def test_the_loss_is_the_full_divergence_behind_the_prompt_without_the_first_tokens(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    config = replace(ALONE, on_policy_skipped_tokens=2, on_policy_ratio_clip=1e9, on_policy_top_k=10**6)
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), config)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in trainer.parameters:
            parameter.normal_(std=0.1)
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
            for row, wanted in zip(found, expected[start : start + size], strict=True):
                assert not row[:2].any()
                assert torch.allclose(row[2:].double(), wanted[2:], atol=1e-4)


def test_out_of_memory_halves_the_micro_batch_while_sampling_and_while_learning(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    real_decode, real_gradients = on_policy_module.decode_shared, student_module.add_gradients
    failures: list[str] = []

    def decode_in_little(*arguments: object, batch_rows: int, **words: object) -> object:
        if batch_rows > 16:
            failures.append("decode")
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real_decode(*arguments, batch_rows=batch_rows, **words)

    def gradients_in_little(*arguments: object) -> float:
        total = real_gradients(*arguments)
        batch = arguments[1]
        assert isinstance(batch, Batch)
        if len(batch.input_ids) > 1:
            failures.append("gradients")
            raise torch.OutOfMemoryError("CUDA out of memory")
        return total

    straight = make_trainer(model_folder, tmp_path / "roomy", rows, Recorder(), ALONE)
    straight.run()
    monkeypatch.setattr(on_policy_module, "decode_shared", decode_in_little)
    monkeypatch.setattr(trainer_module, "add_gradients", gradients_in_little)
    cramped = make_trainer(model_folder, tmp_path / "cramped", rows, Recorder(), ALONE)
    assert cramped.run().state.micro_batch_rows == 1
    assert failures == ["decode", "gradients"]
    for one, other in zip(straight.parameters, cramped.parameters, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_a_run_that_gives_up_ends_at_the_same_step_when_it_was_killed_in_between(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    hopeless = replace(ALONE, on_policy_steps=20, on_policy_answer_tokens=1, on_policy_learning_rate=1e-9)
    straight = make_trainer(model_folder, tmp_path / "straight", rows, Recorder(), hopeless).run()
    assert straight.state.step == 10
    assert "for 10 steps in a row" in straight.given_up

    def kill(finished: int) -> None:
        if finished >= 7:
            raise Killed

    with pytest.raises(Killed):
        make_trainer(model_folder, tmp_path / "killed", rows, Recorder(kill), hopeless).run()
    resumed = make_trainer(model_folder, tmp_path / "killed", rows, Recorder(), hopeless).run()
    assert (resumed.state.step, resumed.given_up) == (10, straight.given_up)


def test_questions_whose_answer_was_edited_are_not_asked(
    model_folder: Path, tmp_path: Path, make_row: MakeRow, rows: list[DatasetRow]
) -> None:
    edited = [make_row(number, f"question {number}", "AbZZ", edited_from=2) for number in range(21, 30)]
    stage = second_stage(make_trainer(model_folder, tmp_path, [*rows, *edited], Recorder(), ALONE))
    assert {row.question_id for row in stage.rows} == set(range(1, 17))
    foreign = [replace(row, edited_from=0) for row in rows]
    with pytest.raises(TrainingError, match="nothing to ask"):
        make_trainer(model_folder, tmp_path / "foreign", foreign, Recorder(), ALONE, local_teacher=False)


def test_a_spoiled_step_of_the_second_stage_is_skipped(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = student_module.add_gradients
    calls = 0

    def spoiled(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> float:
        nonlocal calls
        calls += 1
        if calls == 3:  # two micro-batches a step
            return real(student, batch, lambda logits, here: loss(logits, here) * torch.nan, divisor)
        return real(student, batch, loss, divisor)

    monkeypatch.setattr(trainer_module, "add_gradients", spoiled)
    hooks = Recorder()
    trained = make_trainer(model_folder, tmp_path, rows, hooks, ALONE).run()
    assert trained.state.skipped == 1
    assert [metrics.step for metrics in hooks.steps] == [1, 3, 4, 5]


def test_a_student_without_probabilities_is_led_back_to_its_last_good_weights(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Recorder()
    real = torch.optim.AdamW.step

    def step(optimizer: torch.optim.AdamW, *given: object) -> object:
        made = real(optimizer, *given)
        if len(hooks.steps) == 2:
            trainer.parameters[0].data.fill_(torch.nan)
        return made

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    config = replace(ALONE, on_policy_steps=9, evaluations=1, checkpoint_every_s=0.0)
    trainer = make_trainer(model_folder, tmp_path, rows, hooks, config)
    with pytest.raises(TrainingError, match=r"3 bad steps in a row.*no valid probabilities.*step 2\."):
        trainer.run()
    assert trainer.state.step == 2
    assert trainer.state.skipped == 3
    assert all(torch.isfinite(parameter).all() for parameter in trainer.parameters)


def test_the_base_is_untouched_by_it(model_folder: Path, tmp_path: Path, rows: list[DatasetRow]) -> None:
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), ALONE)
    trainer.run()
    ids = torch.tensor([rows[0].question_ids])
    with torch.no_grad(), adapter_off(trainer.student):
        assert torch.equal(
            trainer.student.model(input_ids=ids).logits,
            load_base(model_folder, device="cpu", dtype="float32").model(input_ids=ids).logits,
        )
