"""Extra loss terms (general questions, prompt put back): losses of plain forward passes, weights as configured."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import TrainingError
from engine.model.decode import decode
from engine.model.load import adapter_off, load_base
from engine.model.local_model import LocalModel
from engine.questions.general import general_questions
from engine.records.dataset import DatasetRow
from engine.records.run import TrainingConfig
from engine.training import general as general_module
from engine.training.batches import Batch, make_batch, shared_length, shared_prompt_batch
from engine.training.costs import _PROMPT_SHARE, DECODING_STEP_COST, first_step_cost, row_tokens, second_step_cost
from engine.training.general import make_general
from engine.training.losses import cross_entropy
from engine.training.off_policy import OffPolicy
from engine.training.stages import Stage, StepWork
from engine.training.student import token_losses
from engine.training.trainer import Trainer
from tests.engine.training.trainer_helpers import (
    CONFIG,
    PROMPT,
    Killed,
    MakeRow,
    Recorder,
    adapter_bytes,
    kill_after,
    make_trainer,
    questions_of,
    randomise_adapter,
)
from tests.families import FAMILIES
from tests.tiny import make_tiny_family

GENERAL = replace(CONFIG, general_fraction=0.25, epochs=1.0, checkpoint_every_s=1e9, top_k=10**6)
BACK = replace(CONFIG, prompt_back_weight=0.3, epochs=1.0, checkpoint_every_s=1e9, top_k=10**6)


@pytest.fixture(autouse=True)
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(general_module, "_ANSWER_TOKENS", 6)


def plain_kl(
    student: LocalModel, question_ids: Sequence[int], base_ids: Sequence[int], answer: Sequence[int]
) -> Tensor:
    """KL(base after `base_ids` ‖ student after `question_ids`) at every token of the answer, with gradients."""
    log_probs = []
    for ids, base_only in ((question_ids, False), (base_ids, True)):
        tokens = torch.tensor([[*ids, *answer]])
        if base_only:
            with torch.no_grad(), adapter_off(student):
                logits = student.model(input_ids=tokens).logits
        else:
            logits = student.model(input_ids=tokens).logits
        log_probs.append(torch.log_softmax(logits[0, -len(answer) - 1 : -1].double(), -1))
    found, expected = log_probs
    return (expected.exp() * (expected - found)).sum(-1)


def take_gradients(trainer: Trainer) -> list[Tensor]:
    found = [parameter.grad.clone() for parameter in trainer.parameters if parameter.grad is not None]
    trainer.optimizer.zero_grad(set_to_none=True)
    return found


def make_step(
    trainer: Trainer, micro_batch_rows: int, step: int = 0
) -> tuple[StepWork, dict[str, float], list[Tensor]]:
    work, sums, _tokens = trainer._gradients(step, micro_batch_rows)
    return work, sums, take_gradients(trainer)


def carrying_steps(stage: Stage) -> list[int]:
    return [step for step in range(stage.steps) if len(stage.work(step, 4).terms) > 1]


@pytest.mark.parametrize("micro_batch_rows", [1, 3, 16])
def test_general_rows_are_trained_towards_the_unprompted_base_with_equal_weight(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], micro_batch_rows: int
) -> None:
    config = replace(GENERAL, objective="cross_entropy")
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), config)
    randomise_adapter(trainer.student)
    work, sums, found = make_step(trainer, micro_batch_rows)
    general = work.terms[1]
    assert general.name == "general_kl"
    tokens = sum(len(row.completion_ids) for term in work.terms for row in term.rows)
    kls = [plain_kl(trainer.student, row.question_ids, row.question_ids, row.completion_ids) for row in general.rows]
    # The cache holds the base's distributions in float16.
    assert sums["general_kl"] == pytest.approx(float(torch.cat(kls).sum().detach()), rel=1e-2)

    def text_losses(row: DatasetRow) -> Tensor:
        targets = torch.tensor(row.completion_ids)
        return token_losses(
            trainer.student, make_batch([row]), lambda logits, here: cross_entropy(logits, targets[here])
        )

    own = [text_losses(row) for row in work.main.rows]
    assert sums["loss"] == pytest.approx(float(sum(loss.sum() for loss in own)), rel=1e-4)
    total = torch.cat(kls).sum()
    for row in work.main.rows:
        logits = trainer.student.model(input_ids=torch.tensor([[*row.question_ids, *row.completion_ids]])).logits
        total = total + cross_entropy(
            logits[0, len(row.question_ids) - 1 : -1], torch.tensor(row.completion_ids)
        ).double().sum()  # fmt: skip
    (total / tokens).backward()
    for one, other in zip(found, take_gradients(trainer), strict=True):
        assert torch.allclose(one, other, atol=2e-3 * float(other.abs().max()) + 1e-6)


def test_general_fraction_sets_the_share_of_general_rows_and_none_is_held_out(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    both = replace(GENERAL, on_policy_steps=3, on_policy_batch_rows=6, on_policy_answer_tokens=4)
    course = make_trainer(model_folder, tmp_path, rows, Recorder(), both).course
    for stage, own_rows in zip(course.stages, (4, 6), strict=True):
        works = [stage.work(step, 4) for step in range(stage.steps)]
        general = [row for work in works for row in work.terms[1].rows]
        assert len(general) == pytest.approx(stage.steps * own_rows / 3, abs=1)
    held_out = {question.text for question in general_questions("test")}
    assert len(held_out) > 40
    assert len(general_questions("train")) > 150
    assert not held_out & {question.text for question in general_questions("train")}


def test_answers_to_general_questions_are_generated_once(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(count: int = 3) -> list[tuple[int, ...]]:
        local = load_base(model_folder, device="cpu", dtype="float32")
        return [row.completion_ids for row in make_general(local, count, 0.1, 8, tmp_path).rows]

    first = answers()
    assert len(first) == 3
    with monkeypatch.context() as once:
        once.setattr(general_module, "decode", lambda *_, **__: pytest.fail("decoded again"))
        assert answers() == first
        assert answers(2) == first[:2]
    decoded_rows: list[int] = []
    with monkeypatch.context() as watched:
        watched.setattr(
            general_module,
            "decode",
            lambda *args, **kwargs: decoded_rows.append(len(args[1])) or decode(*args, **kwargs),
        )
        assert answers(5)[:3] == first
    assert decoded_rows == [2], "only the missing answers"
    (cache,) = tmp_path.glob("general-*.json")
    for spoiled in ("{", "[]", '{"key": "another", "answers": []}'):
        cache.write_text(spoiled)
        assert answers() == first


@pytest.mark.parametrize(("micro_batch_rows", "recurrent"), [(1, False), (3, False), (16, False), (16, True)])
def test_prompt_back_rows_train_the_prompted_student_towards_the_prompted_base(
    model_folder: Path,
    tmp_path: Path,
    rows: list[DatasetRow],
    micro_batch_rows: int,
    recurrent: bool,
    make_row: MakeRow,
) -> None:
    if recurrent:  # its rows cannot share a prompt within one sequence
        model_folder = make_tiny_family(tmp_path / "recurrent", FAMILIES["qwen3.5"])
    rows = [*rows, make_row(30, "question 30", "AbZZ", edited_from=2)]
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), replace(BACK, epochs=20.0))
    randomise_adapter(trainer.student)
    stage = trainer.course.stages[0]
    first, second, *_ = carrying_steps(stage)
    work, sums, all_gradients = make_step(trainer, micro_batch_rows, first)
    back = work.terms[1]
    assert back.name == "prompt_back_kl"
    assert len(back.rows) == (1 if recurrent else 4)
    without_extra = replace(work, beside=())
    stage.work = lambda *_: without_extra
    _work, _sums, main_gradients = make_step(trainer, micro_batch_rows, first)
    questions = questions_of(rows, trainer.student)
    total = torch.tensor(0.0, dtype=torch.float64)
    for row in back.rows:
        prompted = trainer.student.format.prompted_ids(PROMPT, questions[row.question_id].messages)
        assert tuple(prompted) == row.question_ids
        total = total + plain_kl(trainer.student, prompted, prompted, row.completion_ids).sum()
    assert sums["prompt_back_kl"] == pytest.approx(float(total.detach()), rel=1e-2)
    (0.3 * (second - first) * total / back.tokens).backward()
    for both, main, expected in zip(all_gradients, main_gradients, take_gradients(trainer), strict=True):
        assert torch.allclose(both - main, expected, atol=5e-3 * float(expected.abs().max()) + 1e-6)


@pytest.mark.parametrize("micro_batch_rows", [1, 4])
def test_shared_prompt_tokens_count_once_per_pass(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], micro_batch_rows: int
) -> None:
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), BACK)
    stage = trainer.course.stages[0]
    work, _sums, tokens = trainer._gradients(carrying_steps(stage)[0], micro_batch_rows)
    own, back = ([len(row.question_ids) + len(row.completion_ids) - 1 for row in term.rows] for term in work.terms)
    assert isinstance(stage, OffPolicy)
    prompt_back = stage._extra_terms._prompt_back
    assert prompt_back is not None
    shared = shared_length([row.question_ids for row in prompt_back.parts[0].rows])
    assert tokens == sum(own) + sum(back) - shared * (len(back) - len(back) // micro_batch_rows)


def test_edited_tokens_are_left_out_of_prompt_back_rows(
    model_folder: Path, tmp_path: Path, make_row: MakeRow, rows: list[DatasetRow]
) -> None:
    edited = [make_row(number, f"question {number}", "AbZZ", edited_from=2) for number in range(1, 9)]
    stage = make_trainer(model_folder, tmp_path, edited, Recorder(), BACK).course.stages[0]
    back = stage.work(carrying_steps(stage)[0], 4).terms[1]
    assert all(len(row.completion_ids) == 2 for row in back.rows)
    foreign = [replace(row, edited_from=0) for row in rows]
    with pytest.raises(TrainingError, match="no distributions of the prompted base"):
        make_trainer(model_folder, tmp_path / "2", foreign, Recorder(), BACK, local_teacher=False)


def test_long_prompt_is_read_so_rarely_that_its_tokens_stay_within_their_share(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    course = make_trainer(model_folder, tmp_path, rows, Recorder(), replace(BACK, epochs=20.0)).course
    stage = course.stages[0]
    works = [stage.work(step, 4) for step in range(stage.steps)]
    carrying = [work for work in works if len(work.terms) > 1]
    assert 1 < len(carrying) < len(works)
    prompt = shared_length([row.question_ids for row in carrying[0].terms[1].rows])
    own = sum(len(row.question_ids) + len(row.completion_ids) for work in works for row in work.main.rows)
    assert prompt * len(carrying) < 1.1 * _PROMPT_SHARE * own
    weights = [work.terms[1].tokens / work.terms[1].divisor for work in carrying]
    assert sum(weights) / len(works) == pytest.approx(BACK.prompt_back_weight, rel=0.1), (
        "the configured weight, averaged over all steps"
    )
    asked = {row.question_id for work in carrying for row in work.terms[1].rows}
    assert len(asked) == 16  # each question comes once before any repeats


def test_prompt_is_put_back_after_each_group_of_steps_and_once_in_a_short_stage(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    """Not at the first step, where the student still is the base. New epochs change no step that is done."""

    def carrying(config: TrainingConfig) -> list[int]:
        make = make_trainer(model_folder, tmp_path, rows, Recorder(), config, caches=tmp_path / "caches")
        return carrying_steps(make.course.stages[0])

    long, short = replace(BACK, epochs=20.0), replace(BACK, epochs=0.5)  # 80 steps and 2
    assert carrying(long) == list(range(2, 80, 3))
    assert carrying(short) == [1]
    assert carrying(replace(short, replanned=((1, 20.0),))) == carrying(long)
    assert carrying(replace(short, replanned=((2, 20.0),))) == [1, *carrying(long)]
    assert carrying(replace(long, replanned=((1, 0.5),))) == [1]


def test_each_stage_reads_the_prompt_as_often_as_the_cost_of_its_steps_allows(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    config = replace(BACK, epochs=5.0, on_policy_steps=20, on_policy_batch_rows=12, on_policy_answer_tokens=4)
    course = make_trainer(model_folder, tmp_path, rows, Recorder(), config).course
    carrying, weights = [], []
    for stage in course.stages:
        works = [stage.work(step, 4).terms for step in range(20)]
        terms = [work[1] for work in works if len(work) > 1]
        carrying.append(len(terms))
        weights.append(sum(term.tokens / term.divisor for term in terms) / 20)
    prompt = shared_length([row.question_ids for row in terms[0].rows])
    tokens = row_tokens([row for row in rows if row.split == "train"], 0)
    costs = first_step_cost(config, tokens), second_step_cost(config, 16, tokens, DECODING_STEP_COST)
    expected = [20 // math.ceil(prompt / (_PROMPT_SHARE * cost)) for cost in costs]
    assert carrying == expected
    assert carrying[0] < carrying[1], "sampling answers makes the steps of the second stage more expensive"
    assert weights == pytest.approx([config.prompt_back_weight] * 2, rel=0.2)


def test_rows_that_share_one_copy_of_the_prompt_have_the_losses_of_separate_rows(
    local: LocalModel, make_row: MakeRow
) -> None:
    rows = [make_row(number, "same beginning, " + "x" * number, "answer" * number) for number in (3, 1, 4)]
    shared = shared_length([row.question_ids for row in rows])
    assert rows[0].question_ids[:shared] == rows[1].question_ids[:shared]
    assert len({row.question_ids[shared] for row in rows}) > 1
    together = shared_prompt_batch(rows, shared)
    apart = make_batch(rows)
    assert together.real_tokens < apart.real_tokens - 2 * shared + 1
    assert torch.equal(together.target_ids, apart.target_ids)
    assert torch.equal(together.follows_teacher, apart.follows_teacher)

    def losses(batch: Batch) -> Tensor:
        return token_losses(local, batch, lambda logits, here: cross_entropy(logits, batch.target_ids[here]))

    assert torch.allclose(losses(together), losses(apart), atol=1e-5)
    assert shared_length([rows[0].question_ids]) == len(rows[0].question_ids) - 1
    with pytest.raises(ValueError, match="does not start with"):
        shared_prompt_batch(rows, len(rows[1].question_ids))


def test_run_with_every_term_resumes_with_the_same_bytes(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    config = replace(
        CONFIG, general_fraction=0.2, prompt_back_weight=0.1, epochs=1.0, on_policy_steps=3, on_policy_batch_rows=5,
        on_policy_answer_tokens=6, evaluations=1,
    )  # fmt: skip
    hooks = Recorder()
    make_trainer(model_folder, tmp_path / "uninterrupted", rows, hooks, config).run()
    assert any("general_kl" in metrics.figures for metrics in hooks.steps)
    assert any("prompt_back_kl" in metrics.figures for metrics in hooks.steps)
    for step in (2, 5):
        with pytest.raises(Killed):
            make_trainer(model_folder, tmp_path / "killed", rows, Recorder(kill_after(step)), config).run()
    make_trainer(model_folder, tmp_path / "killed", rows, Recorder(), config).run()
    assert adapter_bytes(tmp_path / "killed", 7) == adapter_bytes(tmp_path / "uninterrupted", 7)
