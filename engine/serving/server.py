"""Runs the web application on a loopback port, in a separate thread, for as long as a block lasts."""

import socket
import threading
import time
from types import TracebackType

import uvicorn
from starlette.applications import Starlette

from engine.errors import JobError

HOST = "127.0.0.1"
_STARTS_WITHIN_S = 10.0
_LAST_ANSWERS_S = 2


class Server:
    """The web thread. Its port listens from construction on; port 0 lets the system choose one."""

    def __init__(self, port: int) -> None:
        """Open the port. Raises `JobError` if that fails."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
            listening.listen()  # otherwise another server could bind the same port and fail only later
        except OSError as error:
            listening.close()
            raise JobError(
                "Cannot open the port.", f"{HOST}:{port}: {error.strerror or error}.", "Choose another with --port."
            ) from error
        self._listening = listening
        self._uvicorn: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """The base URL for clients."""
        port: int = self._listening.getsockname()[1]
        return f"http://{HOST}:{port}/v1"

    def start(self, application: Starlette) -> None:
        """Start answering. Raises `JobError` if the thread does not start."""
        config = uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_LAST_ANSWERS_S,
        )
        self._uvicorn = server = uvicorn.Server(config)
        self._thread = threading.Thread(target=server.run, kwargs={"sockets": [self._listening]}, name="web")
        self._thread.start()
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise JobError("The server did not start.", self.base_url, "See the job's log.txt.")
            time.sleep(0.01)

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._uvicorn is not None and self._thread is not None:
            self._uvicorn.should_exit = True
            self._thread.join()
        self._listening.close()
