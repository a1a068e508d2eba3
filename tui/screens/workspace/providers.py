"""What the palette asks of a project beside its actions; what that needs is imported when it is asked first."""

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
