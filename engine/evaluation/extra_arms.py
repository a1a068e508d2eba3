"""Arms beyond the standard ones: another run, a checkpoint of one, the prompt put back on the student.

run:3                run 3's adapter, without the prompt
checkpoint:3:120     run 3's adapter as it was after step 120, while that checkpoint is kept
prompt_back          the evaluated student behind the prompt

Finds the adapter of a name and says whether the base fits; loads nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.clean import clean_line
from engine.errors import NotFoundError, UsageError
from engine.model.adapter_files import holds_whole_layers, weights_sha256
from engine.model.adapter_place import ADAPTER, adapter_of, require_adapter
from engine.project import Project
from engine.records.run import Run
from engine.training.checkpoints import CHECKPOINTS, fault_of, steps_in

PROMPT_BACK = "prompt_back"
_NAME = re.compile(r"(?:run:([1-9]\d{0,8})|checkpoint:([1-9]\d{0,8}):([1-9]\d{0,8}))")


@dataclass(frozen=True, slots=True)
class ExtraArm:
    """One of them. `adapter` is None where it is the evaluated student's own."""

    name: str
    adapter: Path | None
    sha256: str  # of the adapter's weights; empty for the student's own

    @property
    def prompted(self) -> bool:
        """Whether it sees the prompt."""
        return self.name == PROMPT_BACK


def check_arms(names: Sequence[str]) -> None:
    """Raises UsageError for a name that is none, or that is there twice."""
    for name in names:
        if name != PROMPT_BACK and _NAME.fullmatch(name) is None:
            raise UsageError(
                f"There is no arm «{clean_line(name, 60)}».",
                "",
                "An arm is run:3, checkpoint:3:120 (run and step) or prompt_back.",
            )
    if len(set(names)) < len(names):
        raise UsageError("An arm is named twice.", ", ".join(names), "Name each once.")


def find_arms(project: Project, names: Sequence[str], run: Run) -> tuple[ExtraArm, ...]:
    """The arms of these names, beside `run`. Raises UsageError as `check_arms`, NotFoundError where one is not there,
    UsageError where its base is another one, or one of the two is whole layers and the other is not.
    """
    check_arms(names)
    return tuple(_find(project, name, run) for name in names)


def held_together(arms: Sequence[ExtraArm]) -> list[list[ExtraArm]]:
    """Whose weights are in memory at one time: first all that are small, then whole layers, each by itself."""
    whole = [arm for arm in arms if arm.adapter is not None and holds_whole_layers(arm.adapter)]
    return [[arm for arm in arms if arm not in whole], *([arm] for arm in whole)]


def _find(project: Project, name: str, run: Run) -> ExtraArm:
    found = _NAME.fullmatch(name)
    if found is None:
        return ExtraArm(name, None, "")
    other = project.runs.get(int(found[1] or found[2]))
    alone = f"Evaluate it by itself: distill-tui evaluate --run {other.id}"
    if other.config.held_base != run.config.held_base:
        raise UsageError(
            f"{name} adapts another base.",
            f"{other.config.held_base}; run {run.id} adapts {run.config.held_base}.",
            alone,
        )
    if "full" in (kinds := {other.config.adapter, run.config.adapter}) and len(kinds) > 1:
        raise UsageError(
            f"{name} cannot be in memory beside run {run.id}.",
            "Whole layers and matrices beside them do not fit into one model.",
            alone,
        )
    if found[1]:
        adapter = adapter_of(project.folder, other)
    else:
        checkpoint = _checkpoint(project.folder / other.folder / CHECKPOINTS, int(found[3]), other.id)
        adapter = require_adapter(checkpoint / ADAPTER, other.id)
    return ExtraArm(name, adapter, weights_sha256(adapter))


def _checkpoint(folder: Path, step: int, run_id: int) -> Path:
    kept = sorted(steps_in(folder))
    if step not in kept:
        steps = ", ".join(map(str, kept)) if kept else "none"
        raise NotFoundError(f"Run {run_id} has no checkpoint of step {step}.", f"Kept are: {steps}.", "Name one.")
    if (fault := fault_of(folder / f"step-{step}")) is not None:
        raise NotFoundError(f"Checkpoint {step} of run {run_id} cannot be used.", f"{fault}.", "Name another one.")
    return folder / f"step-{step}"
