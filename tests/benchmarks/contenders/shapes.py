"""This program alone, with random weights in the shapes of larger Llamas, on a GPU. Downloads nothing.

Each shape trains LoRA on rows of question and answer, scores answers after a shared prompt and decodes after it.
Figures are medians of wall time, because CPU-seconds do not include the device's work. Model FLOP utilisation, the
share of the device's bfloat16 peak that is used, counts 4 FLOPs per weight and trained token, because a LoRA student
computes no gradients of the weights. Scoring and decoding count 2; attention is not counted.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from engine.model.chat_format import ChatFormat
from engine.model.decode import decode
from engine.model.exactness import check_exactness
from engine.model.load import quiet_libraries
from engine.model.local_model import LocalModel
from engine.model.memory import release_memory
from engine.model.prompt_cache import PromptCache
from engine.model.score import ScoreRow, score
from engine.model.shared_attention import ATTENTION, register_attention
from engine.records.dataset import DatasetRow
from engine.records.run import TrainingConfig
from engine.training.batches import make_batch
from engine.training.losses import cross_entropy
from engine.training.memory import peak_rss_mb
from engine.training.student import add_gradients, trained_parameters, with_new_adapter
from tests.benchmarks.contenders.figures import Figure
from tests.tiny import make_tiny_base

# Dense bfloat16 peak in TFLOP/s, as the makers state it, by a part of the device's name.
_PEAK_TFLOPS = {
    "H100 PCIe": 756,
    "H100": 989,
    "H200": 989,
    "A100": 312,
    "B200": 2250,
    "L40S": 362,
    "L4": 121,
    "A10": 125,
}
_CONTEXT = 8_192


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of a Llama, and how much work it gets."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int
    tied: bool
    rows: int = 8
    row_tokens: int = 512  # half of them belong to the answer
    prompt_tokens: int = 2_000
    answers: int = 64
    answer_tokens: int = 64


SHAPES = {
    "tiny": Shape(64, 128, 2, 4, 2, 512, True, 2, 32, 50, 4, 8),
    "1b": Shape(2_048, 8_192, 16, 32, 8, 128_256, True),  # Llama 3.2
    "8b": Shape(4_096, 14_336, 32, 32, 8, 128_256, False),  # Llama 3.1
}


def shape_figures(name: str, device_name: str, repetitions: int, peak_tflops: float | None) -> Iterator[Figure]:
    """Tokens per second, utilisation and memory of each kind of work on one shape."""
    shape, device = SHAPES[name], torch.device(device_name)
    peak = peak_tflops or _stated_tflops(device)
    local = _random_model(shape, device)
    weights = sum(parameter.numel() for parameter in local.base.parameters())
    yield Figure(f"{name}: weights", weights / 1e9, "10⁹")
    for what, flops, tokens, work in _workloads(local, shape):
        seconds, memory = _measure(work, device, repetitions)
        yield Figure(f"  {what}", tokens / seconds, "tokens/s", peak_mb=memory)
        if peak is not None:
            utilisation = flops * weights * tokens / seconds / (peak * 1e12)
            yield Figure(f"    of {peak:g} TFLOP/s stated", 100 * utilisation, "%")


def _workloads(local: LocalModel, shape: Shape) -> Iterator[tuple[str, int, int, Callable[[], object]]]:
    """Name, FLOPs per weight and token, tokens, and the work. LoRA comes last, because the adapter stays."""
    draw = torch.Generator().manual_seed(0)

    def ids(count: int) -> list[int]:
        found: list[int] = torch.randint(shape.vocabulary, (count,), generator=draw).tolist()
        return found

    with torch.inference_mode():
        prompt = ids(shape.prompt_tokens)
        yield "reading the prompt", 2, len(prompt), lambda: PromptCache.build(local, prompt)
        prefix = PromptCache.build(local, prompt)
    half = shape.row_tokens // 2
    rows = [ScoreRow([*prompt, *ids(half)], ids(half)) for _ in range(shape.answers)]
    tokens = shape.answers * shape.row_tokens
    yield f"scoring behind {len(prompt):,} tokens", 2, tokens, lambda: score(local, rows, prefix=prefix, k=64)
    endless = replace(local, format=replace(local.format, stop_ids=frozenset()))
    requests = [[*prompt, *ids(16)] for _ in range(shape.answers)]
    yield (
        f"decoding {shape.answers} answers behind {len(prompt):,} tokens",
        2,
        shape.answers * shape.answer_tokens,
        lambda: decode(
            endless,
            requests,
            prefix=prefix,
            temperature=0,
            max_new_tokens=shape.answer_tokens,
            seeds=[0] * len(requests),
            batch_rows=len(requests),
        ),
    )
    yield "LoRA steps", 4, shape.rows * (shape.row_tokens - 1), _steps(local, shape, ids)


def _steps(local: LocalModel, shape: Shape, ids: Callable[[int], list[int]]) -> Callable[[], object]:
    """One optimizer step over a batch that fits into one pass."""
    student = with_new_adapter(local, TrainingConfig(base="random"))
    student.model.train()
    half = shape.row_tokens // 2
    rows = [DatasetRow(i, i, "train", tuple(ids(half)), tuple(ids(half)), half, ()) for i in range(shape.rows)]
    batch = make_batch(rows)
    targets = batch.target_ids.to(student.device)
    optimizer = torch.optim.AdamW(trained_parameters(student), lr=1e-4, fused=True)

    def step() -> None:
        add_gradients(student, batch, lambda logits, here: cross_entropy(logits, targets[here]), len(targets))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _random_model(shape: Shape, device: torch.device) -> LocalModel:
    register_attention()
    config = LlamaConfig(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        vocab_size=shape.vocabulary,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=_CONTEXT,
    )
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    torch.manual_seed(0)
    with device:
        model = AutoModelForCausalLM.from_config(config, attn_implementation=ATTENTION, dtype=dtype)
    model.requires_grad_(False).eval()
    with (
        quiet_libraries(),
        tempfile.TemporaryDirectory() as folder,
    ):  # only for the chat format: token ids are random
        chat = ChatFormat.load(make_tiny_base(Path(folder), context_length=_CONTEXT))
        local = LocalModel(model, chat, device, dtype, Path(folder))
    check_exactness(local)
    return local


def _measure(work: Callable[[], object], device: torch.device, repetitions: int) -> tuple[float, float]:
    """Median seconds of one call after two to warm up, and the peak memory of the device (or the process) in MiB."""
    on_gpu = device.type == "cuda"
    work()
    work()
    release_memory()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for _ in range(repetitions):
        started = time.perf_counter()
        work()
        if on_gpu:
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    peak = torch.cuda.max_memory_allocated(device) / (1 << 20) if on_gpu else peak_rss_mb()
    return statistics.median(seconds), peak


def describe_device(device: str) -> str:
    """The name of the GPU, or the kind of device."""
    return torch.cuda.get_device_name(torch.device(device)) if device.startswith("cuda") else device


def _stated_tflops(device: torch.device) -> float | None:
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((float(value) for word, value in _PEAK_TFLOPS.items() if word in name), None)
