"""The peak memory of a training, calculated from shapes, and the facts that it is calculated from.

Pure; no model library. Knows nothing of what is chosen with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.shapes import Shapes
from engine.records.run import TrainingConfig
from engine.training.costs import RowTokens, longest_pass_tokens

# Between the starter model, which the demo's recipe was tuned on, and the models of the published recipes.
SMALL_PARAMETERS = 500_000_000

# Measured on the starter model, one process on a CPU: bytes kept for the backward pass, per token and per input or
# output of an adapted layer, were 5.1 in float32 and 3.0 in bfloat16; 7.5 and 5.6 if peft computes the layer, as it
# does over four bits; 11.9 and 7.8 (10.5 with fewer layers) with DoRA. Libraries and what they hold took 0.9 GB.
_ACTIVATION_BYTES = {4: 5.5, 2: 3.5}
_ACTIVATION_BYTES_OF_PEFT = {4: 8.0, 2: 6.0}
_ACTIVATION_BYTES_OF_DORA = {4: 12.5, 2: 10.5}
# And per output of a recurrent layer's first product, which the above counts too: 25 and 19 bytes with a gated delta
# net (widths of Qwen3.5), 73 and 69 with Mamba (Granite 4), in transformers' own code; kernels for a GPU keep less.
_DELTA_NET_BYTES, _SCAN_BYTES = 25.0, 75.0
_LIBRARIES_MB = 1_000.0
_LOGITS_MB, _LOGITS_MB_ON_GPU = 100.0, 540.0  # one chunk of the output head, its softmax and its gradient
# Four bits per number, 8 bits for the scale of each block of 64, and 32 bits for a scale of scales every 256 blocks.
_NF4_BYTES = (4 + 8 / 64 + 32 / (64 * 256)) / 8
# Gathered at a time: the current layer of a pass, the buffer that its parts arrived in, and the same for the next one.
_LAYERS_TOGETHER = 4
_ADAPTER_BYTES = 16  # float32: the number, its gradient and AdamW's two moments


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """The facts that values are chosen from. None: not known."""

    rows: int  # training rows
    tokens: RowTokens
    own_rows: int  # rows whose whole answer is the prompted base's: the second stage asks their questions
    shapes: Shapes | None  # of the base
    free_mb: float | None  # free memory of the device when the run starts, for one process
    number_bytes: int  # of one weight in memory: 4 or 2
    on_gpu: bool = False
    shards: int = 1  # processes that hold the base's layers between them
    free_note: str = ""  # from when, and for how many, `free_mb` is free; completes “is free”
    scored_tokens: int = 0  # tokens of training answers with a teacher distribution

    @property
    def small(self) -> bool:
        """Whether the base is about the size of the starter model; one that is not on this machine counts as large."""
        return self.shapes is not None and self.shapes.parameters < SMALL_PARAMETERS


def peak_mb(config: TrainingConfig, facts: TrainingFacts) -> float | None:
    """As `memory_mb`, but with recomputed layers if one row at a time would not fit, as the trainer does it."""
    needed, free = memory_mb(config, facts), facts.free_mb
    fits = needed is None or free is None or needed <= free
    return needed if fits or config.micro_batch_rows > 1 else memory_mb(config, facts, recomputed=True)


def memory_mb(config: TrainingConfig, facts: TrainingFacts, *, recomputed: bool = False) -> float | None:
    """Estimate the peak memory of one training process, in MB (1e6 bytes); None if the shapes are unknown.

    Counts libraries, the frozen base, the adapter with its optimizer, and what the largest forward pass of any stage
    or term keeps for its gradients; with a second stage also the prompt's keys and values, which stay in memory
    throughout (of several prompts, the longest one's). Sampling keeps only keys and values, in batches that need no
    more than a training pass.
    """
    shapes = facts.shapes
    if shapes is None:
        return None
    sides = shapes.passed + sum(inputs + outputs for inputs, outputs in shapes.linear)
    kept = sides * _activation_bytes(config)[facts.number_bytes]
    kept += shapes.delta_nets * _DELTA_NET_BYTES + shapes.scans * _SCAN_BYTES
    if recomputed and shapes.layers:  # the input of each layer, and everything of the one being recomputed
        entering = shapes.layers * shapes.linear[0][0] * facts.number_bytes
        kept = kept // shapes.layers + entering
    linear = sum(inputs * outputs for inputs, outputs in shapes.linear)
    total: float = (
        shapes.parameters * facts.number_bytes
        + trained_numbers(config, shapes) * _ADAPTER_BYTES
        + longest_pass_tokens(config, facts.tokens) * kept
    )
    if config.on_policy_steps:
        total += shapes.kept * facts.tokens.prompt * facts.number_bytes
    if config.quantize_base == "nf4":  # except for one layer, the widest, which is in memory in full while it computes
        widest = max(inputs * outputs for inputs, outputs in shapes.linear)
        total -= (linear - widest) * facts.number_bytes - linear * _NF4_BYTES
    if facts.shards > 1:
        together = 1 / facts.shards + _LAYERS_TOGETHER / max(1, shapes.layers)
        total -= (linear + shapes.experts) * facts.number_bytes * max(0.0, 1 - together)
    return _LIBRARIES_MB + (_LOGITS_MB_ON_GPU if facts.on_gpu else _LOGITS_MB) + total / 1e6


def _activation_bytes(config: TrainingConfig) -> Mapping[int, float]:
    """Return bytes kept per token and input or output, by the bytes of a number in memory."""
    if config.adapter == "dora":
        return _ACTIVATION_BYTES_OF_DORA
    return _ACTIVATION_BYTES if config.quantize_base == "none" else _ACTIVATION_BYTES_OF_PEFT


def trained_numbers(config: TrainingConfig, shapes: Shapes) -> int:
    """Return how many numbers are trained; for whole layers without norms and biases, which are next to none."""
    if config.adapter == "full":
        return sum(inputs * outputs for inputs, outputs in shapes.linear)
    return shapes.lora_parameters(config.lora_rank)
