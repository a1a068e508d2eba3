"""`train`: its options reach the configuration of the run and change nothing else; sweeps."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from engine.cli.training_options import _OPTIONS
from engine.project import Project
from engine.records.options import SweepOptions, TrainOptions
from engine.records.run import TrainingConfig
from engine.store.datasets import dataset_sha256
from engine.training.presets import CHOSEN, USUAL
from engine.training.schedule import Schedule
from tests.engine.cli.calling import fail, get, succeed
from tests.tui.seeds import add_job


@pytest.fixture
def folder(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a finished project in which `train` creates runs but starts no job."""
    monkeypatch.setattr("engine.cli.train.start_and_follow", lambda *_, **__: None)
    return finished


def newest_config(folder: Path) -> TrainingConfig:
    with Project.open(folder) as project:
        run = project.runs.latest()
        assert run is not None
        return run.config


def test_usual_preset_is_the_default(folder: Path) -> None:
    succeed("train")
    chosen, plain = newest_config(folder), TrainingConfig(base=newest_config(folder).base)
    assert chosen.general_fraction > 0  # the prompt's form must not spread to other questions
    succeed("train", "--preset", USUAL)
    assert newest_config(folder) == chosen
    assert {name for name in plain.__slots__ if getattr(chosen, name) != getattr(plain, name)} <= CHOSEN
    succeed("train", "--preset", "none")
    assert newest_config(folder) == plain


def test_run_with_an_initial_run_has_the_same_kind_of_adapter(folder: Path) -> None:
    succeed("train", "--adapter", "rslora", "--lora-rank", "5")
    for args in ((), ("--preset", "none"), ("--preset", "best")):
        succeed("train", "--initial-run", "2", *args)
        assert (newest_config(folder).adapter, newest_config(folder).lora_rank, newest_config(folder).lora_alpha) == (
            "rslora",
            5,
            8,
        )
    succeed("train", "--initial-run", "2", "--lora-rank", "9")
    assert (newest_config(folder).adapter, newest_config(folder).lora_rank) == ("lora", 9)
    assert "There is no run 99" in fail("train", "--initial-run", "99", status=2)["title"]


def test_every_option_reaches_the_run(folder: Path) -> None:
    values: dict[str, Any] = {
        "objective": "forward_kl", "cross_entropy_weight": 0.25, "epochs": 0.0, "learning_rate": 0.01, "batch_rows": 3,
        "adapter": "dora", "lora_rank": 6, "quantize_base": "none", "initial_run_id": 1, "top_k": 7,
        "on_policy_steps": 8,
        "on_policy_batch_rows": 9, "on_policy_learning_rate": 0.02, "on_policy_answer_tokens": 10,
        "on_policy_top_k": 11, "on_policy_skipped_tokens": 2, "on_policy_ratio_clip": 3.5, "general_fraction": 0.1,
        "prompt_back_weight": 0.2, "evaluations": 12, "patience": 5, "dtype": "float32", "device": "cpu", "seed": 13,
    }  # fmt: skip
    assert (
        values.keys() == {name for name, _kind, _help in _OPTIONS} <= {field.name for field in fields(TrainingConfig)}
    )
    flags = [f"--{name.replace('_', '-').removesuffix('-id')}={value}" for name, value in values.items()]
    succeed("train", *flags)
    found = newest_config(folder)
    assert found == replace(TrainingConfig(base=found.base), **values, micro_batch_rows=3, lora_alpha=12)


def test_rslora_has_the_same_alpha_at_every_rank(folder: Path) -> None:
    for rank in (4, 64):
        succeed("train", "--adapter", "rslora", "--lora-rank", str(rank))
        assert (newest_config(folder).lora_rank, newest_config(folder).lora_alpha) == (rank, 8)


def test_full_fine_tuning_uses_float32_and_a_tenth_of_the_learning_rate(folder: Path) -> None:
    for preset in ("none", "balanced"):
        succeed("train", "--preset", preset)
        rate = newest_config(folder).learning_rate
        succeed("train", "--preset", preset, "--adapter", "full")
        assert newest_config(folder).dtype == "float32"
        assert newest_config(folder).learning_rate == pytest.approx(rate / 10)
    succeed("train", "--adapter", "full", "--learning-rate", "1e-3")
    assert newest_config(folder).learning_rate == 1e-3
    for args in (("--dtype", "bfloat16"), ("--quantize-base", "nf4")):
        assert "float32" in fail("train", "--adapter", "full", *args)["message"]


