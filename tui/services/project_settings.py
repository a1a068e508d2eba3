"""Stores a project's settings, and the keys that were typed with them, which are kept outside the project.

Folders of models are looked for here, on the store's thread: a disk that does not answer would stop the drawing.
"""

from collections.abc import Sequence
from dataclasses import replace

from engine.paths import model_name
from engine.project import Project
from engine.records.options import ProjectSettings, TeacherSpec
from engine.teachers.keys import save_key

TypedKey = tuple[str, str]  # an endpoint's address, and its key


def with_stored_name(teacher: TeacherSpec) -> TeacherSpec:
    """The teacher with its model's name as it is stored: a folder in full. Raises `UsageError` if there is none."""
    return replace(teacher, model=model_name(teacher.model)) if teacher.kind == "local" else teacher


class SettingsWriting:
    """Stores the keys that were typed, then the settings; `field` is the form field to correct if that fails."""

    def __init__(self, typed: ProjectSettings, keys: Sequence[TypedKey]) -> None:
        self.field = "student"
        self._typed = typed
        self._keys = keys

    def carry_out(self, project: Project) -> ProjectSettings:
        """Return the settings as stored. Raises `UsageError`, `EndpointError` or `StoreError`."""
        student = model_name(self._typed.student_base)
        self.field = "model"
        settings = replace(self._typed, student_base=student, teacher=with_stored_name(self._typed.teacher))
        for address, key in self._keys:
            save_key(address, key, project.home)
        project.settings.write(settings)
        return settings
