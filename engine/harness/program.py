"""lm-evaluation-harness as a separate program: where it is, and how it is configured. Imports nothing of it."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from engine.errors import NotFoundError, UsageError
from engine.model.adapter_place import ADAPTER_FILES, holds_adapter
from engine.paths import expand
from engine.project import Project
from engine.records.options import HarnessOptions
from engine.records.release import Release
from engine.records.run import Run
from engine.releases.contents import folder_of, is_intact

PROGRAM = "lm_eval"
# The program to run is named by whoever starts or resumes the job, never by the project, which may be a stranger's.
VARIABLE = "LM_EVAL"
TASKS_VARIABLE = "LM_EVAL_TASKS"  # a folder of tasks, which may be code


def name_program(named: str = "", tasks: str = "") -> None:
    """Set which lm-eval program, and which additional folder of tasks, this process and the jobs that it starts use.

    Raises `NotFoundError` if there is no such program or folder.
    """
    if named:
        found = shutil.which(str(expand(named)))
        if found is None:
            raise NotFoundError(
                "Cannot find lm_eval.",
                f"{named} is not a program that can be run.",
                "Name the lm_eval program of an environment that has it.",
            )
        os.environ[VARIABLE] = str(Path(found).absolute())
    if tasks:
        folder = expand(tasks).absolute()
        if not folder.is_dir():
            raise NotFoundError(
                "Cannot find the tasks.", f"There is no folder {folder}.", "Name the folder with the tasks' YAML files."
            )
        os.environ[TASKS_VARIABLE] = str(folder)
    find_program()
    tasks_folder()


def find_program() -> tuple[str, ...]:
    """Return the command that starts lm-eval: $LM_EVAL, else the installed module, else the program on the PATH.

    Raises `NotFoundError`, which says how to install it.
    """
    if named := _absolute_variable(VARIABLE):
        if shutil.which(named) is None:
            raise NotFoundError(
                "Cannot find lm_eval.",
                f"{VARIABLE} names {named}, which is not a program that can be run.",
                "Name another lm_eval.",
            )
        return (named,)
    if find_spec(PROGRAM) is not None:
        return sys.executable, "-P", "-m", PROGRAM
    if (found := shutil.which(PROGRAM)) is not None:
        return (str(Path(found).absolute()),)
    raise NotFoundError(
        "lm-eval is not installed.",
        "It provides and runs the public tasks.",
        "Install it (pip install 'distill-tui[harness]', or uv sync --extra harness), or add --lm-eval PATH.",
    )


def _absolute_variable(variable: str) -> str | None:
    """Return the value of an environment variable, which must be an absolute path.

    A job runs in the project's folder, and nothing there may be executed.
    """
    value = os.environ.get(variable)
    if value and not Path(value).is_absolute():
        raise NotFoundError(
            f"{variable} is not an absolute path.", f"It is set to {value}.", "Set it to an absolute path."
        )
    return value


def tasks_folder() -> str | None:
    """Return the folder of tasks that the environment names, if any. Raises `NotFoundError` if it is not there."""
    value = _absolute_variable(TASKS_VARIABLE)
    if value and not Path(value).is_dir():
        raise NotFoundError(
            "Cannot find the tasks.",
            f"{TASKS_VARIABLE} names {value}, which is not a folder.",
            "Name the folder with the tasks' YAML files.",
        )
    return value


def find_release(project: Project, number: int | None) -> Release:
    """Return the release with this number, else the newest that lm-eval can read.

    Raises `NotFoundError` if there is none or its files are gone. Raises `UsageError` for GGUF, and for an adapter
    trained on a base in four bits: lm-eval would load it on the full-precision base, where it answers differently.
    """
    releases = project.releases.all()
    if number is None:
        releases = tuple(each for each in releases if each.kind != "gguf") or releases
    if not releases:
        raise NotFoundError("There are no releases yet.", "", "Release a run: distill-tui export")
    release = releases[-1] if number is None else next((each for each in releases if each.id == number), None)
    if release is None:
        raise NotFoundError(
            f"There is no release {number}.", f"The newest one is {releases[-1].id}.", "Name another with --release."
        )
    if release.kind == "gguf":
        raise UsageError(
            "Cannot measure a GGUF release.",
            "It is made for llama.cpp, from the same weights as the merged form.",
            f"Measure the merged form instead: distill-tui export --run {release.run_id} --form merged",
        )
    folder = folder_of(project, release)
    needed = ADAPTER_FILES if release.kind == "adapter" else ("config.json",)
    if not is_intact(folder, release) or not all((folder / name).is_file() for name in needed):
        raise NotFoundError(
            "The release is gone.", f"{folder} no longer holds it.", "Release the run again: distill-tui export"
        )
    if release.kind == "adapter" and project.runs.get(release.run_id).config.quantize_base == "nf4":
        raise UsageError(
            "Cannot measure an adapter for a base in four bits.",
            f"Run {release.run_id} was trained on its base in four bits, but lm-eval loads the base in full precision.",
            f"Measure the merged form instead: distill-tui export --run {release.run_id} --form merged",
        )
    return release


def check_tasks(tasks: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the tasks, without duplicates. Raises `UsageError` if there are none."""
    names = tuple(dict.fromkeys(name.strip() for listed in tasks for name in listed.split(",") if name.strip()))
    if not names:
        raise UsageError("No tasks are named.", "", "Name some, such as --tasks ifeval,mmlu_anatomy")
    return names


def configuration(
    options: HarnessOptions, run: Run, base: Path, release: Path | None, tokenizer: Path, device: str, output: Path
) -> dict[str, object]:
    """Return the content of lm-eval's configuration file; with `release` None, for the base alone.

    Base and release are loaded with the release's tokenizer and template, in the precision of the run, so that they
    differ in nothing but the weights. A file rather than arguments, in which a comma in a path would end it.
    """
    model: dict[str, object] = {"pretrained": str(base), "tokenizer": str(tokenizer), "dtype": run.dtype or "auto"}
    if release is not None:
        merged = not holds_adapter(release)
        model |= {"pretrained": str(release)} if merged else {"peft": str(release)}
    settings: dict[str, object] = {
        "model": "hf",
        "model_args": model,
        "tasks": list(options.tasks),
        "limit": options.limit,
        "num_fewshot": options.few_shot,
        "batch_size": options.batch_rows,
        "device": device,
        "apply_chat_template": options.chat_template,
        "include_path": tasks_folder(),
        "output_path": str(output),
        "trust_remote_code": False,
    }
    return {name: value for name, value in settings.items() if value not in (None, "")}
