"""Checks an adapter folder before any of it is loaded: file format, configuration keys, rank, shapes.

Reads JSON and safetensors headers only; no model library. Knows nothing of how adapters are trained.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from safetensors import SafetensorError, safe_open

from engine.errors import ModelError
from engine.model.folder import read_json

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."
_MAX_RANK = 1024
_MAGNITUDE = "lora_magnitude_vector"  # DoRA's, one number an output
# Keys whose value matters and is checked or harmless; every other key must be unset.
_ALLOWED = frozenset(
    {
        "peft_type", "peft_version", "task_type", "base_model_name_or_path", "revision", "inference_mode", "r",
        "lora_alpha", "lora_dropout", "target_modules", "bias", "use_rslora", "use_dora", "fan_in_fan_out",
        "init_lora_weights", "ensure_weight_tying", "megatron_core", "qalora_group_size",
    }
)  # fmt: skip
_UNSET: tuple[object, ...] = (None, False, [], {}, "")


def check_adapter(folder: Path, base_shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `ModelError` unless the folder holds a LoRA or DoRA adapter that fits a base of these parameter shapes."""
    if not (folder / _WEIGHTS).is_file():
        raise _refused(folder, f"There is no {_WEIGHTS}; other formats can carry code, and are never loaded.")
    config = read_json(folder / _CONFIG)
    if config.get("peft_type") != "LORA":
        raise _refused(folder, f"It is of the kind {config.get('peft_type')!r}; only LORA is known here.")
    strange = sorted(key for key, value in config.items() if key not in _ALLOWED and value not in _UNSET)
    if strange:
        raise _refused(folder, f"Its configuration sets what is not known here: {', '.join(strange)}.")
    rank = config.get("r")
    if not isinstance(rank, int) or isinstance(rank, bool) or not 1 <= rank <= _MAX_RANK:
        raise _refused(folder, f"Its rank is {rank!r}.")
    if config.get("bias", "none") != "none":
        raise _refused(folder, "It trains biases of the base model.")
    if not isinstance(config.get("init_lora_weights", True), bool):
        # Some initialisations change the base's own weights while the adapter is attached.
        raise _refused(folder, f"It names an initialisation of its own: {config['init_lora_weights']!r}.")
    shapes = _shapes(folder)
    if not shapes:
        raise _refused(folder, "It holds no tensors.")
    if any(name.endswith(_MAGNITUDE) for name in shapes) != bool(config.get("use_dora")):
        raise _refused(folder, "Its configuration and its tensors disagree on whether it is a DoRA adapter.")
    for name, shape in shapes.items():
        module, kind = _module_of(folder, name)
        base = base_shapes.get(f"{module}.weight")
        if base is None or len(base) != 2:
            raise _refused(folder, f"It adapts {module}, which the base model does not have.")
        expected = {"lora_A": (rank, base[1]), "lora_B": (base[0], rank), _MAGNITUDE: (base[0],)}[kind]
        if shape != expected:
            raise _refused(folder, f"{name} has the shape {shape}; this base model needs {expected}.")


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    try:
        with safe_open(folder / _WEIGHTS, framework="numpy") as file:
            return {name: tuple(cast("list[int]", file.get_slice(name).get_shape())) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _refused(folder, f"{_WEIGHTS} cannot be read: {error}") from error


def _module_of(folder: Path, name: str) -> tuple[str, str]:
    module, _, kind = name.removesuffix(".weight").rpartition(".")
    matrix = name.endswith(".weight") and kind in ("lora_A", "lora_B")
    if not name.startswith(_PREFIX) or not (matrix or name.endswith(f".{_MAGNITUDE}")):
        raise _refused(folder, f"It holds a tensor that is no part of a LoRA adapter: {name}.")
    return module.removeprefix(_PREFIX), kind


def _refused(folder: Path, reason: str) -> ModelError:
    return ModelError("The adapter was refused.", f"{folder}: {reason}", "Export the adapter again from its run.")
