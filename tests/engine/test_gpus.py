"""GPUs by the driver's word, on a machine of four that is played: two old cards between two new ones."""

from types import SimpleNamespace

import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.gpus import Gpu, card_of, held_mb, visible_gpus
from engine.jobs.devices import Holder, Ticket, held_by
from engine.paths import Home

UUIDS = ("GPU-aa11", "GPU-aa22", "GPU-bb33", "GPU-cc44")
FREE_MB = (10.0, 20.0, 30.0, 40.0)
GENERATIONS = (9, 7, 7, 8)
MACHINE = [Gpu(free, generation >= 8) for free, generation in zip(FREE_MB, GENERATIONS, strict=True)]


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name, answer in {
        "Init": lambda: None,
        "DeviceGetCount": lambda: 4,
        "DeviceGetHandleByIndex": lambda index: index,
        "DeviceGetIndex": lambda handle: handle,
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


def test_without_a_driver_there_is_none_and_names_stay_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-zz99")
    assert (visible_gpus(), held_mb("cuda", {1})) == ((), {})
    assert [card_of(name) for name in ("cuda:0", "cuda:1")] == ["cuda:5", "cuda:GPU-zz99"]


@given(st.text(max_size=20), st.text(max_size=12))
def test_nothing_that_is_said_breaks_it(said: str, device: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CUDA_VISIBLE_DEVICES", said.replace("\0", "").encode("utf-8", "replace").decode())
        assert len(visible_gpus()) <= 4
        assert card_of(device) == device or device.startswith("cuda")
