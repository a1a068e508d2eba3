"""One of the processes of a run, for tests: `python -m tests.engine.training.rank_process MODEL FOLDER RANK SIZE MODE`.

Trains several runs one after another, each in its own folder. In most of them something goes wrong on the last rank.
Each run's `RANK.json` says how it ended there. MODE is `whole`, or `sharded` if the ranks share the base's layers.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import DistillError, JobStopped
from engine.model.load import load_base
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.model.score import ScoreRow, TopK, score
from engine.records.dataset import DatasetRow
from engine.records.prompt import Message
from engine.records.question import Split
from engine.training import distributions, general
from engine.training import trainer as trainer_module
from engine.training.batches import Batch
from engine.training.ranks import ALONE, Ranks, connected
from engine.training.sharding import held_bytes
from engine.training.student import ChunkLoss, add_gradients
from engine.training.trainer import Trainer
from tests.engine.training.trainer_helpers import CONFIG, Recorder, make_trainer

EVERYTHING = replace(
    CONFIG, epochs=1.0, batch_rows=5, micro_batch_rows=2, evaluations=1, on_policy_steps=2, on_policy_batch_rows=5,
    on_policy_answer_tokens=6, on_policy_learning_rate=1e-2, general_fraction=0.2, prompt_back_weight=0.1,
)  # fmt: skip
PLAIN = replace(CONFIG, epochs=2.0)


def rows_of(model_folder: Path) -> list[DatasetRow]:
    """Sixteen training rows and five validation rows, of several lengths."""
    local = load_base(model_folder, device="cpu", dtype="float32")
    rows = []
    for number in range(1, 22):
        ids = tuple(local.format.completion_ids("A" + "b" * (number % 5)))
        question_ids = tuple(local.format.question_ids([Message("user", f"question {number}")]))
        split: Split = "train" if number <= 16 else "validation"
        rows.append(DatasetRow(number, number, split, question_ids, ids, len(ids), (False,) * len(ids)))
    return rows


class CountingScore:
    """Scores rows and counts them."""

    rows = 0

    def __call__(
        self, local: LocalModel, rows: Sequence[ScoreRow], *, prefix: PromptCache | None, k: int, batch_tokens: int
    ) -> list[TopK]:
        self.rows += len(rows)
        return score(local, rows, prefix=prefix, k=k, batch_tokens=batch_tokens)


class OutOfMemory:
    """Memory runs out in every pass of more than one row."""

    def __call__(self, student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        total = add_gradients(student, batch, loss, divisor)
        if len(batch.input_ids) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return total


class LossNotFinite:
    """The second and the third pass have a loss that is not finite."""

    passes = 0

    def __call__(self, student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        self.passes += 1
        bad = torch.nan if self.passes in (2, 3) else 1.0
        return add_gradients(student, batch, lambda logits, here: loss(logits, here) * bad, divisor)


class EndingAtFourthPass:
    """`end` is called in the fourth pass: it raises an error or kills the process."""

    def __init__(self, end: Callable[[], None]) -> None:
        self.end, self.passes = end, 0

    def __call__(self, student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        self.passes += 1
        if self.passes == 4:
            self.end()
        return add_gradients(student, batch, loss, divisor)


class MidPass:
    """Calls `forward` and `backward` with the number of rows before the last decoder layer of each pass."""

    def __init__(self, forward: Callable[[int], None], backward: Callable[[int], None] = lambda _rows: None) -> None:
        self.forward, self.backward = forward, backward

    def __call__(self, student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> torch.Tensor:
        rows = len(batch.input_ids)

        def register(_module: torch.nn.Module, _args: object, output: torch.Tensor) -> None:
            output.register_hook(lambda _gradient: self.backward(rows))

        last = next(module for module in student.backbone.modules() if isinstance(module, torch.nn.ModuleList))[-1]
        before = last.register_forward_pre_hook(lambda _module, _args: self.forward(rows), prepend=True)
        after = last.register_forward_hook(register, prepend=True)
        try:
            return add_gradients(student, batch, loss, divisor)
        finally:
            before.remove()
            after.remove()


def out_of_memory_mid_pass() -> MidPass:
    """Memory runs out above two rows in the forward pass, and above one row in the backward pass."""

    def at_most(limit: int) -> Callable[[int], None]:
        def check(rows: int) -> None:
            if rows > limit:
                raise torch.OutOfMemoryError("CUDA out of memory")

        return check

    return MidPass(at_most(2), at_most(1))


def killed_mid_pass() -> MidPass:
    """The process is killed between two layers of its fourth pass."""
    passes = iter(range(4))
    return MidPass(lambda _rows: kill_self() if next(passes) == 3 else None)


def exhaust_memory_outside_passes(trainer: Trainer, patch: pytest.MonkeyPatch) -> None:
    """Memory runs out for the first flat gradient vector, and in the second step of the optimizer."""

    def fail_at_call(number: int, real: Callable[..., object]) -> Callable[..., object]:
        calls = iter(range(1, 1_000))

        def call(*args: object) -> object:
            if next(calls) == number:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return real(*args)

        return call

    patch.setattr(Ranks, "flat_gradients", fail_at_call(1, Ranks.flat_gradients))
    patch.setattr(trainer.optimizer, "step", fail_at_call(2, trainer.optimizer.step))


def raise_error() -> None:
    raise ValueError("the last rank failed")


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


RUNS = {
    "everything": (EVERYTHING, None),
    "rank_out_of_memory": (PLAIN, OutOfMemory),
    "rank_loss_not_finite": (PLAIN, LossNotFinite),
    "stopped": (PLAIN, None),
    "separate_disks": (replace(PLAIN, epochs=0.5), None),
    "optimizer_out_of_memory": (PLAIN, None),
    "rank_raises": (PLAIN, lambda: EndingAtFourthPass(raise_error)),
    "rank_killed": (PLAIN, lambda: EndingAtFourthPass(kill_self)),
}
SHARDED_RUNS = {
    "everything": (EVERYTHING, None),
    "bfloat16": (replace(PLAIN, epochs=0.5, dtype="bfloat16"), None),
    "out_of_memory_mid_pass": (replace(PLAIN, batch_rows=8), out_of_memory_mid_pass),
    "killed_mid_pass": (PLAIN, killed_mid_pass),
}


def train(
    name: str,
    model_folder: Path,
    folder: Path,
    rows: list[DatasetRow],
    patch: pytest.MonkeyPatch,
    ranks: Ranks = ALONE,
    *,
    shard: bool = False,
) -> None:
    """Train the run `name` in `folder/name`, with what `patch` changes in the engine's modules."""
    config, fault = (RUNS | SHARDED_RUNS)[name]
    patch.setattr(distributions, "_ROWS_A_PASS", 4)
    patch.setattr(general, "_ANSWER_TOKENS", 4)

    def stop(finished: int) -> None:
        if name == "stopped" and finished == 3 and ranks.leads and ranks.size > 1:
            raise JobStopped("The job was stopped.")

    hooks = Recorder(stop)
    last = ranks.size > 1 and ranks.rank == ranks.size - 1
    patch.setattr(trainer_module, "add_gradients", fault() if fault is not None and last else add_gradients)
    caches = folder / name / f"caches-{ranks.rank}" if name == "separate_disks" else None  # as if on another machine
    counting_score = CountingScore()
    patch.setattr(distributions, "score", counting_score)
    trainer = make_trainer(model_folder, folder / name, rows, hooks, config, ranks=ranks, caches=caches, shard=shard)
    if name == "optimizer_out_of_memory" and last:
        exhaust_memory_outside_passes(trainer, patch)
    ended = ""
    try:
        trainer.run()
    except (DistillError, ValueError) as error:
        ended = f"{type(error).__name__}: {error}"
    state, held = trainer.state, held_bytes(trainer.student)
    result = {
        "ended": ended,
        "scored": counting_score.rows,
        "own_bytes": held.own_bytes,
        "whole_bytes": held.whole_bytes,
        "step": state.step,
        "skipped": state.skipped,
        "micro_batch_rows": state.micro_batch_rows,
        "losses": [metrics.loss for metrics in hooks.steps],
        "validation_kl": [point.validation_kl for point in state.points],
        "answers": [point.all_rules_rate for point in state.points],
        "adapter": torch.cat([parameter.flatten() for parameter in trainer.parameters]).tolist(),
    }
    (folder / name / f"{ranks.rank}.json").write_text(json.dumps(result), encoding="utf-8")


def main() -> None:
    model_folder, folder, rank, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(1)
    rows = rows_of(model_folder)
    with pytest.MonkeyPatch.context() as patch, connected(Ranks(rank, size, rank, size), folder) as ranks:
        patch.setattr(torch, "set_num_threads", lambda _: None)
        shard = sys.argv[5] == "sharded"
        for name in SHARDED_RUNS if shard else RUNS:
            train(name, model_folder, folder, rows, patch, ranks, shard=shard)


if __name__ == "__main__":
    main()
