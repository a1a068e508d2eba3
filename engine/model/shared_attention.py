"""Attention over a prompt that all rows share, computed once for the whole batch.

Rows attend to the prompt's keys and values, kept at batch size 1, and to their own; the two parts are merged by their
log-sum-exp (Hydragen, arXiv 2402.05099). Registered with transformers, so that any decoder with standard attention
uses it unchanged; without a shared prompt it is transformers' own SDPA attention, including gradients.
Knows nothing of models or caches except their tensors.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "distill_shared_prompt"
_SHORT_TOKENS = 256  # per row: float32 measured 2.2 times faster at 46 tokens, 1.3 at 100, the same at 400
_LONG_KEYS = 512  # of a prompt: from here on, two products in bfloat16 are faster than the fused kernel
_QUERIES = 128  # per key head, whose scores a CPU computes at once: more would not fit into its cache
_MAX_SCORES = 1 << 24  # attention scores held at once without a fused kernel (64 MiB in float32)
_LN_2 = math.log(2)


@dataclass(frozen=True, slots=True, eq=False)
class SharedPrompt:
    """What the attention of one forward pass needs besides the rows' own keys and values.

    prompt: by layer its keys (Hkv, L, D) and values (Hkv, L, E).
    positions: (B, T) absolute positions of the queries.
    own_start: the absolute position of the rows' first own key, L.
    """

    prompt: Mapping[int, tuple[Tensor, Tensor]]
    positions: Tensor
    own_start: int
    _masks: dict[tuple[int, int, int | None], Tensor] = field(default_factory=dict)

    def mask(self, start: int, count: int, window: int | None, dtype: torch.dtype) -> Tensor:
        """(B, 1, T, count): 0 or -inf for the keys at positions start … start+count-1. Built once for all layers."""
        found = self._masks.get((start, count, window))
        if found is None:
            keys = torch.arange(start, start + count, device=self.positions.device)
            distance = self.positions[:, None, :, None] - keys
            hidden = distance < 0
            if window is not None:
                hidden = hidden | (distance >= window)
            found = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, -torch.inf)
            self._masks[start, count, window] = found
        return found


def register_attention() -> None:
    """Register the function with transformers under the name `ATTENTION`. Safe to repeat."""
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
    attended: dict[int, tuple[Tensor, Tensor]] | None = None,
    **kwargs: object,
) -> tuple[Tensor, Tensor | None]:
    """query (B, H, T, D), key (B, Hkv, S, D), value (B, Hkv, S, E) → (B, T, H, E).

    With `shared`, `attention_mask` is ignored. `attended` is given the first row's keys and values, by layer.

    A query at absolute position p sees the whole prompt and own keys at positions up to p; a layer's sliding window
    (`sliding_window`) narrows both. `s_aux` (H,) are attention sinks (gpt-oss): scores of a key whose value is 0.
    """
    scale = scaling if scaling is not None else 1 / math.sqrt(query.shape[3])
    cap = cast("float | None", kwargs.get("softcap"))
    sinks = cast("Tensor | None", kwargs.get("s_aux"))
    if attended is not None:
        # Copied here: until the pass ends, a part of a larger tensor (latent attention's) would keep all of it.
        attended[cast("int", module.layer_idx)] = key[0].contiguous(), value[0].contiguous()
    if shared is None:
        if cap is not None or sinks is not None:
            return _whole(query, key, value, attention_mask, scale, cap, sinks), None
        given = query, key, value
        if query.requires_grad and _slow_in_bfloat16(query):
            given = query.float(), key.float(), value.float()
        plain = _torchs_own(module, *given, attention_mask, scaling=scaling, dropout=dropout, **kwargs)
        return plain.to(query.dtype), None
    rows, heads, tokens, width = query.shape
    groups, own = key.shape[1], key.shape[2]
    window = cast("int | None", kwargs.get("sliding_window"))
    start = shared.own_start
    if window is not None and start + own <= window:
        window = None  # everything is inside it

    if not start and tokens == own > 1 and window is None and cap is None and sinks is None:
        # All own tokens and no prompt: plain causal attention, which has kernels that compute only what is visible.
        return _torchs_own(module, query, key, value, None, scaling=scaling), None

    # The query heads that share a key head are put side by side, so that no key is ever repeated.
    grouped = query.reshape(rows, groups, -1, width)
    mask = shared.mask(start, own, window, query.dtype)
    merged, total_lse = _part(grouped, key, value, mask, scale, cap)
    if start:
        layer = cast("int", module.layer_idx)
        # One key head's queries of all rows in one product: the prompt is read once for the whole batch.
        stacked = grouped.transpose(0, 1).reshape(1, groups, -1, width)
        prompt_mask = None
        if window is not None:
            share = heads // groups
            visible = shared.mask(0, start, window, query.dtype)
            prompt_mask = visible.expand(rows, share, tokens, start).reshape(1, 1, -1, start)
        keys, values = (part[None] for part in shared.prompt[layer])
        out, lse = _part(stacked, keys, values, prompt_mask, scale, cap)
        if prompt_mask is not None:
            empty = torch.isneginf(prompt_mask).all(dim=-1)  # queries whose window has left the prompt behind
            out, lse = out.masked_fill(empty[..., None], 0.0), lse.masked_fill(empty, -torch.inf)
        out = out.view(groups, rows, -1, value.shape[3]).transpose(0, 1)
        lse = lse.view(groups, rows, -1).transpose(0, 1)
        # Softmax over both parts: each part's share is its exponentiated log-sum-exp over the sum of both. Computed in
        # float32: in bfloat16, with one share close to 1, the other would be a multiple of 0.4 %.
        weight = torch.sigmoid(lse - total_lse)[..., None]
        merged = torch.lerp(merged.float(), out.float(), weight).to(query.dtype)
        total_lse = torch.logaddexp(lse, total_lse) if sinks is not None else total_lse
    if sinks is not None:
        merged = _beside_sinks(merged, total_lse, sinks)
    return merged.reshape(rows, heads, tokens, value.shape[3]).transpose(1, 2), None


def _torchs_own(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, /, **kwargs: object
) -> Tensor:
    """Return torch's attention (B, T, H, E).

    Its fused kernel for CPUs takes values only as wide as the keys. Without it, all scores would be in memory at once,
    and most passes would take 1.2 to 4 times as long; the gradients of short rows alone would not.
    """
    width, missing = value.shape[3], query.shape[3] - value.shape[3]
    short = query.requires_grad and query.shape[2] <= _SHORT_TOKENS
    if missing > 0 and query.device.type == "cpu" and not short:
        value = functional.pad(value, (0, missing))
    found: tuple[Tensor, Tensor | None] = sdpa_attention_forward(module, query, key, value, mask, **kwargs)
    return found[0][..., :width]


def _part(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, cap: float | None
) -> tuple[Tensor, Tensor]:
    """Return attention (X, G, N, D) over one part, and the log-sum-exp (X, G, N) of its scores.

    `mask` (X or 1, 1, T, S) repeats over the N / T query heads that are side by side.
    """
    if not _fused(query, key, value, mask, cap):
        return _in_pieces(query, key, value, mask, scale, cap)
    if mask is not None and 1 < mask.shape[2] < query.shape[2]:
        mask = mask.repeat(1, 1, query.shape[2] // mask.shape[2], 1)
    # The fused kernel also returns the log-sum-exp, which torch's public function does not.
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(  # noqa: SLF001
        query, key, value, 0.0, False, attn_mask=mask, scale=scale
    )
    return out, lse


def _in_pieces(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, cap: float | None
) -> tuple[Tensor, Tensor]:
    """Return what `_part` does, by products of as many queries at once as memory and cache allow; gradients flow."""
    step = max(1, _MAX_SCORES // (query.shape[0] * query.shape[1] * key.shape[2]))
    if query.device.type == "cpu":
        step = min(step, _QUERIES)
    pieces = [
        _unfused(piece, key, value, _rows_of(mask, first, piece.shape[2]), scale, cap)
        for first, piece in zip(range(0, query.shape[2], step), query.split(step, dim=2), strict=True)
    ]
    out, lse = (torch.cat(column, dim=2) for column in zip(*pieces, strict=True))
    return out, lse


def _slow_in_bfloat16(query: Tensor) -> bool:
    """Whether torch's attention gradients, for these short rows, take about twice as long in bfloat16 as in float32."""
    return query.device.type == "cpu" and query.dtype == torch.bfloat16 and query.shape[2] <= _SHORT_TOKENS


