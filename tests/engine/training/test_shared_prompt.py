"""Rows that share one copy of the prompt in training: the losses of separate rows, in every family and layer kind."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.model.load import load_base
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetRow
from engine.training.batches import Batch, make_batch, shared_prompt_batch
from engine.training.losses import cross_entropy
from engine.training.student import token_losses
from tests.families import FAMILIES
from tests.tiny import make_tiny_family

_PROMPT = tuple(range(10, 50))  # longer than the families' sliding windows


def rows() -> list[DatasetRow]:
    made = []
    for number, own in enumerate((3, 1, 15), start=1):
        question = (*_PROMPT, *range(60, 60 + own))
        answer = tuple(range(90, 92 + number))
        made.append(DatasetRow(number, number, "train", question, answer, len(answer), (False,) * len(answer)))
    return made


def losses(local: LocalModel, batch: Batch) -> Tensor:
    return token_losses(local, batch, lambda logits, here: cross_entropy(logits, batch.target_ids[here]))


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - {"qwen3.5"}))  # whose layers carry one row over to the next
def test_family_reads_rows_behind_one_prompt_like_separate_rows(name: str, tmp_path: Path) -> None:
    local = load_base(make_tiny_family(tmp_path, FAMILIES[name], layers=2), device="cpu", dtype="float32")
    window = getattr(local.base.config.get_text_config(), "sliding_window", None)
    assert window is None or window < len(_PROMPT)
    together, apart = shared_prompt_batch(rows(), len(_PROMPT)), make_batch(rows())
    assert together.real_tokens < apart.real_tokens
    assert torch.allclose(losses(local, together), losses(local, apart), atol=1e-4)
