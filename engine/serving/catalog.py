"""Which arms a server has, read from the project at each request: a run trained a minute ago is included.

Knows nothing of requests in flight or of loaded models.
"""

from dataclasses import dataclass
from pathlib import Path

from engine.errors import NotFoundError
from engine.model.adapter_place import adapter_folder, holds_adapter
from engine.paths import Home
from engine.project import Project
from engine.records.prompt import Prompt
from engine.serving.names import PROMPTED, UNPROMPTED, ArmChoice, parse_arm
from engine.serving.requests import RequestRefusedError


@dataclass(frozen=True, slots=True)
class ServedArm:
    """An arm with what it needs: the adapter's folder and the prompt, if it has them."""

    choice: ArmChoice
    adapter: Path | None
    prompt: Prompt | None


class Catalog:
    """The arms of one project over one base, a configuration's `loaded_base`.

    Opens the project for each request, so any thread may ask.
    """

    def __init__(self, folder: Path, home: Home, base: str) -> None:
        self._folder, self._home, self._base = folder, home, base

    def serving_temperature(self) -> float:
        """The temperature of a request that sets none."""
        with self._open() as project:
            return project.settings.read().serving_temperature

    def names(self) -> tuple[str, ...]:
        """Every arm at full strength: those of the base, then those of the runs, oldest first."""
        with self._open() as project:
            prompt = project.prompts.current() is not None
            runs = [
                run.id
                for run in project.runs.all()
                if run.config.loaded_base == self._base and holds_adapter(adapter_folder(project.folder, run))
            ]
        behind = [ArmChoice(run, prompt=True) for run in runs] if prompt else []
        choices = [UNPROMPTED, *([PROMPTED] if prompt else []), *(ArmChoice(run) for run in runs), *behind]
        return tuple(choice.name for choice in choices)

    def find(self, name: str) -> ServedArm:
        """Return the arm of this name. Raises `RequestRefusedError` (404), which lists the arms there are."""
        choice = parse_arm(name)
        if choice is None:
            raise self._unknown(f"There is no arm {name!r}.")
        with self._open() as project:
            current = project.prompts.current() if choice.prompt else None
            if choice.prompt and current is None:
                raise self._unknown(f"{name!r} needs a prompt, but the project has none.")
            prompt = current.prompt if current is not None else None
            if not choice.run_id:
                return ServedArm(choice, None, prompt)
            try:
                run = project.runs.get(choice.run_id)
            except NotFoundError as error:
                raise self._unknown(f"There is no run {choice.run_id}.") from error
            if run.config.loaded_base != self._base:
                raise self._unknown(f"Run {run.id} adapts {run.config.loaded_base}; this server serves {self._base}.")
            if run.config.adapter == "dora" and 0 < choice.strength_percent < 100:
                raise self._unknown(f"Run {run.id} is a DoRA adapter, which supports only strengths 0 and 100.")
            if run.config.adapter == "full" and 0 < choice.strength_percent < 100:
                raise self._unknown(f"Run {run.id} trained whole layers, which support only strengths 0 and 100.")
            adapter = adapter_folder(project.folder, run)
            if not holds_adapter(adapter):
                raise self._unknown(f"Run {run.id} has no adapter yet.")
            return ServedArm(choice, adapter, prompt)

    def _open(self) -> Project:
        return Project.open(self._folder, self._home)

    def _unknown(self, why: str) -> RequestRefusedError:
        return RequestRefusedError(
            f"{why} Available: {', '.join(self.names())}; set a run's strength as in run-1@60.",
            status=404,
            code="model_not_found",
            param="model",
        )
