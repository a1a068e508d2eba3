"""llama.cpp as programs of its own: where they are, and a model converted to GGUF by the converter that it ships.

Nothing of it is imported. Where it lies is never read from a project: a project may come from a stranger, and what is
named here is run.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.clean import clean_line
from engine.errors import ModelError, NotFoundError
from engine.paths import expand
from engine.records.release import GgufType
from engine.redact import without_keys

VARIABLE = "LLAMA_CPP"
_CONVERTER, _SERVER = "convert_hf_to_gguf.py", "llama-server"
_BUILT_IN = ("", "build/bin", "bin")  # of its folder, where the server may lie
# Becomes the program that it is told, which ends with whoever started it, even by SIGKILL (Linux), and gives way.
_BECOME = """import ctypes, os, sys
try:
    ctypes.CDLL(None).prctl(1, 15)
except (AttributeError, OSError):
    pass
os.nice(5)
os.execv(sys.argv[1], sys.argv[1:])"""
_MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")
_LONGEST_REASON = 300  # characters


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """Its converter, which is Python and needs no compiler; and its server, where one was built or installed."""

    converter: Path
    server: Path | None


def find_llama_cpp(named: Path | None = None) -> LlamaCpp:
    """llama.cpp in the `named` folder, else in $LLAMA_CPP, else on the PATH.

    Raises `NotFoundError` that says how to come by it.
    """
    if named is None and (told := os.environ.get(VARIABLE)):
        named = Path(told)
    if named is not None:
        folder = expand(named).absolute()
        if not (folder / _CONVERTER).is_file():
            raise NotFoundError(
                "llama.cpp is not there.",
                f"{folder} holds no {_CONVERTER}.",
                "Name the folder of a clone: git clone --depth 1 https://github.com/ggml-org/llama.cpp",
            )
        beside = (shutil.which(_SERVER, path=str(folder / place)) for place in _BUILT_IN)
        server = next((found for found in beside if found), shutil.which(_SERVER))
        return LlamaCpp(folder / _CONVERTER, Path(server).absolute() if server else None)
    converter, server = shutil.which(_CONVERTER), shutil.which(_SERVER)
    if converter is None:
        raise NotFoundError(
            "llama.cpp is not there.",
            "Its own converter writes GGUF; it needs no compiler.",
            "git clone --depth 1 https://github.com/ggml-org/llama.cpp, then add --llama-cpp llama.cpp "
            f"(or set {VARIABLE}).",
        )
    return LlamaCpp(Path(converter).absolute(), Path(server).absolute() if server else None)


def as_child(command: Sequence[str]) -> list[str]:
    """How `command`, which names its program in full, is started so that it does not outlive this process."""
    return [sys.executable, "-I", "-c", _BECOME, *command]


def convert(llama_cpp: LlamaCpp, folder: Path, destination: Path, gguf_type: GgufType) -> None:
    """Write the merged model in `folder` as one GGUF file. Raises `ModelError` with the converter's own reason."""
    command = [sys.executable, str(llama_cpp.converter), str(folder), "--outfile", str(destination)]
    # All that it reads lies in the folder: it may ask no hub for what it misses there.
    environment = {**without_keys(os.environ), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    try:
        ended = subprocess.run(
            as_child([*command, "--outtype", gguf_type]),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise ModelError("llama.cpp's converter cannot be run.", f"{sys.executable}: {error.strerror}.") from error
    if ended.returncode or not destination.is_file():
        raise _refused(ended.stderr, llama_cpp)


def _refused(said: str, llama_cpp: LlamaCpp) -> ModelError:
    if (missing := _MISSING_MODULE.search(said)) is not None:
        extra = "pip install 'distill-tui[gguf]', or uv sync --extra gguf"
        return ModelError(
            "llama.cpp's converter lacks a library.",
            f"It imports {missing[1]}, which is not installed beside distill-tui.",
            f"Install it: {extra if missing[1] == 'sentencepiece' else f'pip install {missing[1]}'}",
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reason = clean_line(lines[-1] if lines else "it wrote no file and said nothing")[:_LONGEST_REASON].rstrip(".")
    return ModelError(
        "llama.cpp's converter refused the model.",
        f"{llama_cpp.converter.name} says: {reason}.",
        "A newer llama.cpp may know it: git pull in its folder. Else release the run merged.",
    )