def test_four_bit_base_on_a_cpu_is_refused_before_a_run_is_created(folder: Path) -> None:
    with Project.open(folder) as project:
        before = project.runs.all()
    assert "--quantize-base none" in fail("train", "--quantize-base", "nf4", "--device", "cpu", status=1)["next"]
    with Project.open(folder) as project:
        assert project.runs.all() == before
    succeed("train", "--quantize-base", "nf4", "--print-launch", "torchrun")  # it is launched on another machine
    assert newest_config(folder).quantize_base == "nf4"


def test_mirrors_reach_the_job_and_need_their_library_before_a_run_is_created(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    monkeypatch.setattr("engine.cli.train.start_and_follow", lambda _, options, **__: started.append(options))
    monkeypatch.setattr("engine.training.mirrors.find_spec", lambda name: None if name == "wandb" else object())
    with Project.open(finished) as project:
        before = len(project.runs.all())
    assert "distill-tui[wandb]" in fail("train", "--mirror", "tensorboard", "--mirror", "wandb", status=1)["next"]
    with Project.open(finished) as project:
        assert len(project.runs.all()) == before
    succeed("train", "--mirror", "tensorboard", "--mirror", "trackio")
    assert started == [TrainOptions(before + 1, 1, ("tensorboard", "trackio"))]
    launch = succeed("train", "--run", str(before + 1), "--mirror", "trackio", "--print-launch", "torchrun").out
    assert launch.rstrip().endswith("--mirror trackio")


def test_run_without_steps_is_refused(folder: Path) -> None:
    assert "nothing to train" in fail("train", "--epochs", "0", status=2)["message"]


def test_sweep_creates_a_run_for_every_combination(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[SweepOptions] = []
    monkeypatch.setattr("engine.cli.train_sweep.start_and_follow", lambda _, options, **__: started.append(options))
    succeed(
        "train", "sweep", "--try", "learning-rate=1e-4,5e-4", "--try", "lora-rank=4,8", "--steps", "3", "--seed", "7"
    )
    (options,) = started
    assert [trial.words for trial in options.trials] == [
        f"--preset balanced --learning-rate {rate} --lora-rank {rank} --seed 7"
        for rate in ("0.0001", "0.0005")
        for rank in (4, 8)
    ]
    with Project.open(finished) as project:
        runs = [project.runs.get(trial.run_id) for trial in options.trials]
        dataset = project.datasets.latest()
    assert dataset is not None
    assert [(run.config.lora_rank, run.config.lora_alpha, run.config.seed) for run in runs] == [
        (4, 8, 7),
        (8, 16, 7),
    ] * 2
    for run in runs:
        assert Schedule((1,) * dataset.train, run.config.batch_rows, run.config.epochs, 7).steps == 3
    succeed(
        "train", "sweep", "--preset", "fast", "--preset", "best", "--minutes", "4", "--epochs", "2", "--device", "cpu"
    )
    assert [trial.words for trial in started[1].trials] == [
        f"--preset {name} --epochs 2.0 --device cpu" for name in ("fast", "best")
    ]
    assert started[1].minutes == 2.0


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--try", "seed=1,2"), "budget"),
        (("--steps", "3"), "nothing to compare"),
        (("--steps", "3", "--try", "seed=1"), "nothing to compare"),
        (("--steps", "3", "--try", "speed=1,2"), "'speed' is not an option"),
        (("--steps", "3", "--try", "lora-rank=1,x"), "'x' is not a valid integer"),
    ],
)
def test_invalid_sweep_is_refused(finished: Path, args: tuple[str, ...], expected: str) -> None:
    assert expected in fail("train", "sweep", *args, status=2)["message"]


