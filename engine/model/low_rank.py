"""LoRA layers as one operation each: the base's product, with the adapter's part added to it in place.

peft computes the adapter's part in float32, the dtype of its matrices, and each time scales, adds and casts an output
of the layer's full size. Here products are in the base's dtype, and so is what a pass adds to the gradients, as under
autocast (arXiv 1710.03740); the matrices, their gradients and the optimizer stay in float32. Knows nothing of training
or answering.
"""

from typing import cast

import torch
from peft.tuners.lora import Linear
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable
from torch.nn import functional


def fuse(model: nn.Module) -> None:
    """Make plain LoRA layers over plain linear layers compute in this way. Repeat after adding layers."""
    for layer in model.modules():
        if type(layer) is Linear and type(layer.base_layer) is nn.Linear:
            layer.__class__ = FusedLinear


class FusedLinear(Linear):
    """peft's layer, computed faster. With no adapter, several, DoRA or another dtype it computes as peft does."""

    def forward(self, x: Tensor, *args: object, **kwargs: object) -> Tensor:
        """x (..., I) → (..., O), with gradients for x and for both matrices of the active adapter."""
        base, name = self.base_layer, self._only_adapter()
        if name is None or args or kwargs or x.dtype != base.weight.dtype:
            return cast("Tensor", super().forward(x, *args, **kwargs))
        down, up, scale = self.lora_A[name].weight, self.lora_B[name].weight, self.scaling[name]
        if torch.is_grad_enabled():
            return cast("Tensor", _Adapted.apply(x, base.weight, base.bias, down, up, scale))
        out: Tensor = base(x)  # through any replacement of its forward
        low = functional.linear(x, down.to(x.dtype)).flatten(0, -2)
        out.flatten(0, -2).addmm_(low, (up * scale).to(x.dtype).t())
        return out

    def _only_adapter(self) -> str | None:
        """The one plain active adapter; None if that does not describe the layer's state completely."""
        names = [name for name in self.active_adapters if name in self.lora_A]
        if self.disable_adapters or self.merged or len(names) != 1:
            return None
        name = cast("str", names[0])
        plain = isinstance(self.lora_dropout[name], nn.Identity) and self.lora_B[name].bias is None
        return name if plain and name not in self.lora_variant else None


class _Adapted(torch.autograd.Function):
    """y = x Wᵀ + b + s x Aᵀ Bᵀ for x (..., I), W (O, I), b (O,) or None, A (R, I), B (O, R); W and b are frozen."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float
    ) -> Tensor:
        flat = x.flatten(0, -2)
        down, up = down.to(flat.dtype), (up * scale).to(flat.dtype)
        low = flat @ down.t()
        ctx.save_for_backward(flat, weight, low, down, up, torch.tensor(scale))
        out = functional.linear(x, weight, bias)  # returned itself: models may change it in place, but not a view of it
        out.flatten(0, -2).addmm_(low, up.t())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, gradient: Tensor) -> tuple[Tensor | None, ...]:
        flat, weight, low, down, up, scale = cast("tuple[Tensor, ...]", ctx.saved_tensors)
        of_out = gradient.flatten(0, -2)
        of_low = of_out @ up
        of_x = (of_out @ weight).addmm_(of_low, down).unflatten(0, gradient.shape[:-1])
        of_down, of_up = of_low.t() @ flat, (of_out.t() @ low).float() * scale
        return of_x, None, None, of_down, of_up, None
