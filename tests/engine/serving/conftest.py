"""A real server on a real port over a tiny random base with two runs; the job's stage runs in a separate thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import openai
import pytest

from engine.errors import DistillError
from engine.jobs.context import JobContext, StopFlag
from engine.model.local_model import LocalModel
from engine.paths import Home
from engine.project import Project
from engine.records.options import ServeOptions
from engine.serving import job as serving_job
from engine.serving.address import Address, read_address
from engine.serving.answering import Answerer
from tests.engine.jobs.support import wait_until
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project, use_one_thread


@dataclass
class Served:
    """One server: its project, job, thread and answerers."""

    home: Home
    project_folder: Path
    job_id: int
    flag: StopFlag
    thread: threading.Thread
    answerers: list[Answerer]
    errors: list[BaseException]
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.project_folder / "jobs" / str(self.job_id)

    @property
    def address(self) -> Address:
        found = read_address(self.folder)
        assert found is not None
        return found

    def stop(self) -> None:
        self.flag.up = True
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture(scope="session", autouse=True)
def single_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_one_thread(patch)
        yield


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("models") / "tiny-base", default_system="You are tiny.")


@pytest.fixture(scope="session")
def adapters(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The adapters of run 1 and run 2, which answer differently."""
    root = tmp_path_factory.mktemp("adapters")
    return make_tiny_adapter(base, root / "1", seed=1), make_tiny_adapter(base, root / "2", seed=2)


@pytest.fixture(scope="session")
def make_served_project(base: Path, adapters: tuple[Path, Path]) -> Callable[[Home], Path]:
    """A function that makes a project with two runs and returns its folder."""

    def make(home: Home) -> Path:
        with make_trained_project(home, base, adapters[0]) as project:
            first = project.runs.get(1)
            second = project.runs.add(first.dataset_sha256, first.config)
            project.runs.update(second.id, state="done", step=8, steps=8, best_step=8)
            target = project.folder / second.folder / "adapter"
            target.mkdir(parents=True)
            for path in adapters[1].iterdir():
                (target / path.name).write_bytes(path.read_bytes())
            return project.folder

    return make


@contextmanager
def serving(home: Home, folder: Path, options: ServeOptions, *, wait: bool = True) -> Iterator[Served]:
    """Run the project's server inside the block; `wait` until it is ready."""
    answerers: list[Answerer] = []
    errors: list[BaseException] = []
    flag = StopFlag()
    with Project.open(folder, home) as project:
        job = project.jobs.add(options)

    class RecordedAnswerer(Answerer):
        def __init__(self, local: LocalModel) -> None:
            super().__init__(local)
            answerers.append(self)

    def work() -> None:
        with Project.open(folder, home) as project:
            context = JobContext(project, project.jobs.get(job.id), flag)
            try:
                serving_job.run(context, options)
            except BaseException as error:  # noqa: BLE001 - checked by the test
                errors.append(error)
            finally:
                context.close()

    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(serving_job, "Answerer", RecordedAnswerer)
        thread = threading.Thread(target=work)
        served = Served(home, folder, job.id, flag, thread, answerers, errors)
        thread.start()
        stack.callback(served.stop)
        if wait:
            wait_until(lambda: bool(answerers) or bool(errors))
            assert not errors, errors
        yield served
    assert all(isinstance(error, DistillError) for error in errors), errors


@pytest.fixture(scope="module")
def served(make_served_project: Callable[[Home], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests of a module that leave it unchanged."""
    home = Home.locate(tmp_path_factory.mktemp("home"))
    with serving(home, make_served_project(home), ServeOptions()) as found:
        yield found


def client_of(served: Served) -> openai.OpenAI:
    return openai.OpenAI(api_key=served.address.token, base_url=served.address.base_url, max_retries=0)


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with client_of(served) as client:
        yield client


@pytest.fixture
def dropped(served: Served, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The token limits of the answers that the server has stopped making."""
    scheduler = served.answerers[-1]._scheduler
    limits: list[int] = []
    drop = scheduler.drop
    monkeypatch.setattr(scheduler, "drop", lambda turn: (limits.append(turn.max_new_tokens), drop(turn)))
    return limits


@pytest.fixture
def own_folder(private_home: Path, make_served_project: Callable[[Home], Path]) -> Path:
    """The folder of a project with two runs, for one test alone."""
    return make_served_project(Home.locate())
