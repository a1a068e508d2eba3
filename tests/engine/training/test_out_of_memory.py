"""Outside the training steps: less is done at once if memory runs out, or the run fails and says what did not fit."""

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
from tests.engine.training.job_helpers import make_run, train
from tests.engine.training.trainer_helpers import Recorder, make_dataset_prompts, make_trainer


def raise_out_of_memory(*_args: object, **_kwargs: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_teacher_scores_fewer_rows_at_once_with_the_same_result(
    local: LocalModel, rows: list[DatasetRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_prompts = make_dataset_prompts(rows, local)
    expected = TeacherCache.build(local, rows, dataset_prompts, 6, tmp_path / "enough").distributions
    tried: list[int] = []

    def score_at_most_40_tokens(
        local: LocalModel, rows: Sequence[ScoreRow], *, prefix: PromptCache | None, k: int, batch_tokens: int
    ) -> list[TopK]:
        tried.append(batch_tokens)
        if batch_tokens > 40:
            raise_out_of_memory()
        return score(local, rows, prefix=prefix, k=k, batch_tokens=batch_tokens)

    monkeypatch.setattr(distributions, "_ROWS_A_PASS", 6)
    monkeypatch.setattr(distributions, "score", score_at_most_40_tokens)
    found = TeacherCache.build(local, rows, dataset_prompts, 6, tmp_path / "short").distributions
    assert tried == [1024, 512, 256, 128, 64, 32, 32, 32, 32], "a size that did not fit is not tried again"
    assert found.ids.tolist() == expected.ids.tolist()
    assert abs(found.logprobs.astype(float) - expected.logprobs.astype(float)).max() < 5e-3
    monkeypatch.setattr(distributions, "score", raise_out_of_memory)
    with pytest.raises(ModelError, match=r"The teacher's distributions do not fit.*2\.00 GiB.*shorten the prompt"):
        TeacherCache.build(local, rows, dataset_prompts, 7, tmp_path)


def test_prompt_that_does_not_fit_is_named_in_the_error(local: LocalModel) -> None:
    local.backbone.register_forward_pre_hook(raise_out_of_memory)
    with pytest.raises(ModelError, match=r"The prompt's keys and values do not fit.*Use a shorter prompt"):
        PromptCache.build(local, [1, 2, 3])


def limit_answers_at_once(
    module: object, limit: int, monkeypatch: pytest.MonkeyPatch, function: str = "decode"
) -> list[int]:
    """Let memory run out above `limit` answers at once. The list returned receives every size that is tried."""
    real: Callable[..., object] = getattr(module, function)
    tried: list[int] = []

    def decode(*args: object, batch_rows: int, **kwargs: object) -> object:
        tried.append(batch_rows)
        if batch_rows > limit:
            raise_out_of_memory()
        return real(*args, batch_rows=batch_rows, **kwargs)

    monkeypatch.setattr(module, function, decode)
    return tried


def test_fewer_general_questions_are_answered_at_once(
    local: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(general, "_ANSWER_TOKENS", 4)
    expected = general.make_general(local, 5, 0.1, 6, tmp_path / "enough")
    with monkeypatch.context() as patch:
        tried = limit_answers_at_once(general, 40, patch)
        found = general.make_general(local, 5, 0.1, 6, tmp_path / "short")
    assert tried == [128, 64, 32]
    assert [row.completion_ids for row in found.rows] == [row.completion_ids for row in expected.rows]
    limit_answers_at_once(general, 0, monkeypatch)
    with pytest.raises(ModelError, match=r"answers to general questions do not fit.*without general questions"):
        general.make_general(local, 5, 0.1, 6, tmp_path)


def test_sampling_fewer_validation_answers_keeps_the_rows_per_training_pass(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = limit_answers_at_once(validation, 8, monkeypatch, "decode_shared")
    trained = make_trainer(model_folder, tmp_path, rows, Recorder()).run()
    assert tried == [32, 16, 8] * len(trained.state.points)
    assert trained.state.micro_batch_rows == 4
    limit_answers_at_once(validation, 0, monkeypatch, "decode_shared")
    with pytest.raises(ModelError, match="The answers sampled for validation do not fit"):
        make_trainer(model_folder, tmp_path / "none", rows, Recorder()).run()


def test_optimizer_that_does_not_fit_ends_the_run_with_advice(
    model_folder: Path, tmp_path: Path, rows: list[DatasetRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(model_folder, tmp_path, rows, Recorder())
    monkeypatch.setattr(trainer.optimizer, "step", raise_out_of_memory)
    with pytest.raises(ModelError, match=r"optimizer and its state do not fit.*smaller LoRA rank"):
        trainer.run()
    assert trainer.state.step == 0


def test_run_fails_with_a_reason_if_its_adapter_does_not_fit(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run = make_run(project, model_folder)
    monkeypatch.setattr(brief_module, "with_new_adapter", raise_out_of_memory)
    with pytest.raises(ModelError):
        train(project, new_run.id)
    failed = project.runs.get(new_run.id)
    assert failed.state == "failed"
    assert failed.reason.startswith("The adapter's weights do not fit the device's memory.")
