"""`train --preset`: told before anything starts, and what a person says wins."""

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


def test_a_preset_is_shown_with_its_reasons_and_nothing_is_started(finished: Path) -> None:
    with Project.open(finished) as project:
        before = (len(project.runs.all()), len(project.jobs.all()))
    data = get("train", "--preset", "balanced", "--show", "--device", "cpu", "--epochs", "9", "--lora-rank", "5")
    assert data["preset"] == "balanced"
    assert (data["config"]["epochs"], data["config"]["lora_rank"], data["config"]["lora_alpha"]) == (9.0, 5, 10)
    reasons = {reason["name"]: reason for reason in data["reasons"]}
    assert reasons["epochs"]["why"] == reasons["lora_rank"]["why"] == "as you said"
    assert reasons["learning_rate"]["why"] != "as you said"
    assert data["free_mb"] > 0
    text = succeed("train", "--preset", "balanced", "--show", "--epochs", "9").out
    assert all(name in text for name in reasons)
    with Project.open(finished) as project:
        assert (len(project.runs.all()), len(project.jobs.all())) == before


def test_without_a_preset_what_is_asked_for_and_what_it_takes_is_shown(finished: Path) -> None:
    data = get("train", "--preset", "none", "--show", "--epochs", "3", "--on-policy-steps", "2")
    assert "preset" not in data
    assert (data["config"]["epochs"], data["config"]["on_policy_steps"]) == (3.0, 2)
    assert set(data["estimate"]) == {"seconds", "memory_mb", "disk_mb", "gpu_peak_mb"}
    plain = ("train", "--preset", "none", "--show", "--on-policy-steps", "2")
    assert "then 2 on 64 own answers each" in succeed(*plain).out
    assert "75 to 88 % cut" in succeed(*plain, "--epochs", "1").out


def test_a_run_started_with_a_preset_has_its_configuration_and_says_why(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.cli.train.start_and_follow", lambda *_, **__: None)
    # Memory that is free changes from one call to the next.
    monkeypatch.setattr("engine.training.facts.free_memory", lambda _: FreeMemory(9_000.0))
    shown = get("train", "--preset", "fast", "--show", "--seed", "4")
    said = succeed("train", "--preset", "fast", "--seed", "4").err
    assert all(reason["why"] in said for reason in shown["reasons"])
    with Project.open(finished) as project:
        run = project.runs.all()[-1]
    assert json.loads(json.dumps(asdict(run.config))) == shown["config"]


def test_what_does_not_fit_the_memory_is_shown_and_not_started(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.facts.free_memory", lambda _: FreeMemory(1.0))
    monkeypatch.setattr("engine.training.facts.find_shapes", lambda *_: Shapes(((8, 8),), 10, 64, 256))
    assert get("train", "--preset", "best", "--show")["fits"] is False
    with Project.open(finished) as project:
        before = len(project.runs.all())
    assert "not enough free memory" in fail("train", "--preset", "best", status=1)["title"]
    with Project.open(finished) as project:
        assert len(project.runs.all()) == before
    monkeypatch.setattr("engine.cli.train.start_and_follow", lambda *_, **__: None)
    assert "It does not fit" in succeed("train").err, "who asked for none is warned: memory may be free by then"
    asked = succeed("train", "--preset", "best", "--print-launch", "slurm")
    assert "It does not fit" not in asked.err, "it is for another machine"
    with Project.open(finished) as project:
        assert len(project.runs.all()) == before + 2
        assert project.runs.all()[-1].config.micro_batch_rows > 1


def test_calibrating_measures_first_and_trains_with_what_fits(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[JobOptions] = []

    def measured(invocation: Invocation, options: JobOptions, *, detach: bool) -> Job | None:
        started.append(options)
        if not isinstance(options, CalibrateOptions):
            return None
        fitting = replace(options.config, micro_batch_rows=2)
        invocation.project.settings.keep_calibration(
            Calibration(fitting, options.dataset_sha256, "cpu", "float32", 0.01, None, 777.0, 99)
        )
        return invocation.project.jobs.add(options)

    monkeypatch.setattr("engine.cli.train.start_and_follow", measured)
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
