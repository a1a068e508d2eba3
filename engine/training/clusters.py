"""The commands and files that run a training on several processes or a cluster. Starts nothing.

All of them use torchrun, one on each machine (accelerate does so underneath), which starts the processes; the first
process of the first machine is the job. Only that process needs the project. The other machines need this program and
the base model; the teacher's distributions are computed by all processes and collected on the first machine, which
sends them out. Started again, a run resumes from its newest checkpoint, with any number of processes.
"""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import engine
from engine.paths import Home
from engine.records.options import MirrorName

Launcher = Literal["torchrun", "accelerate", "slurm", "skypilot"]
_PORT = 29_500
RANK_PROCESS = "engine.training.rank_process"


@dataclass(frozen=True, slots=True)
class Launch:
    """A run to launch, and on how many machines with how many processes each."""

    project: Path
    run_id: int
    base: str
    home: Home
    nodes: int
    processes: int
    gpu: bool
    mirrors: tuple[MirrorName, ...] = ()
    shard: bool = False

    @property
    def rank_process(self) -> str:
        """The arguments after torchrun's own."""
        words = ["-m", RANK_PROCESS, str(self.project.absolute()), str(self.run_id)]
        if self.home.root is not None:
            words += ["--home", str(self.home.root)]
        words += self.how
        return shlex.join(words)

    @property
    def how(self) -> list[str]:
        """The options for a sharded base and for mirrors of the metrics."""
        return [*(["--shard"] if self.shard else []), *(word for name in self.mirrors for word in ("--mirror", name))]

    @property
    def torchrun(self) -> str:
        """The torchrun of this environment, which may not be on the PATH."""
        return shlex.join([sys.executable, "-P", "-m", "torch.distributed.run"])


def launch_text(launcher: Launcher, launch: Launch) -> str:
    """Return the command, or the text of the file, for this launcher."""
    match launcher:
        case "torchrun":
            return _torchrun(launch)
        case "accelerate":
            return _accelerate(launch)
        case "slurm":
            return _slurm(launch)
        case "skypilot":
            return _skypilot(launch)


def _torchrun(launch: Launch) -> str:
    if launch.nodes == 1:
        return f"{launch.torchrun} --standalone --nproc-per-node {launch.processes} {launch.rank_process}"
    placed = _placed(launch, "$NODE")
    return f"{_on_each(launch)}{launch.torchrun} {placed} {launch.rank_process}"


def _accelerate(launch: Launch) -> str:
    words = [sys.executable, "-P", "-m", "accelerate.commands.launch"]
    # With --cpu accelerate starts only one process; --multi_gpu uses torchrun, with or without a GPU.
    words += ["--multi_gpu", "--num_processes", str(launch.nodes * launch.processes)]
    words += ["--mixed_precision", "no", "--dynamo_backend", "no", "--num_machines", str(launch.nodes)]
    if launch.nodes == 1:
        return f"{shlex.join([*words, '--main_process_port', '0'])} {launch.rank_process}"
    placed = f'--machine_rank "$NODE" --main_process_ip "$FIRST_NODE" --main_process_port {_PORT}'
    return f"{_on_each(launch)}{shlex.join(words)} {placed} {launch.rank_process}"


def _on_each(launch: Launch) -> str:
    return (
        f"# Run this on each of the {launch.nodes} machines. Set NODE to 0, 1, …; set FIRST_NODE to the address of\n"
        "# machine 0, the only one that opens the project. If the machines have several networks, set\n"
        "# GLOO_SOCKET_IFNAME and NCCL_SOCKET_IFNAME to the one to use.\n"
    )


def _slurm(launch: Launch) -> str:
    command = f"{launch.torchrun} {_placed(launch, '$SLURM_NODEID')} {launch.rank_process}"
    gpus = [f"#SBATCH --gpus-per-node={launch.processes}"] if launch.gpu else []
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name=distill-run-{launch.run_id}",
        f"#SBATCH --nodes={launch.nodes}",
        "#SBATCH --ntasks-per-node=1",
        f"#SBATCH --cpus-per-task={4 * launch.processes}",
        *gpus,
        "#SBATCH --time=04:00:00",
        "# Two minutes before the time limit the run stops after its next step, with a checkpoint.",
        "#SBATCH --signal=TERM@120",
        "",
        "# This program, the base model and the project must have the same paths on every node.",
        "# Submit this again to resume the run from its newest checkpoint, on any number of nodes.",
        "set -euo pipefail",
        'FIRST_NODE=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
        "export FIRST_NODE",
        "# torchrun kills its processes 30 seconds after the signal, unless told otherwise.",
        "export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=110",
        f"srun --kill-on-bad-exit=1 bash -c {shlex.quote(f'exec {command}')}",
    ]
    return "\n".join(lines)


def _skypilot(launch: Launch) -> str:
    # The project is at the same path on every cluster, whatever its path here.
    first = '"$(echo "$SKYPILOT_NODE_IPS" | head -n 1)"'
    placed = (
        f"--nnodes {launch.nodes} --nproc-per-node {launch.processes} "
        f'--node-rank "$SKYPILOT_NODE_RANK" --master-addr {first} --master-port {_PORT}'
    )
    there = Path("~") / "distill"
    lines = [
        "# sky launch -c distill run.yaml. Quit the app first: the cluster works on a copy of the project until",
        "# you copy it back.",
        "# Launch this again to resume the run from its newest checkpoint. Afterwards, before sky down:",
        f"#   rsync -a distill:{there}/ {shlex.quote(str(launch.project.absolute()))}/",
        f"name: distill-run-{launch.run_id}",
        f"num_nodes: {launch.nodes}",
        "resources:",
        f"  accelerators: H100:{launch.processes}" if launch.gpu else f"  cpus: {4 * launch.processes}+",
        "file_mounts:",
        f"  {there}: {_yaml(str(launch.project.absolute()))}",
        "# If no package index has this version, put a wheel (uv build) into the project and install that.",
        "setup: |",
        f"  pip install distill-tui=={engine.__version__}",
        f"  distill-tui models fetch {shlex.quote(launch.base)}",
        "run: |",
        f"  torchrun {placed} -m {RANK_PROCESS} {there} {shlex.join([str(launch.run_id), *launch.how])}",
    ]
    return "\n".join(lines)


def _placed(launch: Launch, node: str) -> str:
    return (
        f"--nnodes {launch.nodes} --nproc-per-node {launch.processes} "
        f'--node-rank "{node}" --master-addr "$FIRST_NODE" --master-port {_PORT}'
    )


def _yaml(text: str) -> str:
    """Return `text` as a YAML scalar in single quotes, in which only the quote itself is special."""
    return "'" + text.replace("'", "''") + "'"
