"""Loads the model for this program's sides: as the program does, with the threads of the comparison."""

from pathlib import Path
from typing import cast

import torch

from engine.model.load import DtypeName, load_base
from engine.model.local_model import LocalModel


def load(options: dict[str, object]) -> LocalModel:
    """The base in the dtype of the comparison."""
    dtype = cast("DtypeName", options.get("dtype", "auto"))
    local = load_base(Path(str(options["model"])), device="cpu", dtype=dtype)
    torch.set_num_threads(int(str(options["threads"])))
    return local
