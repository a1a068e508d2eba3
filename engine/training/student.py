"""The student: the base with a fresh LoRA adapter, and its loss on a batch. Knows nothing of steps or files.

The output head is applied at completion positions only, a chunk at a time, and each chunk's gradient is taken before
the next one's logits exist: with a large vocabulary the logits would otherwise need more memory than the model.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from accelerate import Accelerator
from peft import LoraConfig, TaskType, get_peft_model
from torch import Tensor

from engine.model.load import LocalModel, quiet_libraries
from engine.records.run import TrainingConfig
from engine.training.batches import Batch

# Logits of one chunk. The C library hands memory blocks beyond 32 MiB back to the system each time, and touching them
# anew costs as much as the arithmetic.
_CHUNK_BYTES = 24 << 20

ChunkLoss = Callable[[Tensor, slice], Tensor]  # logits (n, V) of completion tokens `slice` of the batch → loss (n,)


def with_new_adapter(local: LocalModel, config: TrainingConfig) -> LocalModel:
    """The same model with a fresh LoRA adapter over all linear layers but the output head, decided by the seed.

    A and B are float32 whatever the base's dtype, the base gets no gradients. `local` is changed in place: use the
    returned one.
    """
    torch.manual_seed(config.seed)
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules="all-linear",
        task_type=TaskType.CAUSAL_LM,
    )
    with quiet_libraries():
        model = get_peft_model(local.base, lora)
    # The name that the user chose: the folder it was loaded from says something of this machine only.
    model.peft_config["default"].base_model_name_or_path = config.base
    return replace(local, model=model)


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
