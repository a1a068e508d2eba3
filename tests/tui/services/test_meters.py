"""Load meters: processes that exist or do not, GPUs as reported by NVML, and machines without a driver."""

import os
from types import SimpleNamespace

import pynvml
import pytest

from tui.services.meters import GpuMeter, GpuReading, Meter


def test_running_process_has_a_reading_and_a_missing_one_has_none() -> None:
    meter = Meter()
    reading = meter.read(os.getpid())
    assert reading is not None
    assert reading.rss_mb > 1
    assert meter.read(2**22 + 1) is None
    assert meter.read(os.getpid()) is not None


def test_visible_gpus_are_averaged_and_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, used = {0: 40, 1: 90}, {0: 2e9, 1: 5e9}
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 2)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda index: f"GPU-{index}")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", lambda device: SimpleNamespace(gpu=busy[device]))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda device: SimpleNamespace(used=used[device]))
    assert GpuMeter().read() == GpuReading(65.0, 7000.0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert GpuMeter().read() == GpuReading(90.0, 5000.0), "only visible GPUs count"


def test_missing_gpu_driver_is_looked_for_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[int] = []

    def init() -> None:
        attempts.append(1)
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", init)
    meter = GpuMeter()
    assert meter.read() is None
    assert meter.read() is None
    assert len(attempts) == 1
