"""Loads a base model and its adapters for training, decoding and scoring. Safetensors only, never remote code.

Knows nothing of prompts or data sets.
"""

import logging
import os
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal
from weakref import WeakKeyDictionary

import torch
from peft import PeftModel, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from engine.errors import ModelError
from engine.gpus import computes_bfloat16, count_as_the_driver
from engine.machine import processor_computes_bfloat16, usable_cores
from engine.model.adapter_files import check_adapter, check_all_used
from engine.model.auto_class import auto_class
from engine.model.chat_format import ChatFormat
from engine.model.exactness import check_exactness
from engine.model.folder import check_safetensors
from engine.model.four_bits import require_four_bits
from engine.model.local_model import LocalModel
from engine.model.low_rank import fuse
from engine.model.memory import within_memory
from engine.model.quantize import nf4
from engine.model.shared_attention import ATTENTION, register_attention
from engine.records.run import QuantizedBase

DtypeName = Literal["auto", "float32", "bfloat16"]
_TUNED: WeakKeyDictionary[PeftModel, Sequence[BaseTunerLayer]] = WeakKeyDictionary()

_ALL_KINDS = "Model type should be one of"  # begins a list of hundreds


def load_base(
    folder: Path, *, device: str = "auto", dtype: DtypeName = "auto", quantize: QuantizedBase = "none"
) -> LocalModel:
    """Load the complete base model of a folder, in evaluation mode, without gradients.

    `device` "auto" is the first CUDA device, else the CPU; `dtype` "auto" is bfloat16 if the device computes in it
    natively, else float32. With `quantize` the linear layers are rounded to four bits while they are loaded.
    Raises `ModelError` for weights other than safetensors, custom code, weights that are stored quantised,
    architectures whose logits or attention the shared prompt cache would not reproduce, and four bits without a GPU.
    """
    local = read_base(folder, device=device, dtype=dtype, quantize=quantize)
    check_exactness(local)
    return local


def read_base(
    folder: Path,
    *,
    device: str = "auto",
    dtype: DtypeName = "auto",
    quantize: QuantizedBase = "none",
    placed: bool = True,
) -> LocalModel:
    """Load a base like `load_base`, but without checking its architecture.

    If not `placed`, the weights stay in main memory, for a caller that moves a part of them to the device.
    """
    check_safetensors(folder)
    chat_format = ChatFormat.load(folder)
    place = _device(device)
    kind = _dtype(dtype, place)
    # Read straight into GPU memory: main memory may be smaller, and going through it would copy the weights twice.
    how: dict[str, object] = {"device_map": {"": place}} if place.type == "cuda" and placed else {}
    if quantize == "nf4":
        require_four_bits(str(place), on_gpu=place.type == "cuda")
        how |= {"quantization_config": nf4(kind), "device_map": {"": place}}
    register_attention()
    if place.type == "cpu":
        _prepare_cpu()
    elif place.index is not None:  # for libraries that use the current GPU
        torch.cuda.set_device(place)
    try:
        with quiet_libraries(), within_memory("Choose a smaller model.", f"The weights in {folder}"):
            model, loaded = auto_class(folder).from_pretrained(
                folder,
                dtype=kind,
                attn_implementation=ATTENTION,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                **how,
            )
            model = model.to(place) if placed and not how else model
    except ModelError:
        raise
    except Exception as error:  # a malformed configuration can raise anything
        raise ModelError(
            "Cannot load the model.",
            f"{folder}: {str(error).partition(_ALL_KINDS)[0].strip()}",
            "Choose a model whose architecture transformers supports; code from model folders is never run.",
        ) from error
    _require_all(folder, loaded["missing_keys"])
    model.requires_grad_(False)
    model.eval()
    return LocalModel(model, chat_format, place, kind, folder)


def _require_all(folder: Path, missing: Collection[str]) -> None:
    """Raise `ModelError` if weights are missing: transformers would initialise them at random."""
    if missing:
        first, *others = sorted(missing)
        raise ModelError(
            "The model's weights are incomplete.",
            f"{folder}: its files lack {first}" + (f" and {len(others)} more." if others else "."),
            "Download the model again, or choose one whose config.json and weights belong together.",
        )


def with_adapter(local: LocalModel, adapter_folder: Path) -> LocalModel:
    """Return the model with an adapter from a peft folder, frozen and active.

    Only safetensors weights are read, and only after the configuration's keys, the rank and every shape have been
    checked. Raises `ModelError`. The given model is changed in place: use the returned one.
    """
    if isinstance(local.model, PeftModel):
        raise ModelError("The model already has an adapter.", str(local.folder), "Load the base model again first.")
    check_adapter(adapter_folder, parameter_shapes(local))
    return replace(local, model=attach(local.base, adapter_folder, "default"))


