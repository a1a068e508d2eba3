"""Several prompts in one adapter: each row's teacher reads its own prompt, as full passes in float64 confirm.

Example and question ids belong to each prompt's own project, so every id here names one row of each prompt.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import TrainingError
from engine.model.load import adapter_off
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.records.dataset import DatasetRow
from engine.records.prompt import Message, Prompt
from engine.records.rule import Check, Rule
from engine.training.batches import shared_length
from engine.training.student import token_losses, with_new_adapter
from engine.training.teacher_cache import TeacherCache
from engine.training.validation import Validator
from tests.engine.training.trainer_helpers import (
    CONFIG,
    FULL_VALIDATION,
    PROMPT,
    RULES,
    Killed,
    MakeRow,
    Recorder,
    adapter_bytes,
    kill_after,
    make_dataset_prompts,
    make_trainer,
    questions_of,
    randomise_adapter,
)

OTHER = Prompt((Message("system", "You are a router. Say where a message belongs, in one small word, and no more."),))
PROMPTS = (PROMPT, OTHER)
EVERYTHING = replace(
    CONFIG, objective="forward_kl", top_k=10**6, epochs=1.0, checkpoint_every_s=1e9, prompt_back_weight=0.3,
    on_policy_steps=4, on_policy_batch_rows=6, on_policy_answer_tokens=5, on_policy_skipped_tokens=0,
    on_policy_ratio_clip=1e9, on_policy_top_k=10**6,
)  # fmt: skip


@pytest.fixture
def rows(make_row: MakeRow) -> list[DatasetRow]:
    """Eight training and two validation rows of each prompt; one question is asked with both."""
    rows = []
    for prompt_index, (asks, answers) in enumerate((("question", "A"), ("where to", "b"))):
        for number in range(1, 11):
            question = "the same?" if number == 1 else f"{asks} {number}"
            row = make_row(number, question, answers * (1 + number % 4), split="train" if number <= 8 else "validation")
            rows.append(replace(row, prompt_index=prompt_index))
    return rows


class Reference:
    """The same models in float64, with one full forward pass per row and nothing shared."""

    def __init__(self, student: LocalModel, rows: Sequence[DatasetRow]) -> None:
        self.local = replace(student, model=deepcopy(student.model).double(), dtype=torch.float64)
        self._messages = [
            {number: question.messages for number, question in questions_of(part, student).items()}
            for part in ([row for row in rows if row.prompt_index == index] for index in (0, 1))
        ]

    def prompted_ids(self, row: DatasetRow) -> list[int]:
        messages = self._messages[row.prompt_index][row.question_id]
        return self.local.format.prompted_ids(PROMPTS[row.prompt_index], messages)

    def log_probs(self, context: Sequence[int], answer: Sequence[int]) -> Tensor:
        logits = self.local.model(input_ids=torch.tensor([[*context, *answer]])).logits
        return torch.log_softmax(logits[0, len(context) - 1 : -1], -1)

    def teacher(self, row: DatasetRow) -> Tensor:
        with torch.no_grad(), adapter_off(self.local):
            return self.log_probs(self.prompted_ids(row), row.completion_ids)

    def student(self, row: DatasetRow) -> Tensor:
        return self.log_probs(row.question_ids, row.completion_ids)

    def forward_kls(self, rows: Sequence[DatasetRow]) -> list[Tensor]:
        pairs = [(self.teacher(row), self.student(row)) for row in rows]
        return [(p.exp() * (p - q)).sum(-1) for p, q in pairs]


def test_cache_holds_the_bases_distributions_with_each_rows_own_prompt(
    local: LocalModel, rows: list[DatasetRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []
    build = PromptCache.build
    monkeypatch.setattr(PromptCache, "build", lambda local, ids: built.append(ids) or build(local, ids))
    progress = []
    cache = TeacherCache.build(
        local,
        rows,
        make_dataset_prompts(rows, local, PROMPTS),
        10**6,
        tmp_path,
        on_rows=lambda *counts: progress.append(counts),
    )
    assert len(built) == 2, "each prompt is read once"
    assert progress[-1] == (20, 20)
    reference = Reference(local, rows)
    mixed = [rows[0], rows[10], rows[13], rows[3]]
    expected = torch.cat([reference.teacher(row) for row in mixed])
    held = cache.gather(mixed)
    assert torch.allclose(held.logprobs.double(), expected.gather(1, held.ids), atol=1e-2)  # stored in half precision
    same_question = cache.gather([rows[0]]).ids[0], cache.gather([rows[10]]).ids[0]
    assert not torch.equal(*same_question), "one question with two prompts"
    other_prompts = make_dataset_prompts(rows, local, (PROMPT, PROMPT))
    assert TeacherCache.build(local, rows, other_prompts, 10**6, tmp_path).path != cache.path


@pytest.mark.parametrize("micro_batch_rows", [1, 3, 16])
def test_first_stage_with_both_prompts_in_a_batch_equals_the_reference(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], micro_batch_rows: int
) -> None:
    config = replace(EVERYTHING, prompt_back_weight=0.0, batch_rows=8)
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), config, prompts=PROMPTS)
    randomise_adapter(trainer.student)
    work, sums, _tokens = trainer._gradients(0, micro_batch_rows)
    assert {row.prompt_index for row in work.main.rows} == {0, 1}
    reference = Reference(trainer.student, rows)
    kls = reference.forward_kls(work.main.rows)
    assert sums["loss"] == pytest.approx(float(torch.cat(kls).detach().sum()), rel=1e-2)
    (torch.cat(kls).sum() / work.main.divisor).backward()
    expected = {name: weight.grad for name, weight in reference.local.model.named_parameters() if weight.requires_grad}
    for name, weight in trainer.student.model.named_parameters():
        if weight.requires_grad:
            gradient = expected[name]
            assert gradient is not None
            assert weight.grad is not None
            assert torch.allclose(weight.grad.double(), gradient, atol=5e-3 * float(gradient.abs().max()) + 1e-7)


def test_second_stage_scores_each_answer_with_the_prompt_of_its_question(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    config = replace(EVERYTHING, epochs=0.0, prompt_back_weight=0.0, on_policy_batch_rows=12)
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), config, prompts=PROMPTS)
    randomise_adapter(trainer.student)
    main = trainer.course.stages[-1].work(0, 4).main
    assert {row.prompt_index for row in main.rows} == {0, 1}
    reference = Reference(trainer.student, rows)
    for start in range(0, 12, 5):
        part = main.rows[start : start + 5]
        batch = main.batch(part)
        found = token_losses(trainer.student, batch, main.loss(part, batch))
        log_probs = [(reference.student(row).detach(), reference.teacher(row)) for row in part]
        expected = torch.cat([(q.exp() * (q - p)).sum(-1) for q, p in log_probs])
        assert torch.allclose(found.double(), expected, atol=1e-4)


def test_prompts_take_turns_in_prompt_back_terms(model_folder: Path, tmp_path: Path, rows: list[DatasetRow]) -> None:
    config = replace(EVERYTHING, epochs=40.0)
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder(), config, prompts=PROMPTS)
    randomise_adapter(trainer.student)
    stage, reference = trainer.course.stages[0], Reference(trainer.student, rows)
    terms = [term for step in range(stage.steps) for term in stage.work(step, 4).beside]
    turns = [{row.prompt_index for row in term.rows} for term in terms]
    assert turns[:4] == [{0}, {1}, {0}, {1}]
    for term, prompt_index in zip(terms[:2], (0, 1), strict=True):
        batch = term.batch(term.rows)
        assert len(batch.input_ids) == 1, "one copy of the prompt"
        assert shared_length([row.question_ids for row in term.rows]) > 10
        found = token_losses(trainer.student, batch, term.loss(term.rows, batch))
        log_probs = [
            (reference.teacher(row), reference.log_probs(reference.prompted_ids(row), row.completion_ids).detach())
            for row in term.rows
            if row.prompt_index == prompt_index
        ]
        expected = torch.cat([(p.exp() * (p - q)).sum(-1) for p, q in log_probs])
        assert torch.allclose(found.double(), expected, atol=1e-2)
    asked = {(row.prompt_index, row.question_id) for term in terms for row in term.rows}
    assert len(asked) == 16, "each row is used"


def test_curve_covers_all_prompts_each_with_its_own_rules(
    local: LocalModel, rows: list[DatasetRow], tmp_path: Path
) -> None:
    own, other = make_dataset_prompts(rows, local, PROMPTS)
    never = Rule(1, "Never passes.", Check("starts_with", text="\x00"))
    dataset_prompts = (replace(own, rules=()), replace(other, rules=(never,)))
    cache = TeacherCache.build(local, rows, dataset_prompts, 10**6, tmp_path)
    student = with_new_adapter(local, CONFIG)
    validation = [row for row in rows if row.split == "validation"]
    validator = Validator(validation, cache, dataset_prompts, 0.7, 0, FULL_VALIDATION)
    assert [row.prompt_index for row in validator.asked] in ([0, 1, 0, 1], [1, 0, 1, 0]), (
        "as many questions of each prompt"
    )
    measured = validator.measure(student, 3, lambda: None)
    reference = Reference(student, rows)
    expected = torch.cat(reference.forward_kls(validation)).mean()
    assert measured.validation_kl == pytest.approx(float(expected.detach()), rel=1e-2)
    assert measured.rule_rates == (), "only the project's own rules count, and it has none here"
    assert measured.all_rules_rate is not None
    assert measured.all_rules_rate <= 0.5
    assert (measured.asked, measured.asked_own) == (4, 2)
    swapped = Validator(validation, cache, (replace(own, rules=RULES), other), 0.7, 0, FULL_VALIDATION)
    assert [number for number, _rate in swapped.measure(student, 3, lambda: None).rule_rates] == [1]
    assert {token.prompt_index for token in measured.worst} == {0, 1}


def test_both_prompts_are_learned_and_a_killed_run_ends_with_the_same_bytes(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    config = replace(EVERYTHING, epochs=3.0, top_k=32, evaluations=1)
    uninterrupted = make_trainer(model_folder, tmp_path / "uninterrupted", rows, Recorder(), config, prompts=PROMPTS)
    train_rows = [[row for row in rows if row.split == "train" and row.prompt_index == index] for index in (0, 1)]

    def kls() -> list[float]:
        reference = Reference(uninterrupted.student, rows)
        with torch.no_grad():
            return [float(torch.cat(reference.forward_kls(part)).mean()) for part in train_rows]

    before = kls()
    steps = uninterrupted.run().state.step
    assert all(after < 0.7 * first for after, first in zip(kls(), before, strict=True))
    with pytest.raises(Killed):
        make_trainer(
            model_folder, tmp_path / "killed", rows, Recorder(kill_after(steps - 2)), config, prompts=PROMPTS
        ).run()
    make_trainer(model_folder, tmp_path / "killed", rows, Recorder(), config, prompts=PROMPTS).run()
    assert adapter_bytes(tmp_path / "killed", steps) == adapter_bytes(tmp_path / "uninterrupted", steps)


def test_prompt_without_a_local_teacher_is_left_out_of_prompt_back_terms(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow]
) -> None:
    part = [replace(row, edited_from=0) if row.prompt_index else row for row in rows]
    course = make_trainer(model_folder, tmp_path, part, Recorder(), EVERYTHING, prompts=PROMPTS).course
    stage = course.stages[0]
    terms = [term for step in range(stage.steps) for term in stage.work(step, 4).beside]
    assert {row.prompt_index for term in terms for row in term.rows} == {0}
    assert {row.prompt_index for row in course.stages[1].work(0, 4).main.rows} == {0}
    foreign = [replace(row, edited_from=0) for row in rows]
    with pytest.raises(TrainingError, match="no distributions of the prompted base"):
        make_trainer(model_folder, tmp_path / "2", foreign, Recorder(), EVERYTHING, prompts=PROMPTS,
                     local_teacher=False)  # fmt: skip
