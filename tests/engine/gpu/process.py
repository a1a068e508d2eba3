"""A process whose GPU is played: does everything there, and prints it, with what was carried after each part of it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.engine.gpu.played import CARRIED, played_gpu


def refused() -> list[str]:
    """Of what mixes the two memories, what fails; a number and an index may lie anywhere."""
    import torch

    a, at, here = torch.ones((3, 3), device="cuda"), torch.tensor([0, 1], device="cuda"), torch.ones((3, 3))
    tries = {
        "a + here": lambda: a + here,
        "a + number": lambda: (a + torch.tensor(1.0)) * 2,
        "a @ here": lambda: a @ here,
        "a[here]": lambda: a[torch.tensor([0, 1])],
        "here[at]": lambda: here[at],
        "a.index_put_": lambda: a.index_put_((at,), torch.ones((2, 3))),
        "cat": lambda: torch.cat([a, here]),
        "numpy": lambda: a.numpy(),
        "embedding": lambda: torch.nn.functional.embedding(torch.tensor([0, 1]), a),
        "copy": lambda: a.copy_(here),
        "cpu": lambda: a.cpu() + here,
    }
    return [name for name, do in tries.items() if fails(do)]


def fails(do: Callable[[], object]) -> bool:
    """Whether torch refuses it."""
    try:
        do()
    except (RuntimeError, TypeError):
        return True
    return False


def main(base: str, adapter: str, folder: str, generation: str) -> None:
    """The last line of the output is one JSON object."""
    carried: list[tuple[str, dict[str, int]]] = []

    def keep(part: str) -> None:
        carried.append((part, dict(CARRIED)))
        CARRIED.clear()

    with played_gpu(int(generation)):
        # What of ours asks torch for something while it is imported is to find the GPU.
        from tests.engine.gpu.everything import everything

        found = everything(Path(base), Path(adapter), Path(folder), "auto", keep)
        found["refused"] = refused()
    sys.stdout.write("\n" + json.dumps({**found, "carried": carried}))


if __name__ == "__main__":
    main(*sys.argv[1:])
