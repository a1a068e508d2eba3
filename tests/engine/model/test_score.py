"""Scores and divergences, compared with slow full forward passes in float64."""

import copy
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor

from engine.errors import ContextError, UsageError
from engine.model import score as scoring
from engine.model.load import adapter_off, quiet_libraries
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.model.score import DivergenceRow, ScoreRow, divergence, score
from tests.engine.model.conftest import load_on_cpu

PROMPT = [5, 40, 61, 33, 90, 12]
QUESTIONS = [[44], [60, 61, 62], [80, 81, 82, 83, 84]]
COMPLETIONS = [[70, 71, 72, 2], [2], [33, 34, 35, 36, 37, 38, 39, 2]]


@pytest.fixture
def local(tiny_folder: Path) -> LocalModel:
    return load_on_cpu(tiny_folder)


@pytest.fixture
def adapted(local: LocalModel) -> LocalModel:
    """The base with an adapter that changes every linear layer."""
    with quiet_libraries():
        model = get_peft_model(local.base, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.2)
    return replace(local, model=model.eval())


def slow_logprobs(local: LocalModel, context: list[int], completion: list[int]) -> Tensor:
    """The log-probabilities (T, V) in float64, from one forward pass per row with nothing shared."""
    double = copy.deepcopy(local.base).double()
    with torch.inference_mode():
        logits = double(input_ids=torch.tensor([context + completion])).logits[0]
    return torch.log_softmax(logits[len(context) - 1 : -1], dim=-1)


@pytest.mark.parametrize("with_prompt", [True, False])
@pytest.mark.parametrize("chunk_bytes", [64 << 20, 4096])
def test_top_k_and_tail_equal_a_full_forward_pass(
    local: LocalModel, with_prompt: bool, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_HEAD_BYTES", chunk_bytes)
    prefix = PromptCache.build(local, PROMPT) if with_prompt else None
    rows = [ScoreRow(PROMPT + q, c) for q, c in zip(QUESTIONS, COMPLETIONS, strict=True)]
    for row, found in zip(rows, score(local, rows, prefix=prefix, k=5, batch_tokens=20), strict=True):
        expected = slow_logprobs(local, list(row.context_ids), list(row.completion_ids))
        top = expected.topk(5)
        own = expected.gather(1, torch.tensor(row.completion_ids)[:, None])[:, 0]
        tail = torch.log1p(-top.values.exp().sum(-1))
        assert (found.ids.dtype, found.logprobs.dtype, found.tail.dtype) == (torch.int32, torch.float16, torch.float16)
        torch.testing.assert_close(found.completion_logprobs.double(), own, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.logprobs.double(), top.values, rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(found.tail.double(), tail, rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(expected.gather(1, found.ids.long()), top.values, rtol=1e-4, atol=1e-4)


def test_tail_is_finite_if_k_covers_the_vocabulary(local: LocalModel) -> None:
    (found,) = score(local, [ScoreRow([5, 6], [7, 2])], k=10_000)
    assert found.ids.shape == (2, local.model.config.vocab_size)
    assert torch.isfinite(found.tail).all()
    assert (found.tail.exp() == 0).all()


@pytest.mark.parametrize("with_adapter", [(True,), (False,), (False, True)])
def test_divergence_equals_full_forward_passes(
    adapted: LocalModel, with_adapter: tuple[bool, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_HEAD_BYTES", 4096)
    with adapter_off(adapted):
        prefix = PromptCache.build(adapted, PROMPT)
    rows = [DivergenceRow(PROMPT + q, q, c) for q, c in zip(QUESTIONS, COMPLETIONS, strict=True)]
    students = [nullcontext if adapter else partial(adapter_off, adapted) for adapter in with_adapter]
    found = divergence(adapted, rows, prefix, students=students)
    for adapter, divergences in zip(with_adapter, found, strict=True):
        for q, c, kl in zip(QUESTIONS, COMPLETIONS, divergences, strict=True):
            with adapter_off(adapted):
                teacher = slow_logprobs(adapted, PROMPT + q, c)
                student = slow_logprobs(adapted, q, c)
            if adapter:
                student = slow_logprobs(adapted, q, c)
            expected = (teacher.exp() * (teacher - student)).sum(-1)
            torch.testing.assert_close(kl.double(), expected, rtol=1e-3, atol=1e-4)


def test_adapter_at_the_output_head_is_switched_off_too(local: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    config = LoraConfig(r=2, target_modules=["q_proj", "lm_head"], task_type="CAUSAL_LM", init_lora_weights=False)
    with quiet_libraries(), pytest.warns(UserWarning, match="tied"):
        adapted = replace(local, model=get_peft_model(local.base, config).eval())
    monkeypatch.setattr(scoring, "_HEAD_BYTES", 4096)
    (found,) = divergence(
        adapted, [DivergenceRow(PROMPT + q, q, c) for q, c in zip(QUESTIONS, COMPLETIONS, strict=True)]
    )
    for q, c, kl in zip(QUESTIONS, COMPLETIONS, found, strict=True):
        student = slow_logprobs(adapted, q, c)
        with adapter_off(adapted):
            teacher = slow_logprobs(adapted, PROMPT + q, c)
        torch.testing.assert_close(kl.double(), (teacher.exp() * (teacher - student)).sum(-1), rtol=1e-3, atol=1e-4)


def test_model_does_not_diverge_from_itself(local: LocalModel) -> None:
    ((kl,),) = divergence(local, [DivergenceRow([5, 6, 7], [5, 6, 7], [9, 2])])
    assert kl.abs().max() < 1e-5


def test_too_long_rows_empty_answers_and_k_of_0_are_refused(local: LocalModel) -> None:
    with pytest.raises(ContextError):
        score(local, [ScoreRow([5] * 127, [6, 2])], k=2)
    with pytest.raises(UsageError, match="without an answer"):
        score(local, [ScoreRow([5], [])], k=2)
    with pytest.raises(UsageError, match="k is 0"):
        score(local, [ScoreRow([5], [2])], k=0)
