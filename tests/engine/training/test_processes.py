"""A run on several real processes: started by the job, or by the command that --print-launch prints."""

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
from engine.jobs.protocol import Note
from engine.project import Project
from engine.records.options import TrainOptions
from engine.records.run import Run
from engine.training.brief import device_of
from engine.training.ranks import Ranks, connected
from tests.engine.cli.calling import call, succeed
from tests.engine.training.job_helpers import at_step, make_run, notes_of, run_job, steps_of

ROOT = Path(__file__).parents[3]


def train(project: Project, run_id: int, processes: int, *, shard: bool = False) -> JobContext:
    return run_job(project, TrainOptions(run_id, processes, shard=shard))


def assert_same_adapter(project: Project, one: Run, other: Run) -> None:
    found = [load_file(project.folder / run.folder / "adapter" / "adapter_model.safetensors") for run in (one, other)]
    assert found[0].keys() == found[1].keys()
    for name, tensor in found[0].items():
        difference = (tensor - found[1][name]).abs()
        assert float(difference.median()) < 1e-5  # Adam amplifies the rounding of tiny gradients
        assert float(difference.max()) < 1e-3


def rank_processes() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "engine.training.rank_process" in child.cmdline()
    ]


def test_job_with_two_processes_trains_the_same_adapter_as_one(project: Project, model_folder: Path) -> None:
    alone = make_run(project, model_folder)
    train(project, alone.id, 1)
    together = project.runs.add(alone.dataset_sha256, alone.config)
    context = train(project, together.id, 2)
    assert not rank_processes()
    one, two = project.runs.get(alone.id), project.runs.get(together.id)
    assert (two.state, two.step, len(two.curve)) == ("done", one.step, len(one.curve))
    for point, expected in zip(two.curve, one.curve, strict=True):
        assert point.validation_kl == pytest.approx(expected.validation_kl, rel=1e-3)
        assert point.rule_rates == expected.rule_rates
    assert [metrics.step for metrics in steps_of(context)] == list(range(1, 13))
    assert_same_adapter(project, one, two)


@pytest.mark.parametrize(("shard", "processes_after"), [(False, 1), pytest.param(True, 2, marks=pytest.mark.slow)])
def test_killed_process_fails_the_job_with_a_reason_and_the_run_resumes(
    project: Project, model_folder: Path, monkeypatch: pytest.MonkeyPatch, shard: bool, processes_after: int
) -> None:
    new_run = make_run(project, model_folder)

    def kill_other_process(_context: JobContext) -> None:
        (process,) = rank_processes()
        os.kill(process.pid, signal.SIGKILL)

    with monkeypatch.context() as patch:
        at_step(5, kill_other_process, patch)
        with pytest.raises(TrainingError, match="A process of the run was lost"):
            train(project, new_run.id, 2, shard=shard)
    failed = project.runs.get(new_run.id)
    assert failed.state == "failed"
    assert "Process 2 of 2 was killed by signal 9." in failed.reason
    assert "resume" in failed.reason
    assert not rank_processes()
    context = train(project, new_run.id, processes_after, shard=shard)
    assert project.runs.get(new_run.id).state == "done"
    notes = notes_of(context)
    assert any(note.startswith("Resuming from the checkpoint at step") for note in notes)
    assert any(note.startswith("Each of 2 processes holds") for note in notes) == shard


def launch_command(project: Project, *args: str) -> str:
    """What `train --print-launch` prints."""
    return succeed("train", "--project", project.folder, *args).out


@pytest.mark.parametrize(
    ("launcher", "options"),
    [
        ("torchrun", ("--shard",)),
        pytest.param("accelerate", (), marks=pytest.mark.slow),
    ],
)
def test_printed_launch_command_trains_the_run_with_two_processes(
    project: Project, model_folder: Path, launcher: str, options: tuple[str, ...]
) -> None:
    alone = make_run(project, model_folder)
    train(project, alone.id, 1)
    new_run = project.runs.add(alone.dataset_sha256, alone.config)
    command = launch_command(
        project, "--run", str(new_run.id), "--processes", "2", *options, "--print-launch", launcher
    )
    assert project.runs.get(new_run.id).state == "waiting"
    assert [job.kind for job in project.jobs.all()] == ["train"]
    ended = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    job = project.jobs.all()[-1]
    assert f"Job {job.id} trains run {new_run.id}." in ended.stdout
    done = project.runs.get(new_run.id)
    assert (job.state, done.state, done.step) == ("done", "done", 12)
    events = [stamped.event for stamped in read_all(project.folder / job.folder)]
    assert Note("2 processes share the work.") in events
    assert any(isinstance(event, Note) and "Each of 2 processes holds" in event.text for event in events) == bool(
        options
    )
    assert_same_adapter(project, project.runs.get(alone.id), done)


