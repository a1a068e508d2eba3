"""llama.cpp as programs of its own: where they are, and a model converted to GGUF by the converter that it ships.

Nothing of it is imported. Where it lies is never read from a project: a project may come from a stranger, and what is
named here is run.
"""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.clean import clean_line
from engine.errors import ModelError, NotFoundError
from engine.jobs.child import run_child
from engine.jobs.context import JobContext
from engine.paths import expand
from engine.records.release import GgufType

VARIABLE = "LLAMA_CPP"
_CONVERTER, _SERVER = "convert_hf_to_gguf.py", "llama-server"
_BUILT_IN = ("", "build/bin", "bin")  # of its folder, where the server may lie
_MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")
_LONGEST_REASON = 300  # characters


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """Its converter, which is Python and needs no compiler; and its server, where one was built or installed."""

    converter: Path
    server: Path | None


def name_llama_cpp(folder: str = "") -> None:
    """For this process and the jobs that it starts, llama.cpp lies in `folder`, else where $LLAMA_CPP or the PATH say.

    Raises `NotFoundError` where it is not there.
    """
    told = folder or os.environ.get(VARIABLE)
    found = _in_folder(expand(told).absolute()) if told else _on_path()
    os.environ[VARIABLE] = str(found.converter.parent)


def find_llama_cpp() -> LlamaCpp:
    """llama.cpp in the folder that $LLAMA_CPP names, else on the PATH.

    Raises `NotFoundError` that says how to come by it.
    """
    told = os.environ.get(VARIABLE)
    if not told:
        return _on_path()
    if not Path(told).is_absolute():  # a job works in the project's folder, and nothing there is run
        raise NotFoundError("llama.cpp is not there.", f"{VARIABLE} names {told}.", "Write its folder in full.")
    return _in_folder(Path(told))


def _in_folder(folder: Path) -> LlamaCpp:
    if not (folder / _CONVERTER).is_file():
        raise NotFoundError(
            "llama.cpp is not there.",
            f"{folder} holds no {_CONVERTER}.",
            "Name the folder of a clone: git clone --depth 1 https://github.com/ggml-org/llama.cpp",
        )
    beside = (shutil.which(_SERVER, path=str(folder / place)) for place in _BUILT_IN)
    server = next((found for found in beside if found), shutil.which(_SERVER))
    return LlamaCpp(folder / _CONVERTER, Path(server).absolute() if server else None)


def _on_path() -> LlamaCpp:
    converter = shutil.which(_CONVERTER)
    if converter is None:
        raise NotFoundError(
            "llama.cpp is not there.",
            "Its own converter writes GGUF; it needs no compiler.",
            "git clone --depth 1 https://github.com/ggml-org/llama.cpp, then add --llama-cpp llama.cpp "
            f"(or set {VARIABLE}).",
        )
    return _in_folder(Path(converter).absolute().parent)


def convert(context: JobContext, llama_cpp: LlamaCpp, folder: Path, destination: Path, gguf_type: GgufType) -> None:
    """Write the merged model in `folder` as one GGUF file, as a child of the job.

    Raises `ModelError` with the converter's own reason, and `JobStopped`.
    """
    command = [sys.executable, str(llama_cpp.converter), str(folder), "--outfile", str(destination)]
    # All that it reads lies in the folder: it may ask no hub for what it misses there.
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    status, lines = run_child([*command, "--outtype", gguf_type], folder, context, "converting", offline)
    if status or not destination.is_file():
        raise _refused(lines, llama_cpp)


def _refused(lines: Sequence[str], llama_cpp: LlamaCpp) -> ModelError:
    if (missing := _MISSING_MODULE.search("\n".join(lines))) is not None:
        extra = "pip install 'distill-tui[gguf]', or uv sync --extra gguf"
        return ModelError(
            "llama.cpp's converter lacks a library.",
            f"It imports {missing[1]}, which is not installed beside distill-tui.",
            f"Install it: {extra if missing[1] == 'sentencepiece' else f'pip install {missing[1]}'}",
        )
    reason = clean_line(lines[-1] if lines else "it wrote no file and said nothing")[:_LONGEST_REASON].rstrip(".")
    return ModelError(
        "llama.cpp's converter refused the model.",
        f"{llama_cpp.converter.name} says: {reason}.",
        "A newer llama.cpp may know it: git pull in its folder. Else release the run merged.",
    )
