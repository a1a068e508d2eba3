"""GPUs as the driver reports them, on a simulated machine with four: two old cards between two new ones."""

import subprocess
import sys
from types import SimpleNamespace

import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import gpus
from engine.doctor import examine
from engine.errors import ModelError
from engine.gpus import Gpu, card_of, held_mb, require_device, visible_gpus, why_gpus_unusable
from engine.jobs.context import JobContext
from engine.jobs.devices import Holder, Ticket, held_by
from engine.paths import Home
from engine.project import Project
from engine.records.options import TrainOptions

UUIDS = ("GPU-aa11", "GPU-aa22", "GPU-bb33", "GPU-cc44")
FREE_MB = (10.0, 20.0, 30.0, 40.0)
GENERATIONS = (9, 7, 7, 8)
MACHINE = [Gpu(free, generation >= 8, "Card") for free, generation in zip(FREE_MB, GENERATIONS, strict=True)]


def find_mig_slice(uuid: str) -> int:
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
        "DeviceGetHandleByUUID": find_mig_slice,
        "DeviceGetUUID": lambda handle: UUIDS[handle],
        "DeviceGetMemoryInfo": lambda handle: SimpleNamespace(free=FREE_MB[handle] * 1e6),
        "DeviceGetCudaComputeCapability": lambda handle: (GENERATIONS[handle], 0),
        "DeviceGetComputeRunningProcesses": lambda handle: [SimpleNamespace(pid=handle, usedGpuMemory=5_000_000)],
    }.items():
        monkeypatch.setattr(pynvml, f"nvml{name}", answer)


def test_all_gpus_are_visible_by_default() -> None:
    assert visible_gpus() == tuple(MACHINE)
    assert [card_of(name) for name in ("cuda", "cuda:0", "cuda:3", "cuda:9", "cpu", "judge")] == [
        "cuda:0", "cuda:0", "cuda:3", "cuda:9", "cpu", "judge",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("visible_devices", "cards"),
    [
        ("2,0", [2, 0]),
        (" 3 , 1", [3, 1]),
        ("GPU-bb33,GPU-aa22", [2, 1]),
        ("GPU-c", [3]),
        ("1,9,2", [1]),
        ("1,,2", [1]),
        ("GPU-a,1", []),  # two cards start with this
        ("MIG-1/2/3", []),
        ("-1", []),
        ("", []),
    ],
)
def test_cuda_visible_devices_selects_and_orders_the_gpus(
    visible_devices: str, cards: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible_devices)
    assert visible_gpus() == tuple(MACHINE[card] for card in cards)
    assert [card_of(f"cuda:{index}") for index in range(len(cards))] == [f"cuda:{card}" for card in cards]
    assert [held_mb(f"cuda:{index}", {0, 1, 2, 3}) for index in range(len(cards))] == [{card: 5.0} for card in cards]
    assert held_mb("cuda:7", {0, 1, 2, 3}) == {}


def test_mig_slice_is_a_separate_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-3")
    assert visible_gpus() == (MACHINE[3],)
    assert (card_of("cuda"), held_mb("cuda", {3})) == ("cuda:MIG-3", {3: 5.0})


def test_card_has_one_queue_under_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
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
    ("driver_cuda", "torch_cuda", "reason"),
    [
        (12_040, "13.2", "its driver supports CUDA 12.4, but this torch needs 13.2"),
        (13_000, "13.2", ""),
        (13_020, "12.6", ""),
        (13_000, "", "the installed torch was built without CUDA"),
    ],
)
def test_unusable_gpus_are_not_listed_and_doctor_says_why(
    driver_cuda: int, torch_cuda: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pynvml, "nvmlSystemGetCudaDriverVersion_v2", lambda: driver_cuda)
    monkeypatch.setattr(gpus, "_cuda_of_torch", lambda: torch_cuda)
    assert why_gpus_unusable() == reason
    assert len(visible_gpus()) == (0 if reason else 4)
    (finding,) = (found for found in examine(Home.locate(), {}) if found.subject == "gpu")
    if reason:
        assert (finding.level, reason in finding.found) == ("warning", True)
        assert "driver" in finding.next
    else:
        assert finding.level == "ok"
        assert finding.found.startswith("Card, 0.0 GB free, trains in bfloat16; Card, 0.0 GB free, trains in float32;")


def test_hidden_gpus_are_not_reported_as_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlSystemGetCudaDriverVersion_v2", lambda: 12_040)
    assert why_gpus_unusable()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert why_gpus_unusable() == ""


def test_cuda_version_of_torch_is_read_without_importing_torch() -> None:
    import torch

    program = "import sys; from engine.gpus import _cuda_of_torch as cuda; print([cuda(), 'torch' in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([torch.version.cuda or "", False])


def test_cpu_job_notes_once_why_the_gpu_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_without_a_driver_there_are_no_gpus_and_cards_keep_their_given_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise pynvml.NVMLError_LibraryNotFound

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-zz99")
    assert (why_gpus_unusable(), visible_gpus(), held_mb("cuda", {1})) == ("", (), {})
    assert [card_of(name) for name in ("cuda:0", "cuda:1")] == ["cuda:5", "cuda:GPU-zz99"]


@given(st.text(max_size=20), st.text(max_size=12))
def test_arbitrary_visible_devices_never_fail(visible_devices: str, device: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CUDA_VISIBLE_DEVICES", visible_devices.replace("\0", "").encode("utf-8", "replace").decode())
        assert len(visible_gpus()) <= 4
        assert card_of(device) == device or device.startswith("cuda")


def test_a_gpu_is_required_only_if_the_driver_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    for device in ("cpu", "auto", "mps", "cuda", "cuda:3"):
        require_device(device)
    with pytest.raises(ModelError, match="cuda:4 is an NVIDIA GPU, and this machine has 4"):
        require_device("cuda:4")

    def missing() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    monkeypatch.setattr(gpus, "find_library", lambda _: "libcuda.so.1")
    require_device("cuda")
    monkeypatch.setattr(gpus, "find_library", lambda _: None)
    with pytest.raises(ModelError, match="this machine has none"):
        require_device("cuda")
