"""Checks an adapter folder before any of it is loaded: file format, configuration keys, rank, shapes.

Reads JSON and safetensors headers only; no model library. Knows nothing of how adapters are trained.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import cast

from safetensors import SafetensorError, safe_open

from engine.errors import ModelError
from engine.model.adapter_place import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from engine.model.folder import read_json
from engine.paths import sha256_of

_PREFIX = "base_model.model."
_MAX_RANK = 1024
_MAX_ALPHA = 1_000_000
_WHOLE, _WHOLE_LAYER = "LN_TUNING", "ln_tuning_layers"
_ALL_LINEAR = "all-linear"  # peft's word for every linear layer but the output head
_MAGNITUDE = "lora_magnitude_vector"  # DoRA's, one number per output
# Keys whose values are checked or harmless; every other key must be unset.
_ALLOWED = frozenset(
    {
        "peft_type", "peft_version", "task_type", "base_model_name_or_path", "revision", "inference_mode", "r",
        "lora_alpha", "lora_dropout", "target_modules", "bias", "use_rslora", "use_dora", "fan_in_fan_out",
        "init_lora_weights", "ensure_weight_tying", "megatron_core", "qalora_group_size",
    }
)  # fmt: skip
_ALLOWED_WHOLE = frozenset(
    {"peft_type", "peft_version", "task_type", "base_model_name_or_path", "inference_mode", "target_modules"}
)
_UNSET: tuple[object, ...] = (None, False, [], {}, "")


def check_adapter(folder: Path, base_shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `ModelError` unless the folder holds an adapter of a known kind that fits a base of these parameter shapes.

    The known kinds are LoRA, DoRA and whole layers.
    """
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise _refused(folder, f"There is no {ADAPTER_WEIGHTS}; other formats can carry code and are never loaded.")
    check_described(folder, _shapes(folder), base_shapes)


def check_described(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], base_shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """As `check_adapter`, for weights of these names and shapes and the configuration in the folder."""
    config = read_json(folder / ADAPTER_CONFIG)
    whole = config.get("peft_type") == _WHOLE
    if not whole and config.get("peft_type") != "LORA":
        raise _refused(folder, f"Its type is {config.get('peft_type')!r}; only LORA and {_WHOLE} are supported.")
    allowed = _ALLOWED_WHOLE if whole else _ALLOWED
    strange = sorted(key for key, value in config.items() if key not in allowed and value not in _UNSET)
    if strange:
        raise _refused(folder, f"Its configuration sets unsupported keys: {', '.join(strange)}.")
    targets = config.get("target_modules")
    names = isinstance(targets, list) and all(isinstance(each, str) for each in cast("list[object]", targets))
    if not names and targets != _ALL_LINEAR:  # peft runs any other text as a pattern, which may never end
        raise _refused(folder, "Its target_modules are not a list of names.")
    if not shapes:
        raise _refused(folder, "It contains no tensors.")
    if whole:
        _check_whole(folder, shapes, base_shapes)
    else:
        _check_lora(folder, config, shapes, base_shapes)


def check_all_used(folder: Path, used: Collection[str]) -> None:
    """Raise `ModelError` unless a loaded adapter is made of exactly the folder's tensors.

    peft ignores tensors that its configuration does not name, and initialises those that the file lacks.
    """
    if strange := sorted(set(used).symmetric_difference(_shapes(folder))):
        why = "lacks" if strange[0] in used else "does not expect"
        raise _refused(folder, f"Its configuration and its tensors disagree: it {why} {strange[0]}.")


def weights_sha256(folder: Path) -> str:
    """Return the hash of an adapter's weights. Raises `ModelError` if there are none."""
    try:
        return sha256_of(folder / ADAPTER_WEIGHTS)
    except OSError as error:
        raise ModelError(
            "Cannot read the adapter.", f"{folder}: {error.strerror or error}.", "Train the run again."
        ) from error


def holds_whole_layers(folder: Path) -> bool:
    """Whether the adapter in a checked folder is whole layers."""
    return read_json(folder / ADAPTER_CONFIG).get("peft_type") == _WHOLE


def whole_layer_name(name: str) -> str:
    """Return the base's name for a tensor of a whole-layer adapter; empty if it is not such a tensor."""
    layer, found, kind = name.removeprefix(_PREFIX).rpartition(f".{_WHOLE_LAYER}.")
    return f"{layer}.{kind}" if name.startswith(_PREFIX) and found and "." not in kind else ""


def _check_whole(folder: Path, shapes: Mapping[str, tuple[int, ...]], base: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        own = whole_layer_name(name)
        if not own:
            raise _refused(folder, f"It contains a tensor that is not part of a whole layer: {name}.")
        if own not in base:
            raise _refused(folder, f"It contains {own}, which the base model does not have.")
        if shape != base[own]:
            raise _refused(folder, f"{name} has the shape {shape}; this base model needs {base[own]}.")


def _check_lora(
    folder: Path,
    config: Mapping[str, object],
    shapes: Mapping[str, tuple[int, ...]],
    base_shapes: Mapping[str, tuple[int, ...]],
) -> None:
    rank = config.get("r")
    if not isinstance(rank, int) or isinstance(rank, bool) or not 1 <= rank <= _MAX_RANK:
        raise _refused(folder, f"Its rank is invalid: {rank!r}.")
    alpha = config.get("lora_alpha")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not 0 < alpha <= _MAX_ALPHA:
        raise _refused(folder, f"Its alpha is invalid: {str(alpha)[:40]}.")
    if config.get("bias", "none") != "none":
        raise _refused(folder, "It changes biases of the base model, which is not supported.")
    if not isinstance(config.get("init_lora_weights", True), bool):
        # Some initialisations change the base's own weights while the adapter is attached.
        raise _refused(folder, f"Its initialisation is not supported: {config['init_lora_weights']!r}.")
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
        with safe_open(folder / ADAPTER_WEIGHTS, framework="numpy") as file:
            return {name: tuple(cast("list[int]", file.get_slice(name).get_shape())) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _refused(folder, f"Cannot read {ADAPTER_WEIGHTS}: {error}") from error


def _module_of(folder: Path, name: str) -> tuple[str, str]:
    module, _, kind = name.removesuffix(".weight").rpartition(".")
    matrix = name.endswith(".weight") and kind in ("lora_A", "lora_B")
    if not name.startswith(_PREFIX) or not (matrix or name.endswith(f".{_MAGNITUDE}")):
        raise _refused(folder, f"It contains a tensor that is not part of a LoRA adapter: {name}.")
    return module.removeprefix(_PREFIX), kind


def _refused(folder: Path, reason: str) -> ModelError:
    return ModelError("Cannot use the adapter.", f"{folder}: {reason}", "Export the adapter again from its run.")
