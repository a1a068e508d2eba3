"""The student: the base with a fresh adapter, and its loss on a batch. Knows nothing of steps or files.

The output head is applied only at completion positions, a chunk at a time, and each chunk's gradient is computed
before the next one's logits exist: with a large vocabulary, all logits would need more memory than the model.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from peft import LNTuningConfig, LoraConfig, PeftConfig, PeftModel, TaskType, get_peft_model
from torch import Tensor
from torch.nn.modules.dropout import _DropoutNd
from transformers import PreTrainedModel

from engine.errors import ModelError, TrainingError
from engine.model.adapter_files import check_adapter, check_described, holds_whole_layers
from engine.model.adapter_place import ADAPTER_CONFIG
from engine.model.folder import read_json
from engine.model.load import parameter_shapes, quiet_libraries
from engine.model.local_model import LocalModel
from engine.model.low_rank import fuse
from engine.model.targets import lora_targets
from engine.model.transfer import to_device
from engine.model.whole_layers import whole_layer_targets
from engine.records.run import TrainingConfig
from engine.training.batches import Batch
from engine.training.state import adapter_weights, load_adapter, save_adapter_config

# Logits of one chunk. The C library returns blocks over 32 MiB to the system each time, and faulting them in again
# costs as much as the arithmetic. On a GPU, reading the output head once takes as long as computing some 200 rows.
_CHUNK_BYTES, _CHUNK_BYTES_ON_GPU = 24 << 20, 128 << 20

ChunkLoss = Callable[[Tensor, slice], Tensor]  # logits (n, V) of completion tokens `slice` of the batch → loss (n,)


def with_new_adapter(local: LocalModel, config: TrainingConfig, initial: Path | None = None) -> LocalModel:
    """Return the model with a fresh adapter on all linear layers except the output head, initialised from the seed.

    The kind is `config.adapter`: plain LoRA; rank-stabilised, which scales by alpha over the root of the rank (arXiv
    2312.03732); DoRA, which also learns each output's magnitude (arXiv 2402.09353); or trained copies of these layers
    and of the norms. Trained weights are float32 whatever the base's dtype, but whole copies also compute in float32,
    so they need a base in float32. The base gets no gradients. Its own dropout is off: how rows are split into passes,
    and over processes, must not change the result. `local` is changed in place: use the returned model.

    With `initial`, an adapter folder, it starts from those weights. Raises `ModelError` or `TrainingError` if they do
    not match the shapes of the base, or the kind, rank or alpha of the configuration; and `ModelError` if peft cannot
    adapt this base, or would write an adapter that could not be read back.
    """
    if config.adapter == "full" and (local.quantized or local.dtype != torch.float32):
        raise TrainingError(
            "--adapter full needs a base in float32.",
            f"The base is loaded in {'four bits' if local.quantized else str(local.dtype).removeprefix('torch.')}.",
            "Train with --dtype float32 and without --quantize-base, or with another --adapter.",
        )
    _switch_off_noise(local.base)
    shapes = parameter_shapes(local)
    if initial is not None:
        check_adapter(initial, shapes)
        _check_alike(initial, config)
    torch.manual_seed(config.seed)
    described = _peft_config(local, config)
    with quiet_libraries():
        try:
            model = get_peft_model(local.base, described)
        except (ValueError, TypeError, NotImplementedError) as error:  # peft refuses layers in each of these ways
            raise _not_adaptable(local, config, f"peft cannot make the adapter. {error}") from error
    _check_readable(local, model, config, shapes)
    fuse(model)
    # The name that the user chose: the folder that it was loaded from means nothing on other machines.
    model.peft_config["default"].base_model_name_or_path = config.base
    if initial is not None:
        load_adapter(model, initial)
    return replace(local, model=model)


def _switch_off_noise(base: PreTrainedModel) -> None:
    """Set every probability of dropout, and the noise of routers, to 0, in modules and configurations."""
    for module in base.modules():
        if isinstance(module, _DropoutNd):
            module.p = 0.0
        for holder in (module, getattr(module, "config", None)):
            for name, value in list(vars(holder).items() if holder is not None else ()):
                if ("drop" in name or "jitter" in name) and isinstance(value, float):
                    setattr(holder, name, 0.0)


def _peft_config(local: LocalModel, config: TrainingConfig) -> PeftConfig:
    if config.adapter == "full":
        return LNTuningConfig(target_modules=whole_layer_targets(local), task_type=TaskType.CAUSAL_LM)
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=0.0,
        use_rslora=config.adapter == "rslora",
        use_dora=config.adapter == "dora",
        bias="none",
        target_modules=lora_targets(local),
        task_type=TaskType.CAUSAL_LM,
    )


def _check_readable(
    local: LocalModel, model: PeftModel, config: TrainingConfig, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise `ModelError` if the adapter, once written, would be refused: peft may change what it was asked for."""
    found = {name: tuple(weight.shape) for name, weight in adapter_weights(model).items()}
    with TemporaryDirectory(prefix="distill-") as name:
        folder = Path(name)
        save_adapter_config(model, folder)
        try:
            check_described(folder, found, shapes)
        except ModelError as error:
            reason = error.message.removeprefix(f"{folder}: ")
            raise _not_adaptable(local, config, f"the trained adapter would be refused. {reason}") from error


