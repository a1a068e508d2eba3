"""The content of a checkpoint: adapter, optimizer, random states and the state of the run. No pickle.

Tensors are safetensors, everything else is JSON. The learning rate and the rows of every step follow from the
configuration and the step, so there is no separate state for a scheduler or a data position.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import StoreError, TrainingError
from engine.model.adapter_place import ADAPTER, ADAPTER_WEIGHTS
from engine.records.run import CurvePoint, TrainingConfig
from engine.store.dataclass_json import decode, encode
from engine.training.divergence import Recent
from engine.training.ranks import Ranks
from engine.wording import counted

_OPTIMIZER, _RANDOM, _STATE = "optimizer.safetensors", "random.safetensors", "state.json"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True, slots=True)
class TrainingState:
    """The state of a run after `step` optimizer steps; its configuration and dataset identify the run."""

    config: TrainingConfig
    dataset_sha256: str
    step: int = 0
    epoch: float = 0.0
    micro_batch_rows: int = 1  # fewer than configured after running out of memory
    recomputed: bool = False  # layers are recomputed for their gradients, because one row per pass was still too much
    skipped: int = 0  # steps whose loss was not finite
    skipped_in_row: int = 0  # steps in a row whose loss was not finite, or whose loss or gradient blew up
    recent: Recent = field(default_factory=Recent)  # good steps of this stage
    alarms_in_row: int = 0  # steps in a row with an alarm of their stage, and the last alarm
    alarm: str = ""
    tokens: int = 0  # real tokens trained on
    loss_sum: float = 0.0  # over completion tokens since the last point of the curve, and their number
    loss_tokens: int = 0
    train_s: float = 0.0
    validation_s: float = 0.0  # part of train_s
    points: tuple[CurvePoint, ...] = ()
    best_step: int = 0
    decoding_step_s: float = 0.0  # time of a decoding step, measured before the first step; 0: nothing was sampled
    answers: int = -1  # sampled at each point after the first step; -1: not decided yet
    oom_kills: int = -1  # processes that the kernel had killed for lack of memory by then; -1: not known

    def with_less_memory(self, *, may_recompute: bool) -> "TrainingState | None":
        """Return the state to continue with after running out of memory; None if it cannot use less.

        `may_recompute`: whether the base can recompute its layers for their gradients.
        """
        if self.micro_batch_rows > 1:
            return replace(self, micro_batch_rows=self.micro_batch_rows // 2)
        return replace(self, recomputed=True) if may_recompute and not self.recomputed else None

    def after_step(
        self, epoch: float, loss: float, norm: float, loss_sum: float, loss_tokens: int, *, good: bool, fault: str
    ) -> "TrainingState":
        """Return the state one step on. `fault`: what was wrong; if not `good`, it moved no weights and has no loss."""
        return replace(
            self,
            step=self.step + 1,
            epoch=epoch,
            skipped=self.skipped + (not good),
            skipped_in_row=self.skipped_in_row + 1 if fault else 0,
            recent=self.recent if fault else self.recent.followed_by(loss, norm),
            loss_sum=self.loss_sum + (loss_sum if good else 0.0),
            loss_tokens=self.loss_tokens + (loss_tokens if good else 0),
        )

    @property
    def passes(self) -> str:
        """How rows are split into passes, as text."""
        if self.recomputed:
            return "one row per pass, with layers recomputed for their gradients (slower, same result)"
        return f"{counted(self.micro_batch_rows, 'row')} per pass, in more passes per step"


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter as a peft folder: `adapter_config.json` and `adapter_model.safetensors`."""
    folder.mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.to("cpu").contiguous() for name, tensor in adapter_weights(model).items()}
    save_file(contiguous, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    save_adapter_config(model, folder)


def adapter_weights(model: PeftModel) -> dict[str, Tensor]:
    """Return the adapter's weights by the names that they are stored under."""
    weights: dict[str, Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach() for name, tensor in weights.items()}


def save_adapter_config(model: PeftModel, folder: Path) -> None:
    """Write `adapter_config.json`."""
    config = model.peft_config["default"]
    trained_here, config.inference_mode = config.inference_mode, True
    config.save_pretrained(str(folder))
    config.inference_mode = trained_here


def load_adapter(model: PeftModel, folder: Path) -> None:
    """Load the weights of an adapter folder into `model`. Raises `TrainingError` if their names do not match."""
    found = set_peft_model_state_dict(model, load_file(folder / ADAPTER_WEIGHTS))
    missing = [name for name in found.missing_keys if "lora_" in name or "ln_tuning_" in name]
    if missing or found.unexpected_keys:
        raise TrainingError(
            "The stored adapter does not match this run's adapter.",
            f"{folder}: {[*missing, *found.unexpected_keys][:3]} do not match.",
            "Start a new run, either without an earlier adapter or from one of the same base.",
        )


def write_state(folder: Path, model: PeftModel, optimizer: torch.optim.Optimizer, state: TrainingState) -> None:
    """Write everything that the run needs to resume into `folder`."""
    save_adapter(model, folder / ADAPTER)
    moments = {
        f"{name}.{key}": optimizer.state[parameter][key].detach().to("cpu").contiguous()
        for name, parameter in _trained(model)
        if parameter in optimizer.state
        for key in _MOMENTS
    }
    save_file(moments, folder / _OPTIMIZER)
    random = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random |= {f"cuda_{index}": value for index, value in enumerate(torch.cuda.get_rng_state_all())}
    save_file(random, folder / _RANDOM)
    (folder / _STATE).write_text(encode(state), encoding="utf-8")


def read_state(folder: Path) -> TrainingState:
    """Return the state in a verified checkpoint. Raises `TrainingError` if another version wrote it."""
    try:
        return decode(TrainingState, (folder / _STATE).read_text(encoding="utf-8"))
    except StoreError as error:
        raise TrainingError("Cannot read the checkpoint.", f"{folder}: {error.message}", "Start a new run.") from error


def restore(folder: Path, model: PeftModel, optimizer: torch.optim.Optimizer) -> None:
    """Restore adapter, optimizer and random states from a verified checkpoint. Raises `TrainingError`."""
    load_adapter(model, folder / ADAPTER)
    moments = load_file(folder / _OPTIMIZER)
    optimizer.state.clear()
    for name, parameter in _trained(model):
        if f"{name}.step" in moments:
            optimizer.state[parameter] = {key: moments[f"{name}.{key}"].to(parameter.device) for key in _MOMENTS}
    random = load_file(folder / _RANDOM)
    torch.set_rng_state(random.pop("cpu"))
    for name, value in random.items():
        index = int(name.removeprefix("cuda_"))
        if index < torch.cuda.device_count():
            torch.cuda.set_rng_state(value, index)


def spread_state(ranks: Ranks, parameters: Sequence[torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
    """Give every rank the adapter and optimizer of the first one.

    A parameter that never had a gradient has no moments in a checkpoint of one process: they are taken as zeros.
    """
    begun = ranks.size > 1 and ranks.first_decides(lambda: bool(optimizer.state))
    with ranks.together():
        for parameter in parameters if begun else ():
            if not ranks.leads or parameter not in optimizer.state:
                zeros = {key: torch.zeros_like(parameter) for key in _MOMENTS}
                optimizer.state[parameter] = zeros | {"step": torch.zeros((), device=parameter.device)}
    moments = [optimizer.state[parameter][key] for parameter in parameters for key in _MOMENTS] if begun else []
    ranks.spread([*parameters, *moments])


def _trained(model: PeftModel) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
