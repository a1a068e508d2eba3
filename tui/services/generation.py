"""Before and after a generation: its options, the key it needs, and retrying unanswered questions.

Every function is work for `StoreService`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from engine.project import Project
from engine.records.options import GenerateOptions, SynthesizeOptions
from engine.store.jobs import options_of_job
from engine.teachers.keys import save_key
from engine.teachers.next_attempts import last_options
from engine.teachers.outlook import GenerationOutlook as GenerationOutlook
from engine.teachers.outlook import SynthesisOutlook as SynthesisOutlook
from engine.teachers.outlook import generation_outlook as generation_outlook
from engine.teachers.outlook import synthesis_outlook as synthesis_outlook
from tui.services.project_settings import with_stored_name

Options = TypeVar("Options", bound=GenerateOptions | SynthesizeOptions)
Outlook = TypeVar("Outlook", bound=GenerationOutlook | SynthesisOutlook)
Estimate = Callable[[Project, Options], Outlook]  # what a job with these options would take


def outlook_reader(options: Options, estimate: Estimate[Options, Outlook]) -> Callable[[Project], Outlook]:
    """Work that estimates what a job would take. Raises `DistillError`, also for a teacher that does not exist."""
    return lambda project: estimate(project, replace(options, teacher=with_stored_name(options.teacher)))


def read_options(project: Project) -> GenerateOptions:
    """The options of the last generation, or the defaults for the first, with the project's teacher.

    Without their limit, which was meant for that job.
    """
    settings = project.settings.read()
    for _, before in project.jobs.of_kind(GenerateOptions):
        if not before.asks:
            return replace(before, teacher=settings.teacher, limit=None)
    return GenerateOptions(settings.teacher, temperature=settings.serving_temperature)


def ready_options(project: Project, options: Options, key: str) -> Options:
    """The options of a job that may start. The endpoint's key, if one was typed, is saved before, outside the project.

    The teacher that is to answer becomes the project's: evaluations include it, and the form offers it next time.
    """
    settings, teacher = project.settings.read(), with_stored_name(options.teacher)
    if isinstance(options, GenerateOptions) and teacher != settings.teacher:
        project.settings.write(replace(settings, teacher=teacher))
    if key and teacher.kind == "endpoint":
        save_key(teacher.base_url, key, project.home)
    return replace(options, teacher=teacher)


def options_again(project: Project, job_id: int, asks: Sequence[tuple[int, int]]) -> GenerateOptions:
    """The options of a job like this one, for the questions it did not get answered."""
    before = options_of_job(project.jobs.get(job_id))
    if not isinstance(before, GenerateOptions):
        before = replace(last_options(project, project.settings.read().teacher), samples=1, limit=None)
    return replace(before, asks=tuple(asks))
