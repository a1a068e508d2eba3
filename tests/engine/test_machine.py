"""Memory and cores within the limits of control groups, of both versions, as the kernel writes them."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from engine import machine

MB = 1_000_000
UNLIMITED = str(9223372036854771712)  # version 1 writes the largest whole page


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty tree of groups, on a machine with 64 cores and 500 of 1,000 MB free."""
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=1_000 * MB, available=500 * MB))
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 128 if logical else 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(128)))
    return tmp_path / "groups"


def write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def measured() -> tuple[int, int, int]:
    """Total and free memory in MB, and cores."""
    return machine.total_memory_bytes() // MB, machine.free_memory_bytes() // MB, machine.usable_cores()


def test_without_groups_the_machine_is_the_limit(groups: Path) -> None:
    assert measured() == (1_000, 500, 64)
    groups.with_name("own").write_text("0::/user.slice/session.scope\n")
    assert measured() == (1_000, 500, 64)
    write(groups / "user.slice" / "session.scope", memory__max="max", memory__current=9 * MB, cpu__max="max 100000")
    assert measured() == (1_000, 500, 64)


def test_group_and_the_groups_around_it_limit_memory_and_cores(groups: Path) -> None:
    groups.with_name("own").write_text("0::/batch/job\n")
    write(groups / "batch", memory__max=400 * MB, memory__current=100 * MB, cpu__max="350000 100000")
    write(groups / "batch" / "job", memory__max="max", memory__current=90 * MB, cpu__max="max 100000")
    assert measured() == (400, 300, 4)
    write(groups / "batch" / "job", memory__max=200 * MB, cpu__max="50000 100000")
    assert measured() == (200, 110, 1)
    write(groups / "batch" / "job", memory__stat=f"anon 1\ninactive_file {20 * MB}\nactive_file {10 * MB}")
    assert measured() == (200, 140, 1)  # the kernel gives up files first


def test_container_sees_only_its_own_group(groups: Path) -> None:
    groups.with_name("own").write_text("0::/\n")
    write(groups, memory__max=300 * MB, memory__current=50 * MB, cpu__max="200000 100000")
    assert measured() == (300, 250, 2)
    groups.with_name("own").write_text("0::/docker/0123abcd\n")  # the host's name for it
    assert measured() == (300, 250, 2)


def test_first_version_of_groups(groups: Path) -> None:
    groups.with_name("own").write_text("9:cpu,cpuacct:/slurm\n4:memory:/slurm/job_1\n0::/\n")
    write(groups / "memory" / "slurm", memory__limit_in_bytes=UNLIMITED, memory__usage_in_bytes=300 * MB)
    write(groups / "memory" / "slurm" / "job_1", memory__limit_in_bytes=250 * MB, memory__usage_in_bytes=50 * MB,
          memory__stat=f"inactive_file 1\ntotal_inactive_file {5 * MB}")  # fmt: skip
    write(groups / "cpu" / "slurm", cpu__cfs_quota_us=-1, cpu__cfs_period_us=100_000)
    assert measured() == (250, 205, 64)
    write(groups / "cpu" / "slurm", cpu__cfs_quota_us=800_000)
    assert measured() == (250, 205, 8)


def test_group_over_its_limit_has_nothing_left(groups: Path) -> None:
    groups.with_name("own").write_text("0::/\n")
    write(groups, memory__max=100 * MB, memory__current=120 * MB)
    assert machine.free_memory_bytes() == 0
