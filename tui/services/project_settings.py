"""Stores a project's settings, and the keys that were typed with them, which are kept outside the project."""

from collections.abc import Callable, Sequence

from engine.project import Project
from engine.records.options import ProjectSettings
from engine.teachers.keys import save_key

TypedKey = tuple[str, str]  # an endpoint's address, and its key


def settings_writer(settings: ProjectSettings, keys: Sequence[TypedKey]) -> Callable[[Project], None]:
    """Work that stores the keys, then the settings. Raises `EndpointError` or `StoreError`."""

    def work(project: Project) -> None:
        for address, key in keys:
            save_key(address, key, project.home)
        project.settings.write(settings)

    return work
