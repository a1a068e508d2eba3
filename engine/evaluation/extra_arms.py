"""Arms beyond the standard ones: another run, a checkpoint, or the student with the prompt put back.

run:3                run 3's adapter, without the prompt
checkpoint:3:120     run 3's adapter after step 120, as long as that checkpoint is kept
prompt_back          the evaluated student with the prompt in context

Finds the adapter for a name and checks that the base matches; loads nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.clean import clean_line
from engine.errors import NotFoundError, UsageError
from engine.model.adapter_files import holds_whole_layers, weights_sha256
from engine.model.adapter_place import ADAPTER, adapter_of, holds_adapter
from engine.project import Project
from engine.records.run import Run
from engine.training.checkpoints import CHECKPOINTS, fault_of, steps_in

PROMPT_BACK = "prompt_back"
_NAME = re.compile(r"(?:run:([1-9]\d{0,8})|checkpoint:([1-9]\d{0,8}):([1-9]\d{0,8}))")


@dataclass(frozen=True, slots=True)
class ExtraArm:
    """An extra arm. `adapter` is None for the evaluated student's own."""

    name: str
    adapter: Path | None
    sha256: str  # of the adapter's weights; empty for the student's own

    @property
    def prompted(self) -> bool:
        """Whether it sees the prompt."""
        return self.name == PROMPT_BACK


def check_arms(names: Sequence[str]) -> None:
    """Raise UsageError for an invalid name, or one that is given twice."""
    for name in names:
        if name != PROMPT_BACK and _NAME.fullmatch(name) is None:
            raise UsageError(
                f"Unknown arm “{clean_line(name, 60)}”.",
                "",
                "Use run:3, checkpoint:3:120 (run and step) or prompt_back.",
            )
    if len(set(names)) < len(names):
        raise UsageError("An arm is given twice.", ", ".join(names), "Give each arm once.")


def find_arms(project: Project, names: Sequence[str], run: Run) -> tuple[ExtraArm, ...]:
    """Return the arms with these names, to evaluate with `run`.

    Raises UsageError as `check_arms` does, and for an arm with another base or one that cannot be loaded together with
    `run` because only one of them is whole layers; NotFoundError if an arm does not exist.
    """
    check_arms(names)
    return tuple(_find(project, name, run) for name in names)


def memory_groups(arms: Sequence[ExtraArm]) -> list[list[ExtraArm]]:
    """Group arms by what is in memory at once: first all small adapters, then whole layers, each on its own."""
    whole = [arm for arm in arms if arm.adapter is not None and holds_whole_layers(arm.adapter)]
    return [[arm for arm in arms if arm not in whole], *([arm] for arm in whole)]


def _find(project: Project, name: str, run: Run) -> ExtraArm:
    found = _NAME.fullmatch(name)
    if found is None:
        return ExtraArm(name, None, "")
    other = project.runs.get(int(found[1] or found[2]))
    alone = f"Evaluate it separately: distill-tui evaluate --run {other.id}"
    if other.config.loaded_base != run.config.loaded_base:
        raise UsageError(
            f"{name} has another base.",
            f"It adapts {other.config.loaded_base}; run {run.id} adapts {run.config.loaded_base}.",
            alone,
        )
    if "full" in (kinds := {other.config.adapter, run.config.adapter}) and len(kinds) > 1:
        raise UsageError(
            f"{name} cannot be evaluated together with run {run.id}.",
            "One trained whole layers, the other an adapter: one model cannot hold both.",
            alone,
        )
    if found[1]:
        adapter = adapter_of(project.folder, other)
    else:
        checkpoint = _checkpoint(project.folder / other.folder / CHECKPOINTS, int(found[3]), other.id)
        adapter = checkpoint / ADAPTER
        if not holds_adapter(adapter):
            raise NotFoundError(
                f"The checkpoint of step {found[3]} of run {other.id} is incomplete.",
                f"{adapter} does not hold all files of an adapter.",
                f"Name another checkpoint, or the run's adapter: --arm run:{other.id}",
            )
    return ExtraArm(name, adapter, weights_sha256(adapter))


def _checkpoint(folder: Path, step: int, run_id: int) -> Path:
    kept = sorted(steps_in(folder))
    if step not in kept:
        title = f"Run {run_id} has no checkpoint of step {step}."
        if not kept:
            raise NotFoundError(
                title, "It has none: they were freed, or not written yet.", f"Use its best adapter: run:{run_id}."
            )
        raise NotFoundError(title, f"Steps kept: {', '.join(map(str, kept))}.", "Use one of these.")
    if (fault := fault_of(folder / f"step-{step}")) is not None:
        raise NotFoundError(f"Checkpoint {step} of run {run_id} cannot be used.", f"{fault}.", "Use another one.")
    return folder / f"step-{step}"
