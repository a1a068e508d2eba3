"""What a model folder says about itself: tokenizer, chat template, special tokens, stop tokens, context length.

JSON and text only; no model library. Knows nothing of weights but their file names.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from engine.errors import ModelError
from engine.model.adapter_place import ADAPTER_CONFIG

_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
_UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf", ".pkl")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The readable facts of one model folder."""

    folder: Path
    tokenizer: Path
    chat_template: str
    special_tokens: dict[str, str]  # by role: bos_token, eos_token, pad_token, unk_token
    stop_ids: frozenset[int]
    context_length: int  # as far as a text is read alike whatever its length
    stretched_length: int  # as far as the model reads at all


def read_model_folder(folder: Path) -> ModelFolder:
    """Read them. Raises `ModelError` where the folder is no chat model with a fast tokenizer."""
    config = read_json(folder / "config.json")
    tokenizer = folder / "tokenizer.json"
    if not tokenizer.is_file():
        raise ModelError(
            "The model has no fast tokenizer.",
            f"There is no tokenizer.json in {folder}.",
            "Choose a model that ships one, or save its tokenizer once with transformers.",
        )
    tokenizer_config = read_json(folder / "tokenizer_config.json", required=False)
    template = _chat_template(folder, tokenizer_config)
    if template is None:
        raise ModelError(
            "The model has no chat template.",
            f"Neither chat_template.jinja nor tokenizer_config.json in {folder} holds one.",
            "Choose the instruction-tuned variant of the model.",
        )
    text_config = config.get("text_config")
    decoder = cast("dict[str, object]", text_config) if isinstance(text_config, dict) else config
    context = decoder.get("max_position_embeddings")
    if not isinstance(context, int) or context < 1:
        raise ModelError(
            "The model's context length is unknown.",
            f"config.json in {folder} names no max_position_embeddings.",
            "Choose another model: nothing may be cut silently.",
        )
    generation = read_json(folder / "generation_config.json", required=False)
    stop_ids = (
        _ids(generation.get("eos_token_id")) | _ids(decoder.get("eos_token_id")) | _ids(config.get("eos_token_id"))
    )
    special = {name: text for name in _SPECIAL if (text := _token_text(tokenizer_config.get(name))) is not None}
    return ModelFolder(folder, tokenizer, template, special, stop_ids, min(context, *_alike(decoder)), context)


def _alike(decoder: dict[str, object]) -> list[int]:
    """Lengths beyond which what the model makes of a token depends on the length of all that is read with it.

    There positions are turned otherwise (longrope, as in Phi's with 128k) or a layer looks at a part alone (Llama 4): a
    prompt that is read once, for itself, is then not what it is in front of a question. (`dynamic` does so beyond
    max_position_embeddings, where nothing is read.)
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

    Nor an adapter: transformers would put it into the base, whose answers nobody then has without it.
    """
    if not folder.is_dir():
        raise ModelError("The model folder is not there.", str(folder), "Check the path, or name a model of the hub.")
    if (folder / ADAPTER_CONFIG).exists():
        raise ModelError(
            "The model folder holds an adapter.",
            f"There is an {ADAPTER_CONFIG} in {folder}.",
            "Name the base model that it was trained over, or merge the two.",
        )
    if any(folder.glob("*.safetensors")):
        quantized = read_json(folder / "config.json").get("quantization_config")
        if quantized is not None:
            raise ModelError(
                "The model's weights are quantised.",
                f"config.json in {folder} names a quantization_config; adapters are trained on plain weights here.",
                "Choose the unquantised variant of the model.",
            )
        return
    unsafe = sorted(path.name for path in folder.iterdir() if path.suffix in _UNSAFE)
    found = f"It holds {', '.join(unsafe[:3])} instead." if unsafe else "It holds no weights."
    raise ModelError(
        "The model has no safetensors weights.",
        f"{folder}: {found} Other formats can carry code, and are never loaded.",
        "Choose a model that ships .safetensors files, or convert this one in a place that you trust.",
    )


def stored_dtype(folder: Path) -> str:
    """The name of the type that the weights are stored in. Raises `ModelError`."""
    config = read_json(folder / "config.json")
    name = config.get("dtype") or config.get("torch_dtype")
    return name if isinstance(name, str) else "float32"


def read_json(path: Path, *, required: bool = True) -> dict[str, object]:
    """A JSON object from a file; empty where it is missing and not required. Raises `ModelError`."""
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise ModelError(
            "A file of the model is missing.", str(path), "Check the folder, or download it again."
        ) from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict):
        raise ModelError(
            "A file of the model cannot be read.", f"{path} is no JSON object.", "Download the model again."
        )
    return cast("dict[str, object]", content)


def _unreadable(path: Path, error: Exception) -> ModelError:
    return ModelError("A file of the model cannot be read.", f"{path}: {error}", "Download the model again.")


def _chat_template(folder: Path, tokenizer_config: dict[str, object]) -> str | None:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        try:
            return beside.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise _unreadable(beside, error) from error
    template = tokenizer_config.get("chat_template")
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
