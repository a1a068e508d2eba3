"""The server, as a job: holds the base and its arms in memory, and answers until it is stopped or idle for too long.

The web thread listens from start to end; the model is loaded and unloaded. If another job waits for the device, the
model is unloaded as soon as no answer is in progress, and loaded again when that job has finished: two processes that
compute on the same cores slow each other down many times over.
"""

import hashlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.jobs.context import JobContext
from engine.jobs.devices import Holder, Ticket
from engine.jobs.protocol import Note, Progress, StateChanged
from engine.project import Project
from engine.records.options import ServeOptions
from engine.records.run import TrainingConfig
from engine.redact import register_secret
from engine.serving.address import Address, remove_address, write_address
from engine.serving.answering import Answerer
from engine.serving.app import Web
from engine.serving.catalog import Catalog
from engine.serving.conversation import Conversation
from engine.serving.request_queue import RequestQueue
from engine.serving.server import Server
from engine.wording import counted

GIVE_WAY_AFTER_S = 2.0  # without a request, while another job waits
PATIENCE_S = 60.0  # another job waits this long; then no new answer starts until it has had its turn
_LOOK_EVERY_S = 0.5
_NAP_S = 0.1


def run(context: JobContext, options: ServeOptions) -> None:
    """Serve the arms of the base that `options` names, until idle. Raises `ModelError`, `JobError` and `JobStopped`."""
    from engine.model.chat_format import ChatFormat
    from engine.model.locate import locate_base

    project = context.project
    config = base_of(project, options)
    folder = locate_base(
        config.base,
        project.home,
        lambda done, total, words: context.emit(Progress(done, total, words)),
    )
    token = secrets.token_urlsafe(32)
    register_secret(token)
    requests = RequestQueue(lambda: context.note)
    catalog = Catalog(project.folder, project.home, config.loaded_base)
    web = Web(requests, catalog, Conversation(ChatFormat.load(folder)), token, _key_of(config, folder))
    with Server(options.port) as server:
        server.start(web.application())
        with _announced(context, Address(server.base_url, token)):
            try:
                _Service(context, requests, options, config, folder, server.base_url).run()
            finally:
                requests.become("closed")


def base_of(project: Project, options: ServeOptions) -> TrainingConfig:
    """Which base to serve, on which device and in which precision: the named run's, the newest's or the project's."""
    run = project.runs.latest() if options.run_id is None else project.runs.get(options.run_id)
    return run.config if run is not None else TrainingConfig(base=project.settings.read().student_base)


@contextmanager
def _announced(context: JobContext, address: Address) -> Iterator[None]:
    """Let clients find the server while inside."""
    write_address(context.folder, address)
    try:
        yield
    finally:
        remove_address(context.folder)


def _key_of(config: TrainingConfig, folder: Path) -> str:
    """Return a key that identifies this base by its name, its precision and the names and sizes of its files."""
    files = sorted((path.name, path.stat().st_size) for path in folder.glob("*.safetensors"))
    held = (config.loaded_base, config.dtype, config.device, files)
    return hashlib.sha256(repr(held).encode()).hexdigest()


@dataclass(slots=True, eq=False)
class _Service:
    """The model thread: loads the model, answers, unloads it, and so on."""

    context: JobContext
    requests: RequestQueue
    options: ServeOptions
    config: TrainingConfig
    folder: Path
    base_url: str

    def run(self) -> None:
        """Return when the server has been idle for long enough."""
        from engine.model.load import device_name
        from engine.model.memory import release_memory

        device = device_name(self.config.device)
        while True:
            self.requests.become("waiting")
            with self.context.hold_device(device) as ticket:
                wanted_by = self._stay(ticket)
                if wanted_by is None:
                    self.context.emit(
                        Note(f"There were no requests for {counted(self.options.idle_minutes, 'minute', 'g')}.")
                    )
                    return
                # Announced first, so that every client refused from here on gets the reason.
                self.context.emit(StateChanged("waiting", f"{wanted_by} holds {device}"))
                self.requests.become("waiting")
                release_memory()

    def _stay(self, ticket: Ticket) -> Holder | None:
        """Load the model and answer until another job wants the device (that job is returned) or the server is idle."""
        from engine.model.load import load_base

        self.requests.become("loading")
        self.context.emit(StateChanged("running", f"loading {self.config.loaded_base}"))
        config = self.config
        local = load_base(self.folder, device=config.device, dtype=config.dtype, quantize=config.quantize_base)
        answerer = Answerer(local)
        self.context.emit(StateChanged("running", f"serving {self.config.loaded_base} at {self.base_url}"))
        self.requests.become("ready")
        try:
            return self._answer(answerer, _Queue(ticket))
        except BaseException:
            self.requests.become("closed")
            answerer.fail(self.requests.refusal())
            raise

    def _answer(self, answerer: Answerer, queue: "_Queue") -> Holder | None:
        last_at = time.monotonic()
        while True:
            self._obey(busy=answerer.busy)
            asks = self.requests.take()
            for ask in asks:
                answerer.begin(ask)
            now = time.monotonic()
            waits_for_s = queue.waits_for_s(now)
            idle_s = now - last_at
            if self.requests.status in ("ready", "wanted"):
                self.requests.become("wanted" if waits_for_s > PATIENCE_S else "ready")
            if answerer.busy:
                answerer.step()
                last_at = time.monotonic()
            elif asks:
                last_at = now
            elif queue.first is not None and (self.requests.status == "wanted" or idle_s >= GIVE_WAY_AFTER_S):
                return queue.first
            elif idle_s >= 60.0 * self.options.idle_minutes:
                return None
            else:
                self.requests.wait(_NAP_S)

    def _obey(self, *, busy: bool) -> None:
        """Stop if asked to (raises `JobStopped`). To pause, refuse new requests and block once none is in progress."""
        if not self.context.pause_requested:
            if self.requests.status == "paused":
                self.requests.become("ready")
            self.context.checkpoint()
            return
        self.requests.become("paused")
        if not busy or self.context.stop_requested:
            self.context.checkpoint()


class _Queue:
    """Which job waits behind this one for its device; checked now and then."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._looked_at = 0.0
        self._since = 0.0
        self.first: Holder | None = None

    def waits_for_s(self, now: float) -> float:
        """Return how long a job has been seen waiting; 0 if none is."""
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            before, self.first = self.first, self._ticket.behind()
            if before is None:
                self._since = now
        return now - self._since if self.first is not None else 0.0
