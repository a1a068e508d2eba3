"""Mirrors of metrics: what a library is told, and that no library can harm a run."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.jobs.context import JobContext
from engine.jobs.protocol import Metrics, Note
from engine.project import Project
from engine.records.options import TrainOptions
from engine.training import mirrors as mirrors_module
from engine.training.job import run
from engine.training.mirrors import About, Mirrors, require_libraries
from tests.engine.training.test_job import events_of, make_run

pytest.importorskip("tensorboard")


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """What TensorBoard itself reads there."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder))
    read.Reload()
    return {tag: {event.step: event.value for event in read.Scalars(tag)} for tag in read.Tags()["scalars"]}


def about(folder: Path) -> About:
    return About("desk", "run-1", {"base": "tiny", "epochs": 2.0}, folder)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_of_every_term_is_told_to_tensorboard(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.general._ANSWER_TOKENS", 4)
    made = make_run(project, model_folder)
    config = replace(
        made.config, epochs=1.0, on_policy_steps=2, on_policy_batch_rows=4, on_policy_answer_tokens=5,
        general_fraction=0.25, prompt_back_weight=0.1,
    )  # fmt: skip
    again = project.runs.add(made.dataset_sha256, config)
    options = TrainOptions(again.id, mirrors=("tensorboard",))
    context = JobContext(project, project.jobs.add(options))
    run(context, options)
    context.close()
    told = scalars(project.folder / again.folder / "mirrors" / "tensorboard")
    events = [event for event in events_of(context) if isinstance(event, Metrics)]
    assert {(event.step, name) for event in events for name in event.values} == {
        (step, name) for name, points in told.items() for step in points
    }
    assert {"loss", "validation_kl", "all_rules", "general_kl", "prompt_back_kl", "cut_answers"} <= told.keys()
    for event in events:
        for name, value in event.values.items():
            assert told[name][event.step] == pytest.approx(value, rel=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_steps_that_are_made_again_replace_those_of_the_killed_process(tmp_path: Path) -> None:
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
    """A library that takes two points."""

    def __init__(self, told: About, first_step: int) -> None:
        self.taken = 0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.taken += 1
        if self.taken > 2:
            raise ConnectionError("the server is gone")

    def close(self) -> None:
        raise AssertionError("it has failed")


def test_a_mirror_that_fails_in_the_middle_is_told_of_once_and_the_run_goes_on(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(mirrors_module._OPEN, "tensorboard", Broken)
    made = make_run(project, model_folder)
    options = TrainOptions(made.id, mirrors=("tensorboard",))
    context = JobContext(project, project.jobs.add(options))
    run(context, options)
    context.close()
    done = project.runs.get(made.id)
    assert (done.state, done.step) == ("done", 12)
    notes = [event.text for event in events_of(context) if isinstance(event, Note) and "mirrored" in event.text]
    assert notes == [
        "Metrics are no longer mirrored to tensorboard: ConnectionError: the server is gone. The run continues."
    ]


@pytest.mark.parametrize("where", ["opening", "leaving"])
def test_whatever_a_library_does_stays_in_its_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    class Bad(Broken):
        def __init__(self, told: About, first_step: int) -> None:
            if where == "opening":
                raise SystemExit(1)
            super().__init__(told, first_step)

    monkeypatch.setitem(mirrors_module._OPEN, "wandb", Bad)
    faults: list[str] = []
    mirrors = Mirrors(["wandb", "wandb"], about(tmp_path), faults.append)
    mirrors.log(1, {"loss": 1.0})
    mirrors.close()
    assert len(faults) == 1
    mirrors.log(2, {"loss": 1.0})
    mirrors.close()
    assert len(faults) == 1


def test_a_library_that_hangs_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    class Hanging(Broken):
        def log(self, step: int, values: Mapping[str, float]) -> None:
            let_go.wait(60)

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
    let_go.set()


def test_a_library_that_is_missing_is_named_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors_module, "find_spec", lambda name: None if name == "wandb" else object())
    require_libraries(["tensorboard", "trackio"])
    with pytest.raises(TrainingError, match=r"distill-tui\[wandb\]"):
        require_libraries(["tensorboard", "wandb"])
    require_libraries([])


@pytest.mark.filterwarnings("ignore")
def test_wandb_writes_its_files_beside_the_run_and_asks_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_home: Path
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    mirrors = Mirrors(["wandb"], about(tmp_path / "mirrors"), pytest.fail)
    for step in range(1, 4):
        mirrors.log(step, {"loss": 1.0 / step})
    mirrors.close()
    kept = [path for path in (tmp_path / "mirrors").rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" and path.stat().st_size for path in kept)
    assert not any(b"k" * 40 in path.read_bytes() for path in kept)


@pytest.mark.filterwarnings("ignore")
def test_trackio_keeps_its_points_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_home: Path
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio")
    mirrors = Mirrors(["trackio"], about(tmp_path), pytest.fail)
    for step in range(1, 4):
        mirrors.log(step, {"loss": 1.0 / step})
    mirrors.close()
    assert list((tmp_path / "trackio").rglob("*.db"))
