"""The palette's providers for a project, imported on first use."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.command import Provider


def _found_here() -> "type[Provider]":
    from tui.screens.workspace.found import ProjectProvider

    return ProjectProvider


def _elsewhere() -> "type[Provider]":
    from tui.screens.workspace.found import OtherProjects

    return OtherProjects


PROVIDERS: "set[type[Provider] | Callable[[], type[Provider]]]" = {_found_here, _elsewhere}
