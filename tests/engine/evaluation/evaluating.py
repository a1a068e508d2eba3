"""Evaluations as a job makes them, for tests, and what they leave."""

import asyncio
import time

from engine.evaluation.job import run
from engine.evaluation.plan import make_plan
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.protocol import AnswerEnded, Event
from engine.project import Project
from engine.records.evaluation import ArmAnswer, ArmName, Evaluation
from engine.records.job import Job
from engine.records.options import EvaluateOptions

OPTIONS = EvaluateOptions(run_id=1, samples=2, max_answer_tokens=10, batch_rows=8)
ARMS: tuple[ArmName, ...] = ("unprompted", "prompted", "distilled")


class Watched(JobContext):
    """A job's context that keeps its events, and asks for a stop after so many answers."""

    def __init__(self, project: Project, job: Job, stop_after: int | None = None) -> None:
        self.flag, self.events, self.stop_after = StopFlag(), [], stop_after
        super().__init__(project, job, self.flag)

    def emit(self, event: Event) -> None:
        self.events.append(event)
        super().emit(event)
        if self.stop_after is not None and len(self.ended()) >= self.stop_after:
            self.flag.up = True

    def ended(self) -> list[AnswerEnded]:
        return [event for event in self.events if isinstance(event, AnswerEnded)]


def evaluate(
    project: Project, options: EvaluateOptions = OPTIONS, stop_after: int | None = None, job: Job | None = None
) -> Watched:
    """As a new job, or as one that is taken up again."""
    context = Watched(project, job or project.jobs.add(options), stop_after)
    try:
        run(context, options)
    finally:
        context.close()
    return context


async def another_waits(project: Project, words: str) -> None:
    """Until another job waits, with these words in its note; gives up where none does. For a server that holds its
    answers back.
    """
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if any(job.state == "waiting" and words in job.note for job in project.jobs.all()):
            return
        await asyncio.sleep(0.02)


def answers_of(project: Project, options: EvaluateOptions = OPTIONS) -> dict[ArmName, list[ArmAnswer]]:
    stored = project.evaluations.answers(make_plan(project, options).key)
    return {arm: [answer for answer in stored if answer.arm == arm] for arm in (*ARMS, "teacher")}


def latest(project: Project) -> Evaluation:
    evaluation = project.evaluations.latest()
    assert evaluation is not None
    return evaluation
