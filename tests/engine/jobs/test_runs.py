"""Which jobs trained which run: those that name it, else the one that made it and whoever went on with it."""

from itertools import combinations

import pytest

from engine.jobs.runs import jobs_of_runs
from engine.project import Project
from engine.records.job import Job
from engine.records.options import DemoOptions, JobOptions, SweepOptions, TrainOptions, Trial, UpdateOptions
from engine.records.run import Run, TrainingConfig
from engine.store.words_json import encode
from tests.engine.store.facts import dataset


def job(number: int, options: JobOptions, minute: int, ended: int | None = None) -> Job:
    ended_at = "" if ended is None else at(ended)
    return Job(
        number, options.kind, "done", encode(options), "", "run", created_at=at(minute), ended_at=ended_at
    )  # fmt: skip


def run(number: int, minute: int) -> Run:
    return Run(number, "sha", TrainingConfig("starter"), "done", f"runs/{number}", created_at=at(minute))


def at(minute: int) -> str:
    return f"2026-01-01T00:{minute:02d}:00.000+00:00"


def found(runs: tuple[Run, ...], *jobs: Job) -> dict[int, list[int]]:
    return {number: [each.id for each in of] for number, of in jobs_of_runs(runs, jobs).items()}


DEMO = job(1, DemoOptions(), 0, 8)


def test_a_job_that_conducts_has_the_run_that_it_made_and_no_later_one() -> None:
    jobs = (
        DEMO,
        job(2, TrainOptions(2), 10, 15),
        job(3, UpdateOptions(), 20, 24),  # was killed
        job(4, UpdateOptions(), 25, 30),  # went on with what it had made
        job(5, TrainOptions(4), 36, 38),
        job(6, UpdateOptions(), 40),
    )
    runs = (run(1, 5), run(2, 9), run(3, 22), run(4, 35), run(5, 42))
    assert found(runs, *jobs) == {1: [1], 2: [2], 3: [3, 4], 4: [5], 5: [6]}


def test_what_an_update_began_and_a_training_ended_is_not_an_earlier_runs() -> None:
    update, training = job(2, UpdateOptions(), 10, 12), job(3, TrainOptions(2), 20)
    assert found((run(1, 5), run(2, 11)), DEMO, update, training) == {1: [1], 2: [3]}


HISTORY = (
    DEMO,
    job(2, TrainOptions(2), 10, 15),
    job(3, UpdateOptions(), 20, 24),
    job(4, UpdateOptions(), 25, 30),
    job(5, SweepOptions((Trial(5, ""),)), 32, 33),
    job(6, UpdateOptions(), 40),
)
MADE_AT = (5, 9, 22, 27, 29, 42)


@pytest.mark.parametrize("deleted", [set(few) for n in range(1, 6) for few in combinations(range(1, 7), n)], ids=str)
def test_what_is_deleted_changes_nothing_about_who_trained_the_others(
    project: Project, deleted: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.datasets.add(dataset())
    for minute in MADE_AT:
        monkeypatch.setattr("engine.store.runs.now_text", lambda minute=minute: at(minute))
        project.runs.add(dataset().sha256, TrainingConfig("starter"))
    before = found(project.runs.all(), *HISTORY)
    assert before == {1: [1], 2: [2], 3: [3], 4: [4], 5: [], 6: [6]}
    for number in sorted(deleted, key=lambda number: (number * 4) % 7):  # in no order of theirs
        project.runs.delete(number)
    assert found(project.runs.all(), *HISTORY) == {n: jobs for n, jobs in before.items() if n not in deleted}


def test_a_run_that_no_job_can_have_made_has_none() -> None:
    assert found((run(1, 9),), DEMO) == {1: []}
    assert found((run(1, 1),), job(1, TrainOptions(1), 2)) == {1: [1]}
    assert found((run(1, 3), run(2, 4)), DEMO) == {1: [1], 2: [1]}
