"""What a release needs beside its weights: tokenizer, chat template, generation configuration. Copied as they were.

Copying keeps every byte of what the student was trained with. Only the chat template changes: the release gets the
template that training used, which has no default system prompt.
"""

import json
import shutil
from pathlib import Path

from engine.model.folder import read_json

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt",
)  # fmt: skip
PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json")


def write_tokenizer(base: Path, template: str, destination: Path) -> None:
    """Copy the tokenizer of the folder `base`, with `template` in place of its own."""
    for name in TOKENIZER_FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, destination / name)
    settings = read_json(base / "tokenizer_config.json", required=False)
    settings.pop("chat_template", None)  # older readers would prefer it to the template file
    settings.pop("auto_map", None)  # names code that llama.cpp's converter and others would run
    write_json(destination / "tokenizer_config.json", settings)
    (destination / "chat_template.jinja").write_text(template, encoding="utf-8")


def write_processor(base: Path, destination: Path) -> None:
    """Copy how images are prepared, if the weights in `destination` still take them: servers do not start without."""
    if "vision_config" not in read_json(destination / "config.json"):
        return
    for name in PROCESSOR_FILES:
        if settings := read_json(base / name, required=False):
            settings.pop("auto_map", None)
            write_json(destination / name, settings)


def write_generation_config(base: Path, temperature: float, stop_ids: frozenset[int], destination: Path) -> None:
    """Write the base's generation configuration, set to the project's serving `temperature` and to `stop_ids`.

    Filters that the evaluation did not use (top-k, top-p, penalties) are left out, so that a server that follows this
    file answers like the evaluated student.
    """
    kept = ("bos_token_id", "pad_token_id")
    settings = {
        key: value for key, value in read_json(base / "generation_config.json", required=False).items() if key in kept
    }
    settings["eos_token_id"] = sorted(stop_ids)
    settings["do_sample"] = temperature > 0
    if temperature > 0:
        # Without a value, transformers would use its default top-k of 50.
        settings |= {"temperature": temperature, "top_k": 0, "top_p": 1.0}
    write_json(destination / "generation_config.json", settings)


def write_json(path: Path, value: dict[str, object]) -> None:
    """Write `value` as indented JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
