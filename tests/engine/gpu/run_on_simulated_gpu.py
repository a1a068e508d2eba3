"""A process with a simulated GPU: runs the workload on it, and prints the results and the transfers of each part."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.engine.gpu.simulated_gpu import TRANSFERS, simulated_gpu


def rejected_operations() -> list[str]:
    """Names of the operations that fail; a number and an index may be in either memory."""
    import torch

    gpu, gpu_index, cpu = torch.ones((3, 3), device="cuda"), torch.tensor([0, 1], device="cuda"), torch.ones((3, 3))
    operations = {
        "gpu + cpu": lambda: gpu + cpu,
        "gpu + number": lambda: (gpu + torch.tensor(1.0)) * 2,
        "gpu @ cpu": lambda: gpu @ cpu,
        "gpu[cpu index]": lambda: gpu[torch.tensor([0, 1])],
        "cpu[gpu index]": lambda: cpu[gpu_index],
        "gpu.index_put_(cpu)": lambda: gpu.index_put_((gpu_index,), torch.ones((2, 3))),
        "cat": lambda: torch.cat([gpu, cpu]),
        "numpy": lambda: gpu.numpy(),
        "embedding": lambda: torch.nn.functional.embedding(torch.tensor([0, 1]), gpu),
        "copy": lambda: gpu.copy_(cpu),
        "cpu": lambda: gpu.cpu() + cpu,
    }
    return [name for name, operation in operations.items() if fails(operation)]


def fails(operation: Callable[[], object]) -> bool:
    """Whether torch rejects it."""
    try:
        operation()
    except (RuntimeError, TypeError):
        return True
    return False


def main(base: str, adapter: str, folder: str, generation: str) -> None:
    """Print one JSON object as the last line of the output."""
    transfers: list[tuple[str, dict[str, int]]] = []

    def record(part: str) -> None:
        transfers.append((part, dict(TRANSFERS)))
        TRANSFERS.clear()

    with simulated_gpu(int(generation)):
        # Modules of `engine` that query torch while they are imported must find the GPU.
        from tests.engine.gpu.workload import run_workload

        results = run_workload(Path(base), Path(adapter), Path(folder), "auto", record)
        results["rejected"] = rejected_operations()
    sys.stdout.write("\n" + json.dumps({**results, "transfers": transfers}))


if __name__ == "__main__":
    main(*sys.argv[1:])
