"""What is needed to reproduce the run, as a section: configuration, hashes, versions, machine. Pure."""

import dataclasses
from collections.abc import Iterator
from pathlib import PurePath

from engine.evaluation.report import STAGES
from engine.records.dataset import DatasetSummary
from engine.records.run import TrainingConfig
from engine.reports.document import Column, Fact, Facts, Row, Section, Table, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING, format_time
from engine.reports.run_comparison import option_name, value
from engine.wording import counted, duration, size


def provenance(facts: ReportFacts) -> Section:
    """The inputs, programs and machine, and the time that each stage took."""
    proof, machine = facts.proof, facts.machine
    run, evaluation, dataset = proof.run, proof.evaluation, proof.dataset
    where = " ".join(part for part in (run.device, run.dtype) if part)
    peak = max(evaluation.peak_rss_mb, run.peak_rss_mb)
    took = [(stage, proof.timings.get(stage, 0.0)) for stage in STAGES]
    spent = ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in took if seconds >= 1)
    made_of = (
        Fact("student", f"{run.config.loaded_base}, {_adapter(run.config)}", where),
        Fact("teacher", proof.teacher.name),
        Fact("trained on", counted(dataset.train, "answer"), f"{dataset.validation:,} for validation"),
        *([_prompts(dataset)] if dataset.others else []),
        Fact("trained at", format_time(run.created_at)),
        Fact("evaluated at", format_time(evaluation.created_at)),
        Fact("time spent", spent or MISSING),
        Fact("peak memory", size(peak) if peak else MISSING),
    )
    hashes = (
        ("prompt", evaluation.prompt_sha256),
        ("dataset", evaluation.dataset_sha256),
        ("adapter", facts.adapter_sha256 or "no longer exists"),
    )
    made_with = (
        Fact("report created at", format_time(machine.at)),
        Fact("machine", machine.system),
        Fact("processor", machine.processor, f"{machine.memory_gb:.1f} GB of memory"),
        Fact("versions", ", ".join(f"{name} {found}" for name, found in machine.versions)),
    )
    return Section(
        "provenance",
        "Configuration and provenance",
        (
            Facts(made_of),
            Table("SHA-256", (Column("item"), Column("hash")), tuple(map(Row, hashes)), code=True),
            Facts(made_with),
            Words("The machine and the versions are those that created this report.", "quiet"),
            *_configuration(run.config),
        ),
    )


def _prompts(dataset: DatasetSummary) -> Fact:
    """The prompts that the adapter carries; only the project's own is measured here."""
    others = ", ".join(PurePath(other.project).name for other in dataset.others)
    return Fact("prompts learned", f"{dataset.prompts}", f"this one, measured here, and those of {others}")


def _configuration(config: TrainingConfig) -> Iterator[Table]:
    """The settings that were changed, then those at their defaults."""
    chosen, left = [], []
    for field in dataclasses.fields(config):
        given: object = getattr(config, field.name)
        if given == field.default:
            left.append(Row((option_name(field.name), value(given))))
        else:
            default = MISSING if field.default is dataclasses.MISSING else value(field.default)
            chosen.append(Row((option_name(field.name), value(given), default)))
    setting, number = Column("setting"), Column("value", number=True)
    yield Table("Training configuration", (setting, number, Column("default", number=True)), tuple(chosen))
    yield Table("Settings at their defaults", (setting, number), tuple(left), folded=True)


def _adapter(config: TrainingConfig) -> str:
    return config.adapter_text if config.adapter == "full" else f"{config.adapter} of {config.adapter_text}"
