"""The command group: finds the module of the requested command, and turns errors into exit statuses.

Imports nothing heavier than click, so that help and `--version` answer at once; each command's module is imported
only when it runs. Exit status: 0 done, 1 failed, 2 invalid arguments, 130 interrupted, 143 terminated while following
a job.
"""

import errno
import importlib
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import click

import engine
from engine.cli.invocation import PROJECT_VARIABLE, error_json, home_option, json_option, project_option
from engine.cli.known import suggested
from engine.errors import DistillError, UsageError
from engine.paths import Home

# In the order of the work. The sentences are here so that listing the commands imports none of their modules.
COMMANDS: dict[str, str] = {
    "demo": "Distil the bundled prompt into the starter model, end to end, and show the results.",
    "bench": "Distil the bundled benchmark prompts with any base, and print a reproducible table of results.",
    "new": "Create a project.",
    "settings": "Show or change the project's student, teacher, judge, prices and serving temperature.",
    "prompt": "Set, show, check, compare and try out the prompt.",
    "rules": "List, propose, add, import, export, remove and test the prompt's rules.",
    "questions": "Import, synthesize, deduplicate, split, list, improve, export and remove questions.",
    "generate": "Have the teacher answer the questions, with the prompt.",
    "curate": "Review answers, and freeze the accepted ones into a dataset.",
    "train": "Train an adapter on the frozen dataset, without the prompt.",
    "runs": "List runs, free the checkpoints of finished runs, and delete runs.",
    "evaluate": "Measure every rule on held-out questions, with and without the prompt.",
    "update": "Bring the project up to date after a change of prompt or rules, redoing only what is affected.",
    "report": "Show the results of the latest evaluation.",
    "serve": "Serve every arm over an OpenAI-compatible API on this machine.",
    "chat": "Ask several arms the same question and compare their answers.",
    "export": "Release the adapter, the merged model or a GGUF file, with a model card and checksums.",
    "releases": "List the releases of the project.",
    "harness": "Compare a release with its base on public tasks of lm-evaluation-harness.",
    "estimate": "Estimate whether distilling pays off, before any money is spent.",
    "status": "Show the state of every station of the project.",
    "jobs": "List, follow, pause, resume and stop jobs, show their logs, or end a training early.",
    "projects": "List, choose, duplicate, archive, restore and delete projects.",
    "keys": "Save an endpoint's API key in a file that only you can read.",
    "models": "List and download models.",
    "paths": "Print where all files are kept.",
    "doctor": "Check this machine and the project's database.",
}

_EVERYWHERE = ("--json", "--project", "-p", "--home")
OpenApp = Callable[[Path | None, Home], int]  # project folder (None: the current one), home → exit status


