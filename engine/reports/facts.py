"""Everything a report shows, read from the project once: evaluation, answers, the run's trace, the machine.

Knows nothing of how it is presented.
"""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import engine
from engine.evaluation.answers import Answered, answers_of
from engine.evaluation.lapses import Lapse, find_lapses
from engine.evaluation.report import ProofFacts, read_facts
from engine.jobs.protocol import Metrics, SampleAnswer, WorstTokens
from engine.jobs.traces import read_trace
from engine.machine import processor_name, total_memory_bytes
from engine.model.adapter_place import ADAPTER_WEIGHTS, adapter_folder
from engine.paths import sha256_of
from engine.project import Project
from engine.records.evaluation import Evaluation
from engine.records.rule import Rule
from engine.records.run import Run
from engine.store.clock import now_text

_LIBRARIES = ("torch", "transformers", "peft", "tokenizers", "numpy", "genai-prices")


@dataclass(frozen=True, slots=True)
class Trace:
    """What the logs of a run say; empty if they no longer exist."""

    losses: tuple[tuple[int, float], ...]  # step, training loss; of a repeated step, the later measurement
    samples: tuple[SampleAnswer, ...]
    worst: WorstTokens | None  # at the last evaluation


@dataclass(frozen=True, slots=True)
class OtherRun:
    """The run that the report's run is compared with."""

    run: Run
    evaluation: Evaluation | None
    answered: Answered
    losses: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and the versions that the report was created with."""

    at: str
    system: str
    processor: str
    memory_gb: float
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Everything that the sections are built from. `rules` are those that the dataset was frozen with, or else the
    project's current rules; an evaluation keeps its own rule texts.
    """

    proof: ProofFacts
    rules: tuple[Rule, ...]
    answered: Answered
    lapses: tuple[Lapse, ...]
    trace: Trace
    adapter_sha256: str  # empty if the adapter no longer exists
    machine: Machine
    other: OtherRun | None = None


def read_report(project: Project, run_id: int | None = None, compare: int | None = None) -> ReportFacts:
    """Return what the latest evaluation (of any run, or of `run_id`) measured, with run `compare` next to it.

    Raises NotFoundError that names the next command, or the run that does not exist.
    """
    proof = read_facts(project, run_id)
    answered = answers_of(project, proof.evaluation)
    return ReportFacts(
        proof=proof,
        rules=project.datasets.rules_of(proof.dataset.sha256) or project.rules.all(),
        answered=answered,
        lapses=find_lapses(answered.answers, proof.evaluation.reference),
        trace=_trace(project, proof.run.id),
        adapter_sha256=_sha256(adapter_folder(project.folder, proof.run) / ADAPTER_WEIGHTS),
        machine=_machine(),
        other=None if compare is None else _other(project, compare),
    )


def _other(project: Project, run_id: int) -> OtherRun:
    run = project.runs.get(run_id)
    evaluation = project.evaluations.latest(run_id)
    answered = Answered({}, ()) if evaluation is None else answers_of(project, evaluation)
    return OtherRun(run, evaluation, answered, _trace(project, run_id).losses)


def _trace(project: Project, run_id: int) -> Trace:
    events = [stamped.event for stamped in read_trace(project, run_id)]
    losses = {each.step: each.values["loss"] for each in events if isinstance(each, Metrics) and "loss" in each.values}
    worst = [event for event in events if isinstance(event, WorstTokens)]
    return Trace(
        losses=tuple(sorted(losses.items())),
        samples=_once([event for event in events if isinstance(event, SampleAnswer)]),
        worst=worst[-1] if worst else None,
    )


def _once(samples: Sequence[SampleAnswer]) -> tuple[SampleAnswer, ...]:
    """A resumed run answers some steps again: the later answer takes the place of the first."""
    return tuple({(sample.question, sample.step): sample for sample in samples}.values())


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return ""


def _machine() -> Machine:
    versions = [("distill-tui", engine.__version__), ("Python", platform.python_version())]
    for library in _LIBRARIES:
        try:
            versions.append((library, version(library)))
        except PackageNotFoundError:
            continue
    return Machine(
        at=now_text(),
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        processor=f"{processor_name()}, {os.cpu_count() or 0} logical cores",
        memory_gb=total_memory_bytes() / 1e9,
        versions=tuple(versions),
    )
