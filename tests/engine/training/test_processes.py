"""A run of several real processes: as a job starts them, and as torchrun does."""

import os
import shlex
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
import yaml
from safetensors.torch import load_file

from engine.errors import TrainingError
from engine.jobs.context import JobContext
from engine.jobs.follow import read_all
from engine.jobs.protocol import Metrics, Note
from engine.project import Project
from engine.records.options import TrainOptions
from engine.records.run import Run
from engine.training.brief import device_of
from engine.training.job import run
from engine.training.ranks import Ranks, connected
from tests.engine.cli.calling import call, succeed
from tests.engine.training.test_job import events_of, make_run

ROOT = Path(__file__).parents[3]


def carry_out(project: Project, number: int, processes: int, *, shard: bool = False) -> JobContext:
    options = TrainOptions(number, processes, shard=shard)
    context = JobContext(project, project.jobs.add(options))
    try:
        run(context, options)
    finally:
        context.close()
    return context


def assert_same_adapter(project: Project, one: Run, other: Run) -> None:
    found = [load_file(project.folder / made.folder / "adapter" / "adapter_model.safetensors") for made in (one, other)]
    assert found[0].keys() == found[1].keys()
    for name, tensor in found[0].items():
        difference = (tensor - found[1][name]).abs()
        assert float(difference.median()) < 1e-5  # Adam makes much of the rounding of what is next to nothing
        assert float(difference.max()) < 1e-3


def members() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "engine.training.rank_process" in child.cmdline()
    ]


def test_a_job_of_two_processes_trains_the_adapter_of_one(project: Project, model_folder: Path) -> None:
    alone = make_run(project, model_folder)
    carry_out(project, alone.id, 1)
    together = project.runs.add(alone.dataset_sha256, alone.config)
    context = carry_out(project, together.id, 2)
    assert not members()
    one, two = project.runs.get(alone.id), project.runs.get(together.id)
    assert (two.state, two.step, len(two.curve)) == ("done", one.step, len(one.curve))
    for point, expected in zip(two.curve, one.curve, strict=True):
        assert point.validation_kl == pytest.approx(expected.validation_kl, rel=1e-3)
        assert point.rule_rates == expected.rule_rates
    steps = [event.step for event in events_of(context) if isinstance(event, Metrics) and "loss" in event.values]
    assert steps == list(range(1, 13))
    assert_same_adapter(project, one, two)


