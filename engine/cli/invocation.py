"""What every command shares: the three options, the project it works on, and how it prints.

A result goes to standard output, as text or as one JSON object; progress goes to standard error. Foreign text is
cleaned here, before it is printed. Knows nothing of any single command.
"""

import functools
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, NoReturn, ParamSpec

import click

from engine.clean import clean_line, clean_text
from engine.errors import DistillError
from engine.paths import Home
from engine.texts import decode_text, read_text

if TYPE_CHECKING:
    from engine.project import Project

P = ParamSpec("P")
PROJECT_VARIABLE = "DISTILL_TUI_PROJECT"
project_option = click.option(
    "--project",
    "-p",
    "project_name",
    metavar="NAME-or-PATH",
    help=f"Name or path of the project; defaults to ${PROJECT_VARIABLE}, else the current one: the last one made or "
    "opened in the app, or chosen with `projects use`.",
)
json_option = click.option(
    "--json", "json_output", is_flag=True, help="Print the result as one JSON object on standard output."
)
home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for all data, caches and settings; defaults to $DISTILL_TUI_HOME, else the XDG folders.",
)
detach_option = click.option("--detach", is_flag=True, help="Start the job, print its id, and return.")


def tell(text: str = "", *, nl: bool = True) -> None:
    """Print to standard error. If nobody reads it any more, the work continues."""
    with suppress(BrokenPipeError):
        click.echo(text, err=True, nl=nl)


class Invocation:
    """One call of one command: its `--json`, `--project` and `--home`."""

    def __init__(self, *, json_output: bool, project_name: str | None, home: Home) -> None:
        self.json_output = json_output
        self.project_name = project_name
        self.home = home
        self._project: Project | None = None

    @property
    def project(self) -> "Project":
        """The named project, else the current one. Raises UsageError when there is none."""
        if self._project is None:
            from engine.projects import find_project

            self._project = find_project(self.project_name, self.home)
        return self._project

    def adopt(self, project: "Project") -> None:
        """Use this project from now on, and close it at the end."""
        self._project = project

    def close(self) -> None:
        """Close the project, if one was opened."""
        if self._project is not None:
            self._project.close()

    def finish(self, text: str, data: Mapping[str, object]) -> None:
        """Print the command's result: `data` as one JSON object with `--json`, else `text`."""
        if self.json_output:
            # In ASCII, so that control codes and characters that cannot be encoded are escaped.
            click.echo(json.dumps(data))
        elif text:
            click.echo(clean_text(text))

    def finish_failed(self, text: str, data: Mapping[str, object], error: DistillError) -> NoReturn:
        """Print the result of a command that found what it looks for, and exit as for this error, with its words."""
        self.finish(text, {**data, **error_json(error)})
        if self.json_output:
            click.get_current_context().exit(error.exit_status)  # the one JSON object is printed already
        raise error

    def say(self, text: str) -> None:
        """Print a line of progress to standard error."""
        tell(clean_text(text))

    def say_progress(self, done: int, total: int, what: str) -> None:
        """Show how far a download or a conversion is: redrawn in place on a terminal, printed once elsewhere."""
        share = f" {100 * done // total} %" if total else ""
        if self.live:
            tell(f"\r\x1b[K{clean_line(what)}{share}", nl=done >= total)
        elif done == 0:
            self.say(what)

    @property
    def live(self) -> bool:
        """Whether standard error is a terminal, so that progress may be redrawn in place."""
        return sys.stderr.isatty()


def error_json(error: DistillError) -> dict[str, object]:
    """Return what `--json` prints of an error, with the facts beside it."""
    said = {"code": error.code, "title": error.title, "message": error.message, "next": error.next}
    return {"error": said, **error.details}


class CommandGroup(click.Group):
    """A group that lists its commands with the whole first sentence of each; click would cut it off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(1_000)) for name, each in sorted(self.commands.items())])


class Number(click.FloatRange):
    """A number within a range. Unlike click's own type, it rejects `nan` and `inf`."""

    name = "number"

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raise click.BadParameter unless `value` is a finite number within the range."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


def command_options(function: Callable[Concatenate[Invocation, P], None]) -> Callable[P, None]:
    """Give a command `--json`, `--project` and `--home`, and pass it the resulting `Invocation`."""

    @json_option
    @project_option
    @home_option
    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        before = click.get_current_context().find_root().params  # all may also be given before the command
        home = kwargs.pop("home") or before.get("home")
        project_name = kwargs.pop("project_name") or before.get("project_name") or os.environ.get(PROJECT_VARIABLE)
        invocation = Invocation(
            json_output=bool(kwargs.pop("json_output") or before.get("json_output")),
            project_name=project_name if isinstance(project_name, str) else None,
            home=Home.locate(home if isinstance(home, Path) else None),
        )
        try:
            function(invocation, *args, **kwargs)
        finally:
            invocation.close()

    return wrapper


def read_text_argument(source: str) -> str:
    """Return the text of a file, or of standard input for `-`. Raises `NotFoundError`, `UsageError`."""
    return decode_text(sys.stdin.buffer.read(), name_of(source)) if source == "-" else read_text(source)


def name_of(source: str) -> str:
    """Return what errors call a file, or standard input for `-`."""
    return "standard input" if source == "-" else source
