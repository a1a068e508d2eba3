"""llama.cpp's programs: where they are, and how its converter turns a model into GGUF.

Nothing of llama.cpp is imported. Its location is never read from a project: a project may come from a stranger, and
what is named here is executed.
"""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.clean import REASON_CELLS, clean_line
from engine.errors import ModelError, NotFoundError
from engine.jobs.child import run_child
from engine.jobs.context import JobContext
from engine.paths import expand
from engine.records.release import GgufType

VARIABLE = "LLAMA_CPP"
_CONVERTER, _SERVER = "convert_hf_to_gguf.py", "llama-server"
_BUILT_IN = ("", "build/bin", "bin")  # where the server may be in its folder
_MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """Its converter, which is Python and needs no compiler, and its server, if one was built or installed."""

    converter: Path
    server: Path | None


def set_llama_cpp(folder: str = "") -> None:
    """Set where this process and the jobs that it starts find llama.cpp: in `folder`, else $LLAMA_CPP, else the PATH.

    Raises `NotFoundError` if it is not there.
    """
    named = folder or os.environ.get(VARIABLE)
    found = _in_folder(expand(named).absolute()) if named else _on_path()
    os.environ[VARIABLE] = str(found.converter.parent)


def find_llama_cpp() -> LlamaCpp:
    """Find llama.cpp in the folder that $LLAMA_CPP names, else on the PATH.

    Raises `NotFoundError`, which says how to get it.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return _on_path()
    if not Path(named).is_absolute():  # a job runs in the project's folder, and nothing there is executed
        raise NotFoundError(
            "Cannot find llama.cpp.", f"{VARIABLE} is the relative path {named}.", "Set it to an absolute path."
        )
    return _in_folder(Path(named))


def _in_folder(folder: Path) -> LlamaCpp:
    if not (folder / _CONVERTER).is_file():
        raise NotFoundError(
            "Cannot find llama.cpp.",
            f"There is no {_CONVERTER} in {folder}.",
            "Name the folder of a clone: git clone --depth 1 https://github.com/ggml-org/llama.cpp",
        )
    beside = (shutil.which(_SERVER, path=str(folder / place)) for place in _BUILT_IN)
    server = next((found for found in beside if found), shutil.which(_SERVER))
    return LlamaCpp(folder / _CONVERTER, Path(server).absolute() if server else None)


def _on_path() -> LlamaCpp:
    converter = shutil.which(_CONVERTER)
    if converter is None:
        raise NotFoundError(
            "Cannot find llama.cpp.",
            "Its converter is needed to write GGUF; it does not have to be compiled.",
            "Run git clone --depth 1 https://github.com/ggml-org/llama.cpp, then add --llama-cpp llama.cpp "
            f"(or set {VARIABLE}).",
        )
    return _in_folder(Path(converter).absolute().parent)


def convert(context: JobContext, llama_cpp: LlamaCpp, folder: Path, destination: Path, gguf_type: GgufType) -> None:
    """Convert the merged model in `folder` to one GGUF file, in a child process of the job.

    Raises `ModelError` with the converter's own reason, and `JobStopped`.
    """
    command = [sys.executable, str(llama_cpp.converter), str(folder), "--outfile", str(destination)]
    # Everything it reads is in the folder: it must not download what it does not find there.
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    status, lines = run_child([*command, "--outtype", gguf_type], folder, context, "converting", offline)
    if status or not destination.is_file():
        raise _refused(lines, llama_cpp)


def _refused(lines: Sequence[str], llama_cpp: LlamaCpp) -> ModelError:
    if (missing := _MISSING_MODULE.search("\n".join(lines))) is not None:
        extra = "pip install 'distill-tui[gguf]', or uv sync --extra gguf"
        return ModelError(
            "llama.cpp's converter needs a missing library.",
            f"It imports {missing[1]}, which is not installed in distill-tui's environment.",
            f"Install it: {extra if missing[1] == 'sentencepiece' else f'pip install {missing[1]}'}",
        )
    reason = clean_line(lines[-1] if lines else "it wrote no file and printed nothing", REASON_CELLS).rstrip(".")
    return ModelError(
        "llama.cpp's converter cannot convert the model.",
        f"{llama_cpp.converter.name} says: {reason}.",
        "Update llama.cpp (git pull in its folder), or export the merged form instead.",
    )
