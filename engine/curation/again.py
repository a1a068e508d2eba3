"""Asking again about answers that a person does not want: the old ones are rejected, the new ones come beside them.

Nothing is lost: the old answers stay attempts of their questions, and one undo takes their rejection back.
"""

from dataclasses import dataclass

from engine.curation.decisions import reject
from engine.errors import UsageError
from engine.project import Project
from engine.records.job import LIVE_STATES, Job
from engine.records.options import GenerateOptions
from engine.records.selection import Selection
from engine.teachers.again import options_again

REASON = "asked again"


@dataclass(frozen=True, slots=True)
class Asked:
    """A job that asks again: the questions whose new answers have not come, and how many came."""

    job: Job
    open_questions: frozenset[int]
    answered: int

    @property
    def live(self) -> bool:
        """More answers may come."""
        return self.job.state in LIVE_STATES


def ask_again(project: Project, selection: Selection) -> Job:
    """Start a job that asks for one more answer to each selected question, then reject the selected answers.

    Raises `UsageError` where nothing is selected or all of it is being asked again, `JobError` where no job can be
    started; then nothing is rejected.
    """
    questions = project.examples.questions_of(selection)
    if not questions:
        raise UsageError("There is nothing to ask again.", "No answer is selected.", "Choose one.")
    options = options_again(project, questions)
    project.jobs.check_new(options)
    job = project.start_job(options)
    reject(project, selection, REASON)
    return job


def asked(project: Project, prompt_sha256: str) -> Asked | None:
    """The newest job that asks again about this prompt, as far as it is; None where nothing was ever asked again."""
    for job, options in project.jobs.asked(GenerateOptions):
        if options.asks:
            missing = project.examples.missing(options.asks, prompt_sha256, options.teacher.name)
            return Asked(job, frozenset(question_id for question_id, _ in missing), len(options.asks) - len(missing))
    return None
