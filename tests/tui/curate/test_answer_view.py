"""One answer in the review: scrolling, editing, comparing, copying, hostile text."""

from pathlib import Path

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision
from tests.hostile import control_characters
from tests.tui.curate.review_helpers import (
    LONG,
    open_review,
    review_text,
    stored_examples,
)
from tests.tui.piloting import SIZES, screen_text, until
from tests.tui.seeds import PROMPT, add_examples, make_stage
from tui.app import DistillApp


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_answers_are_shown_literally(home: Home, size: tuple[int, int]) -> None:
    folder = make_stage(home, "hostile")
    with Project.open(folder, home) as project:
        hostile = project.questions.all()[-1]
        project.prompts.set(PROMPT)
        add_examples(project, 3)
        answer = "[@click=app.quit]x[/] \x1b]52;c;aGk=\x07\x9b31m\u202eevil"
        project.examples._connection.write(
            "UPDATE examples SET answer = ?, question_id = ? WHERE id = 1", (answer, hostile.id)
        )
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot, app)
        await until(pilot, lambda: "[@click=app.quit]x" in review_text(app))
        assert not control_characters(screen_text(app))


async def test_long_answer_scrolls_and_can_fill_the_page(home: Home, folder: Path) -> None:
    with Project.open(folder, home) as project:
        project.decisions.decide([Decision(1, "edit", "person", edited_answer=LONG)])
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await until(pilot, lambda: "lines below" in review_text(app))
        assert "Step 89:" not in review_text(app)
        for _ in range(30):
            await pilot.press("pagedown")
        await until(pilot, lambda: "Step 89:" in review_text(app) and "lines below" not in review_text(app))
        await pilot.press("pageup")
        await until(pilot, lambda: "lines below" in review_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Question 2 about" not in review_text(app))
        await pilot.press("escape", "j", "k")
        await until(pilot, lambda: "Step 1:" in review_text(app) and "lines above" not in review_text(app))


async def test_edit_is_compared_with_the_generated_answer(home: Home, folder: Path) -> None:
    with Project.open(folder, home) as project:
        answer = project.examples.get(1).answer
        project.decisions.decide([Decision(1, "edit", "person", edited_answer=answer.replace("Please", "Do"))])
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("d")
        await until(pilot, lambda: "- RISK SCORE: 1. Please call" in review_text(app))
        assert "+ RISK SCORE: 1. Do call" in review_text(app)
        await pilot.press("j")
        await until(pilot, lambda: "- RISK" not in review_text(app))
        await pilot.press("k", "d")
        await until(pilot, lambda: "- RISK" not in review_text(app) and "Do call" in review_text(app))


async def test_shown_answer_is_copied(home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(DistillApp, "copy_to_clipboard", lambda _app, text: copied.append(text))
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("j", "y")
        assert copied == [stored_examples(folder, home)[1].answer]
