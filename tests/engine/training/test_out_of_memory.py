"""Wherever memory may lack around the steps, less is done at once, or the run ends with what did not fit and advice."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from engine.errors import ModelError
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.model.score import ScoreRow, TopK, score
from engine.project import Project
from engine.records.dataset import DatasetRow
from engine.training import brief as brief_module
from engine.training import distributions, general, validation
from engine.training.teacher_cache import TeacherCache
from tests.engine.training.runs import MakeRow, Recorder, make_trainer, taught_of
from tests.engine.training.test_job import carry_out, make_run


@pytest.fixture
def rows(make_row: MakeRow) -> list[DatasetRow]:
    train = [make_row(number, f"question {number}", "A" + "b" * (number % 5)) for number in range(1, 9)]
    return train + [make_row(number, f"question {number}", "Abb", split="validation") for number in range(9, 13)]


def lacking(*_given: object, **_named: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_the_teacher_scores_fewer_rows_at_once_with_the_same_numbers(
    local: LocalModel, rows: list[DatasetRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = taught_of(rows, local)
    roomy = TeacherCache.build(local, rows, taught, 6, tmp_path / "roomy").distributions
    tried: list[int] = []

    def cramped(
        local: LocalModel, rows: Sequence[ScoreRow], *, prefix: PromptCache | None, k: int, batch_tokens: int
    ) -> list[TopK]:
        tried.append(batch_tokens)
        if batch_tokens > 40:
            lacking()
        return score(local, rows, prefix=prefix, k=k, batch_tokens=batch_tokens)

    monkeypatch.setattr(distributions, "_ROWS_A_PASS", 6)
    monkeypatch.setattr(distributions, "score", cramped)
    found = TeacherCache.build(local, rows, taught, 6, tmp_path / "cramped").distributions
    assert tried == [1024, 512, 256, 128, 64, 32, 32], "what did not fit is not tried again"
    assert found.ids.tolist() == roomy.ids.tolist()
    assert abs(found.logprobs.astype(float) - roomy.logprobs.astype(float)).max() < 5e-3
    monkeypatch.setattr(distributions, "score", lacking)
    with pytest.raises(ModelError, match=r"The teacher's distributions do not fit.*2\.00 GiB.*shorten the prompt"):
        TeacherCache.build(local, rows, taught, 7, tmp_path)


def test_a_prompt_that_does_not_fit_is_told_as_that(local: LocalModel) -> None:
    local.backbone.register_forward_pre_hook(lacking)
    with pytest.raises(ModelError, match=r"The prompt's keys and values do not fit.*Use a shorter prompt"):
        PromptCache.build(local, [1, 2, 3])


def fewer(module: object, most: int, monkeypatch: pytest.MonkeyPatch, name: str = "decode") -> list[int]:
    """Let no more than `most` answers be sampled at once; the sizes that are tried."""
    real: Callable[..., object] = getattr(module, name)
    tried: list[int] = []

    def cramped(*given: object, batch_rows: int, **named: object) -> object:
        tried.append(batch_rows)
        if batch_rows > most:
            lacking()
        return real(*given, batch_rows=batch_rows, **named)

    monkeypatch.setattr(module, name, cramped)
    return tried


def test_general_questions_are_answered_fewer_at_once(
    local: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(general, "_ANSWER_TOKENS", 4)
    roomy = general.make_general(local, 5, 0.1, 6, tmp_path / "roomy")
    with monkeypatch.context() as patch:
        tried = fewer(general, 40, patch)
        found = general.make_general(local, 5, 0.1, 6, tmp_path / "cramped")
    assert tried == [128, 64, 32]
    assert [row.completion_ids for row in found.rows] == [row.completion_ids for row in roomy.rows]
    fewer(general, 0, monkeypatch)
    with pytest.raises(ModelError, match=r"answers to general questions do not fit.*without general questions"):
        general.make_general(local, 5, 0.1, 6, tmp_path)


def test_answers_that_validation_samples_say_nothing_of_the_rows_of_a_pass(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = fewer(validation, 8, monkeypatch, "decode_shared")
    trained = make_trainer(model_folder, tmp_path, rows, Recorder()).run()
    assert tried == [32, 16, 8] * len(trained.state.points)
    assert trained.state.micro_batch_rows == 4
    fewer(validation, 0, monkeypatch, "decode_shared")
    with pytest.raises(ModelError, match="The answers sampled for validation do not fit"):
        make_trainer(model_folder, tmp_path / "none", rows, Recorder()).run()


def test_an_optimizer_that_does_not_fit_ends_the_run_with_advice(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder())
    monkeypatch.setattr(trainer.optimizer, "step", lacking)
    with pytest.raises(ModelError, match=r"optimizer and its state do not fit.*smaller --lora-rank"):
        trainer.run()
    assert trainer.state.step == 0


def test_an_adapter_that_does_not_fit_is_the_reason_of_the_runs_end(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(project, model_folder)
    monkeypatch.setattr(brief_module, "with_new_adapter", lacking)
    with pytest.raises(ModelError):
        carry_out(project, made.id)
    failed = project.runs.get(made.id)
    assert failed.state == "failed"
    assert failed.reason.startswith("The adapter's weights do not fit the device's memory.")
