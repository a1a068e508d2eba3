"""Before and after a generation: its options, the key it needs, and retrying unanswered questions.

Every request is carried out on the store's thread and ends in one message to the pane, or in the start of a job.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from textual.message import Message
from textual.message_pump import MessagePump

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
from tui.services.store import StoreService

Options = TypeVar("Options", bound=GenerateOptions | SynthesizeOptions)
Outlook = TypeVar("Outlook", bound=GenerationOutlook | SynthesisOutlook)
Estimate = Callable[[Project, Options], Outlook]  # what a job with these options would take


@dataclass
class OptionsRead(Message):
    """The options of the last generation, or the defaults for the first."""

    options: GenerateOptions


def outlook_reader(options: Options, estimate: Estimate[Options, Outlook]) -> Callable[[Project], Outlook]:
    """Work that estimates what a job would take. Raises `DistillError`, also for a teacher that does not exist."""
    return lambda project: estimate(project, replace(options, teacher=with_stored_name(options.teacher)))


class GenerationService:
    """The teacher's work of one project. Every method returns at once; answers come as messages to `target`."""

    def __init__(self, store: StoreService, target: MessagePump) -> None:
        self._store = store
        self._target = target

    def read_options(self) -> None:
        """Read the last options for the project's teacher, without their limit, which was meant for that job; ends in
        `OptionsRead`.
        """

        def work(project: Project) -> Message:
            settings = project.settings.read()
            for _, before in project.jobs.of_kind(GenerateOptions):
                if not before.asks:
                    return OptionsRead(replace(before, teacher=settings.teacher, limit=None))
            return OptionsRead(GenerateOptions(settings.teacher, temperature=settings.serving_temperature))

        self._store.post(work, self._target)

    def start(self, options: GenerateOptions | SynthesizeOptions, key: str) -> None:
        """Start the job. The endpoint's key, if one was typed, is saved before, outside the project.

        The teacher that is to answer becomes the project's: evaluations include it, and the form offers it next time.
        """

        def work(project: Project) -> GenerateOptions | SynthesizeOptions:
            settings, teacher = project.settings.read(), with_stored_name(options.teacher)
            if isinstance(options, GenerateOptions) and teacher != settings.teacher:
                project.settings.write(replace(settings, teacher=teacher))
            if key and teacher.kind == "endpoint":
                save_key(teacher.base_url, key, project.home)
            return replace(options, teacher=teacher)

        self._store.start(work, self._target)

    def ask_again(self, job_id: int, asks: Sequence[tuple[int, int]]) -> None:
        """Start a job with the options of this one, for the questions it did not get answered."""

        def work(project: Project) -> GenerateOptions:
            job = project.jobs.get(job_id)
            before = options_of_job(job)
            if not isinstance(before, GenerateOptions):
                before = replace(last_options(project, project.settings.read().teacher), samples=1, limit=None)
            return replace(before, asks=tuple(asks))

        self._store.start(work, self._target)
