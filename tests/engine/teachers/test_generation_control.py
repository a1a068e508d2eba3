"""Stopping, pausing, killing and running generation jobs at once, and the time they are recorded to take."""

import asyncio
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.errors import JobStopped
from engine.jobs.context import StopFlag
from engine.jobs.control import resume
from engine.jobs.liveness import is_alive, mark_lost_jobs
from engine.jobs.protocol import AnswerEnded, Note, Progress, StateChanged
from engine.project import Project
from engine.records.question import SPLITS
from engine.status import status_json
from tests.engine.jobs.support import wait_until
from tests.engine.teachers.generation_helpers import (
    PausedOnce,
    endpoint_options,
    events_of,
    generate,
    request_counts,
    run_stage,
    wait_for_end,
)
from tests.engine.teachers.hostile_server import HostileServer, Request, good, served

KILLS = 5


def wait_for_request(server: HostileServer, project: Project, job_id: int) -> None:
    before = len(server.requests)
    wait_until(lambda: len(server.requests) > before or not is_alive(project.jobs.get(job_id)))


def wait_until_lost(project: Project, job_id: int) -> None:
    # A killed process is gone a moment before the kernel releases its locks.
    wait_until(lambda: bool(mark_lost_jobs(project)) or project.jobs.get(job_id).state == "lost")


def test_stop_stores_the_answers_in_flight_and_asks_no_more(project: Project) -> None:
    stop = StopFlag()

    async def stopping(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == 4:
            stop.up = True
        await asyncio.sleep(0.05)
        await good("Bye.")(request, writer)

    with served(stopping) as server:
        with pytest.raises(JobStopped):
            generate(project, endpoint_options(server, concurrency=3), stop)
        assert len(project.examples.all()) == len(server.requests) < 10
        assert project.examples.in_flight() == 0
        jobs = status_json(project, ())["jobs"]
        assert isinstance(jobs, list)
        (job,) = jobs
        assert 0 < project.settings.timings()["generate"] <= job["worked_s"] + 0.001, "before any resume"
        generate(project, endpoint_options(server))
    assert set(request_counts(server).values()) == {1}


def test_time_of_the_station_is_the_sum_over_its_jobs(project: Project) -> None:
    with served(good("Bye.")) as server:
        first, *rest = [question.id for question in project.questions.all()]
        generate(project, endpoint_options(server, asks=((first, 0),)))
        (earlier,) = project.jobs.all()
        project.jobs.write_work(earlier.id, "examples", 60.0, 0)
        generate(project, endpoint_options(server, asks=tuple((number, 0) for number in rest)))
    latest = project.jobs.work(project.jobs.all()[-1].id)["examples"].seconds
    assert 60.0 < project.settings.timings()["generate"] <= 60.0 + latest


def test_time_of_the_station_includes_resumed_work_and_ignores_empty_jobs(project: Project) -> None:
    with served(good("Bye.")) as server:
        options = endpoint_options(server)
        job = project.jobs.add(options)
        for _ in range(2):  # the second finds everything stored
            run_stage(project, job)
            project.jobs.write_work(job.id, "examples", 1000.0, 0)
        total = project.settings.timings()["generate"]
        generate(project, options)
    assert len(server.requests) == 10
    assert project.settings.timings()["generate"] == total >= 1000.0


def test_pause_stores_the_answers_in_flight_and_the_job_continues_later(project: Project) -> None:
    asked_in_pause = 0

    async def pausing(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal asked_in_pause
        asked_in_pause += user.is_paused
        if len(server.requests) == 4:
            user.pause()
        await asyncio.sleep(0.05)
        await good("Bye.")(request, writer)

    with served(pausing) as server:
        job = project.jobs.add(endpoint_options(server, concurrency=3))
        user = PausedOnce(project.folder / job.folder)
        run_stage(project, job)
    events = events_of(project, job)
    paused = next(at for at, e in enumerate(events) if isinstance(e, StateChanged) and e.state == "paused")
    progress = [e for e in events[:paused] if isinstance(e, Progress)]
    assert progress[-1].done == sum(isinstance(e, AnswerEnded) for e in events[:paused]) > 0
    assert asked_in_pause == 0
    assert set(request_counts(server).values()) == {1}
    assert len(project.examples.all()) == 10


def test_second_job_for_the_same_answers_waits_for_the_first(project: Project) -> None:
    gate = threading.Event()

    async def gated(request: Request, writer: asyncio.StreamWriter) -> None:
        first = len(server.requests) == 1  # held back, whatever other requests arrive
        while first and not gate.is_set():
            await asyncio.sleep(0.01)
        await good("Bye.")(request, writer)

    def generate_all() -> None:
        with Project.open(project.folder) as opened:
            generate(opened, endpoint_options(server))

    with served(gated) as server, ThreadPoolExecutor() as pool:
        try:
            first = pool.submit(generate_all)
            wait_until(lambda: len(server.requests) == 1)
            events = generate(project, endpoint_options(server, asks=((1, 1),)))  # no other job asks for this one
            assert not [e for e in events if isinstance(e, Note)], "requests of a live job are not taken for lost ones"
            assert [curated.example.key.attempt for curated in project.examples.all()] == [1]
            second = pool.submit(generate_all)
            wait_until(lambda: project.jobs.all()[-1].note == "job 1 (generate) of kind asks for the same answers")
            assert project.jobs.all()[-1].state == "waiting"
        finally:
            gate.set()
        first.result()
        second.result()
    assert sum(request_counts(server).values()) == len(project.examples.all()) == 11
    assert project.jobs.all()[-1].done == 10


def test_killed_generation_asks_for_no_stored_answer_again(project: Project) -> None:
    """Kill a generation again and again: finally all is stored, and only requests in flight were sent twice."""
    seed = int(os.environ.get("KILL_SEED", "7"))
    rng = random.Random(seed)
    concurrency = 4
    stored_when_asked: list[str] = []
    texts = {question.id: question.text for question in project.questions.all()}
    prompt = project.prompts.current()
    assert prompt is not None
    prompt_sha256 = prompt.prompt.sha256

    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        with Project.open(project.folder) as opened:
            stored = {texts[curated.example.key.question_id] for curated in opened.examples.all(prompt_sha256)}
        if request.question in stored:
            stored_when_asked.append(request.question)
        await asyncio.sleep(rng.uniform(0.01, 0.12))
        await good("Kind. Bye.")(request, writer)

    kills = in_flight_at_kills = 0
    worked: list[float] = []
    with served(slow) as server:
        job = project.start_job(endpoint_options(server, concurrency=concurrency, splits=SPLITS))
        while kills < KILLS:
            wait_for_request(server, project, job.id)
            time.sleep(rng.uniform(0, 0.1))
            running = project.jobs.get(job.id)
            if not is_alive(running):
                break
            os.kill(running.pid, signal.SIGKILL)
            wait_until_lost(project, job.id)
            kills += 1
            in_flight_at_kills += project.examples.in_flight()
            worked.append(project.jobs.work(job.id)["examples"].seconds)
            job = resume(project, project.jobs.get(job.id))
        wait_for_end(project, job.id)
    assert project.jobs.get(job.id).state == "done"
    assert len(project.examples.all()) == 12
    assert kills == KILLS
    worked.append(project.settings.timings()["generate"])
    assert worked == sorted(set(worked)), "each process continues the count"
    assert stored_when_asked == []
    assert len(server.requests) - 12 <= in_flight_at_kills <= kills * concurrency
    assert project.examples.in_flight() == 0
