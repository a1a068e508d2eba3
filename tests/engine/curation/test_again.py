"""Asking again: what is asked for, with which words, what happens to the old answers, and how far it is."""

import pytest

from engine.curation.again import REASON, ask_again, asked
from engine.errors import JobError, UsageError
from engine.project import Project
from engine.records.job import Job
from engine.records.options import GenerateOptions, JobOptions, ProjectSettings, TeacherSpec
from engine.records.selection import Selection
from tests.engine.curation.conftest import PROMPT, Answer

PEER = TeacherSpec("endpoint", "peer", "https://peer/v1")


@pytest.fixture
def started(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[GenerateOptions]:
    """The options of the jobs that were started; none runs."""
    found: list[GenerateOptions] = []

    def start(options: JobOptions) -> Job:
        assert isinstance(options, GenerateOptions)
        found.append(options)
        return project.jobs.add(options)

    monkeypatch.setattr(project, "start_job", start)
    project.settings.write(ProjectSettings(teacher=PEER))
    return found


def test_the_next_attempt_is_asked_for_and_the_old_answers_are_rejected_as_one_step(
    project: Project, answer: Answer, started: list[GenerateOptions]
) -> None:
    for question, attempt in ((1, 0), (2, 0), (2, 1)):
        answer(question, local=False, attempt=attempt)
    ask_again(project, Selection(ids=(1, 2)))
    assert started[0].asks == ((1, 1), (2, 2))
    assert (started[0].teacher, started[0].temperature) == (PEER, 0.7)
    reasons = [(row.state, row.decision.reason if row.decision else "") for row in project.examples.all()]
    assert reasons == [("rejected", REASON), ("rejected", REASON), ("undecided", "")]
    moved = project.decisions.undo()
    assert moved is not None
    assert moved.decisions == 2


def test_the_words_of_the_last_generation_by_this_teacher_are_used(
    project: Project, answer: Answer, started: list[GenerateOptions]
) -> None:
    answer(3, local=False)
    project.jobs.add(GenerateOptions(PEER, temperature=0.3, max_answer_tokens=9, limit=4, samples=5))
    project.jobs.add(GenerateOptions(TeacherSpec(), temperature=0.9))
    ask_again(project, Selection(ids=(1,)))
    again = started[0]
    assert (again.temperature, again.max_answer_tokens, again.limit, again.samples) == (0.3, 9, None, 1)
    project.jobs.add(GenerateOptions(PEER, temperature=0.0))
    ask_again(project, Selection(ids=(1,)))
    assert started[1].temperature == 1.0, "at 0 it would say the same again"


def test_where_no_job_can_be_started_nothing_is_rejected(
    project: Project, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(1)

    def refuse(_options: JobOptions) -> Job:
        raise JobError("No.", "It cannot be.", "Wait.")

    monkeypatch.setattr(project, "start_job", refuse)
    with pytest.raises(JobError):
        ask_again(project, Selection(ids=(1,)))
    assert project.examples.all()[0].state == "undecided"
    with pytest.raises(UsageError, match="nothing"):
        ask_again(project, Selection(topic="none"))


def test_how_far_it_is_is_told_until_a_newer_one_asks(
    project: Project, answer: Answer, started: list[GenerateOptions]
) -> None:
    answer(1, local=False)
    answer(2, local=False)
    assert asked(project, PROMPT.sha256) is None
    ask_again(project, Selection(ids=(1, 2)))
    answer(2, local=False, attempt=1)
    project.jobs.add(GenerateOptions(PEER))
    found = asked(project, PROMPT.sha256)
    assert found is not None
    assert (found.open_questions, found.answered, found.live) == ({1}, 1, True)
    project.jobs.update(found.job.id, state="failed")
    found = asked(project, PROMPT.sha256)
    assert found is not None
    assert not found.live
    assert len(started) == 1
