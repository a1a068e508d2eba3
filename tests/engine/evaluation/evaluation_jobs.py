"""Runs evaluation jobs in the test process and reads what they stored."""

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


class RecordingContext(JobContext):
    """A job context that records its events and requests a stop after `stop_after` answers."""

    def __init__(self, project: Project, job: Job, stop_after: int | None = None) -> None:
        self.flag, self.stop_after = StopFlag(), stop_after
        self.events: list[Event] = []
        super().__init__(project, job, self.flag)

    def emit(self, event: Event) -> None:
        self.events.append(event)
        super().emit(event)
        if self.stop_after is not None and len(self.ended_answers()) >= self.stop_after:
            self.flag.up = True

    def ended_answers(self) -> list[AnswerEnded]:
        return [event for event in self.events if isinstance(event, AnswerEnded)]


def evaluate(
    project: Project, options: EvaluateOptions = OPTIONS, stop_after: int | None = None, job: Job | None = None
) -> RecordingContext:
    """Run an evaluation as a new job, or resume `job`."""
    context = RecordingContext(project, job or project.jobs.add(options), stop_after)
    try:
        run(context, options)
    finally:
        context.close()
    return context


async def wait_for_waiting_job(project: Project, text: str) -> None:
    """Return once a job is waiting with `text` in its note, or after 10 s. For servers that delay their answers."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if any(job.state == "waiting" and text in job.note for job in project.jobs.all()):
            return
        await asyncio.sleep(0.02)


def stored_answers(project: Project, options: EvaluateOptions = OPTIONS) -> dict[ArmName, list[ArmAnswer]]:
    stored = project.evaluations.answers(make_plan(project, options).key)
    return {arm: [answer for answer in stored if answer.arm == arm] for arm in (*ARMS, "teacher")}


def latest_evaluation(project: Project) -> Evaluation:
    evaluation = project.evaluations.latest()
    assert evaluation is not None
    return evaluation
