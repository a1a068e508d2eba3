"""Everything the engine does with a model, once, on one device: answers, scores, arms in turns, a run with every term.

Results are plain numbers, so that two devices can be compared. Knows nothing of the device.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from engine.model.adapters import Adapters
from engine.model.arm_scheduler import ArmScheduler, ArmSetting, Turn
from engine.model.decode import Decoded, Draw, decode
from engine.model.load import load_base, with_adapter
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.model.score import DivergenceRow, ScoreRow, divergence, score
from engine.records.dataset import DatasetRow
from engine.records.question import Split
from engine.records.run import TrainingConfig
from engine.training.hooks import StepMetrics
from tests.engine.training.trainer_helpers import CONFIG, Killed, Recorder, kill_after, make_trainer

ANSWER_TOKENS = 12
STEPS, ON_POLICY_STEPS = 4, 2
_PROMPT = tuple(range(5, 45))
_RUN = replace(
    CONFIG, epochs=2.0, batch_rows=8, micro_batch_rows=4, checkpoint_every_s=1e9, general_fraction=0.25,
    prompt_back_weight=0.5, on_policy_steps=ON_POLICY_STEPS, on_policy_batch_rows=4, on_policy_answer_tokens=8,
)  # fmt: skip
_SHORT = replace(CONFIG, epochs=0.5, checkpoint_every_s=1e9, dtype="bfloat16")


@dataclass
class _StepRecorder(Recorder):
    """Also reports each step as a finished part."""

    on_part: Callable[[str], None] = lambda _: None

    def on_step(self, metrics: StepMetrics) -> None:
        super().on_step(metrics)
        self.on_part(f"step {metrics.step}")


def run_workload(
    base: Path, adapter: Path, folder: Path, device: str, on_part: Callable[[str], None] = lambda _: None
) -> dict[str, object]:
    """Run it on `device`, in one thread so that sums do not vary; `on_part` receives the name of each finished part."""
    torch.set_num_threads(1)
    default = load_base(base, device=device)
    local = with_adapter(load_base(base, device=device, dtype="float32"), adapter)
    on_part("loading")
    results: dict[str, object] = {"device": str(local.device), "default dtype": str(default.dtype)}
    for name, part in {
        "answers": lambda: _answers(local),
        "scores": lambda: _scores(local),
        "turns": lambda: _turns(base, adapter, device),
        "run": lambda: _run(base, folder, device, _RUN, on_part),
        "run in bfloat16": lambda: _run(base, folder / "bfloat16", device, _SHORT),
    }.items():
        results[name] = part()
        on_part(name)
    return results


def _answers(local: LocalModel) -> object:
    prefix = PromptCache.build(local, _PROMPT)
    rows = [[*_PROMPT, *range(50, 52 + number)] for number in range(5)]

    def at(temperature: float) -> list[list[int]]:
        answers = decode(
            local,
            rows,
            prefix=prefix,
            temperature=temperature,
            max_new_tokens=ANSWER_TOKENS,
            seeds=range(5),
            batch_rows=3,
        )
        return [list(each.ids) for each in answers]

    return [at(0.0), at(0.8)]


def _scores(local: LocalModel) -> object:
    prefix = PromptCache.build(local, _PROMPT)
    questions = [list(range(50, 53 + number)) for number in range(4)]
    answers = [list(range(80, 84 + number)) for number in range(4)]
    likeliest = score(
        local,
        [ScoreRow([*_PROMPT, *row], ids) for row, ids in zip(questions, answers, strict=True)],
        prefix=prefix,
        k=4,
    )
    ((*kls,),) = divergence(
        local, [DivergenceRow([*_PROMPT, *row], row, ids) for row, ids in zip(questions, answers, strict=True)]
    )
    return [each.completion_logprobs.tolist() for each in likeliest], [kl.tolist() for kl in kls]


def _turns(base: Path, adapter: Path, device: str) -> object:
    local = load_base(base, device=device, dtype="float32")
    adapters = Adapters(local)
    sha256 = adapters.load(adapter)
    turns, ended = ArmScheduler(local, adapters, batch_rows=2), list[Decoded]()
    for setting in (
        ArmSetting(),
        ArmSetting(sha256, 1.0),
        ArmSetting("", 0.0, _PROMPT),
        ArmSetting(sha256, 0.5, _PROMPT),
    ):
        for seed in range(2):
            draw = Draw(0.8 * (seed % 2), 0.9)
            ids = [*setting.prefix_ids, 50, 51 + seed]
            turns.add(Turn(setting, ids, ANSWER_TOKENS, draw, seed, lambda _: None, ended.append))
    while turns.busy:
        turns.step()
    return sorted(list(each.ids) for each in ended)


def _run(
    base: Path, folder: Path, device: str, config: TrainingConfig, on_part: Callable[[str], None] = lambda _: None
) -> object:
    """Train a run that is killed once in each of its stages; losses and norms of every step, and its curve."""
    rows = [_row(number, "train") for number in range(1, 17)] + [_row(number, "validation") for number in range(17, 21)]
    hooks = _StepRecorder(on_part=on_part)
    for step in (STEPS // 2, STEPS + 1, STEPS + ON_POLICY_STEPS + 1):
        hooks.interrupt = kill_after(step)
        try:
            make_trainer(base, folder, rows, hooks, config, device=device).run()
        except Killed:
            continue
        break
    steps = [(metrics.step, metrics.loss, metrics.gradient_norm) for metrics in hooks.steps]
    return steps, [(point.step, point.train_loss, point.validation_kl) for point, _ in hooks.points]


def _row(number: int, split: Split) -> DatasetRow:
    ids = tuple(range(100, 104 + number % 3))
    return DatasetRow(number, number, split, tuple(range(60, 66 + number % 4)), ids, len(ids), (False,) * len(ids))
