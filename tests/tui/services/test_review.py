"""What the review's service reads, while a job writes to the same project."""

from types import SimpleNamespace

import pytest

from engine.paths import Home
from engine.project import Project
from engine.store.examples import ExampleCounts, ExampleTable
from tests.tui.curate.review_helpers import add_attempt, make_reviewed_project
from tui.services.review import ReviewRead, ReviewService, Where


def test_window_and_counts_are_of_one_moment_while_answers_arrive(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, count, read = make_reviewed_project(home), ExampleTable.counts, list[ReviewRead]()

    def count_and_add_an_answer(table: ExampleTable, prompt_sha256: str) -> ExampleCounts:
        counts = count(table, prompt_sha256)
        with Project.open(folder, home) as job:
            add_attempt(job, 1, 9, "RISK SCORE: 4. Call the desk.")
        return counts

    monkeypatch.setattr(ExampleTable, "counts", count_and_add_an_answer)
    with Project.open(folder, home) as project:
        store = SimpleNamespace(ask=lambda work, target: read.append(work(project)))
        ReviewService(store, None).read(Where())
    (page,) = [message.page for message in read]
    assert page.total == page.counts.total == len(page.rows)
    assert page.newest_id == page.rows[-1].id
