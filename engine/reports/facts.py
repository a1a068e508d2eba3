"""All that a report tells, read from the project once: the evaluation, its answers, the run's trace, where it was made.

Knows nothing of how it is told.
"""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

import engine
from engine.evaluation.answers import Answered, answers_of
from engine.evaluation.lapses import Lapse, find_lapses
from engine.evaluation.report import ProofFacts, read_facts
from engine.jobs.protocol import Metrics, SampleAnswer, WorstTokens
from engine.jobs.traces import read_trace
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
    """What the logs of a run tell; empty where they are gone."""

    losses: tuple[tuple[int, float], ...]  # step, training loss; the later measurement of a step that was done again
    samples: tuple[SampleAnswer, ...]
    worst: WorstTokens | None  # at the last evaluation


@dataclass(frozen=True, slots=True)
class OtherRun:
    """The run that this one is compared with."""

    run: Run
    evaluation: Evaluation | None
    answered: Answered
    losses: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and with what the report was made."""

    at: str
    system: str
    processor: str
    memory_gb: float
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Everything that sections are made of. `rules` are those that the dataset was frozen with, else the project's now;
    an evaluation keeps its own texts.
    """

    proof: ProofFacts
    rules: tuple[Rule, ...]
    answered: Answered
    lapses: tuple[Lapse, ...]
    trace: Trace
    adapter_sha256: str  # empty where the adapter is gone
    machine: Machine
    other: OtherRun | None = None


def read_report(project: Project, run_id: int | None = None, compare: int | None = None) -> ReportFacts:
    """What the last evaluation, of all runs or of `run_id`, proved; beside it run `compare`.

    Raises NotFoundError that names the next command, or the run that is not there.
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
    """A resumed run answers some steps again: the later answer stays, in the first one's place."""
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
        processor=f"{_processor()}, {os.cpu_count() or 0} logical cores",
        memory_gb=psutil.virtual_memory().total / 1e9,
        versions=tuple(versions),
    )


def _processor() -> str:
    """The processor's name; Linux tells it in a file alone."""
    if sys.platform.startswith("linux"):
        try:
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()
