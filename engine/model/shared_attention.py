"""Attention over a prompt that all rows share, computed once for the whole batch.

Rows attend to the prompt's keys and values, held at batch 1, and to their own; the two parts are merged by their
log-sum-exp (Hydragen, arXiv 2402.05099). Registered with transformers, so that any decoder with a standard attention
runs through it unchanged; without a shared prompt it is transformers' own SDPA attention, gradients included.
Knows nothing of models or caches but their tensors.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "distill_shared_prompt"
_MAX_SCORES = 1 << 24  # attention scores held at once (64 MiB in float32)


@dataclass(frozen=True, slots=True, eq=False)
class SharedPrompt:
    """What the attention of one forward pass needs beside the rows' own keys and values.

    keys, values: per layer (Hkv, L, D), the prompt's; L may be 0.
    positions: (B, T) absolute positions of the queries.
    own_start: the absolute position of the rows' first own key (L).
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    positions: Tensor
    own_start: int


def register_attention() -> None:
    """Make the function known to transformers under the name `ATTENTION`. Safe to repeat."""
    AttentionInterface.register(ATTENTION, shared_attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def shared_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    shared: SharedPrompt | None = None,
    **kwargs: object,
) -> tuple[Tensor, Tensor | None]:
    """query (B, H, T, D), key and value (B, Hkv, S, D) → (B, T, H, D). With `shared`, `attention_mask` is ignored.

    A query at absolute position p sees the whole prompt and own keys at positions up to p; a layer's sliding window
    (`sliding_window`) narrows both. Raises `ValueError` for attention sinks, which the merge does not know.
    """
    if shared is None:
        out: tuple[Tensor, Tensor | None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
        return out
    if kwargs.get("s_aux") is not None:
        raise ValueError("attention sinks are not supported behind a shared prompt")
    layer = cast("int", module.layer_idx)
    rows, heads, tokens, width = query.shape
    scale = scaling if scaling is not None else 1 / math.sqrt(width)
    window = cast("int | None", kwargs.get("sliding_window"))
    cap = cast("float | None", kwargs.get("softcap"))
    per_pass = max(1, _MAX_SCORES // max(1, rows * heads * (shared.own_start + key.shape[2])))
    pieces = [
        _attend(
            query[:, :, start : start + per_pass] * scale,
            key,
            value,
            shared.keys[layer],
            shared.values[layer],
            shared.positions[:, start : start + per_pass],
            shared.own_start,
            window,
            cap,
        )
        for start in range(0, tokens, per_pass)
    ]
    return (pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)), None


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    prompt_key: Tensor,
    prompt_value: Tensor,
    positions: Tensor,
    own_start: int,
    window: int | None,
    cap: float | None,
) -> Tensor:
    rows, heads, tokens, width = query.shape
    groups, own = key.shape[1], key.shape[2]
    length = own_start
    share = heads // groups  # query heads that read one key head
    grouped = query.reshape(rows, groups, share * tokens, width)

    own_scores = torch.matmul(grouped, key.transpose(2, 3))
    if cap is not None:
        own_scores = torch.tanh(own_scores / cap) * cap
    hidden = _hidden(positions, own_start, own, window)
    own_scores = own_scores.view(rows, groups, share, tokens, own).masked_fill_(hidden, -torch.inf)
    own_scores = own_scores.view(rows, groups, share * tokens, own).float()
    # Every query sees at least itself, so each own part has a finite log-sum-exp.
    own_lse = torch.logsumexp(own_scores, dim=-1, keepdim=True)
    if length == 0:
        merged = torch.matmul((own_scores - own_lse).exp_().to(value.dtype), value)
        return merged.view(rows, heads, tokens, width).transpose(1, 2)

    # One matrix product a key head for all rows: the prompt's keys are read once, never repeated.
    stacked = grouped.transpose(0, 1).reshape(groups, rows * share * tokens, width)
    prompt_scores = torch.matmul(stacked, prompt_key.transpose(1, 2))
    if cap is not None:
        prompt_scores = torch.tanh(prompt_scores / cap) * cap
    if window is not None and own_start + own > window:
        outside = _hidden(positions, 0, length, window)  # (B, 1, 1, T, L)
        shaped = prompt_scores.view(groups, rows, share, tokens, length)
        prompt_scores = shaped.masked_fill(outside.transpose(0, 1), -torch.inf).view(groups, -1, length)
    prompt_scores = prompt_scores.float()
    prompt_lse = torch.logsumexp(prompt_scores, dim=-1, keepdim=True)
    own_lse_stacked = own_lse.transpose(0, 1).reshape(groups, -1, 1)
    lse = torch.logaddexp(prompt_lse, own_lse_stacked)
    prompt_part = torch.matmul((prompt_scores - lse).exp_().to(prompt_value.dtype), prompt_value)
    own_lse = lse.view(groups, rows, share * tokens, 1).transpose(0, 1)
    own_part = torch.matmul((own_scores - own_lse).exp_().to(value.dtype), value)
    merged = own_part + prompt_part.view(groups, rows, share * tokens, width).transpose(0, 1)
    return merged.view(rows, heads, tokens, width).transpose(1, 2)


def _hidden(positions: Tensor, start: int, count: int, window: int | None) -> Tensor:
    """(B, 1, 1, T, count): which of the keys at positions start … start+count-1 a query must not see."""
    keys = torch.arange(start, start + count, device=positions.device)
    distance = positions[:, :, None] - keys
    hidden = distance < 0
    if window is not None:
        hidden = hidden | (distance >= window)
    return hidden[:, None, None]
