"""Public tasks, as a job: lm-eval measures the base, then the release, each in a separate process.

The scores of each are kept in the job's folder, so a resumed job does not measure it twice.
"""

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path

from engine.clean import REASON_CELLS, clean_line
from engine.errors import JobError
from engine.harness.program import TASKS_VARIABLE, configuration, find_program, find_release
from engine.harness.results import ModelResults, find_results, read_results, side_by_side
from engine.jobs.child import run_child
from engine.jobs.context import JobContext
from engine.jobs.protocol import Note
from engine.paths import make_private_folder
from engine.records.harness import HarnessResult
from engine.records.options import HarnessOptions
from engine.releases.contents import folder_of

CONFIGURATION = "lm-eval.json"
_PROGRAM = "measured-by.txt"  # the program that measured: compared, never run
# Progress bars are redrawn at this interval, and no data set may run its own code.
_ENVIRONMENT = {"TQDM_MININTERVAL": "0.5", "HF_DATASETS_TRUST_REMOTE_CODE": "0", "PYTHONUNBUFFERED": "1"}
_UNREACHED = re.compile(
    r"Couldn't reach|Can't reach|ConnectionError|LocalEntryNotFound|OfflineMode|Max retries|resolve host|"
    r"getaddrinfo|Network is unreachable|Cannot send a request|ConnectTimeout|ReadTimeout",
)
_UNKNOWN = re.compile(r"Tasks? not found: *(?P<names>.*)")
_MISSING = re.compile(r"No module named '?(?P<module>[\w.]+)")
_ENDS_WITH_ERROR = re.compile(r"^[\w.]*(?:Error|Exception|Exit|Interrupt)\b")


def run(context: JobContext, options: HarnessOptions) -> None:
    """Measure the release that `options` names, and keep the result in the project.

    Raises NotFoundError (no release, no lm-eval), ModelError (the base), JobError if lm-eval fails, with its message
    and what to do, and JobStopped when asked to stop.
    """
    from engine.model.load import device_name
    from engine.model.locate import locate_base

    project = context.project
    release = find_release(project, options.release_id)
    run = project.runs.get(release.run_id)
    program, base = find_program(), locate_base(run.config.base, project.home)
    released = folder_of(project, release)
    device = device_name(run.config.device)
    found: dict[str, ModelResults] = {}
    with context.hold_device(device):
        for name, weights in (("base", None), ("release", released)):
            folder = make_private_folder(context.folder / f"{name}-{release.sha256[:12]}")
            config = configuration(options, run, base, weights, released, device, folder / "results")
            found[name] = _measured(context, program, folder, name, json.dumps(config, indent=2))
    project.harness.add(
        HarnessResult(
            id=0,
            run_id=run.id,
            release_id=release.id,
            release_sha256=release.sha256,
            tasks=options.tasks,
            limit=options.limit,
            few_shot=options.few_shot,
            chat_template=options.chat_template,
            scores=side_by_side(found["base"], found["release"]),
            version=found["release"].version,
            seconds=context.work.seconds,
        )
    )


def _measured(context: JobContext, program: tuple[str, ...], folder: Path, name: str, config: str) -> ModelResults:
    """Return what lm-eval scored with this configuration: now, or before this job was stopped."""
    written, measured_by, results = folder / CONFIGURATION, folder / _PROGRAM, folder / "results"
    # With another lm-eval, or another configuration, the difference would not come from the adapter alone.
    before = [path.read_text(encoding="utf-8") for path in (written, measured_by) if path.is_file()]
    if before == [config, json.dumps(program)]:
        kept = find_results(results)
        if kept is not None:
            with suppress(JobError):  # killed while it was written: measured again
                found = read_results(kept)
                context.emit(Note(f"The {name} has been measured already."))
                return found
    shutil.rmtree(results, ignore_errors=True)
    written.write_text(config, encoding="utf-8")
    measured_by.write_text(json.dumps(program), encoding="utf-8")
    context.emit(Note(f"lm-eval is measuring the {name}."))
    status, lines = run_child((*program, "run", "--config", str(written)), folder, context, name, _ENVIRONMENT)
    if status:
        raise failure(name, status, lines)
    kept = find_results(results)
    if kept is None:
        raise JobError(
            f"lm-eval wrote no results for the {name}.", f"{results} is empty.", "See the end of the job's log."
        )
    return read_results(kept)


def failure(name: str, status: int, lines: tuple[str, ...]) -> JobError:
    """Explain, from its last lines, why lm-eval ended with this `status`, and what to do."""
    last = next((line for line in reversed(lines) if _ENDS_WITH_ERROR.match(line)), lines[-1] if lines else "")
    why = clean_line(last, REASON_CELLS) or "It printed nothing."
    title, text = f"lm-eval failed on the {name}.", "\n".join(lines)
    if status < 0:
        return JobError(title, f"It was killed by signal {-status}. {why}", "Free some memory, or use --batch-rows 1.")
    if (unknown := _UNKNOWN.search(why)) is not None:
        names = clean_line(unknown["names"], 200)
        return JobError(
            f"lm-eval does not know the task{'s' if ',' in names else ''} {names}.",
            "",
            f"List its tasks with lm_eval ls tasks, or add your own with --include-path (or {TASKS_VARIABLE}).",
        )
    if (missing := _MISSING.search(why)) is not None:
        return JobError(
            title,
            f"It needs {missing['module']}, which is not installed.",
            "Install it in lm-eval's environment; for IFEval: pip install 'lm-eval[hf,ifeval]'.",
        )
    if _UNREACHED.search(text):
        return JobError(
            "Cannot download a task's data set.",
            why,
            "Try again with a network connection, or copy a Hugging Face cache that holds the data set to this machine "
            "and set HF_HOME to it, or use tasks with local data: --include-path DIR",
        )
    return JobError(title, why, "See the end of the job's log.")
