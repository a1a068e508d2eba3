"""The tokenizer, chat template and generation configuration of a release: copied, not re-serialised.

Copying keeps every byte of what the student was trained with. The one change is the chat template: the release gets
the template that training used, in which no default system text appears.
"""

import json
import shutil
from pathlib import Path

from engine.model.folder import read_json

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt",
)  # fmt: skip


def write_tokenizer(base: Path, template: str, destination: Path) -> None:
    """Copy the tokenizer of the folder `base`, with `template` in place of its own."""
    for name in TOKENIZER_FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, destination / name)
    settings = read_json(base / "tokenizer_config.json", required=False)
    settings.pop("chat_template", None)  # older readers would prefer it to the template's own file
    settings.pop("auto_map", None)  # names code, which llama.cpp's converter and others would run
    write_json(destination / "tokenizer_config.json", settings)
    (destination / "chat_template.jinja").write_text(template, encoding="utf-8")


def write_generation_config(base: Path, temperature: float, stop_ids: frozenset[int], destination: Path) -> None:
    """The base's generation configuration, sampling as the project serves: at `temperature`, ended by `stop_ids`.

    Filters that the evaluation did not use (top-k, top-p, penalties) are left out, so that a server which obeys this
    file answers like the evaluated student.
    """
    kept = ("bos_token_id", "pad_token_id")
    settings = {
        key: value for key, value in read_json(base / "generation_config.json", required=False).items() if key in kept
    }
    settings["eos_token_id"] = sorted(stop_ids)
    settings["do_sample"] = temperature > 0
    if temperature > 0:
        # transformers would fill in its own top-k of 50 where the file is silent.
        settings |= {"temperature": temperature, "top_k": 0, "top_p": 1.0}
    write_json(destination / "generation_config.json", settings)


def write_json(path: Path, value: dict[str, object]) -> None:
    """`value` as indented JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
