"""Asking again: the job and its options, the rejection of the old answers, and the progress."""

import pytest

from engine.curation.again import REASON, ask_again, asked
from engine.errors import JobError, UsageError
from engine.project import Project
from engine.records.job import Job
from engine.records.options import GenerateOptions, JobOptions, ProjectSettings, TeacherSpec
from engine.records.selection import Selection
from tests.engine.curation.conftest import PROMPT, StoreAnswer

PEER = TeacherSpec("endpoint", "peer", "https://peer/v1")


@pytest.fixture
def started(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[GenerateOptions]:
    """The options of the jobs that were started; no job is run."""
    started_options: list[GenerateOptions] = []

    def start(options: JobOptions) -> Job:
        assert isinstance(options, GenerateOptions)
        started_options.append(options)
        return project.jobs.add(options)

    monkeypatch.setattr(project, "start_job", start)
    project.settings.write(ProjectSettings(teacher=PEER))
    return started_options


def test_next_attempts_are_requested_and_old_answers_rejected_in_one_step(
    project: Project, store_answer: StoreAnswer, started: list[GenerateOptions]
) -> None:
    for question, attempt in ((1, 0), (2, 0), (2, 1)):
        store_answer(question, local=False, attempt=attempt)
    ask_again(project, Selection(ids=(1, 2)))
    assert started[0].asks == ((1, 1), (2, 2))
    assert (started[0].teacher, started[0].temperature) == (PEER, 0.7)
    reasons = [(row.state, row.decision.reason if row.decision else "") for row in project.examples.all()]
    assert reasons == [("rejected", REASON), ("rejected", REASON), ("undecided", "")]
    undone = project.decisions.undo()
    assert undone is not None
    assert undone.decisions == 2


def test_options_of_the_last_generation_with_this_teacher_are_used(
    project: Project, store_answer: StoreAnswer, started: list[GenerateOptions]
) -> None:
    store_answer(3, local=False)
    project.jobs.add(GenerateOptions(PEER, temperature=0.3, max_answer_tokens=9, limit=4, samples=5))
    project.jobs.add(GenerateOptions(TeacherSpec(), temperature=0.9))
    ask_again(project, Selection(ids=(1,)))
    again = started[0]
    assert (again.temperature, again.max_answer_tokens, again.limit, again.samples) == (0.3, 9, None, 1)
    project.jobs.add(GenerateOptions(PEER, temperature=0.0))
    ask_again(project, Selection(ids=(1,)))
    assert started[1].temperature == 1.0, "at 0 the teacher would repeat its answer"


def test_nothing_is_rejected_if_no_job_can_be_started(
    project: Project, store_answer: StoreAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_answer(1)

    def refuse(_options: JobOptions) -> Job:
        raise JobError("Cannot start a job.", "Another one is running.", "Wait until it ends.")

    monkeypatch.setattr(project, "start_job", refuse)
    with pytest.raises(JobError):
        ask_again(project, Selection(ids=(1,)))
    assert project.examples.all()[0].state == "undecided"
    with pytest.raises(UsageError, match="nothing"):
        ask_again(project, Selection(topic="none"))


def test_progress_counts_new_answers_until_the_job_ends(
    project: Project, store_answer: StoreAnswer, started: list[GenerateOptions]
) -> None:
    store_answer(1, local=False)
    store_answer(2, local=False)
    assert asked(project, PROMPT.sha256) is None
    ask_again(project, Selection(ids=(1, 2)))
    store_answer(2, local=False, attempt=1)
    project.jobs.add(GenerateOptions(PEER))
    progress = asked(project, PROMPT.sha256)
    assert progress is not None
    assert (progress.open_questions, progress.answered, progress.live) == (frozenset({1}), 1, True)
    project.jobs.update(progress.job.id, state="failed")
    progress = asked(project, PROMPT.sha256)
    assert progress is not None
    assert not progress.live
    assert len(started) == 1
