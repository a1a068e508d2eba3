"""Attention after a shared prompt equals attention over the whole sequence, in several architectures."""

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from engine.errors import ModelError
from engine.model import own_cache, shared_attention
from engine.model.local_model import LocalModel
from engine.model.own_cache import OwnCache
from engine.model.prompt_cache import PromptCache, forward_shared
from tests.engine.model.conftest import CONFIGS, eager_logits, load_on_cpu, write_model
from tests.families import FAMILIES, LATENT_ATTENTION
from tests.tiny import make_tiny_family

PROMPT = [5, 40, 61, 33, 90, 12, 77, 51, 28]


@pytest.fixture(scope="module", params=CONFIGS)
def local(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return load_on_cpu(write_model(tmp_path_factory.mktemp("models") / request.param, request.param))


def shared_logits(local: LocalModel, rows: list[list[int]]) -> list[Tensor]:
    prefix = PromptCache.build(local, PROMPT)
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *([0] * (longest - len(row)))] for row in rows])
    positions = (torch.arange(longest) + len(PROMPT)).expand(len(rows), -1)
    with torch.inference_mode():
        logits = local.logits(forward_shared(local, prefix, ids, positions, None))
    return [logits[i, : len(row)] for i, row in enumerate(rows)]


ROWS = [[44, 45], [60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71], [80]]


def test_rows_of_any_length_get_the_logits_of_a_full_forward_pass(local: LocalModel) -> None:
    for row, found in zip(ROWS, shared_logits(local, ROWS), strict=True):
        torch.testing.assert_close(found, eager_logits(local, PROMPT + row)[len(PROMPT) :], rtol=1e-4, atol=1e-4)


def test_row_alone_equals_the_row_in_a_batch(local: LocalModel) -> None:
    together = shared_logits(local, ROWS)
    for row, found in zip(ROWS, together, strict=True):
        torch.testing.assert_close(found, shared_logits(local, [row])[0], rtol=1e-5, atol=1e-5)


def test_logits_are_the_same_without_a_fused_kernel(local: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = shared_logits(local, ROWS)
    # Only the CPU has the kernel; other devices take this path, in pieces if there are many scores.
    monkeypatch.setattr(shared_attention, "_fused", lambda *_: False)
    monkeypatch.setattr(shared_attention, "_MAX_SCORES", 64)
    for found, before in zip(shared_logits(local, ROWS), expected, strict=True):
        torch.testing.assert_close(found, before, rtol=1e-5, atol=1e-5)


def test_gradients_without_a_shared_prompt_are_those_of_eager_attention(local: LocalModel) -> None:
    weight = local.base.get_input_embeddings().weight
    weight.requires_grad_(True)
    found = []
    implementation = local.base.config._attn_implementation
    try:
        for each in (implementation, "eager"):
            local.base.set_attn_implementation(each)
            hidden = local.backbone(input_ids=torch.tensor([PROMPT]), use_cache=False).last_hidden_state
            (hidden * torch.linspace(-1, 1, hidden.numel()).view_as(hidden)).sum().backward()
            found.append(weight.grad)
            weight.grad = None
    finally:
        local.base.set_attn_implementation(implementation)
        weight.requires_grad_(False)
        weight.grad = None
    assert found[0].abs().sum() > 0
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-4)


