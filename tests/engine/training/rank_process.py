"""One of the processes of a run, for tests: `python -m tests.engine.training.rank_process MODEL FOLDER RANK SIZE HOW`.

Trains several runs one after another, each in a folder of its own, with something going wrong on the last rank; says
in `RANK.json` beside each how it ended there. HOW is `whole`, or `sharded` where the ranks share the base's layers.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from engine.errors import DistillError, JobStopped
from engine.model.load import load_base
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.model.score import ScoreRow, TopK, score
from engine.records.dataset import DatasetRow
from engine.records.prompt import Message
from engine.training import distributions, general
from engine.training import student as student_module
from engine.training import trainer as trainer_module
from engine.training.batches import Batch
from engine.training.ranks import ALONE, Ranks, connected
from engine.training.sharding import held_bytes
from engine.training.student import ChunkLoss
from engine.training.trainer import Trainer
from tests.engine.training.runs import CONFIG, Recorder, make_trainer

EVERYTHING = replace(
    CONFIG, epochs=1.0, batch_rows=5, micro_batch_rows=2, evaluations=1, on_policy_steps=2, on_policy_batch_rows=5,
    on_policy_answer_tokens=6, on_policy_learning_rate=1e-2, general_fraction=0.2, prompt_back_weight=0.1,
)  # fmt: skip
PLAIN = replace(CONFIG, epochs=2.0)
AddGradients = Callable[[LocalModel, Batch, ChunkLoss, float], float]
REAL: AddGradients = student_module.add_gradients


def rows_of(model_folder: Path) -> list[DatasetRow]:
    """Sixteen training rows and five validation rows, of several lengths."""
    local = load_base(model_folder, device="cpu", dtype="float32")
    rows = []
    for number in range(1, 22):
        ids = tuple(local.format.completion_ids("A" + "b" * (number % 5)))
        asked = tuple(local.format.question_ids([Message("user", f"question {number}")]))
        split = "train" if number <= 16 else "validation"
        rows.append(DatasetRow(number, number, split, asked, ids, len(ids), (False,) * len(ids)))
    return rows


class Counted:
    """How many rows were scored here."""

    rows = 0

    def __call__(
        self, local: LocalModel, rows: Sequence[ScoreRow], *, prefix: PromptCache | None, k: int, batch_tokens: int
    ) -> list[TopK]:
        self.rows += len(rows)
        return score(local, rows, prefix=prefix, k=k, batch_tokens=batch_tokens)


class Cramped:
    """No room for more than two rows a pass."""

    def __call__(self, student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> float:
        total = REAL(student, batch, loss, divisor)
        if len(batch.input_ids) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return total


class Spoiled:
    """The second and the third pass have no finite loss."""

    passes = 0

    def __call__(self, student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> float:
        self.passes += 1
        bad = torch.nan if self.passes in (2, 3) else 1.0
        return REAL(student, batch, lambda logits, here: loss(logits, here) * bad, divisor)


class Failing:
    """The fourth pass is the last, by an error of its own or by the kernel."""

    def __init__(self, end: Callable[[], None]) -> None:
        self.end, self.passes = end, 0

    def __call__(self, student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> float:
        self.passes += 1
        if self.passes == 4:
            self.end()
        return REAL(student, batch, loss, divisor)


class Amid:
    """Passes that end in the middle of the decoder: forward where `forward` says so of the rows, else backward."""

    def __init__(self, forward: Callable[[int], None], backward: Callable[[int], None] = lambda _rows: None) -> None:
        self.forward, self.backward = forward, backward

    def __call__(self, student: LocalModel, batch: Batch, loss: ChunkLoss, divisor: float) -> float:
        rows = len(batch.input_ids)

        def behind(_module: torch.nn.Module, _given: object, found: torch.Tensor) -> None:
            found.register_hook(lambda _gradient: self.backward(rows))

        last = next(module for module in student.backbone.modules() if isinstance(module, torch.nn.ModuleList))[-1]
        before = last.register_forward_pre_hook(lambda _module, _given: self.forward(rows), prepend=True)
        after = last.register_forward_hook(behind, prepend=True)
        try:
            return REAL(student, batch, loss, divisor)
        finally:
            before.remove()
            after.remove()


def torn() -> Amid:
    """No room for more than two rows forward, nor for more than one backward."""

    def at_most(most: int) -> Callable[[int], None]:
        def check(rows: int) -> None:
            if rows > most:
                raise torch.OutOfMemoryError("CUDA out of memory")

        return check

    return Amid(at_most(2), at_most(1))


def struck() -> Amid:
    """The fourth pass is the last, and ends between two layers."""
    passes = iter(range(4))
    return Amid(lambda _rows: die() if next(passes) == 3 else None)


def lack_room(trainer: Trainer) -> None:
    """There is none for the first vector of all gradients, nor for the moments that the second step makes."""

    def lacking_at(time: int, real: Callable[..., object]) -> Callable[..., object]:
        times = iter(range(1, 1_000))

        def make(*given: object) -> object:
            if next(times) == time:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return real(*given)

        return make

    Ranks.flat_gradients = lacking_at(1, Ranks.flat_gradients)
    trainer.optimizer.step = lacking_at(2, trainer.optimizer.step)


def fail() -> None:
    raise ValueError("the last rank has had enough")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


RUNS = {
    "everything": (EVERYTHING, None),
    "cramped": (PLAIN, Cramped),
    "spoiled": (PLAIN, Spoiled),
    "stopped": (PLAIN, None),
    "apart": (replace(PLAIN, epochs=0.5), None),
    "heavy": (PLAIN, None),
    "failing": (PLAIN, lambda: Failing(fail)),
    "dying": (PLAIN, lambda: Failing(die)),
}
SHARDED_RUNS = {
    "everything": (EVERYTHING, None),
    "half": (replace(PLAIN, epochs=0.5, dtype="bfloat16"), None),
    "torn": (replace(PLAIN, batch_rows=8), torn),
    "struck": (PLAIN, struck),
}


def train(
    name: str, model_folder: Path, folder: Path, rows: list[DatasetRow], ranks: Ranks = ALONE, *, shard: bool = False
) -> None:
    """Train the run `name` in `folder/name`. Changes modules for good: `ranked.train_alone` puts them back."""
    config, fault = (RUNS | SHARDED_RUNS)[name]
    distributions._ROWS_A_PASS = 4
    general._ANSWER_TOKENS = 4

    def stop(finished: int) -> None:
        if name == "stopped" and finished == 3 and ranks.leads and ranks.size > 1:
            raise JobStopped("The job was stopped.")

    hooks = Recorder(stop)
    last = ranks.size > 1 and ranks.rank == ranks.size - 1
    trainer_module.add_gradients = fault() if fault is not None and last else REAL
    caches = folder / name / f"caches-{ranks.rank}" if name == "apart" else None  # as on a machine of its own
    counted = Counted()
    distributions.score = counted
    trainer = make_trainer(model_folder, folder / name, rows, hooks, config, ranks=ranks, caches=caches, shard=shard)
    if name == "heavy" and last:
        lack_room(trainer)
    ended = ""
    try:
        trainer.run()
    except (DistillError, ValueError) as error:
        ended = f"{type(error).__name__}: {error}"
    state, held = trainer.state, held_bytes(trainer.student)
    facts = {
        "ended": ended,
        "scored": counted.rows,
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
    (folder / name / f"{ranks.rank}.json").write_text(json.dumps(facts), encoding="utf-8")


def main() -> None:
    model_folder, folder, rank, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(1)
    torch.set_num_threads = lambda _: None
    rows = rows_of(model_folder)
    with connected(Ranks(rank, size, rank, size), folder) as ranks:
        shard = sys.argv[5] == "sharded"
        for name in SHARDED_RUNS if shard else RUNS:
            train(name, model_folder, folder, rows, ranks, shard=shard)


if __name__ == "__main__":
    main()
