"""The evaluation pane by its keys: reading answers and tokens, the history, and how it looks."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.paths import Home
from engine.records.evaluation import Interval
from engine.records.run import TrainingConfig
from tests.hostile import control_characters
from tests.tui.panes.evaluation_helpers import open_pane, pane, text
from tests.tui.panes.helpers import messages
from tests.tui.panes.measured_projects import add_measured_evaluation, add_measured_run, make_compared, make_evaluating
from tests.tui.piloting import SIZES, footer, settled, until, wait_for_form, workspace
from tests.tui.seeds import add_dataset, add_examples, make_project, make_stage
from tui.app import DistillApp


@pytest.mark.parametrize("size", SIZES)
async def test_worst_answers_are_read_by_question_and_sample(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "2 of 8 questions where the student fails")
        assert "98 % of the prompt's gain is recovered" in " ".join(text(app).split())
        await pilot.press("j")
        assert "▌✗ 3   rule 2" in text(app)
        await pilot.press("k", "enter")
        page = text(app)
        assert "question 1 of 8" in page
        assert "sample 2 of 3" in page
        assert "Question 8 about fraud" in page
        assert page.count("26 tok") == 3
        assert page.count("✗ 2: 5 of at most 3") == 2
        assert "✓ passes every rule" in page
        side_by_side = any("unprompted" in line and "distilled" in line for line in page.splitlines())
        assert side_by_side == (size[0] >= 100)
        await pilot.press("right_square_bracket", "right_square_bracket")
        assert "question 2 of 8" in text(app)
        assert "sample 1 of 3" in text(app)
        await pilot.press("left_square_bracket")
        assert "question 1 of 8" in text(app)
        assert "sample 3 of 3" in text(app)
        await pilot.press("escape")
        assert "every rule" in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_footer_lists_the_keys_of_the_current_view(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "2 of 8 questions where the student fails")
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await until(pilot, lambda: footer(app).startswith("e evaluate   enter answers   = history"))
        await pilot.press("enter")
        reading = "] next sample   [ prev   j next question   k prev   esc back   ? help"
        await until(pilot, lambda: footer(app) == reading)
        await pilot.press("escape", "d")
        await until(pilot, lambda: footer(app) == "e evaluate   = history   c review   esc back   ? help")
        assert "enter" not in footer(app)
        await pilot.press("escape", "equals_sign")
        await until(pilot, lambda: footer(app) == "enter show   e evaluate   c review   esc back   ? help")
        assert "= history" not in footer(app)
        await pilot.press("equals_sign")
        await until(pilot, lambda: footer(app).endswith("? help   q quit"))
        assert footer(app).startswith("e evaluate   enter answers   = history")


async def test_j_and_k_change_the_question_and_page_keys_scroll(home: Home) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "2 of 8 questions where the student fails")
        await pilot.press("enter", "j")
        assert "question 2 of 8" in text(app)
        await pilot.press("k")
        assert "question 1 of 8" in text(app)
        assert "sample 2 of 3" in text(app)  # its worst sample
        await pilot.press("pagedown")
        await until(pilot, lambda: pane(app).scroll_offset.y > 0)
        assert "question 1 of 8" in text(app)
        await pilot.press("g")
        await until(pilot, lambda: pane(app).scroll_offset.y == 0)


async def test_first_and_last_question_are_reached_while_answers_are_read(home: Home) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "2 of 8 questions where the student fails")
        await pilot.press("enter", "G")
        await until(pilot, lambda: "question 8 of 8" in text(app))
        await pilot.press("g")
        await until(pilot, lambda: "question 1 of 8" in text(app))
        assert "sample 2 of 3" in text(app), "its worst sample"


@pytest.mark.parametrize("key", ["enter", "d", "equals_sign"])
async def test_q_goes_back_one_level_and_quits_only_from_the_table(home: Home, key: str) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "2 of 8 questions where the student fails")
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await pilot.press(key)
        await until(pilot, lambda: "q quit" not in footer(app))
        await pilot.press("q")
        await until(pilot, lambda: "q quit" in footer(app))
        assert "2 of 8 questions where the student fails" in text(app)
        assert app.return_value is None
        await pilot.press("q")
        await until(pilot, lambda: app.return_value == 0)


@pytest.mark.parametrize("size", SIZES)
async def test_worst_tokens_replace_the_questions_until_closed(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "2 of 8 questions where the student fails")
        await pilot.press("d")
        page = text(app)
        assert "differs most from the prompted model" in page
        assert "where the student fails" not in page
        assert "required by rule 1; student's answer fails rules 1, 2" in page
        assert page.count("‹end›") == 4
        await pilot.press("enter")
        assert "2 of 8 questions" in text(app)
        await pilot.press("d", "escape")
        assert "2 of 8 questions" in text(app)


async def test_opened_evaluation_is_scrolled_to_its_title(home: Home) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "2 of 8 questions")
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        assert pane(app).max_scroll_y > 0
        await pilot.press("G", "equals_sign", "enter")
        await until(pilot, lambda: pane(app).state.mode == "table" and "every rule" in text(app))
        await settled(pilot)
        assert pane(app).scroll_offset.y == 0
        pane(app).open(pane(app).state.evaluations[-1].id)
        await settled(pilot)
        assert pane(app).scroll_offset.y == 0


async def test_cursor_stays_visible(home: Home) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "2 of 8 questions")
        for key in ("j", "j", "G", "k", "pagedown", "g", "pagedown", "pageup"):
            await pilot.press(key)
            await pilot.pause()
            top, height = pane(app).scroll_offset.y, pane(app).size.height
            line = next(index for index, line in enumerate(text(app).splitlines()) if line.startswith("▌"))
            assert top <= line < top + height or key == "g", key


@pytest.mark.parametrize("size", SIZES)
async def test_older_evaluation_is_opened_from_the_history(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "✓ pass")
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await pilot.press("equals_sign")
        assert "71\u00a0% 62–79" in text(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "✗ fail" in text(app) and "2 of 8 questions" in text(app))
        assert "is entirely below 95" in " ".join(text(app).split())
        await pilot.press("v")
        assert "├" not in text(app)
        await pilot.press("escape")
        await until(pilot, lambda: "✓ pass" in text(app))


@pytest.mark.parametrize(("key", "missing"), [("enter", "answers"), ("d", "tokens")])
async def test_missing_answers_or_tokens_are_reported(home: Home, key: str, missing: str) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "every rule")
        await pilot.press(key)
        await until(pilot, lambda: messages(app) == [f"The {missing} of this evaluation were not stored."])
        assert "every rule" in text(app)


async def test_hostile_answers_are_escaped_on_screen(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        run_id = add_measured_run(project, add_dataset(project), TrainingConfig("starter"))
        add_measured_evaluation(project, run_id, "fail", Interval(0.5, 0.4, 0.6), foreign=True)
        folder = project.folder
    app = DistillApp(home, folder)
    for size in ((80, 24), (120, 40)):
        async with app.run_test(size=size, notifications=True) as pilot:
            await open_pane(pilot, app, "2 of 8 questions")
            await pilot.press("enter")
            await pilot.pause()
            assert "[@click=app.quit]" in text(app)
            assert not control_characters(text(app))
        app = DistillApp(home, folder)


async def test_worse_and_undecided_rules_are_marked(home: Home) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app, "○ 94 more questions would decide rule 3.")
        assert "○ undecided\n" in text(app)
        await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await pilot.press("equals_sign", "down", "enter")
        await until(pilot, lambda: "▼ worse than prompted (McNemar, Holm-corrected)" in text(app))
        assert text(app).count("▼") == 3


SNAPSHOTS = [
    ("compared", "j", "done"),
    ("compared", "enter", "answers"),
    ("compared", "equals_sign j", "history"),
    ("compared", "v", "figures"),
    ("compared", "d", "differing"),
    ("compared", "e", "form"),
    ("evaluating", "", "busy"),
]
MAKERS: dict[str, Callable[[Home], Path]] = {
    "compared": partial(make_compared, current=True),
    "evaluating": make_evaluating,
}


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize(("name", "keys", "view"), [pytest.param(*view, id=view[2]) for view in SNAPSHOTS])
@pytest.mark.usefixtures("fixed_meter")
def test_pane_matches_its_snapshot(
    snap_compare: Callable[..., bool], home: Home, size: tuple[int, int], name: str, keys: str, view: str
) -> None:
    app = DistillApp(home, MAKERS[name](home))

    async def settle(pilot: Pilot[int]) -> None:
        await open_pane(
            pilot, app, "2 of 8 questions" if name == "compared" else f"distilled 4{'/' if size[0] < 100 else ' of '}4"
        )
        if name == "evaluating":
            await until(pilot, lambda: workspace(app).state.load is not None)
        else:
            await until(pilot, lambda: len(pane(app).state.evaluations) == 2)
        await pilot.press(*keys.split())
        if view == "form":
            await wait_for_form(pilot)
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=settle)
