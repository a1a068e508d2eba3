"""What a model folder declares: tokenizer, chat template, special tokens, stop tokens, context length.

JSON and text only; no model library. Knows nothing of weights except their file names.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from engine.errors import ModelError
from engine.model.adapter_place import ADAPTER_CONFIG

_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
_TEMPLATE = "chat_template.json"  # where models that also take images may have it
_UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf", ".pkl")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The readable facts of one model folder."""

    folder: Path
    tokenizer: Path
    chat_template: str
    special_tokens: dict[str, str]  # by role: bos_token, eos_token, pad_token, unk_token
    stop_ids: frozenset[int]
    context_length: int  # up to which a text is read in the same way, whatever its length
    declared_context_length: int  # up to which the model reads at all


def read_model_folder(folder: Path) -> ModelFolder:
    """Read the facts of a folder. Raises `ModelError` if it is not a chat model with a fast tokenizer."""
    config = read_json(folder / "config.json")
    tokenizer = folder / "tokenizer.json"
    if not tokenizer.is_file():
        raise ModelError(
            "The model has no fast tokenizer.",
            f"There is no tokenizer.json in {folder}.",
            "Choose a model that ships one, or save the tokenizer with transformers.",
        )
    tokenizer_config = read_json(folder / "tokenizer_config.json", required=False)
    template = _chat_template(folder, tokenizer_config)
    if template is None:
        raise ModelError(
            "The model has no chat template.",
            f"Neither chat_template.jinja nor tokenizer_config.json nor {_TEMPLATE} in {folder} holds one.",
            "Choose the instruction-tuned variant of the model.",
        )
    text_config = config.get("text_config")
    decoder = cast("dict[str, object]", text_config) if isinstance(text_config, dict) else config
    context = decoder.get("max_position_embeddings")
    if not isinstance(context, int) or context < 1:
        raise ModelError(
            "The model's context length is unknown.",
            f"config.json in {folder} does not set max_position_embeddings.",
            "Choose another model: without it, text could be cut silently.",
        )
    generation = read_json(folder / "generation_config.json", required=False)
    stop_ids = (
        _ids(generation.get("eos_token_id")) | _ids(decoder.get("eos_token_id")) | _ids(config.get("eos_token_id"))
    )
    special = {name: text for name in _SPECIAL if (text := _token_text(tokenizer_config.get(name))) is not None}
    return ModelFolder(folder, tokenizer, template, special, stop_ids, min(context, *_alike(decoder)), context)


def _alike(decoder: dict[str, object]) -> list[int]:
    """Return the lengths beyond which the model's reading of a token depends on the total length of the input.

    Beyond them, positions are rotated differently (longrope, as in Phi with 128k) or a layer sees only a part of the
    input (Llama 4): a prompt that was read alone then differs from the same prompt before a question. (`dynamic` does
    so only beyond max_position_embeddings, where nothing is read.)
    """
    found = [decoder.get("attention_chunk_size")]
    scaling = decoder.get("rope_parameters") or decoder.get("rope_scaling")
    by_kind = scaling.values() if isinstance(scaling, dict) else ()
    for one in (scaling, *by_kind):  # some have one for each kind of layer
        if isinstance(one, dict) and (one.get("rope_type") or one.get("type")) in ("longrope", "su"):
            found += [one.get("original_max_position_embeddings"), decoder.get("original_max_position_embeddings")]
    lengths = [each for each in found if isinstance(each, int) and each > 0]
    return lengths or [sys.maxsize]


def check_safetensors(folder: Path) -> None:
    """Raise `ModelError` unless the folder holds safetensors weights and no quantised or code-carrying format.

    An adapter is refused too: transformers would load it into the base, which could then not answer without it.
    """
    if not folder.is_dir():
        raise ModelError("Cannot find the model folder.", str(folder), "Check the path, or name a model on the hub.")
    if (folder / ADAPTER_CONFIG).exists():
        raise ModelError(
            "The model folder contains an adapter.",
            f"There is an {ADAPTER_CONFIG} in {folder}.",
            "Name the base model that it was trained on, or merge the two.",
        )
    if any(folder.glob("*.safetensors")):
        quantized = read_json(folder / "config.json").get("quantization_config")
        if quantized is not None:
            raise ModelError(
                "The model's weights are quantised.",
                f"config.json in {folder} has a quantization_config, but adapters are trained on unquantised weights.",
                "Choose the unquantised variant of the model.",
            )
        return
    unsafe = sorted(path.name for path in folder.iterdir() if path.suffix in _UNSAFE)
    found = f"It has {', '.join(unsafe[:3])} instead." if unsafe else "It has no weights."
    raise ModelError(
        "The model has no safetensors weights.",
        f"{folder}: {found} Other formats can carry code and are never loaded.",
        "Choose a model that ships .safetensors files, or convert this one in an environment that you trust.",
    )


def stored_dtype(folder: Path) -> str:
    """Return the name of the dtype that the weights are stored in. Raises `ModelError`."""
    config = read_json(folder / "config.json")
    text = config.get("text_config")  # of models that also take images; some name it only there
    for holder in (config, cast("dict[str, object]", text) if isinstance(text, dict) else {}):
        name = holder.get("dtype") or holder.get("torch_dtype")
        if isinstance(name, str):
            return name
    return "float32"


def read_json(path: Path, *, required: bool = True) -> dict[str, object]:
    """Read a JSON object from a file; empty if the file is missing and not required. Raises `ModelError`."""
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise ModelError(
            "A file of the model is missing.", str(path), "Check the folder, or download the model again."
        ) from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict):
        raise ModelError(
            "Cannot read a file of the model.", f"{path} is not a JSON object.", "Download the model again."
        )
    return cast("dict[str, object]", content)


def _unreadable(path: Path, error: Exception) -> ModelError:
    return ModelError("Cannot read a file of the model.", f"{path}: {error}", "Download the model again.")


def _chat_template(folder: Path, tokenizer_config: dict[str, object]) -> str | None:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        try:
            return beside.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise _unreadable(beside, error) from error
    beside_processor = read_json(folder / _TEMPLATE, required=False)
    template = tokenizer_config.get("chat_template") or beside_processor.get("chat_template")
    if isinstance(template, list):  # several, by name
        named = {str(entry.get("name")): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _token_text(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _ids(value: object) -> frozenset[int]:
    if isinstance(value, int):
        return frozenset({value})
    return frozenset(item for item in value if isinstance(item, int)) if isinstance(value, list) else frozenset()
