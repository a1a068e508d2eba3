"""What the review's service reads, while a job writes to the same project."""

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.example import ExampleCounts
from engine.store.examples import ExampleTable
from tests.tui.curate.review_helpers import add_attempt, make_reviewed_project
from tests.tui.services.recorder import Recorder
from tui.services.review import ReviewRead, ReviewService, Where
from tui.services.store import StoreService


def test_window_and_counts_are_of_one_moment_while_answers_arrive(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, count = make_reviewed_project(home), ExampleTable.counts

    def count_and_add_an_answer(table: ExampleTable, prompt_sha256: str) -> ExampleCounts:
        counts = count(table, prompt_sha256)
        with Project.open(folder, home) as job:
            add_attempt(job, 1, 9, "RISK SCORE: 4. Call the desk.")
        return counts

    monkeypatch.setattr(ExampleTable, "counts", count_and_add_an_answer)
    recorder = Recorder()
    store = StoreService(folder, home, recorder)
    ReviewService(store, recorder).read(Where())
    (read,) = recorder.wait(1)
    store.close()
    assert isinstance(read, ReviewRead)
    page = read.page
    assert page is not None
    assert page.total == page.counts.total == len(page.rows)
    assert page.newest_id == page.rows[-1].id
