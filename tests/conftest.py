"""For every test: a separate home, no network except loopback, and no API key from the user's environment."""

import gc
import os
import socket
from pathlib import Path

import hypothesis
import pytest

# The duration of an example depends on the load of the machine.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when its library is imported
_KEYS = ("OPENAI_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers per core: most tests wait for a process or for the screen."""
    return min(2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4, 16)


def pytest_configure(config: pytest.Config) -> None:
    """Pin each pytest worker to one core: the threads of models would wait for each other."""
    gc.disable()  # until everything is imported
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def pytest_collection_finish() -> None:
    """Exclude what was imported from garbage collection: with the model libraries each pass takes seconds.

    Collect the rest rarely: the tests draw hundreds of apps, and spent a sixth of their time collecting.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def pytest_unconfigure() -> None:
    """Libraries report at exit which objects are still alive."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """DISTILL_TUI_HOME in a temporary folder; the user's home is never touched."""
    home = tmp_path / "home"
    monkeypatch.setenv("DISTILL_TUI_HOME", str(home))
    for name in _KEYS:
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anything but loopback or a Unix socket fails the test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: tuple[str, int] | str) -> None:
        if self.family != socket.AF_UNIX:
            host = str(address[0]) if isinstance(address, tuple) else str(address)
            if not (host.startswith("127.") or host in ("localhost", "::1")):
                raise AssertionError(f"a test tried to connect to the network: {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
