"""The student: the base with a fresh LoRA adapter, and its loss on a batch. Knows nothing of steps or files.

The output head is applied at completion positions only, a chunk at a time, and each chunk's gradient is taken before
the next one's logits exist: with a large vocabulary the logits would otherwise need more memory than the model.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from peft import LoraConfig, TaskType, get_peft_model
from torch import Tensor

from engine.errors import TrainingError
from engine.model.adapter_files import check_adapter
from engine.model.folder import read_json
from engine.model.load import LocalModel, parameter_shapes, quiet_libraries
from engine.model.targets import lora_targets
from engine.records.run import TrainingConfig
from engine.training.batches import Batch
from engine.training.state import load_adapter

# Logits of one chunk. The C library hands memory blocks beyond 32 MiB back to the system each time, and touching them
# anew costs as much as the arithmetic.
_CHUNK_BYTES = 24 << 20

ChunkLoss = Callable[[Tensor, slice], Tensor]  # logits (n, V) of completion tokens `slice` of the batch → loss (n,)


def with_new_adapter(local: LocalModel, config: TrainingConfig, initial: Path | None = None) -> LocalModel:
    """The same model with a fresh LoRA adapter over all linear layers but the output head, decided by the seed.

    As `config.adapter` says: plain LoRA; rank-stabilised, which scales by alpha over the root of the rank (arXiv
    2312.03732); or DoRA, which also learns each output's magnitude (arXiv 2402.09353). What is trained is float32
    whatever the base's dtype, the base gets no gradients. `local` is changed in place: use the returned one.

    With `initial`, an adapter folder, it starts from those weights. Raises `ModelError` or `TrainingError` where they
    are not of this base's shapes, or of another kind, rank or alpha than the configuration says.
    """
    if initial is not None:
        check_adapter(initial, parameter_shapes(local))
        _check_alike(initial, config)
    torch.manual_seed(config.seed)
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=0.0,
        use_rslora=config.adapter == "rslora",
        use_dora=config.adapter == "dora",
        bias="none",
        target_modules=lora_targets(local),
        task_type=TaskType.CAUSAL_LM,
    )
    with quiet_libraries():
        model = get_peft_model(local.base, lora)
    # The name that the user chose: the folder it was loaded from says something of this machine only.
    model.peft_config["default"].base_model_name_or_path = config.base
    if initial is not None:
        load_adapter(model, initial)
    return replace(local, model=model)


def _check_alike(initial: Path, config: TrainingConfig) -> None:
    """Weights mean another model under another scale. Raises `TrainingError`."""
    found = read_json(initial / "adapter_config.json")
    kind = "dora" if found.get("use_dora") else "rslora" if found.get("use_rslora") else "lora"
    if (kind, found.get("r"), found.get("lora_alpha")) != (config.adapter, config.lora_rank, config.lora_alpha):
        raise TrainingError(
            "The earlier adapter is of another kind than this run's.",
            f"It is {kind} of rank {found.get('r')} and alpha {found.get('lora_alpha')}, this run's is "
            f"{config.adapter} of rank {config.lora_rank} and alpha {config.lora_alpha}.",
            f"Train with --adapter {kind} --lora-rank {found.get('r')}, or without --initial-run.",
        )


def trained_parameters(student: LocalModel) -> list[torch.nn.Parameter]:
    """The adapter's matrices, in a fixed order."""
    return [parameter for parameter in student.model.parameters() if parameter.requires_grad]


@contextmanager
def at_rest(student: LocalModel) -> Iterator[None]:
    """While inside, the student answers and is asked as when it is served: without dropout."""
    training = student.model.training
    student.model.eval()
    try:
        yield
    finally:
        student.model.train(training)


def completion_hidden(student: LocalModel, batch: Batch) -> Tensor:
    """Hidden states (N, H) from which the batch's completion tokens are predicted."""
    given = {"input_ids": batch.input_ids, "position_ids": batch.position_ids, "attention_mask": batch.visible}
    tensors = {name: tensor.to(student.device) for name, tensor in given.items() if tensor is not None}
    hidden: Tensor = student.backbone(**tensors, use_cache=False).last_hidden_state
    return hidden.flatten(0, 1)[batch.positions.to(student.device)]


def add_gradients(
    student: LocalModel, accelerator: Accelerator, batch: Batch, loss: ChunkLoss, divisor: float
) -> float:
    """Add the batch's share of the step's gradients to the adapter; returns its summed loss in nats.

    The share is the sum over the batch's completion tokens over `divisor`, as a rule all completion tokens of the
    optimizer step: so that any split into micro-batches gives the same gradients.
    """
    with accelerator.autocast():
        hidden = completion_hidden(student, batch)
        leaf = hidden.detach().requires_grad_()
        total = 0.0
        for part in _chunks(student, len(leaf)):
            chunk = loss(student.logits(leaf[part]), part).sum()
            (chunk / divisor).backward()
            total += float(chunk.detach())
    accelerator.backward(hidden, gradient=leaf.grad)
    return total


@torch.no_grad()
def token_losses(student: LocalModel, batch: Batch, loss: ChunkLoss) -> Tensor:
    """The loss (N,) at every completion token of the batch, on the CPU, without gradients."""
    hidden = completion_hidden(student, batch)
    return torch.cat([loss(student.logits(hidden[part]), part).cpu() for part in _chunks(student, len(hidden))])


def _chunks(student: LocalModel, count: int) -> Iterator[slice]:
    vocabulary = student.base.get_input_embeddings().num_embeddings
    size = max(1, _CHUNK_BYTES // (4 * vocabulary))
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
