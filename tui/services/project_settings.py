"""Stores a project's settings, and the keys that were typed with them, which are kept outside the project.

Folders of models are looked for here, on the store's thread: a disk that does not answer would stop the drawing.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.paths import model_name
from engine.project import Project
from engine.records.options import ProjectSettings, TeacherSpec
from engine.teachers.keys import save_key

TypedKey = tuple[str, str]  # an endpoint's address, and its key


def with_stored_name(teacher: TeacherSpec) -> TeacherSpec:
    """The teacher with its model's name as it is stored: a folder in full. Raises `UsageError` if there is none."""
    return replace(teacher, model=model_name(teacher.model)) if teacher.kind == "local" else teacher


def settings_writer(settings: ProjectSettings, keys: Sequence[TypedKey]) -> Callable[[Project], None]:
    """Work that stores the keys, then the settings. Raises `EndpointError` or `StoreError`."""

    def work(project: Project) -> None:
        for address, key in keys:
            save_key(address, key, project.home)
        project.settings.write(settings)

    return work