def test_options_before_sweep_are_refused(finished: Path) -> None:
    assert (
        "--epochs" in fail("train", "--epochs", "2", "sweep", "--steps", "3", "--try", "seed=1,2", status=2)["message"]
    )


def test_run_can_continue_for_more_epochs(folder: Path) -> None:
    succeed("train", "--epochs", "3")
    with Project.open(folder) as project:
        run = project.runs.latest()
    assert run is not None
    succeed("train", "--run", str(run.id), "--epochs", "5")
    assert newest_config(folder) == replace(run.config, epochs=5.0)
    assert "leave out --seed" in fail("train", "--run", str(run.id), "--seed", "5", status=2)["message"]


def test_dataset_without_answers_of_the_base_is_trained_with_cross_entropy(folder: Path) -> None:
    with Project.open(folder) as project:
        frozen = project.datasets.get(project.datasets.require_latest().sha256)
        rows = tuple(replace(row, edited_from=0) for row in frozen.rows)
        sha256 = dataset_sha256(frozen.prompt_sha256, frozen.base, rows)
        project.datasets.add(replace(frozen, sha256=sha256, rows=rows, created_at="9999"))
    for args in ((), ("--preset", "none"), ("--objective", "cross_entropy")):
        succeed("train", *args)
        assert newest_config(folder).objective == "cross_entropy"
    shown = succeed("train", "--show").out
    assert "cross_entropy" in shown
    assert "no training answer comes from the prompted base" in shown
    assert "mix" not in shown
    assert "the teacher's distributions" not in shown
    for impossible in (("--objective", "mix"), ("--preset", "none", "--objective", "forward_kl")):
        assert "Cannot train on this dataset" in fail("train", *impossible, status=1)["title"]
    sweep = ("train", "sweep", "--steps", "3", "--try", "objective=mix,cross_entropy")
    assert "Cannot train on this dataset" in fail(*sweep, status=1)["title"]


def test_printing_a_launch_again_adds_no_run(finished: Path) -> None:
    args = ("train", "--print-launch", "torchrun")
    first = get(*args)["run"]
    assert get(*args)["run"] == first
    assert get(*args, "--seed", "5")["run"] == first + 1
    with Project.open(finished) as project:
        project.jobs.update(project.jobs.add(TrainOptions(first)).id, state="stopped")
    assert get(*args)["run"] == first + 2, "the first was begun"
    (station,) = (row for row in get("status")["stations"] if row["name"] == "run")
    assert station["note"].startswith("run 1, done"), "a plan hides no trained run"
    assert get("projects", "list")["projects"][0]["station"] == "release"


def test_a_run_is_not_trained_twice(finished: Path) -> None:
    assert fail("train", "--run", "1", status=1)["title"] == "Run 1 is already trained."
    with Project.open(finished) as project:
        other = project.runs.add(project.runs.get(1).dataset_sha256, project.runs.get(1).config)
        stopped, live = (add_job(project, TrainOptions(other.id), state) for state in ("stopped", "running"))
        done = add_job(project, TrainOptions(1), "stopped")
    for args in (("train", "--run", str(other.id)), ("jobs", "resume", str(stopped.id))):
        error = fail(*args, status=1)
        assert error["title"] == f"Run {other.id} already has a job that trains it."
        assert error["next"] == f"Follow it: distill-tui jobs follow {live.id}"
    assert fail("jobs", "resume", str(done.id), status=1)["title"] == "Run 1 is already trained."


@pytest.mark.parametrize(
    "args", [("train",), ("train", "--show"), ("train", "sweep", "--steps", "3", "--try", "seed=1,2")], ids=" ".join
)
def test_a_gpu_that_is_not_there_is_refused_at_once(
    args: tuple[str, ...], finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.gpus.visible_gpus", lambda: ())
    monkeypatch.setattr("engine.gpus.why_gpus_unusable", lambda: "")
    with Project.open(finished) as project:
        before = project.runs.count()
    error = fail(*args, "--device", "cuda:1", status=1)
    assert error["message"] == "cuda:1 is an NVIDIA GPU, and this machine has none."
    assert error["next"] == "Choose device cpu or auto."
    with Project.open(finished) as project:
        assert project.runs.count() == before
