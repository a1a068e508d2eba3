"""A server of another project, run by a test on a free loopback port. Knows nothing of what it serves."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_ENDS_WITHIN_S = 20.0


@contextmanager
def foreign_server(
    command: Sequence[str], log: Path, environment: Mapping[str, str], *, folder: Path | None = None, within_s: float
) -> Iterator[str]:
    """Run `command` with `--host` and `--port` in `folder`; yield its URL once it is healthy; end it on leaving.

    `environment` is added to this process's. What the server prints goes to `log`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    url, words = f"http://127.0.0.1:{port}", [*command, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(
            words, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + within_s
            while not _healthy(url):
                assert server.poll() is None, log.read_text()[-3_000:]
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.2)
            yield url
        finally:
            _end(server)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _end(server: "subprocess.Popen[bytes]") -> None:
    """End the server, then whatever is left of its process group."""
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.wait(_ENDS_WITHIN_S)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
