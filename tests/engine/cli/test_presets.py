"""`train --preset`, `--show` and `--calibrate`: configuration, reasons, memory; explicit options take precedence."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from engine.cli.invocation import Invocation
from engine.model.shapes import Shapes
from engine.project import Project
from engine.records.job import Job
from engine.records.options import CalibrateOptions, JobOptions, TrainOptions
from engine.records.run import Calibration
from engine.training.facts import FreeMemory
from tests.engine.cli.calling import fail, get, succeed


def test_show_prints_a_preset_with_reasons_and_starts_nothing(finished: Path) -> None:
    with Project.open(finished) as project:
        before = (len(project.runs.all()), len(project.jobs.all()))
    data = get("train", "--preset", "balanced", "--show", "--device", "cpu", "--epochs", "9", "--lora-rank", "5")
    assert data["preset"] == "balanced"
    assert (data["config"]["epochs"], data["config"]["lora_rank"], data["config"]["lora_alpha"]) == (9.0, 5, 10)
    reasons = {reason["name"]: reason for reason in data["reasons"]}
    assert reasons["epochs"]["why"] == reasons["lora_rank"]["why"] == "your value"
    assert reasons["learning_rate"]["why"] != "your value"
    assert data["free_mb"] > 0
    text = succeed("train", "--preset", "balanced", "--show", "--epochs", "9").out
    assert all(name in text for name in reasons)
    with Project.open(finished) as project:
        assert (len(project.runs.all()), len(project.jobs.all())) == before


def test_show_without_a_preset_prints_configuration_and_estimate(finished: Path) -> None:
    data = get("train", "--preset", "none", "--show", "--epochs", "3", "--on-policy-steps", "2")
    assert "preset" not in data
    assert (data["config"]["epochs"], data["config"]["on_policy_steps"]) == (3.0, 2)
    assert set(data["estimate"]) == {"seconds", "memory_mb", "disk_mb", "gpu_peak_mb"}
    args = ("train", "--preset", "none", "--show", "--on-policy-steps", "2")
    assert "then 2 on 64 own answers each" in succeed(*args).out
    assert "75 to 88 % cut" in succeed(*args, "--epochs", "1").out


def test_run_has_the_shown_configuration_and_prints_its_reasons(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.cli.train.start_and_follow", lambda *_, **__: None)
    # Free memory would differ between the calls.
    monkeypatch.setattr("engine.training.facts.free_memory", lambda _: FreeMemory(9_000.0))
    shown = get("train", "--preset", "fast", "--show", "--seed", "4")
    err = succeed("train", "--preset", "fast", "--seed", "4").err
    assert all(reason["why"] in err for reason in shown["reasons"])
    with Project.open(finished) as project:
        run = project.runs.all()[-1]
    assert json.loads(json.dumps(asdict(run.config))) == shown["config"]


def test_preset_too_large_for_memory_is_refused_only_if_requested(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.facts.free_memory", lambda _: FreeMemory(1.0))
    monkeypatch.setattr("engine.training.facts.find_shapes", lambda *_: Shapes(((8, 8),), 10, 64, 256))
    assert get("train", "--preset", "best", "--show")["fits"] is False
    with Project.open(finished) as project:
        before = len(project.runs.all())
    assert "not enough free memory" in fail("train", "--preset", "best", status=1)["title"]
    with Project.open(finished) as project:
        assert len(project.runs.all()) == before
    monkeypatch.setattr("engine.cli.train.start_and_follow", lambda *_, **__: None)
    assert "It does not fit" in succeed("train").err, "the default preset only warns: memory may be free by then"
    launch = succeed("train", "--preset", "best", "--print-launch", "slurm")
    assert "It does not fit" not in launch.err, "the launch command is for another machine"
    with Project.open(finished) as project:
        assert len(project.runs.all()) == before + 2
        assert project.runs.all()[-1].config.micro_batch_rows > 1


def test_calibration_measures_first_and_its_batch_size_is_used(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[JobOptions] = []

    def fake_start(invocation: Invocation, options: JobOptions, *, detach: bool) -> Job | None:
        started.append(options)
        if not isinstance(options, CalibrateOptions):
            return None
        fitting = replace(options.config, micro_batch_rows=2)
        invocation.project.settings.write_calibration(
            Calibration(fitting, options.dataset_sha256, "cpu", "float32", 0.01, None, 777.0, 99)
        )
        return invocation.project.jobs.add(options)

    monkeypatch.setattr("engine.cli.train.start_and_follow", fake_start)
    with Project.open(finished) as project:
        before = len(project.runs.all())
    data = get("train", "--show", "--calibrate", "--device", "cpu", "--dtype", "float32")
    assert data["preset"] == "balanced"
    assert data["config"]["micro_batch_rows"] == 2
    assert data["estimate"]["memory_mb"] == 777.0
    assert data["estimate"]["seconds"] > 0
    with Project.open(finished) as project:
        assert len(project.runs.all()) == before
    succeed("train", "--calibrate", "--device", "cpu", "--dtype", "float32")
    assert [type(options) for options in started] == [CalibrateOptions, CalibrateOptions, TrainOptions]
    with Project.open(finished) as project:
        assert project.runs.all()[-1].config.micro_batch_rows == 2
