"""Fused LoRA layers: they compute the formula, checked in float64, and leave other adapters to peft."""

from typing import Literal, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import Linear
from torch import Tensor, nn
from transformers import PreTrainedModel

from engine.model.low_rank import FusedLinear, fuse

INPUTS, OUTPUTS, RANK = 24, 40, 4
Variant = Literal["lora", "rslora", "dora", "dropout"]


def adapted(dtype: torch.dtype, *, bias: bool = True, variant: Variant = "lora", seed: int = 0) -> PeftModel:
    """One linear layer with an adapter that changes its output."""
    torch.manual_seed(seed)
    base = nn.Sequential(nn.Linear(INPUTS, OUTPUTS, bias=bias)).to(dtype).requires_grad_(False)
    config = LoraConfig(
        r=RANK,
        lora_alpha=6,
        target_modules=["0"],
        use_rslora=variant == "rslora",
        use_dora=variant == "dora",
        lora_dropout=0.5 if variant == "dropout" else 0.0,
    )
    model = get_peft_model(cast("PreTrainedModel", base), config)  # peft takes any module
    randomise_b(model, "default")
    return model


def randomise_b(model: PeftModel, name: str) -> None:
    nn.init.normal_(layer_of(model).lora_B[name].weight, std=0.5)


def layer_of(model: PeftModel) -> FusedLinear:
    return cast("FusedLinear", model.get_base_model()[0])


def gradients(model: PeftModel, x: Tensor, against: Tensor) -> tuple[Tensor, ...]:
    """The output, and the gradients of its product with `against` for the input and both matrices."""
    layer, leaf = layer_of(model), x.clone().requires_grad_()
    out = model(leaf)
    (out.float() * against).sum().backward()
    return tuple(
        cast("Tensor", each).detach()
        for each in (out, leaf.grad, layer.lora_A["default"].weight.grad, layer.lora_B["default"].weight.grad)
    )


def by_formula(model: PeftModel, x: Tensor, against: Tensor) -> tuple[Tensor, ...]:
    """The same in float64, from y = x Wᵀ + b + s x Aᵀ Bᵀ written out."""
    layer = layer_of(model)
    w = layer.base_layer.weight.double()
    a, b = layer.lora_A["default"].weight.double(), layer.lora_B["default"].weight.double()
    s, d = layer.scaling["default"], against.double()
    x = x.double()
    out = torch.einsum("btk,ok->bto", x, w + s * b @ a)
    if layer.base_layer.bias is not None:
        out = out + layer.base_layer.bias.double()
    of_x = torch.einsum("bto,ok->btk", d, w + s * b @ a)
    of_a = s * torch.einsum("bto,or,btk->rk", d, b, x)
    of_b = s * torch.einsum("bto,rk,btk->or", d, a, x)
    return tuple(each.detach() for each in (out, of_x, of_a, of_b))


@settings(deadline=None, max_examples=25)
@given(
    rows=st.integers(1, 4),
    tokens=st.integers(1, 9),
    bias=st.booleans(),
    variant=st.sampled_from(["lora", "rslora"]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    seed=st.integers(0, 1_000),
)
def test_outputs_and_gradients_equal_the_formula(
    rows: int, tokens: int, bias: bool, variant: Variant, dtype: torch.dtype, seed: int
) -> None:
    model = adapted(dtype, bias=bias, variant=variant, seed=seed)
    x, against = torch.randn(rows, tokens, INPUTS, dtype=dtype), torch.randn(rows, tokens, OUTPUTS)
    fuse(model)
    # `against` is rounded to the type, as the output is.
    exact = by_formula(model, x, against.to(dtype))
    tolerance = 1e-5 if dtype == torch.float32 else 2**-6
    for found, wanted in zip(gradients(model, x, against), exact, strict=True):
        assert found.shape == wanted.shape
        assert float((found - wanted).norm()) <= tolerance * float(wanted.norm())


def test_plain_layer_bypasses_peft_and_its_output_can_be_changed_in_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, x = adapted(torch.float32), torch.randn(2, 3, INPUTS)
    wanted = model(x).detach().clamp(-0.5, 0.5)
    fuse(model)
    monkeypatch.setattr(Linear, "forward", lambda *_: pytest.fail("peft computed the layer"))
    out = model(x)
    out.clamp_(-0.5, 0.5)  # as some models clip their queries
    assert torch.allclose(out, wanted, atol=1e-5)
    out.sum().backward()
    with torch.inference_mode():
        assert torch.allclose(model(x).clamp_(-0.5, 0.5), wanted, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_inference_uses_a_replaced_base_forward_and_gives_the_same_output(dtype: torch.dtype) -> None:
    model, x = adapted(dtype), torch.randn(2, 3, INPUTS, dtype=dtype)
    fuse(model)
    base, inputs = layer_of(model).base_layer, []

    def replacement(hidden: Tensor) -> Tensor:
        inputs.append(hidden)
        return nn.functional.linear(hidden, base.weight, base.bias)

    with_gradients = model(x).detach()
    base.forward = replacement
    with torch.inference_mode():
        assert torch.allclose(model(x), with_gradients, rtol=2**-7, atol=2**-7 if dtype == torch.bfloat16 else 1e-6)
    assert len(inputs) == 1


@pytest.mark.parametrize("variant", ["dora", "dropout"])
def test_dora_and_dropout_are_computed_by_peft(variant: Variant) -> None:
    model, x = adapted(torch.float32, variant=variant), torch.randn(2, 3, INPUTS)
    torch.manual_seed(1)
    before = model(x)
    fuse(model)
    torch.manual_seed(1)
    assert torch.equal(model(x), before)


def test_fused_layer_matches_peft_with_adapters_off_combined_scaled_and_merged() -> None:
    model, x = adapted(torch.float32), torch.randn(2, 3, INPUTS)
    model.add_adapter("other", LoraConfig(r=2, target_modules=["0"]))
    randomise_b(model, "other")
    layer = layer_of(model)
    found: list[list[Tensor]] = []
    for fused in (False, True):
        if fused:
            fuse(model)
        outputs = []
        for names, strength in ((["default"], 1.0), (["other"], 0.25), (["default", "other"], 1.0), ([], 1.0)):
            layer.set_adapter(names)
            for name in names:
                layer.set_scale(name, strength)
            outputs.append(model(x).detach())
        layer.set_adapter(["default"])
        with model.disable_adapter():
            outputs.append(model(x).detach())
        layer.merge()
        outputs.append(model(x).detach())
        layer.unmerge()
        found.append(outputs)
    assert type(layer) is FusedLinear
    for by_peft, fused_output in zip(*found, strict=True):
        assert torch.allclose(fused_output, by_peft, atol=1e-5)
    assert not torch.allclose(found[1][0], found[1][4], atol=1e-2)


def test_layers_that_are_not_linear_are_not_fused() -> None:
    torch.manual_seed(0)
    table = nn.Sequential(nn.Embedding(5, INPUTS))
    model = get_peft_model(cast("PreTrainedModel", table), LoraConfig(r=2, target_modules=["0"]))
    before = type(model.get_base_model()[0])
    fuse(model)
    assert type(model.get_base_model()[0]) is before
    assert before is not FusedLinear
