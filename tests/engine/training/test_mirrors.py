"""Mirrors of metrics: what each library receives, and that no library can harm a run."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.jobs.protocol import Metrics
from engine.project import Project
from engine.records.options import TrainOptions
from engine.training import mirrors as mirrors_module
from engine.training.mirrors import About, Mirrors, require_libraries
from tests.engine.training.job_helpers import events_of, make_run, notes_of, run_job

pytest.importorskip("tensorboard")


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Read the metrics in `folder` with TensorBoard itself: values by step by name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return {
        tag: {event.step: event.value for event in accumulator.Scalars(tag)} for tag in accumulator.Tags()["scalars"]
    }


def about(folder: Path) -> About:
    return About("desk", "run-1", {"base": "tiny", "epochs": 2.0}, folder)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_receives_every_metric_of_a_run(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.general._ANSWER_TOKENS", 4)
    new_run = make_run(project, model_folder)
    config = replace(
        new_run.config, epochs=1.0, on_policy_steps=2, on_policy_batch_rows=4, on_policy_answer_tokens=5,
        general_fraction=0.25, prompt_back_weight=0.1,
    )  # fmt: skip
    mirrored = project.runs.add(new_run.dataset_sha256, config)
    context = run_job(project, TrainOptions(mirrored.id, mirrors=("tensorboard",)))
    received = scalars(project.folder / mirrored.folder / "mirrors" / "tensorboard")
    events = [event for event in events_of(context) if isinstance(event, Metrics)]
    assert {(event.step, name) for event in events for name in event.values} == {
        (step, name) for name, points in received.items() for step in points
    }
    assert {"loss", "validation_kl", "all_rules", "general_kl", "prompt_back_kl", "cut_answers"} <= received.keys()
    for event in events:
        for name, value in event.values.items():
            assert received[name][event.step] == pytest.approx(value, rel=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_repeated_steps_replace_those_of_the_killed_process(tmp_path: Path) -> None:
    for steps, loss in ((range(1, 7), 1.0), (range(4, 9), 2.0)):
        mirrors = Mirrors(["tensorboard"], about(tmp_path), pytest.fail)
        for step in steps:
            mirrors.log(step, {"loss": loss})
        mirrors.close()
    assert list(scalars(tmp_path / "tensorboard")["loss"].items()) == [
        *((step, 1.0) for step in range(1, 4)),
        *((step, 2.0) for step in range(4, 9)),
    ]


class Broken:
    """A library that fails after two points."""

    def __init__(self, about: About, first_step: int) -> None:
        self.received = 0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.received += 1
        if self.received > 2:
            raise ConnectionError("the server is gone")

    def close(self) -> None:
        raise AssertionError("a failed library is not closed")


def test_mirror_that_fails_during_the_run_is_noted_once_and_the_run_continues(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(mirrors_module._OPEN, "tensorboard", Broken)
    new_run = make_run(project, model_folder)
    context = run_job(project, TrainOptions(new_run.id, mirrors=("tensorboard",)))
    done = project.runs.get(new_run.id)
    assert (done.state, done.step) == ("done", 12)
    assert [note for note in notes_of(context) if "mirrored" in note] == [
        "Metrics are no longer mirrored to tensorboard: ConnectionError: the server is gone. The run continues."
    ]


@pytest.mark.parametrize("fails_when", ["opened", "closed"])
def test_exceptions_of_a_library_stay_in_its_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_when: str
) -> None:
    class Bad(Broken):
        def __init__(self, about: About, first_step: int) -> None:
            if fails_when == "opened":
                raise SystemExit(1)
            super().__init__(about, first_step)

    monkeypatch.setitem(mirrors_module._OPEN, "wandb", Bad)
    faults: list[str] = []
    mirrors = Mirrors(["wandb", "wandb"], about(tmp_path), faults.append)
    mirrors.log(1, {"loss": 1.0})
    mirrors.close()
    assert len(faults) == 1
    mirrors.log(2, {"loss": 1.0})
    mirrors.close()
    assert len(faults) == 1


def test_library_that_hangs_delays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    class Hanging(Broken):
        def log(self, step: int, values: Mapping[str, float]) -> None:
            release.wait(60)

    monkeypatch.setitem(mirrors_module._OPEN, "wandb", Hanging)
    monkeypatch.setattr(mirrors_module, "_WAITING_AT_MOST", 3)
    monkeypatch.setattr(mirrors_module, "_CLOSES_WITHIN_S", 0.01)
    for points in (2, 20):
        faults: list[str] = []
        mirrors = Mirrors(["wandb"], about(tmp_path), faults.append)
        for step in range(points):
            mirrors.log(step, {"loss": 1.0})
        mirrors.close()
        assert len(faults) == 1
        assert ("did not close" if points == 2 else "cannot keep up") in faults[0]
    release.set()


def test_missing_library_is_refused_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors_module, "find_spec", lambda name: None if name == "wandb" else object())
    require_libraries(["tensorboard", "trackio"])
    with pytest.raises(TrainingError, match=r"distill-tui\[wandb\]"):
        require_libraries(["tensorboard", "wandb"])
    require_libraries([])


@pytest.mark.filterwarnings("ignore")
def test_wandb_writes_its_files_beside_the_run_without_the_api_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_home: Path
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    mirrors = Mirrors(["wandb"], about(tmp_path / "mirrors"), pytest.fail)
    for step in range(1, 4):
        mirrors.log(step, {"loss": 1.0 / step})
    mirrors.close()
    files = [path for path in (tmp_path / "mirrors").rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" and path.stat().st_size for path in files)
    assert not any(b"k" * 40 in path.read_bytes() for path in files)


@pytest.mark.filterwarnings("ignore")
def test_trackio_stores_its_points_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_home: Path
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio")
    mirrors = Mirrors(["trackio"], about(tmp_path), pytest.fail)
    for step in range(1, 4):
        mirrors.log(step, {"loss": 1.0 / step})
    mirrors.close()
    assert list((tmp_path / "trackio").rglob("*.db"))