def test_attention_that_ignores_the_prompt_is_refused_at_loading(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ignore_prompt(local: LocalModel, prefix: PromptCache, ids: Tensor, positions: Tensor, cache: object) -> Tensor:
        hidden: Tensor = local.backbone(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
        return hidden

    monkeypatch.setattr(own_cache, "forward_shared", ignore_prompt)
    with pytest.raises(ModelError, match="architecture is not supported"):
        load_on_cpu(tiny_folder)


def test_prompt_cache_holds_one_row(tiny_folder: Path) -> None:
    cache = PromptCache.build(load_on_cpu(tiny_folder), PROMPT)
    assert {tuple(tensor.shape) for pair in cache.attended.values() for tensor in pair} == {(2, len(PROMPT), 8)}


def test_keys_and_values_of_a_pass_are_freed_as_soon_as_nobody_uses_them(local: LocalModel) -> None:
    gc.disable()
    try:
        cache = OwnCache(local, PromptCache.build(local, ()), rows=3, slots=4)
        cache.layers[0].lazy_initialization(torch.zeros(3, 2, 1, 8), torch.zeros(3, 2, 1, 8))
        keys = weakref.ref(cache.layers[0].keys)
        assert keys() is not None
        del cache
        assert keys() is None
    finally:
        gc.enable()


def test_rows_without_a_prompt_get_the_logits_of_a_full_forward_pass(local: LocalModel) -> None:
    nothing, longest = PromptCache.build(local, ()), max(map(len, ROWS))
    ids = torch.tensor([[*row, *([0] * (longest - len(row)))] for row in ROWS])
    positions = torch.arange(longest).expand(len(ROWS), -1)
    with torch.inference_mode():
        logits = local.logits(forward_shared(local, nothing, ids, positions, None))
    for found, row in zip(logits, ROWS, strict=True):
        assert torch.allclose(found[: len(row)], eager_logits(local, row), atol=1e-4)


def test_row_of_another_prompt_is_refused(tiny_folder: Path) -> None:
    cache = PromptCache.build(load_on_cpu(tiny_folder), PROMPT)
    assert cache.own_part([*PROMPT, 7]) == [7]
    for row in ([*PROMPT[:-1], 1, 7], PROMPT, []):
        with pytest.raises(ModelError, match="does not continue the cached prompt"):
            cache.own_part(row)


class Attention(torch.nn.Module):
    """What is read of a model's attention."""

    num_key_value_groups = 2
    is_causal = True
    layer_idx = 0


@pytest.mark.parametrize("tokens", [7, 300])
def test_short_rows_in_bfloat16_have_the_gradients_of_float32(tokens: int) -> None:
    torch.manual_seed(0)
    wide = [torch.randn(2, heads, tokens, 8) for heads in (4, 2, 2)]
    module = Attention()

    def attend(dtype: torch.dtype) -> list[Tensor]:
        inputs = [tensor.to(torch.bfloat16).to(dtype).requires_grad_() for tensor in wide]
        query, key, value = inputs
        out, _ = shared_attention.shared_attention(module, query, key, value, None)
        assert out.dtype == dtype
        out.float().square().sum().backward()
        return [out, *(tensor.grad for tensor in inputs if tensor.grad is not None)]

    exact, found = attend(torch.float32), attend(torch.bfloat16)
    assert len(found) == 4
    for expected, rounded in zip(exact, found, strict=True):
        assert (expected - rounded.float()).norm() < 0.02 * expected.norm()
    if tokens == 7:
        assert torch.equal(found[0], exact[0].to(torch.bfloat16)), "only the result is rounded"


def exact_attention(query: Tensor, key: Tensor, value: Tensor, window: int | None, cap: float | None) -> Tensor:
    """Attention of the last T positions over all S keys in float64, head by head: query (B, H, T, D) → (B, T, H, D)."""
    rows, heads, tokens, width = query.shape
    groups, length = key.shape[1:3]
    distance = torch.arange(length - tokens, length)[:, None] - torch.arange(length)
    hidden = (distance < 0) | (distance >= (window or length))
    out = torch.empty(rows, tokens, heads, width, dtype=torch.float64)
    for row in range(rows):
        for head in range(heads):
            group = head * groups // heads
            scores = query[row, head].double() @ key[row, group].double().T / width**0.5
            if cap is not None:
                scores = cap * torch.tanh(scores / cap)
            weights = torch.softmax(scores.masked_fill(hidden, -torch.inf), dim=-1)
            out[row, :, head] = weights @ value[row, group].double()
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("heads", [2, 6])
@pytest.mark.parametrize(("window", "cap"), [(None, None), (None, 5.0), (300, None), (4, None)])
def test_attention_after_a_long_prompt_is_exact(
    dtype: torch.dtype, heads: int, window: int | None, cap: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    rows, groups, tokens, start, width = 3, 2, 6, 700, 16
    query = torch.randn(rows, heads, tokens, width).to(dtype)
    key, value = (torch.randn(rows, groups, tokens, width).to(dtype) for _ in range(2))
    prompt_key, prompt_value = (torch.randn(groups, start, width).to(dtype) for _ in range(2))
    value[:, :, 0] += 20  # far from the others, so that a wrong weight is noticed
    module = Attention()
    positions = (start + torch.arange(tokens)).expand(rows, -1)
    shared = shared_attention.SharedPrompt({0: (prompt_key, prompt_value)}, positions, start)
    monkeypatch.setattr(shared_attention, "_QUERIES", 7)  # several pieces, the last one shorter
    fused: list[int] = []  # the keys of each call of the fused kernel
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    monkeypatch.setattr(
        torch.ops.aten,
        "_scaled_dot_product_flash_attention_for_cpu",
        lambda *args, **kwargs: (fused.append(args[1].shape[2]), kernel(*args, **kwargs))[1],
    )
    found, _ = shared_attention.shared_attention(
        module, query, key, value, None, shared=shared, sliding_window=window, softcap=cap
    )
    assert found.dtype == dtype
    whole_key, whole_value = (
        torch.cat((prompt.expand(rows, -1, -1, -1), own), dim=2)
        for prompt, own in ((prompt_key, key), (prompt_value, value))
    )
    expected = exact_attention(query, whole_key, whole_value, window, cap)
    error = float((found.double() - expected).norm() / expected.norm())
    assert error < (1e-5 if dtype == torch.float32 else 1e-2)
    fast_bfloat16 = dtype == torch.bfloat16 and window is None and torch.cpu._is_avx512_bf16_supported()
    assert (start in fused) == (cap is None and not fast_bfloat16)


def latent(folder: Path) -> LocalModel:
    """A model whose values are narrower than its keys, and both are parts of larger tensors."""
    family = replace(FAMILIES["qwen2.5"], config="DeepseekV3Config", options=LATENT_ATTENTION)
    return load_on_cpu(make_tiny_family(folder, family))


def test_values_that_are_a_part_of_a_larger_tensor_do_not_keep_all_of_it(tmp_path: Path) -> None:
    local, whole = latent(tmp_path), []
    local.backbone.register_forward_hook(
        lambda _module, _args, given, _found: whole.extend(given["attended"].values()), with_kwargs=True
    )
    PromptCache.build(local, PROMPT)
    assert whole, "kept until the pass ends"
    assert all(part.untyped_storage().nbytes() == part.nbytes for pair in whole for part in pair)


def test_long_prompt_is_read_without_all_scores_in_memory_where_values_are_narrower_than_keys(tmp_path: Path) -> None:
    local = latent(tmp_path)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):  # no other keeps so little
        prefix = PromptCache.build(local, PROMPT)
    assert {part.shape[2] for pair in prefix.attended.values() for part in pair} == {8, 24}