def _whole(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scale: float,
    cap: float | None,
    sinks: Tensor | None,
) -> Tensor:
    """Attention over whole sequences with capped scores or sinks, which torch's own does not support; with gradients.

    Returns (B, T, H, D).
    """
    rows, heads, tokens, width = query.shape
    groups, own = key.shape[1], key.shape[2]
    if mask is None:
        mask = torch.ones((tokens, own), dtype=torch.bool, device=query.device).tril(own - tokens)[None, None]
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, torch.finfo(torch.float32).min)
    grouped = query.reshape(rows, groups, -1, width)
    out, lse = _in_pieces(grouped, key, value, mask, scale, cap)
    if sinks is not None:
        out = _beside_sinks(out, lse, sinks)
    return out.reshape(rows, heads, tokens, value.shape[3]).transpose(1, 2)


def _beside_sinks(out: Tensor, lse: Tensor, sinks: Tensor) -> Tensor:
    """Scale attention (B, G, N, D), whose scores have the log-sum-exp (B, G, N), by what the sinks (H,) leave of it."""
    groups, side_by_side = lse.shape[1], lse.shape[2]
    own = sinks.float().view(groups, -1, 1)  # query heads are side by side, each with all its tokens
    beside = own.expand(-1, -1, side_by_side // own.shape[1]).reshape(1, groups, side_by_side)
    return (out * torch.sigmoid(lse - beside)[..., None]).to(out.dtype)


def _fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, cap: float | None) -> bool:
    """Whether torch's fused kernel can compute this part, and faster than two products with a softmax between them.

    The kernel converts the keys to its layout at every call. With 2,000 keys, the two products take 0.6 to 0.8 of its
    time for 1 to 128 rows that decode in bfloat16, and twice its time on a CPU that emulates bfloat16.
    """
    if query.device.type != "cpu" or cap is not None or value.shape[3] != query.shape[3]:
        return False
    products = mask is None and key.shape[2] >= _LONG_KEYS and query.dtype == torch.bfloat16
    return not (products and torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001


def _unfused(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, cap: float | None
) -> tuple[Tensor, Tensor]:
    """Return what `_part` does, with gradients. Scores are exponents of 2, as exp2 takes a third of exp's time."""
    scores = _products(query, key)
    # Changed in place as far as gradients allow: most of the time goes into reading and writing them.
    scores = scores.mul_(scale / _LN_2) if cap is None else torch.tanh(scores.mul_(scale / cap)) * (cap / _LN_2)
    if mask is not None:
        scores = scores + mask
    largest = scores.detach().amax(dim=-1, keepdim=True)
    weights = scores.sub_(largest).exp2_()
    total = weights.sum(dim=-1, keepdim=True)
    out = torch.matmul(weights.to(value.dtype), value) / total
    return out.to(value.dtype), ((largest + total.log2()) * _LN_2)[..., 0]


def _products(query: Tensor, key: Tensor) -> Tensor:
    """query (X, G, N, D), key (X, G, S, D) → their products (X, G, N, S) in float32.

    A GPU adds them up in float32, and is asked for these sums: rounded to bfloat16, scores of some hundred would be off
    by one. Nothing else can write float32 from bfloat16, nor pass gradients through it.
    """
    plain = query.dtype == torch.float32 or query.requires_grad
    if query.is_cuda and not plain and hasattr(torch.ops.aten.bmm, "dtype"):
        flat: Tensor = torch.bmm(query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2), out_dtype=torch.float32)
        return flat.view(*query.shape[:2], *flat.shape[1:])
    return torch.matmul(query, key.transpose(2, 3)).float()


def _rows_of(mask: Tensor | None, first: int, count: int) -> Tensor | None:
    """Return the mask of `count` queries from the `first` on; it repeats over the query heads that are side by side."""
    if mask is None or mask.shape[2] == 1:
        return mask
    return mask[:, :, torch.arange(first, first + count, device=mask.device) % mask.shape[2]]