def parameter_shapes(local: LocalModel) -> dict[str, tuple[int, ...]]:
    """Return the shapes that `check_adapter` needs; call it before the first adapter is attached."""
    shapes = {name: tuple(parameter.shape) for name, parameter in local.base.named_parameters()}
    if local.quantized:  # its parameters are packed and have other shapes
        for name, module in local.base.named_modules():
            if isinstance(module, torch.nn.Linear) and f"{name}.weight" in shapes:
                shapes[f"{name}.weight"] = (module.out_features, module.in_features)
    return shapes


def attach(model: PreTrainedModel | PeftModel, adapter_folder: Path, name: str) -> PeftModel:
    """Return peft's wrapper with one more frozen adapter from a checked folder. Raises `ModelError`."""
    # By default peft reads the weights into any GPU there is, even if the model is elsewhere.
    how = {"is_trainable": False, "local_files_only": True, "torch_device": str(model.device)}
    _TUNED.pop(model, None)  # it may get more layers
    try:
        with quiet_libraries():
            if isinstance(model, PeftModel):
                model.load_adapter(str(adapter_folder), name, **how)
            else:
                model = PeftModel.from_pretrained(model, adapter_folder, name, **how)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, SafetensorError) as error:
        raise ModelError(
            "Cannot load the adapter.", f"{adapter_folder}: {error}", "Export the adapter again from its run."
        ) from error
    try:
        check_all_used(adapter_folder, get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))
    except ModelError:
        if len(model.peft_config) > 1:
            model.delete_adapter(name)
        else:
            model.unload()  # the base must keep nothing of it
        raise
    fuse(model)
    model.eval()
    return model


def adapter_off(local: LocalModel) -> AbstractContextManager[None]:
    """Switch the adapter off while inside; nested uses and models without an adapter are fine.

    peft's own switch also touches every matrix of the adapter, which changes no answer and takes several hundred times
    as long as setting each layer's flag. Gradients are up to the caller.
    """
    if not isinstance(local.model, PeftModel):
        return nullcontext()
    layers = _tuned_layers(local.model)
    return nullcontext() if any(layer.disable_adapters for layer in layers) else _switched_off(layers)


@contextmanager
def _switched_off(layers: Sequence[BaseTunerLayer]) -> Iterator[None]:
    try:
        for layer in layers:
            object.__setattr__(layer, "_disable_adapters", True)  # a module's own __setattr__ is slow
        yield
    finally:
        for layer in layers:
            object.__setattr__(layer, "_disable_adapters", False)


def _tuned_layers(model: PeftModel) -> Sequence[BaseTunerLayer]:
    """Return the layers that have an adapter, cached until another adapter is attached."""
    if model not in _TUNED:
        _TUNED[model] = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    return _TUNED[model]


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Suppress progress bars and advice of transformers on standard error while inside."""
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # transformers 5 deprecates this name, but its first releases have no other.
            warnings.filterwarnings("ignore", ".*gradient_checkpointing.*", FutureWarning)
            # Whole layers are copied whatever their type.
            warnings.filterwarnings("ignore", "Unsupported layer type", UserWarning)
            # An incomplete adapter is refused with an error of ours.
            warnings.filterwarnings("ignore", "Found missing adapter keys", UserWarning)
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def device_name(name: str) -> str:
    """Return the device that `load_base` would use, such as "cpu" or "cuda". Raises `ModelError` if it is not there."""
    return str(_device(name))


def _device(name: str) -> torch.device:
    count_as_the_driver()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if device.type == "cuda" and (device.index or 0) >= seen:
            raise RuntimeError(f"torch sees {seen or 'no'} CUDA device{'s' * (seen > 1)}")
        if device.type not in ("cpu", "cuda") and not torch.get_device_module(device).is_available():
            raise RuntimeError("torch sees no such device")
    except (RuntimeError, AttributeError) as error:  # torch knows some device types only by name
        raise ModelError("The device is not available.", f"{name}: {error}.", "Choose device cpu or auto.") from error
    return device


def _dtype(name: DtypeName, device: torch.device) -> torch.dtype:
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    native = _gpu_computes_bfloat16(device) if device.type == "cuda" else processor_computes_bfloat16()
    return torch.bfloat16 if native else torch.float32


def _gpu_computes_bfloat16(device: torch.device) -> bool:
    # torch's own check looks at the current device, and includes devices that emulate bfloat16.
    return torch.version.hip is not None or computes_bfloat16(torch.cuda.get_device_capability(device)[0])


def _prepare_cpu() -> None:
    # oneDNN caches a kernel, with its work space, for each shape of a product: batches of ever new lengths would add up
    # to gigabytes (measured: a capacity of 1,024 takes 3 GB more than 64, and is slower).
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    torch.set_num_threads(usable_cores())
