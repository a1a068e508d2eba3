"""lm-evaluation-harness as a program of its own: where it is, and what it is asked. Imports nothing of it."""

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
from engine.releases.look import folder_of, lies_there

PROGRAM = "lm_eval"
# What is run comes from whoever starts or resumes the job, never from the project, which may be a stranger's.
VARIABLE = "LM_EVAL"
TASKS_VARIABLE = "LM_EVAL_TASKS"  # a folder of tasks, which may be code


def name_program(named: str = "", tasks: str = "") -> None:
    """For this process and the jobs that it starts, lm-eval is the `named` program, and has the folder `tasks` too.

    Raises `NotFoundError` where there is none, or no such folder.
    """
    if named:
        found = shutil.which(str(expand(named)))
        if found is None:
            raise NotFoundError(
                "There is no such program.",
                f"{named} cannot be run.",
                "Name the lm_eval of an environment that has it.",
            )
        os.environ[VARIABLE] = str(Path(found).absolute())
    if tasks:
        folder = expand(tasks).absolute()
        if not folder.is_dir():
            raise NotFoundError(
                "There is no such folder.", f"{folder} is not there.", "Name the folder of the tasks' YAML."
            )
        os.environ[TASKS_VARIABLE] = str(folder)
    find_program()
    tasks_folder()


def find_program() -> tuple[str, ...]:
    """The words that start lm-eval: what $LM_EVAL names, else the module beside this one, else the one on the PATH.

    Raises `NotFoundError` that says how to install it.
    """
    if named := _told(VARIABLE):
        if shutil.which(named) is None:
            raise NotFoundError("There is no such program.", f"{VARIABLE} names {named}.", "Name another lm_eval.")
        return (named,)
    if find_spec(PROGRAM) is not None:
        return sys.executable, "-P", "-m", PROGRAM
    if (found := shutil.which(PROGRAM)) is not None:
        return (str(Path(found).absolute()),)
    raise NotFoundError(
        "lm-eval is not installed.",
        "It brings the public tasks and runs them.",
        "Install it: pip install 'distill-tui[harness]', or uv sync --extra harness; or name one: --lm-eval PATH.",
    )


def _told(variable: str) -> str | None:
    """What the environment says, in full: a job works in the project's folder, and nothing there is run."""
    told = os.environ.get(variable)
    if told and not Path(told).is_absolute():
        raise NotFoundError("This path is not whole.", f"{variable} names {told}.", "Write it in full.")
    return told


def tasks_folder() -> str | None:
    """The folder of tasks that the environment names, if any. Raises `NotFoundError` where it is not there."""
    told = _told(TASKS_VARIABLE)
    if told and not Path(told).is_dir():
        raise NotFoundError(
            "There is no such folder.", f"{TASKS_VARIABLE} names {told}.", "Name that of the tasks' YAML."
        )
    return told


def find_release(project: Project, number: int | None) -> Release:
    """The release of this number, else the newest that lm-eval can read; its files are there. Raises `NotFoundError`.

    Raises `UsageError` for GGUF, and for an adapter over a base in four bits: lm-eval would lay it over the base's
    plain weights, where it answers differently from what was trained.
    """
    releases = project.releases.all()
    if number is None:
        releases = tuple(each for each in releases if each.kind != "gguf") or releases
    if not releases:
        raise NotFoundError("Nothing was released yet.", "", "Release a run: distill-tui export")
    release = releases[-1] if number is None else next((each for each in releases if each.id == number), None)
    if release is None:
        raise NotFoundError(
            "There is no such release.", f"No release has the number {number}; the last one is {releases[-1].id}.", ""
        )
    if release.kind == "gguf":
        raise UsageError(
            "This release is GGUF, which is not measured here.",
            "It was made for llama.cpp, from the same weights as the merged form.",
            f"Release those and measure them: distill-tui export --run {release.run_id} --form merged",
        )
    folder = folder_of(project, release)
    needed = ADAPTER_FILES if release.kind == "adapter" else ("config.json",)
    if not lies_there(folder, release) or not all((folder / name).is_file() for name in needed):
        raise NotFoundError(
            "The release is gone.", f"{folder} does not hold it any more.", "Release it again: distill-tui export"
        )
    if release.kind == "adapter" and project.runs.get(release.run_id).config.quantize_base == "nf4":
        raise UsageError(
            "This release is measured over another base.",
            f"Run {release.run_id} was trained over its base in four bits, which lm-eval reads in full.",
            f"Release it merged and measure that: distill-tui export --run {release.run_id} --form merged",
        )
    return release


def check_tasks(tasks: tuple[str, ...]) -> tuple[str, ...]:
    """The tasks' names, each once. Raises `UsageError` without one."""
    names = tuple(dict.fromkeys(name.strip() for listed in tasks for name in listed.split(",") if name.strip()))
    if not names:
        raise UsageError("No task is named.", "", "Name some: --tasks ifeval,mmlu_anatomy")
    return names


def configuration(
    options: HarnessOptions, run: Run, base: Path, release: Path | None, tokenizer: Path, device: str, output: Path
) -> dict[str, object]:
    """What lm-eval is told in its configuration file; `release` None: the base alone.

    Base and release are read with the release's tokenizer and template, in the precision of the run, so that nothing
    but the weights tells them apart. A file and no words of a command: there a comma in a path would end it.
    """
    model: dict[str, object] = {"pretrained": str(base), "tokenizer": str(tokenizer), "dtype": run.dtype or "auto"}
    if release is not None:
        merged = not holds_adapter(release)
        model |= {"pretrained": str(release)} if merged else {"peft": str(release)}
    told: dict[str, object] = {
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
    return {name: value for name, value in told.items() if value not in (None, "")}
