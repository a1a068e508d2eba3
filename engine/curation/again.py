"""Asks again for answers that the user does not want: the old ones are rejected, and new ones are added.

Nothing is lost: the old answers stay stored, and one undo restores them.
"""

from dataclasses import dataclass

from engine.curation.decisions import reject
from engine.errors import UsageError
from engine.jobs.control import check_new
from engine.project import Project
from engine.records.job import LIVE_STATES, Job
from engine.records.options import GenerateOptions
from engine.records.selection import Selection
from engine.teachers.next_attempts import options_again

REASON = "asked again"


@dataclass(frozen=True, slots=True)
class Asked:
    """A job that asks again: the questions still without a new answer, and the number of answers so far."""

    job: Job
    open_questions: frozenset[int]
    answered: int

    @property
    def live(self) -> bool:
        """Whether more answers may come."""
        return self.job.state in LIVE_STATES


def ask_again(project: Project, selection: Selection) -> Job:
    """Start a job that asks for one more answer per selected question, then reject the selected answers.

    Raises `UsageError` if nothing is selected or the same questions are being asked again already, and `JobError` if
    the job cannot be started. Nothing is rejected then.
    """
    questions = project.examples.questions_of(selection)
    if not questions:
        raise UsageError("There is nothing to ask again.", "No answer is selected.", "Select one.")
    options = options_again(project, questions)
    check_new(project, options)
    job = project.start_job(options)
    reject(project, selection, REASON)
    return job


def asked(project: Project, prompt_sha256: str) -> Asked | None:
    """Return the newest job that asks again, with its progress for this prompt; None if there is none."""
    for job, options in project.jobs.of_kind(GenerateOptions):
        if options.asks:
            missing = project.examples.missing(options.asks, prompt_sha256, options.teacher.name)
            return Asked(job, frozenset(question_id for question_id, _ in missing), len(options.asks) - len(missing))
    return None