@pytest.mark.slow
def test_processes_launched_for_a_finished_run_end_at_once(project: Project, model_folder: Path) -> None:
    new_run = make_run(project, model_folder)
    command = launch_command(project, "--run", str(new_run.id), "--processes", "2", "--print-launch", "torchrun")
    project.runs.update(new_run.id, state="done")
    ended = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    job = project.jobs.all()[-1]
    events = [stamped.event for stamped in read_all(project.folder / job.folder)]
    assert Note(f"Run {new_run.id} is already trained.") in events
    assert (job.state, project.runs.get(new_run.id).state) == ("done", "done")


def test_cluster_scripts_are_valid_and_name_the_run(project: Project, model_folder: Path) -> None:
    new_run = make_run(project, model_folder)
    args = ("--run", str(new_run.id), "--processes", "8", "--nodes", "2", "--print-launch")
    script = launch_command(project, *args, "slurm")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "#SBATCH --nodes=2" in script
    assert "--gpus" not in script  # the run is one for the CPU
    command = shlex.split(script.splitlines()[-1])[-1]
    process = f"engine.training.rank_process {project.folder} {new_run.id}"
    for part in ("--nnodes 2", "--nproc-per-node 8", '--node-rank "$SLURM_NODEID"', process):
        assert part in command
    task = yaml.safe_load(launch_command(project, *args, "skypilot"))
    assert (task["num_nodes"], task["name"]) == (2, f"distill-run-{new_run.id}")
    assert task["file_mounts"] == {"~/distill": str(project.folder)}
    subprocess.run(["bash", "-n"], input=task["setup"] + task["run"], text=True, check=True)
    assert '--node-rank "$SKYPILOT_NODE_RANK"' in task["run"]
    assert "--master-addr" in launch_command(project, *args, "torchrun")
    command = launch_command(project, *args, "accelerate")
    subprocess.run(["bash", "-n"], input=command, text=True, check=True)
    for part in ("--num_processes 16", "--num_machines 2", '--machine_rank "$NODE"', process):
        assert part in command
    assert not project.jobs.all()


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("--nodes", "2"), "More than one node needs --print-launch."),
        (("--shard", "--processes", "2", "--calibrate"), "leave out --shard"),
        (("--run", "1", "--learning-rate", "0.1"), "leave out --learning-rate"),
    ],
)
def test_options_that_would_have_no_effect_are_refused(project: Project, args: tuple[str, ...], error: str) -> None:
    ended = call("train", "--project", project.folder, *args)
    assert ended.status == 2
    assert error in ended.err


def test_each_process_gets_its_own_gpu_even_if_its_launcher_hides_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    for name in ("CUDA_VISIBLE_DEVICES", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert [device_of("auto", rank, 2) for rank in range(2)] == ["cuda:0", "cuda:1"]
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(TrainingError, match="its own device"):
        device_of("auto", 0, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(TrainingError, match="its own device"):
        device_of("auto", 0, 2)  # processes that this program starts see all GPUs that the user's setting allows
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert device_of("auto", 1, 2) == "cuda:0"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(TrainingError, match="its own device"):
        device_of("auto", 1, 2)


def test_gpus_are_numbered_as_the_driver_does_before_cuda_is_initialised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)

    def report_order() -> bool:
        raise RuntimeError(os.environ.get("CUDA_DEVICE_ORDER"))

    monkeypatch.setattr("torch.cuda.is_available", report_order)
    with pytest.raises(RuntimeError, match="PCI_BUS_ID"), connected(Ranks(0, 2)):
        pass
