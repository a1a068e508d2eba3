"""The shapes of a base's layers, from the headers of its safetensors files. Reads no weights, imports no library."""

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from engine.errors import ModelError
from engine.model.folder import read_json
from engine.model.on_disk import folder_here
from engine.paths import Home

_LARGEST_HEADER = 100 << 20
_TABLES = ("embed", "lm_head", "wte", "wpe")  # embeddings and the output head
_EXPERTS = ".experts."
_EXPERT_PARTS = (_EXPERTS, ".gate.", ".router.")  # experts, and what chooses among them: held as single tensors
_TOWERS = ("vision", "visual", "audio", "multi_modal_projector", "connector")  # text never passes through these
_UNLOADED = "mtp."  # heads that predict several tokens at once; some are stored as further layers
OF_EXPERTS = ("gate_proj", "up_proj", "down_proj")  # where there are experts, peft takes these names for theirs
# In latent attention (DeepSeek-V2), it makes keys and values of the shorter vector that is kept. vLLM folds it into its
# neighbours, past any adapter.
FOLDED = "kv_b_proj"


@dataclass(frozen=True, slots=True)
class Shapes:
    """The sizes of a base. `linear` has (inputs, outputs) of every linear layer outside experts.

    A LoRA adapter adapts these, except for those that are `unadapted` and a few recurrent ones.
    """

    linear: tuple[tuple[int, int], ...]
    vocabulary: int
    parameters: int  # of the whole model; tied ones are counted once
    size_bytes: int  # of all weight files
    layers: int = 0  # of the decoder; 0: unknown
    kept: int = 0  # numbers in one token's keys and values of all layers; 0: unknown
    experts: int = 0  # weights of all experts
    passed: int = 0  # inputs and outputs of those experts that one token passes through, in all layers
    delta_nets: int = 0  # outputs of the first products of all gated delta nets
    scans: int = 0  # the same of all Mamba layers
    unadapted: int = 0  # inputs and outputs of the linear layers that a LoRA adapter leaves out

    def lora_parameters(self, rank: int) -> int:
        """How many parameters an adapter of this rank has."""
        return rank * (sum(inputs + outputs for inputs, outputs in self.linear) - self.unadapted)


