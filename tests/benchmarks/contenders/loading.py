"""How the sides that are this program's load the model: as the program does, with the threads of the comparison."""

from pathlib import Path
from typing import cast

import torch

from engine.model.load import DtypeName, load_base
from engine.model.local_model import LocalModel


def load(words: dict[str, object]) -> LocalModel:
    """The base in the dtype that the comparison wants."""
    dtype = cast("DtypeName", words.get("dtype", "auto"))
    local = load_base(Path(str(words["model"])), device="cpu", dtype=dtype)
    torch.set_num_threads(int(str(words["threads"])))
    return local
