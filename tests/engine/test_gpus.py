"""GPUs by the driver's word, on a machine of four that is played: two old cards between two new ones."""

import subprocess
import sys
from types import SimpleNamespace

import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import gpus
from engine.doctor import examine
from engine.gpus import Gpu, card_of, held_mb, visible_gpus, why_gpus_unusable
from engine.jobs.context import JobContext
from engine.jobs.devices import Holder, Ticket, held_by
from engine.paths import Home
from engine.project import Project
from engine.records.options import TrainOptions

UUIDS = ("GPU-aa11", "GPU-aa22", "GPU-bb33", "GPU-cc44")
FREE_MB = (10.0, 20.0, 30.0, 40.0)
GENERATIONS = (9, 7, 7, 8)
MACHINE = [Gpu(free, generation >= 8, "Card") for free, generation in zip(FREE_MB, GENERATIONS, strict=True)]


def part_of_a_card(uuid: str) -> int:
    if uuid != "MIG-3":
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
    return 3


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "_cuda_of_torch", lambda: "13.2")
    for name, answer in {
        "Init": lambda: None,
        "DeviceGetCount": lambda: 4,
        "SystemGetCudaDriverVersion_v2": lambda: 13_000,
        "DeviceGetName": lambda handle: "Card",
        "DeviceGetHandleByIndex": lambda index: index,
        "DeviceGetIndex": lambda handle: handle,
        "DeviceGetHandleByUUID": part_of_a_card,
        "DeviceGetUUID": lambda handle: UUIDS[handle],
        "DeviceGetMemoryInfo": lambda handle: SimpleNamespace(free=FREE_MB[handle] * 1e6),
        "DeviceGetCudaComputeCapability": lambda handle: (GENERATIONS[handle], 0),
        "DeviceGetComputeRunningProcesses": lambda handle: [SimpleNamespace(pid=handle, usedGpuMemory=5_000_000)],
    }.items():
        monkeypatch.setattr(pynvml, f"nvml{name}", answer)


def test_all_are_seen_where_nothing_is_said() -> None:
    assert visible_gpus() == tuple(MACHINE)
    assert [card_of(name) for name in ("cuda", "cuda:0", "cuda:3", "cuda:9", "cpu", "judge")] == [
        "cuda:0", "cuda:0", "cuda:3", "cuda:9", "cpu", "judge",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "cards"),
    [
        ("2,0", [2, 0]),
        (" 3 , 1", [3, 1]),
        ("GPU-bb33,GPU-aa22", [2, 1]),
        ("GPU-c", [3]),
        ("1,9,2", [1]),
        ("1,,2", [1]),
        ("GPU-a,1", []),  # two cards begin so
        ("MIG-1/2/3", []),
        ("-1", []),
        ("", []),
    ],
)
def test_cuda_counts_what_it_is_told_to_see(said: str, cards: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert visible_gpus() == tuple(MACHINE[card] for card in cards)
    assert [card_of(f"cuda:{index}") for index in range(len(cards))] == [f"cuda:{card}" for card in cards]
    assert [held_mb(f"cuda:{index}", {0, 1, 2, 3}) for index in range(len(cards))] == [{card: 5.0} for card in cards]
    assert held_mb("cuda:7", {0, 1, 2, 3}) == {}


def test_a_part_of_a_card_is_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-3")
    assert visible_gpus() == (MACHINE[3],)
    assert (card_of("cuda"), held_mb("cuda", {3})) == ("cuda:MIG-3", {3: 5.0})


def test_one_card_has_one_queue_whoever_sees_it_as_what(monkeypatch: pytest.MonkeyPatch) -> None:
    state, holder = Home.locate().state, Holder(3, "train", "tone")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    ticket = Ticket.draw(state, "cuda", holder)
    assert held_by(state, "cuda:1") is None
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert held_by(state, "cuda:2") == holder
    assert held_by(state, "cuda") is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bb33")
    assert held_by(state, "cuda") == holder
    ticket.give_back()
    assert held_by(state, "cuda") is None


@pytest.mark.parametrize(
    ("known", "wanted", "why"),
    [
        (12_040, "13.2", "its driver supports CUDA 12.4, but this torch needs 13.2"),
        (13_000, "13.2", ""),
        (13_020, "12.6", ""),
        (13_000, "", "the installed torch was built without CUDA"),
    ],
)
def test_gpus_that_torch_cannot_use_are_none_and_the_reason_is_told(
    known: int, wanted: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pynvml, "nvmlSystemGetCudaDriverVersion_v2", lambda: known)
    monkeypatch.setattr(gpus, "_cuda_of_torch", lambda: wanted)
    assert why_gpus_unusable() == why
    assert len(visible_gpus()) == (0 if why else 4)
    (finding,) = (found for found in examine(Home.locate(), {}) if found.subject == "gpu")
    if why:
        assert (finding.level, why in finding.found) == ("warning", True)
        assert "driver" in finding.next
    else:
        assert finding.level == "ok"
        assert finding.found.startswith("Card, 0.0 GB free, trains in bfloat16; Card, 0.0 GB free, trains in float32;")


def test_of_gpus_that_are_hidden_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlSystemGetCudaDriverVersion_v2", lambda: 12_040)
    assert why_gpus_unusable()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert why_gpus_unusable() == ""


def test_what_torch_was_built_for_is_read_without_it() -> None:
    import torch

    words = "import sys; from engine.gpus import _cuda_of_torch as cuda; print([cuda(), 'torch' in sys.modules])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([torch.version.cuda or "", False])


def test_a_job_on_the_processor_says_why_the_gpu_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlSystemGetCudaDriverVersion_v2", lambda: 12_040)
    with Project.create(Home.locate().projects / "p") as project:
        job = project.jobs.add(TrainOptions(1, 1, (), False))
        context = JobContext(project, job)
        with context.hold_device("cpu"):
            pass
        with context.hold_device("cuda:1"):
            pass
        context.close()
        log = (project.folder / "jobs" / str(job.id) / "events.jsonl").read_text()
    assert log.count("The GPU of this machine is not used: its driver supports CUDA 12.4") == 1


def test_without_a_driver_there_is_none_and_names_stay_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise pynvml.NVMLError_LibraryNotFound

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-zz99")
    assert (why_gpus_unusable(), visible_gpus(), held_mb("cuda", {1})) == ("", (), {})
    assert [card_of(name) for name in ("cuda:0", "cuda:1")] == ["cuda:5", "cuda:GPU-zz99"]


@given(st.text(max_size=20), st.text(max_size=12))
def test_nothing_that_is_said_breaks_it(said: str, device: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CUDA_VISIBLE_DEVICES", said.replace("\0", "").encode("utf-8", "replace").decode())
        assert len(visible_gpus()) <= 4
        assert card_of(device) == device or device.startswith("cuda")