@pytest.mark.parametrize(("shard", "goes_on"), [(False, 1), pytest.param(True, 2, marks=pytest.mark.slow)])
def test_a_killed_process_ends_the_job_with_the_reason_and_the_run_goes_on(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch, shard: bool, goes_on: int
) -> None:
    made = make_run(project, model_folder)
    emit = JobContext.emit

    def killing(self: JobContext, event: object) -> None:
        emit(self, event)
        if isinstance(event, Metrics) and event.step == 5 and "loss" in event.values:
            (member,) = members()
            os.kill(member.pid, signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(JobContext, "emit", killing)
        with pytest.raises(TrainingError, match="A process of the run was lost"):
            carry_out(project, made.id, 2, shard=shard)
    failed = project.runs.get(made.id)
    assert failed.state == "failed"
    assert "Process 2 of 2 was killed by signal 9." in failed.reason
    assert "resume" in failed.reason
    assert not members()
    context = carry_out(project, made.id, goes_on, shard=shard)
    assert project.runs.get(made.id).state == "done"
    told = [event.text for event in events_of(context) if isinstance(event, Note)]
    assert any(text.startswith("Resuming from the checkpoint at step") for text in told)
    assert any(text.startswith("Each of 2 processes holds") for text in told) == shard


def printed(project: Project, *words: str) -> str:
    """What `train --print-launch` prints."""
    return succeed("train", "--project", project.folder, *words).out


@pytest.mark.parametrize(
    ("launcher", "how"),
    [
        ("torchrun", ("--shard",)),
        pytest.param("accelerate", (), marks=pytest.mark.slow),
    ],
)
def test_the_printed_command_trains_the_run_with_two_processes(
    project: Project, model_folder: Path, launcher: str, how: tuple[str, ...]
) -> None:
    alone = make_run(project, model_folder)
    carry_out(project, alone.id, 1)
    made = project.runs.add(alone.dataset_sha256, alone.config)
    command = printed(project, "--run", str(made.id), "--processes", "2", *how, "--print-launch", launcher)
    assert project.runs.get(made.id).state == "waiting"
    assert [job.kind for job in project.jobs.all()] == ["train"]
    log = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert log.returncode == 0, log.stdout + log.stderr
    job = project.jobs.all()[-1]
    assert f"Job {job.id} trains run {made.id}." in log.stdout
    done = project.runs.get(made.id)
    assert (job.state, done.state, done.step) == ("done", "done", 12)
    told = [stamped.event for stamped in read_all(project.folder / job.folder)]
    assert Note("2 processes share the work.") in told
    assert any(isinstance(event, Note) and "Each of 2 processes holds" in event.text for event in told) == bool(how)
    assert_same_adapter(project, project.runs.get(alone.id), done)


@pytest.mark.slow
def test_processes_that_are_launched_for_a_run_that_is_done_all_end(project: Project, model_folder: Path) -> None:
    made = make_run(project, model_folder)
    command = printed(project, "--run", str(made.id), "--processes", "2", "--print-launch", "torchrun")
    project.runs.update(made.id, state="done")
    log = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert log.returncode == 0, log.stdout + log.stderr
    job = project.jobs.all()[-1]
    told = [stamped.event for stamped in read_all(project.folder / job.folder)]
    assert Note(f"Run {made.id} is already trained.") in told
    assert (job.state, project.runs.get(made.id).state) == ("done", "done")


def test_texts_for_clusters_are_whole_and_name_the_run(project: Project, model_folder: Path) -> None:
    made = make_run(project, model_folder)
    words = ("--run", str(made.id), "--processes", "8", "--nodes", "2", "--print-launch")
    script = printed(project, *words, "slurm")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "#SBATCH --nodes=2" in script
    assert "--gpus" not in script  # the run is one for the CPU
    command = shlex.split(script.splitlines()[-1])[-1]
    member = f"engine.training.rank_process {project.folder} {made.id}"
    for part in ("--nnodes 2", "--nproc-per-node 8", '--node-rank "$SLURM_NODEID"', member):
        assert part in command
    task = yaml.safe_load(printed(project, *words, "skypilot"))
    assert (task["num_nodes"], task["name"]) == (2, f"distill-run-{made.id}")
    assert task["file_mounts"] == {"~/distill": str(project.folder)}
    subprocess.run(["bash", "-n"], input=task["setup"] + task["run"], text=True, check=True)
    assert '--node-rank "$SKYPILOT_NODE_RANK"' in task["run"]
    assert "--master-addr" in printed(project, *words, "torchrun")
    command = printed(project, *words, "accelerate")
    subprocess.run(["bash", "-n"], input=command, text=True, check=True)
    for part in ("--num_processes 16", "--num_machines 2", '--machine_rank "$NODE"', member):
        assert part in command
    assert not project.jobs.all()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--nodes", "2"), "More than one node needs --print-launch."),
        (("--shard", "--processes", "2", "--calibrate"), "leave out --shard"),
        (("--run", "1", "--learning-rate", "0.1"), "leave out --learning-rate"),
    ],
)
def test_words_that_would_be_passed_over_are_refused(project: Project, words: tuple[str, ...], told: str) -> None:
    ended = call("train", "--project", project.folder, *words)
    assert ended.status == 2
    assert told in ended.err


def test_each_process_has_a_card_of_its_own_also_where_its_launcher_shows_it_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    for name in ("CUDA_VISIBLE_DEVICES", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert [device_of("auto", place, 2) for place in range(2)] == ["cuda:0", "cuda:1"]
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(TrainingError, match="its own device"):
        device_of("auto", 0, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(TrainingError, match="its own device"):
        device_of("auto", 0, 2)  # what this program starts itself sees what its user lets it see
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert device_of("auto", 1, 2) == "cuda:0"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(TrainingError, match="its own device"):
        device_of("auto", 1, 2)


def test_cards_are_counted_as_the_driver_does_before_cuda_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)

    def asked() -> bool:
        raise RuntimeError(os.environ.get("CUDA_DEVICE_ORDER"))

    monkeypatch.setattr("torch.cuda.is_available", asked)
    with pytest.raises(RuntimeError, match="PCI_BUS_ID"), connected(Ranks(0, 2)):
        pass
