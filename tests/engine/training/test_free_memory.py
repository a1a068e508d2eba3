"""How much memory is free for a run on each device, and the data type that a device implies."""

import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

from engine.gpus import Gpu
from engine.jobs.devices import Holder, Ticket
from engine.paths import Home
from engine.records.dataset import DatasetSummary
from engine.training.facts import Basis, FreeMemory, free_memory
from engine.training.presets import choice_text, choose
from tests.engine.training.estimate_facts import REQUESTED, STARTER, TOKENS

DATASET = DatasetSummary(sha256="d", prompt_sha256="p", base="b", train=600, validation=60, created_at="")
_HOLD_MEMORY = """
import sys
from pathlib import Path
from engine.jobs.devices import Holder, Ticket
ticket = Ticket.draw(Path(sys.argv[1]), sys.argv[2], Holder(3, "train", "tone"))
held = bytearray(300_000_000)
print(len(held), flush=True)
input()
"""


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("auto", (40_000.0, True)),
        ("cuda", (40_000.0, True)),
        ("cuda:1", (9_000.0, True)),
        ("cuda:2", (None, True)),  # unknown: the memory of the CPU says nothing about it
        ("cpu", (500.0, False)),
    ],
)
def test_free_memory_is_that_of_the_chosen_device(device: str, expected: tuple[float | None, bool]) -> None:
    assert FreeMemory(500.0, (Gpu(40_000.0), Gpu(9_000.0))).of(device) == expected


def test_memory_held_by_the_running_job_counts_as_free_for_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.facts.visible_gpus", lambda: ())
    home = Home.locate()
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD_MEMORY, str(home.state), "cpu"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (held,) = free_memory(home).held
        process.communicate(b"\n")
    assert (held.device, held.holder) == ("cpu", "job 3 (train) of tone")
    assert 300 < held.mb < 400
    assert free_memory(home).held == (), "the job has ended"
    own = Ticket.draw(home.state, "cpu", Holder(4, "train", "tone"))
    assert free_memory(home).held == (), "memory of this process itself does not count"
    own.give_back()

    alone = Basis(DATASET, shapes=STARTER, tokens=TOKENS, own_rows=600, free=FreeMemory(2_000.0, (Gpu(500.0),)))
    waiting = replace(alone, free=FreeMemory(2_000.0, (Gpu(500.0),), (replace(held, mb=6_000.0),)))
    on_cpu = replace(REQUESTED, device="cpu")
    fewer, more = (choose("balanced", basis.facts(on_cpu), on_cpu) for basis in (alone, waiting))
    assert fewer.config.micro_batch_rows < more.config.micro_batch_rows
    assert "of the 8.0 GB that is free once job 3 (train) of tone releases its memory" in choice_text(more)
    assert "releases" not in choice_text(fewer)
    assert waiting.free is not None
    assert waiting.free.of("cuda:0") == (500.0, True), "another device"


def test_held_gpu_memory_is_what_the_driver_reports_for_the_holders_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    used = [(os.getppid(), 5_000_000_000), (os.getpid(), 7_000_000_000), (1, None)]
    monkeypatch.setattr("engine.training.facts.visible_gpus", lambda: (Gpu(1_000.0), Gpu(20_000.0)))
    monkeypatch.setattr("engine.gpus.visible_handles", lambda: [0, 1])
    monkeypatch.setattr(
        "pynvml.nvmlDeviceGetComputeRunningProcesses",
        lambda index: [SimpleNamespace(pid=pid, usedGpuMemory=mb) for pid, mb in used if index == 0],
    )
    holder = Holder(3, "serve", "tone", os.getppid())  # this process is its child and counts too
    monkeypatch.setattr("engine.training.facts.held_by", lambda _, device: holder if device == "cuda:0" else None)
    free = free_memory(Home.locate())
    assert (free.of("auto"), free.of("cuda:1")) == ((13_000.0, True), (20_000.0, True))


def test_gpu_that_only_emulates_bfloat16_is_estimated_in_float32() -> None:
    free = FreeMemory(2_000.0, (Gpu(16_000.0, computes_bfloat16=False), Gpu(16_000.0)))
    basis = Basis(DATASET, shapes=STARTER, tokens=TOKENS, free=free)
    configs = {
        device: replace(REQUESTED, device=device) for device in ("auto", "cuda", "cuda:0", "cuda:1", "cuda:2", "cpu")
    }
    found = {device: basis.facts(config).number_bytes for device, config in configs.items()}
    assert found == {"auto": 4, "cuda": 4, "cuda:0": 4, "cuda:1": 2, "cuda:2": 2, "cpu": 4}
    assert basis.facts(replace(REQUESTED, device="cuda", dtype="bfloat16")).number_bytes == 2


def test_processes_on_one_cpu_share_its_memory() -> None:
    """Two processes each hold the base: what fits one alone may not fit both."""
    free = FreeMemory(8_000.0, (Gpu(500.0), Gpu(16_000.0)))
    alone = Basis(DATASET, shapes=STARTER, tokens=TOKENS, free=free)
    for local_processes in (1, 2, 4):
        basis = replace(alone, local_processes=local_processes)
        facts = basis.facts(replace(REQUESTED, device="cpu"))
        assert facts.free_mb == 8_000.0 / local_processes
        assert facts.free_note == ("" if local_processes == 1 else f"for each of {local_processes} processes")
        on_gpu = basis.facts(replace(REQUESTED, device="cuda:1"))
        assert on_gpu.free_mb == alone.facts(replace(REQUESTED, device="cuda:1")).free_mb, "each has a GPU of its own"


def test_without_a_gpu_free_memory_is_that_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.facts.visible_gpus", lambda: ())
    free = free_memory(Home.locate())
    assert free.of("cuda") == (None, True)
    for device in ("auto", "cpu"):
        free_mb, on_gpu = free.of(device)
        assert free_mb is not None
        assert 0 < free_mb <= psutil.virtual_memory().total / 1e6
        assert not on_gpu
