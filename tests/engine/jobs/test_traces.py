"""Which jobs trained which run: those that name it, else the one that made it and whoever went on with it."""

from engine.jobs.traces import jobs_of_runs
from engine.records.job import Job, JobKind
from engine.records.options import DemoOptions, JobOptions, TrainOptions, UpdateOptions
from engine.records.run import Run, TrainingConfig
from engine.store.options_json import options_to_json


def job(number: int, kind: JobKind, options: JobOptions, minute: int) -> Job:
    return Job(number, kind, "done", options_to_json(options), f"jobs/{number}", "run", created_at=at(minute))


def run(number: int, minute: int) -> Run:
    return Run(number, "sha", TrainingConfig("starter"), "done", f"runs/{number}", created_at=at(minute))


def at(minute: int) -> str:
    return f"2026-01-01T00:{minute:02d}:00.000+00:00"


def test_a_job_that_conducts_has_the_run_that_it_made_and_no_later_one() -> None:
    jobs = (
        job(1, "demo", DemoOptions(), 0),
        job(2, "train", TrainOptions(2), 10),
        job(3, "update", UpdateOptions(), 20),  # was killed
        job(4, "update", UpdateOptions(), 25),  # went on with what it had made
        job(5, "update", UpdateOptions(), 40),
    )
    found = jobs_of_runs((run(1, 5), run(2, 9), run(3, 22), run(4, 42)), jobs)
    assert {number: [each.id for each in of] for number, of in found.items()} == {1: [1], 2: [2], 3: [3, 4], 4: [5]}


def test_a_run_that_no_job_can_have_made_has_none() -> None:
    assert jobs_of_runs((run(1, 1),), (job(1, "demo", DemoOptions(), 2),)) == {1: []}
    assert jobs_of_runs((run(1, 1),), (job(1, "train", TrainOptions(1), 2),))[1]
    twice = jobs_of_runs((run(1, 3), run(2, 4)), (job(1, "demo", DemoOptions(), 2),))
    assert [[each.id for each in of] for of in twice.values()] == [[1], [1]]
