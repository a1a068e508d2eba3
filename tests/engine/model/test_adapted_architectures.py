"""Adapters over architectures with layers of other kinds: recurrent, or with latent attention."""

from pathlib import Path

import pytest
import torch

from engine.records.dataset import DatasetRow
from engine.records.run import AdapterKind, TrainingConfig
from engine.training.batches import make_batch
from engine.training.losses import cross_entropy
from engine.training.student import add_gradients, completion_hidden, trained_parameters, with_new_adapter
from tests.engine.model.test_architectures import SUPPORTED, load_architecture
from tests.engine.model.test_recurrent import RECURRENT, ROWS

ADAPTED = RECURRENT | {config: SUPPORTED[config] for config in ("DeepseekV3Config", "Glm4MoeLiteConfig")}


@pytest.mark.parametrize("adapter", ["lora", "dora", "full"])
@pytest.mark.parametrize("name", ADAPTED)
def test_every_trained_weight_gets_a_gradient_and_is_used_alike_in_training_and_evaluation(
    name: str, adapter: AdapterKind, tmp_path: Path
) -> None:
    base = load_architecture(tmp_path, name, ADAPTED[name])
    student = with_new_adapter(base, TrainingConfig(base="tiny", lora_rank=4, lora_alpha=8, adapter=adapter))
    with torch.no_grad():
        for weight in trained_parameters(student):
            weight.add_(0.1 * torch.randn_like(weight))
    row = DatasetRow(1, 1, "train", tuple(ROWS[0]), (90, 91, 92), 3, (False,) * 3)
    batch = make_batch([row])
    student.model.train()
    add_gradients(student, batch, lambda logits, here: cross_entropy(logits, batch.target_ids[here]), 1.0)
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in trained_parameters(student))
    with torch.no_grad():
        trained = completion_hidden(student, batch)
        student.model.eval()
        torch.testing.assert_close(trained, completion_hidden(student, batch), rtol=1e-4, atol=1e-4)