def find_shapes(base: str, home: Home) -> Shapes | None:
    """Find the shapes of a base by name; None if it is not on this machine or cannot be read. Downloads nothing."""
    folder = folder_here(base, home)
    if folder is None:
        return None
    try:
        return read_shapes(folder)
    except (ModelError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_shapes(folder: Path) -> Shapes:
    """Read the shapes of the model in `folder`. Raises `OSError` or `ValueError`, among others, for invalid files."""
    linear: dict[str, tuple[int, int]] = {}  # (outputs, inputs)
    experts: dict[str, tuple[int, int, int]] = {}  # (experts, outputs, inputs)
    layers: set[str] = set()
    vocabulary = parameters = size = 0
    config = _decoder_config(folder)
    files = _weight_files(folder)
    if not files:
        raise ValueError("there are no weights")
    for path in files:
        size += path.stat().st_size
        for name, shape in _header(path).items():
            of_tower = any(part in name for part in _TOWERS)
            if _UNLOADED in name or (not of_tower and _beyond(name, config.get("num_hidden_layers"))):
                continue
            parameters += math.prod(shape)
            if of_tower:
                continue
            if _EXPERTS in name and len(shape) in (2, 3):
                experts[name] = 1 if len(shape) == 2 else shape[0], shape[-2], shape[-1]
            if len(shape) != 2 or not name.endswith(".weight") or any(part in name for part in _EXPERT_PARTS):
                continue
            if any(part in name for part in _TABLES):
                vocabulary = max(vocabulary, shape[0])
            else:
                linear[name] = shape[0], shape[1]
                layers.update(_layer_number(name))
    sides = tuple((inputs, outputs) for outputs, inputs in linear.values())
    weights = sum(math.prod(shape) for shape in experts.values())
    delta_nets, scans = _recurrent(linear)
    passed = _passed(config.get("num_experts_per_tok"), experts)
    out = (FOLDED, *OF_EXPERTS) if experts else (FOLDED,)
    unadapted = sum(sum(shape) for name, shape in linear.items() if name.split(".")[-2] in out)
    return Shapes(
        sides, vocabulary, parameters, size, len(layers), _kept(linear), weights, passed, delta_nets, scans, unadapted
    )


def float32_tensors(folder: Path) -> frozenset[str]:
    """Return the names of the tensors that the folder stores in float32. Raises as `read_shapes`."""
    return frozenset(
        name for path in _weight_files(folder) for name, tensor in _tensors(path).items() if tensor["dtype"] == "F32"
    )


def _recurrent(shapes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """Return the outputs of the first products of gated delta nets and of Mamba layers, from (outputs, inputs)."""
    first = {name: outputs for name, (outputs, _inputs) in shapes.items() if ".in_proj" in name}
    nets = sum(outputs for name, outputs in first.items() if ".linear_attn." in name)
    return nets, sum(outputs for name, outputs in first.items() if ".mamba." in name or ".mixer." in name)


def _decoder_config(folder: Path) -> Mapping[str, object]:
    """Return what config.json says of the decoder; nothing if there is none."""
    config = read_json(folder / "config.json", required=False)
    text = config.get("text_config")
    return cast("dict[str, object]", text) if isinstance(text, dict) else config


def _layer_number(name: str) -> list[str]:
    return list(itertools.islice(filter(str.isdecimal, name.split(".")), 1))  # others number experts


def _beyond(name: str, layers: object) -> bool:
    """Whether a tensor is of a layer after the last of `layers`."""
    return isinstance(layers, int) and any(int(number) >= layers for number in _layer_number(name))


def _passed(chosen: object, experts: Mapping[str, tuple[int, int, int]]) -> int:
    """Return the inputs and outputs of the `chosen` experts of a token; of all if their number is unknown."""
    if not experts:
        return 0
    # Each is a tensor of its own, with its number in the name, or one tensor holds those of a layer.
    there = max(
        max(count, *(int(part) + 1 for part in name.partition(_EXPERTS)[2].split(".") if part.isdecimal()), 1)
        for name, (count, _outputs, _inputs) in experts.items()
    )
    sides = sum(count * (outputs + inputs) for count, outputs, inputs in experts.values())
    return round(sides * (chosen if isinstance(chosen, int) else there) / there)


def _kept(shapes: Mapping[str, tuple[int, int]]) -> int:
    """Return how many numbers one token's keys and values have, from the (outputs, inputs) of the named layers.

    If one layer also computes the queries (Phi), these are as many as the inputs of the layer after the attention. With
    latent attention (DeepSeek), keys are as wide as queries, and those inputs are the values'.
    """

    def total(kind: str, side: int) -> int:
        return sum(shape[side] for name, shape in shapes.items() if f".{kind}." in name)

    if latent := total(FOLDED, 0) and (total("q_b_proj", 0) or total("q_proj", 0)):
        return latent + total("o_proj", 1)
    return total("k_proj", 0) + total("v_proj", 0) or max(0, total("qkv_proj", 0) - total("o_proj", 1))


def _weight_files(folder: Path) -> list[Path]:
    """The files that are loaded: some folders contain further copies of the weights, for other programs."""
    index, whole = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if whole.is_file():
        return [whole]
    if index.is_file():
        placed = cast("dict[str, dict[str, str]]", json.loads(index.read_text(encoding="utf-8")))["weight_map"]
        return sorted(folder / name for name in set(placed.values()))
    return sorted(folder.glob("*.safetensors"))


def _header(path: Path) -> dict[str, list[int]]:
    return {name: cast("list[int]", tensor["shape"]) for name, tensor in _tensors(path).items()}


def _tensors(path: Path) -> dict[str, dict[str, object]]:
    """Return what a safetensors file says of its tensors, by name: `dtype` and `shape`, among others."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LARGEST_HEADER:
            raise ValueError(f"{path.name} has no readable header")
        tensors = cast("dict[str, dict[str, object]]", json.loads(file.read(length)))
    return {name: tensor for name, tensor in tensors.items() if name != "__metadata__"}
