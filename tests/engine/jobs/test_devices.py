"""Device queues: one holder at a time, in order of arrival, and a dead process blocks nobody."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs.devices import Ahead, Holder, Ticket
from engine.jobs.locks import FileLock

_A, _B, _C = (Holder(number, "train", "tone") for number in (1, 2, 3))
_PROCESS = """
import sys, time
from pathlib import Path
from engine.jobs.devices import Holder, Ticket
number = int(sys.argv[2])
ticket = Ticket.draw(Path(sys.argv[1]), "cpu", Holder(number, "train", "tone"))
print("drawn", flush=True)
while (ahead := ticket.ahead()) is not None:
    time.sleep(0.01)
print("holds", flush=True)
input()
ticket.give_back()
"""


def test_tickets_are_served_in_order_and_name_the_holder(tmp_path: Path) -> None:
    first, second, third = (Ticket.draw(tmp_path, "cpu", holder) for holder in (_A, _B, _C))
    assert first.ahead() is None
    assert second.ahead() == Ahead(_A, 0)
    assert third.ahead() == Ahead(_A, 1)
    assert str(_A) == "job 1 (train) of tone"
    assert str(Holder(0, "curate check", "tone")) == "a command (curate check) of tone"
    second.give_back()
    assert third.ahead() == Ahead(_A, 0)
    first.give_back()
    assert third.ahead() is None
    fourth = Ticket.draw(tmp_path, "cpu", _A)
    assert fourth.ahead() == Ahead(_C, 0)
    third.give_back()
    third.give_back()
    assert fourth.ahead() is None
    fourth.give_back()


def test_ticket_names_the_next_one_behind_it(tmp_path: Path) -> None:
    first = Ticket.draw(tmp_path, "cpu", _A)
    assert first.behind() is None
    second, third = (Ticket.draw(tmp_path, "cpu", holder) for holder in (_B, _C))
    assert (first.behind(), second.behind(), third.behind()) == (_B, _C, None)
    second.give_back()
    assert first.behind() == _C
    third.give_back()
    assert first.behind() is None


def test_devices_have_separate_queues(tmp_path: Path) -> None:
    tickets = [Ticket.draw(tmp_path, device, _A) for device in ("cpu", "cuda:0", "cuda:1", "../../escape")]
    assert [ticket.ahead() for ticket in tickets] == [None] * 4
    assert [path for path in tmp_path.rglob("*.ticket") if not path.is_relative_to(tmp_path / "devices")] == []
    for ticket in tickets:
        ticket.give_back()


def test_two_names_of_one_device_share_a_queue(tmp_path: Path) -> None:
    first, second = Ticket.draw(tmp_path, "cuda", _A), Ticket.draw(tmp_path, "cuda:0", _B)
    assert second.ahead() == Ahead(_A, 0)
    first.give_back()
    second.give_back()


def test_ticket_with_an_emptied_file_keeps_its_place(tmp_path: Path) -> None:
    first, second = Ticket.draw(tmp_path, "cpu", _A), Ticket.draw(tmp_path, "cpu", _B)
    min(tmp_path.rglob("*.ticket")).write_text("")
    assert second.ahead() == Ahead(Holder(0, "?", "?"), 0)
    first.give_back()
    assert second.ahead() is None
    second.give_back()


class _Waiter:
    """A separate process with a ticket."""

    def __init__(self, state: Path, number: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROCESS, str(state), str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.next_line() == "drawn"

    def next_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def finish(self) -> None:
        self.process.communicate("\n")
        assert self.process.returncode == 0


@pytest.fixture
def waiters(tmp_path: Path) -> Iterator[list[_Waiter]]:
    started = [_Waiter(tmp_path, number) for number in (1, 2, 3)]
    yield started
    for waiter in started:
        waiter.process.kill()
        waiter.process.communicate()


def test_queue_keeps_its_order_when_the_holder_is_killed(tmp_path: Path, waiters: list[_Waiter]) -> None:
    first, second, third = waiters
    fourth = Ticket.draw(tmp_path, "cpu", Holder(4, "evaluate", "tone"))
    assert first.next_line() == "holds"
    assert fourth.ahead() == Ahead(Holder(1, "train", "tone"), 2)
    first.process.send_signal(signal.SIGKILL)
    assert second.next_line() == "holds"
    assert fourth.ahead() == Ahead(Holder(2, "train", "tone"), 1)
    second.finish()
    assert third.next_line() == "holds"
    third.finish()
    assert fourth.ahead() is None
    fourth.give_back()
    assert list(tmp_path.rglob("*.ticket")) == []


def test_forked_child_does_not_keep_its_dead_parents_lock(tmp_path: Path) -> None:
    lock = FileLock.take(tmp_path / "lock")
    assert lock is not None
    assert FileLock.take(tmp_path / "lock") is None
    child = os.fork()
    if not child:
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    # What the kernel does when a process dies: the descriptor is closed, and the lock is not released.
    os.close(lock._file)
    again = FileLock.take(tmp_path / "lock")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert again is not None
    again.release()


def test_lock_is_waited_for_and_released_after_its_block(tmp_path: Path) -> None:
    held = FileLock.take(tmp_path / "lock")
    assert held is not None
    threading.Timer(0.2, held.release).start()
    with FileLock.wait_for(tmp_path / "lock"):
        assert FileLock.take(tmp_path / "lock") is None
    again = FileLock.take(tmp_path / "lock")
    assert again is not None
    again.release()
