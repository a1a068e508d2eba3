"""Lists of the review: searches, filters by rule and topic, flags and notes."""

from pathlib import Path

from textual.events import Key
from textual.widgets import OptionList

from engine.paths import Home
from tests.tui.curate.review_helpers import (
    open_review,
    review_state,
    review_text,
    stored_examples,
    stored_states,
)
from tests.tui.piloting import until, wait_for_toast
from tui.app import DistillApp
from tui.screens.curate.narrow import NarrowScreen
from tui.screens.curate.screen import CurateScreen


async def test_escape_leaves_the_search_and_then_the_review(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("slash", *"transfers", "enter")
        await until(pilot, lambda: 0 < review_state(app).total < 20 and "“transfers”" in review_text(app))
        await pilot.press("slash", "escape")
        assert isinstance(app.screen, CurateScreen)
        await pilot.press("G")
        assert review_state(app).where.cursor == review_state(app).total - 1
        await pilot.press("escape", "escape")
        await until(pilot, lambda: not isinstance(app.screen, CurateScreen))


async def test_flag_is_set_listed_cleared_and_restored(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("j", "f")
        await until(pilot, lambda: "1 ⚑" in review_text(app) and "✓⚑" in review_text(app))
        assert review_state(app).where.cursor == 1, "a flag is not a decision and does not move on"
        await pilot.press("t", "t", "t", "t")
        await until(pilot, lambda: "flagged  1 of 1" in review_text(app))
        await pilot.press("f")
        await until(pilot, lambda: "Nothing in this list" in review_text(app))
        await pilot.press("u")
        await until(pilot, lambda: "flagged  1 of 1" in review_text(app))
        assert stored_examples(folder, home)[1].flag is not None


async def test_note_is_stored_with_the_flag_and_can_be_undone(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        for key in ("m", *"am/xu", "enter"):
            app.post_message(Key("slash", "/") if key == "/" else Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: "⚑ am/xu" in review_text(app))
        await pilot.press("m", "backspace", "enter")
        await until(pilot, lambda: "⚑ am/x " in review_text(app))
        await pilot.press("m", *"never", "escape", "u")
        await until(pilot, lambda: "⚑ am/xu" in review_text(app))
        await pilot.press("u")
        await until(pilot, lambda: "⚑" not in review_text(app))


async def test_escape_after_searches_restores_the_cursor(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press(*"jjj", "slash", *"transfers", "enter")
        await until(pilot, lambda: 0 < review_state(app).total < 20)
        await pilot.press("G", "slash", *"x", "enter")
        await until(pilot, lambda: "“x”" in review_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: review_state(app).total == 20 and review_state(app).where.cursor == 3)


async def test_quick_letters_in_a_search_decide_nothing(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    before = stored_states(folder, home)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        for key in ("slash", *"transfers", "slash", *"x", "enter"):
            app.post_message(Key(key, None if len(key) > 1 else key) if key != "slash" else Key("slash", "/"))
        await until(pilot, lambda: "“transfers/x”" in review_text(app))
    assert stored_states(folder, home) == before


async def test_list_is_filtered_by_rule_and_by_topic(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen))
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen) and "fails rule 3" in review_text(app))
        assert review_state(app).total == 4
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen))
        options = app.screen.query_one(OptionList)
        assert options.highlighted == 3, "the current filter is highlighted"
        await pilot.press("end", "enter")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen) and "topic transfers" in review_text(app))
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen))
        assert review_state(app).where.topic == "transfers"


async def test_offered_topics_are_those_of_the_answers_in_the_list(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)

    async def offered() -> str:
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen))
        options = app.screen.query_one(OptionList).options
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen))
        return " ".join(" ".join(str(option.prompt) for option in options).split())

    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        assert (await offered()).endswith("topic cards 8 answers topic loans 4 answers topic transfers 8 answers")
        await pilot.press("t")
        await until(pilot, lambda: review_state(app).total == 5)
        undecided = await offered()
        assert undecided.endswith("topic loans 4 answers topic transfers 1 answer")
        assert "Never says sorry none failed" in undecided


async def test_undecided_answers_are_found_in_both_directions_within_the_list(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot, app)
        await pilot.press("N")
        await until(pilot, lambda: review_state(app).where.cursor == 19)
        await pilot.press("N")
        await until(pilot, lambda: review_state(app).where.cursor == 18)
        await pilot.press("n", "n")
        await until(pilot, lambda: review_state(app).where.cursor == 15)
        await pilot.press("slash", *"cards", "enter")
        await until(pilot, lambda: review_state(app).total == 8)
        await pilot.press("n")
        await wait_for_toast(pilot, "Nothing here is undecided.")