def _not_adaptable(local: LocalModel, config: TrainingConfig, reason: str) -> ModelError:
    return ModelError(
        f"This base cannot be trained with --adapter {config.adapter}.",
        f"{local.folder}: {reason}",
        "Choose another base model or another --adapter, and use the version of peft that uv.lock names.",
    )


def _check_alike(initial: Path, config: TrainingConfig) -> None:
    """Check kind, rank and alpha: with another scale the same weights mean another model. Raises `TrainingError`."""
    found = read_json(initial / ADAPTER_CONFIG)
    kind = "dora" if found.get("use_dora") else "rslora" if found.get("use_rslora") else "lora"
    if holds_whole_layers(initial):
        kind = "full"
    if (kind, *_scale(kind, found.get("r"), found.get("lora_alpha"))) == (
        config.adapter,
        *_scale(config.adapter, config.lora_rank, config.lora_alpha),
    ):
        return
    of_rank = "" if kind == "full" else f" of rank {found.get('r')} and alpha {found.get('lora_alpha')}"
    wanted = "" if config.adapter == "full" else f" of rank {config.lora_rank} and alpha {config.lora_alpha}"
    rank = "" if kind == "full" else f" --lora-rank {found.get('r')}"
    raise TrainingError(
        "The earlier adapter does not match this run's configuration.",
        f"It is {kind}{of_rank}; this run's is {config.adapter}{wanted}.",
        f"Train with --adapter {kind}{rank}, or without --initial-run.",
    )


def _scale(kind: str, rank: object, alpha: object) -> tuple[object, ...]:
    """Return what sets the scale of an adapter; whole layers have none."""
    return () if kind == "full" else (rank, alpha)


def trained_parameters(student: LocalModel) -> list[torch.nn.Parameter]:
    """Return the trained weights, in a fixed order."""
    return [parameter for parameter in student.model.parameters() if parameter.requires_grad]


def recompute_layers(student: LocalModel) -> None:
    """Keep only each layer's input for the backward pass and recompute the rest there.

    Gradients are the same (gradient checkpointing, arXiv 1604.06174); passes without gradients are unchanged.
    """
    with quiet_libraries():
        student.base.gradient_checkpointing_enable({"use_reentrant": False})


@contextmanager
def eval_mode(student: LocalModel) -> Iterator[None]:
    """While inside, the student runs as when it is served: in evaluation mode, without dropout."""
    training = student.model.training
    student.model.eval()
    try:
        yield
    finally:
        student.model.train(training)


def completion_hidden(student: LocalModel, batch: Batch) -> Tensor:
    """Return the hidden states (N, H) that predict the batch's completion tokens."""
    given = {"input_ids": batch.input_ids, "position_ids": batch.position_ids}
    tensors = {name: to_device(tensor, student.device) for name, tensor in given.items() if tensor is not None}
    masks = _masks(student, batch)
    hidden: Tensor = student.backbone(**tensors, attention_mask=masks, use_cache=False).last_hidden_state
    return hidden.flatten(0, 1)[to_device(batch.positions, student.device)]


def _masks(student: LocalModel, batch: Batch) -> Tensor | dict[str, Tensor] | None:
    """Return which keys each query sees (B, 1, L, L) bool, by kind of layer if the base has several; None: all before.

    A given mask takes the place of the sliding window that some layers have, so it is narrowed for them.
    """
    if batch.visible is None or batch.position_ids is None:
        return None
    config = student.base.config.get_text_config()
    visible, places = (to_device(tensor, student.device) for tensor in (batch.visible, batch.position_ids))
    window = getattr(config, "sliding_window", None)
    if not isinstance(window, int) or int(batch.position_ids.max()) < window:
        return visible
    near = visible & (places[:, None, :, None] - places[:, None, None, :] < window)
    return {"full_attention": visible, "sliding_attention": near} if getattr(config, "layer_types", None) else near


def add_gradients(student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> Tensor:
    """Add the batch's share of the step's gradients to the adapter; return its summed loss in nats, on the device.

    The loss is a () tensor in `sum_dtype`; reading its value waits for a GPU to compute it.

    The share is the sum over the batch's completion tokens divided by `divisor`, usually the number of all completion
    tokens of the optimizer step, so that any split into micro-batches gives the same gradients, except for rounding.
    """
    hidden = completion_hidden(student, batch)
    leaf = hidden.detach().requires_grad_()
    total = torch.zeros((), dtype=sum_dtype(hidden.device), device=hidden.device)
    for part in _chunks(student, len(leaf)):
        chunk = loss(student.logits(leaf[part]), part).sum()
        (chunk / divisor).backward()
        total += chunk.detach()
    hidden.backward(gradient=leaf.grad)
    return total


def sum_dtype(device: torch.device) -> torch.dtype:
    """Return the dtype for adding up many losses without losing precision: float64 where the device supports it."""
    return torch.float32 if device.type == "mps" else torch.float64


@torch.no_grad()
def token_losses(student: LocalModel, batch: Batch, loss: ChunkLoss) -> Tensor:
    """Return the loss (N,) at every completion token of the batch, on the CPU, without gradients."""
    hidden = completion_hidden(student, batch)
    return torch.cat([loss(student.logits(hidden[part]), part) for part in _chunks(student, len(hidden))]).cpu()


def _chunks(student: LocalModel, count: int) -> Iterator[slice]:
    vocabulary = student.base.get_input_embeddings().num_embeddings
    held = _CHUNK_BYTES_ON_GPU if student.device.type == "cuda" else _CHUNK_BYTES
    size = max(1, held // (4 * vocabulary))
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
