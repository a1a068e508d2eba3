"""The cost of a generation: what is booked, and that the budget binds across resumed jobs."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from engine.economics.prices import Prices
from engine.errors import BudgetError, TeacherError
from engine.jobs.protocol import Note, Spent
from engine.project import Project
from engine.records.cost import EndpointPrices
from engine.records.options import GenerateOptions, TeacherSpec
from engine.teachers import budget
from engine.teachers.job import questions_of
from tests.engine.teachers.generation_helpers import endpoint_options, events_of, generate, run_stage
from tests.engine.teachers.hostile_server import (
    DONE,
    Request,
    delta,
    event,
    good,
    head,
    raw,
    served,
    usage,
)


def test_budget_without_a_known_price_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_TUI_API_KEY_PEER_EXAMPLE", "sk-0123456789")
    with pytest.raises(BudgetError, match="No price is known"):
        generate(project, GenerateOptions(TeacherSpec("endpoint", "peer", "https://peer.example/v1"), max_cost_usd=1.0))


def test_answers_cost_what_the_settings_say(project: Project) -> None:
    with served(good("Dear", " all", " Bye.")) as server:
        options = endpoint_options(server, max_cost_usd=0.2, max_answer_tokens=4, concurrency=1)
        price = EndpointPrices("peer", server.url, 0.0, 0.0, 10_000.0)  # 1 cent per token of an answer
        project.settings.write(replace(project.settings.read(), prices=(price,)))
        generate(project, options)
    assert project.spending.usd() == pytest.approx(0.18), "another answer could exceed the limit"
    assert 0 < len(project.examples.all()) < 10


def test_resumed_job_does_not_count_the_cost_of_another(project: Project, cent_per_token: None) -> None:
    with served(good("Dear", " all", " Bye.")) as server:
        # Killed before its first answer:
        job = project.jobs.add(endpoint_options(server, concurrency=1, max_cost_usd=0.16, max_answer_tokens=4))
        generate(project, endpoint_options(server, splits=("validation",)))
        assert project.spending.usd() == pytest.approx(0.06)
        run_stage(project, job)
    spent = [e.usd for e in events_of(project, job) if isinstance(e, Spent)]
    assert spent[0] == 0.0
    assert spent[-1] == pytest.approx(0.15)
    assert len(project.examples.all()) == 2 + 5


def test_cost_of_removed_questions_still_counts_after_a_resume(project: Project, cent_per_token: None) -> None:
    async def removing(request: Request, writer: asyncio.StreamWriter) -> None:
        with Project.open(project.folder) as opened:
            opened.questions.remove(q.id for q in opened.questions.all() if q.text == request.question)
        await good("Dear", " all", " Bye.")(request, writer)

    with served(removing, good("Dear", " all", " Bye.")) as server:
        job = project.jobs.add(endpoint_options(server, concurrency=1, max_cost_usd=0.16, max_answer_tokens=4))
        for asks in (5, 0):
            before = len(server.requests)
            run_stage(project, job)
            assert len(server.requests) - before == asks
            assert project.spending.usd() == pytest.approx(0.15)
            assert project.jobs.work(job.id)["examples"].cost_usd == pytest.approx(0.15)
            stored = project.examples.all()
            project.questions.remove([stored[0].example.key.question_id])  # one whose answer was stored
    assert len(stored) == 3
    spent = [e for e in events_of(project, job) if isinstance(e, Spent)]
    assert spent[-1].usd == pytest.approx(0.15)


def test_budget_is_not_exceeded_even_after_a_resume(project: Project, cent_per_token: None) -> None:
    spends = good("Dear", " all", " Bye.")
    with served(spends) as server:
        job = project.jobs.add(endpoint_options(server, concurrency=4, max_cost_usd=0.16, max_answer_tokens=4))
        for _ in range(2):
            run_stage(project, job)
    # Each answer costs 3 cents and may cost 4: the fifth is asked at 12 cents, a sixth could exceed 16.
    assert len(server.requests) == len(project.examples.all()) == 5
    assert project.spending.usd() == pytest.approx(0.15)
    notes = [e.text for e in events_of(project, job) if isinstance(e, Note)]
    assert sum("The budget is spent" in text for text in notes) == 2
    spent = [e for e in events_of(project, job) if isinstance(e, Spent)]
    assert [e.usd for e in spent] == sorted(e.usd for e in spent)
    assert spent[-1].usd == pytest.approx(0.15)
    assert {e.limit_usd for e in spent} == {0.16}
    assert max(e.completion_tokens for e in spent) >= 12


@pytest.mark.parametrize("finish", ["length", "stop"])
def test_cost_of_an_answer_without_content_counts_towards_the_budget(
    project: Project, no_retry_wait: None, monkeypatch: pytest.MonkeyPatch, finish: str
) -> None:
    monkeypatch.setattr(budget, "prices_for", lambda *_: Prices(1_000.0, 1_000.0, 1_000.0))  # 0.1 cents per token
    thinks = raw(head(), event(delta("<think>Hm.")), event(delta(None, finish)), event(usage(1_000, 500)), DONE)
    with served(thinks) as server:
        job = project.jobs.add(endpoint_options(server, max_cost_usd=2.0))
        for _ in range(2):
            with suppress(TeacherError):  # raised when questions failed and none was answered
                run_stage(project, job)
    assert len(server.requests) == 1, "another request could exceed the limit"
    assert project.spending.usd() == project.jobs.work(job.id)["examples"].cost_usd == pytest.approx(1.5)
    assert project.spending.mean_answer_tokens() is None
    assert project.examples.in_flight() == 0
    events = events_of(project, job)
    assert sum("The budget is spent" in e.text for e in events if isinstance(e, Note)) == 2
    assert [e.usd for e in events if isinstance(e, Spent)][-1] == pytest.approx(1.5)


def test_cost_of_failed_tries_is_booked_and_an_empty_answer_is_retried_once(
    project: Project, cent_per_token: None, no_retry_wait: None
) -> None:
    cut = raw(head(), event(delta("Half")), event(usage(30, 7)))
    empty = raw(head(), event(delta(None, "stop")), event(usage(30, 2)), DONE)
    with served(cut, good("Dear", " all", " Bye."), empty, empty, good("Bye.")) as server:
        generate(project, endpoint_options(server, concurrency=1, limit=3))
    first, second, third = [each.text for each in questions_of(project, endpoint_options(server, limit=3))]
    assert [request.question for request in server.requests] == [first, first, second, second, third]
    assert project.spending.usd() == pytest.approx(0.07 + 0.03 + 2 * 0.02 + 0.01)
    assert project.spending.mean_answer_tokens() == 2.0


def test_estimated_cost_of_interrupted_tries_counts_towards_the_budget(
    project: Project, cent_per_token: None, no_retry_wait: None
) -> None:
    cut = raw(head(), event(delta("It is forty characters long, or ten tokens.")))
    half = raw(head(), b'data: {"choices":[{"delta":{"content":"Half\\ud83d"},"finish_reason":"stop"}]}\n\n')
    with served(half, cut) as server, suppress(TeacherError):
        generate(project, endpoint_options(server, concurrency=1, max_cost_usd=0.3, max_answer_tokens=10))
    assert len(server.requests) == 3, "another request could exceed the limit"
    assert project.spending.usd() == pytest.approx(0.02 + 2 * 0.11)