class CommandTable(click.Group):
    """A group that imports a command only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that defines this command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"engine.cli.{cmd_name}")
        return cast(click.Command, module.command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True}


@click.command(cls=CommandTable, context_settings=_HELP, invoke_without_command=True)
@json_option
@project_option
@home_option
@click.version_option(engine.__version__, prog_name="distill-tui")
@click.pass_context
def group(ctx: click.Context, project_name: str | None, home: Path | None, *, json_output: bool) -> None:
    """Distil a long system prompt into the weights of a local model.

    Without a command, the terminal app opens. Every command accepts --json, --project and --home.
    """
    if ctx.invoked_subcommand is not None:
        return
    if json_output:
        raise click.UsageError("A command is missing.", ctx)
    project_name = project_name or os.environ.get(PROJECT_VARIABLE)
    open_app, place = cast("OpenApp | None", ctx.obj), Home.locate(home)
    if open_app is None:
        click.echo(ctx.get_help())
        return
    folder = None
    if project_name is not None:
        from engine.folders import remember
        from engine.projects import find_project

        with find_project(project_name, place) as project:
            folder = project.folder
        remember(folder, place)
    ctx.exit(open_app(folder, place))


def run(words: Sequence[str], open_app: OpenApp | None = None) -> int:
    """Run the command in `words` and return its exit status. A `DistillError` prints its three sentences.

    `open_app` opens a project in the terminal app; commands with something to watch use it when there is a terminal.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal is UTF-8
    try:
        status = group.main(list(words), prog_name="distill-tui", standalone_mode=False, obj=open_app)
    except click.UsageError as error:
        hint = _help_hint(error, words)
        return _print_error(words, UsageError("The command was not understood.", _in_words(error), hint))
    except click.ClickException as error:
        return _print_error(words, DistillError("The command failed.", error.format_message()))
    except DistillError as error:
        return _print_error(words, error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return 130
    except (BrokenPipeError, SystemExit):  # click exits by itself only for a closed pipe
        _discard_unwritten()  # the reader (head, less) has closed the pipe
        return 0
    except OSError as error:
        _discard_unwritten()
        where = f"{error.filename}: " if error.filename else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "Free some space, then try again." if full else "Check the path and its permissions."
        message = f"{where}{error.strerror or error}."
        return _print_error(words, DistillError("The operating system reported an error.", message, advice))
    return status if isinstance(status, int) else 0


def _discard_unwritten() -> None:
    """Drop output that cannot be written: Python would try again at exit, complain, and change the exit status."""
    try:
        sys.stdout.flush()
    except AttributeError:  # the program was started without an output
        pass
    except OSError:
        with suppress(OSError):  # not every output has a file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_error(words: Sequence[str], error: DistillError) -> int:
    """Print an error as text or JSON, and return its exit status."""
    if "--json" in words:
        # If standard output cannot be written, as on a full disk, the exit status still reports the error.
        with suppress(OSError):
            click.echo(json.dumps(error_json(error)))
        _discard_unwritten()
    else:
        from engine.clean import clean_text

        click.echo(clean_text("\n".join(filter(None, (error.title, error.message, error.next)))), err=True)
    return error.exit_status


def _in_words(error: click.UsageError) -> str:
    """Return what was wrong with the arguments: click's own sentence, with one suggestion, or with a range in words."""
    context = error.ctx
    if context is not None and isinstance(context.command, click.Group) and context.parent is not None:
        *names, last = context.command.list_commands(context)
        listed = " or ".join(filter(None, (", ".join(names), last)))
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            return f"A subcommand is missing: {listed}."
        if isinstance(error, click.NoSuchOption) and error.option_name in _EVERYWHERE:
            return f"{error.option_name} belongs before the command, or after a subcommand: {listed}."
    if isinstance(error, click.NoSuchOption) and context is not None:
        options = [option for parameter in context.command.params for option in parameter.opts]
        return f"{error.message} {suggested(error.option_name, options)}".rstrip()
    if isinstance(error, click.NoSuchCommand) and context is not None and isinstance(context.command, click.Group):
        return f"{error.message} {suggested(error.command_name, context.command.list_commands(context))}".rstrip()
    if isinstance(error, click.BadParameter) and error.param is not None:
        kind = error.param.type
        if isinstance(kind, click.IntRange | click.FloatRange) and context is not None:
            return f"{error.param.get_error_hint(context)} must be {_range_in_words(kind)}."
    return error.format_message()


def _range_in_words(kind: click.IntRange | click.FloatRange) -> str:
    number = "a whole number" if isinstance(kind, click.IntRange) else "a number"
    if kind.max is None:
        return f"{number} above {kind.min:g}" if kind.min_open else f"{number}, {kind.min:g} or more"
    return f"{number} from {kind.min:g} to {kind.max:g}"


def _help_hint(error: click.UsageError, words: Sequence[str]) -> str:
    """Return where to read on; an option with too few values is an error without context, so the words are read."""
    if error.ctx is not None:
        return f"See `{error.ctx.command_path} --help`."
    path, command = ["distill-tui"], cast(click.Command, group)
    for word in words:
        if isinstance(command, click.Group) and (found := command.get_command(click.Context(command), word)):
            path, command = [*path, word], found
    return f"See `{' '.join(path)} --help`."
