"""The review by its keys: what a key decides is in the store, and what was decided can be taken back."""

import dataclasses
from pathlib import Path

import pytest
from textual.events import Key
from textual.widgets import Input, OptionList

from engine.jobs.protocol import StageStarted, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision
from engine.records.job import Job
from engine.records.options import GenerateOptions, JobOptions, TeacherSpec
from tests.engine.teachers.hostile_server import good, served
from tests.tui.curate.reviewing import (
    LONG,
    SIZES,
    add_attempt,
    make_reviewed,
    opened,
    page,
    reviewing,
    settled,
    states,
    stored,
)
from tests.tui.piloting import footer, until
from tests.tui.seeds import PROMPT, add_examples, add_job, make_project, make_stage
from tui.app import DistillApp
from tui.screens.curate.narrow import NarrowScreen
from tui.screens.curate.screen import CurateScreen


@pytest.fixture
def folder(home: Home) -> Path:
    return make_reviewed(home)


@pytest.mark.parametrize("size", SIZES)
async def test_one_key_decides_and_the_next_answer_comes_up(home: Home, folder: Path, size: tuple[int, int]) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("x")
        await until(pilot, lambda: reviewing(app).where.cursor == 1)
        await pilot.press("j", "k", "a")
        await until(pilot, lambda: reviewing(app).where.cursor == 2)
        rows = stored(folder, home)
        assert [(row.state, row.decision and row.decision.source) for row in rows[:2]] == [
            ("rejected", "person"),
            ("accepted", "person"),
        ]
        await pilot.press("u")
        await until(pilot, lambda: stored(folder, home)[1].decision.source == "rules")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: stored(folder, home)[1].decision.source == "person")


async def test_the_ends_of_the_list_are_a_key_away(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await settled(pilot, app)
        await pilot.press("G")
        await until(pilot, lambda: reviewing(app).where.cursor == 19)
        await pilot.press("g")
        await until(pilot, lambda: reviewing(app).where.cursor == 0)


async def test_ten_answers_are_passed_at_a_time(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("ctrl+d")
        await until(pilot, lambda: reviewing(app).where.cursor == 10)
        await pilot.press("j", "ctrl+u")
        await until(pilot, lambda: reviewing(app).where.cursor == 1)


async def test_keys_pressed_at_once_decide_one_answer_each(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press(*"xxxxxx")
        await until(pilot, lambda: reviewing(app).awaited == 0)
        by_person = [row.decision.source == "person" for row in stored(folder, home)[:7] if row.decision]
        assert by_person == [True] * 6 + [False]


async def test_the_next_undecided_is_found_and_rules_decide_the_rest(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("n")
        await until(pilot, lambda: reviewing(app).where.cursor == 15)
        await pilot.press("t")
        await until(pilot, lambda: reviewing(app).total == 5 and "undecided  1 of 5" in page(app))
        await pilot.press("a")
        await until(pilot, lambda: reviewing(app).total == 4)
        await pilot.press("c")
        await until(pilot, lambda: "Nothing in this list" in page(app))
        await pilot.press("n")
        await until(pilot, lambda: stored(folder, home)[-1].state != "undecided")


async def test_why_the_rules_could_not_decide_is_told(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        with Project.open(folder, home) as project:
            project.rules._connection.write("UPDATE rules SET check_json = 'x'")
        await pilot.press("c", "c")
        assert "● checking rules …" in page(app)
        await until(pilot, lambda: not reviewing(app).checking)
        # The list cannot be read either; it is not asked for without an end.
        await until(pilot, lambda: reviewing(app).awaited == 0 and reviewing(app).failed)
        assert any(note.title == "Stored data cannot be read." for note in app._notifications)


async def test_words_are_looked_for_and_let_go(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("slash", *"transfers", "enter")
        await until(pilot, lambda: 0 < reviewing(app).total < 20 and "«transfers»" in page(app))
        await pilot.press("slash", "escape")
        assert isinstance(app.screen, CurateScreen)
        await pilot.press("G")
        assert reviewing(app).where.cursor == reviewing(app).total - 1
        await pilot.press("escape", "escape")
        await until(pilot, lambda: not isinstance(app.screen, CurateScreen))


async def test_a_cut_answer_is_not_accepted_and_the_reason_is_told(home: Home, folder: Path) -> None:
    with Project.open(folder, home) as project:
        project.examples._connection.write("UPDATE examples SET finish_reason = 'length' WHERE id = 1")
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("a")
        await until(pilot, lambda: any("ended by length" in note.message for note in app._notifications))
        await until(pilot, lambda: reviewing(app).where.cursor == 0)


async def test_an_edit_in_a_persons_editor_is_stored(home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.terminal.editor.edit_text", lambda text: text.replace("Please", "Do"))
    monkeypatch.setattr(DistillApp, "suspend", lambda self: __import__("contextlib").nullcontext())
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("e")
        await until(pilot, lambda: ". Do call the desk." in stored(folder, home)[0].answer)
        await until(pilot, lambda: "edited" in page(app))


async def test_without_answers_the_review_says_how_to_get_some(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "distill-tui generate" in page(app))
        await pilot.press("a", "x", "e", "n", "j", "G")
        assert app.is_running


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_answers_are_shown_and_never_obeyed(home: Home, size: tuple[int, int]) -> None:
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
        await opened(pilot, app)
        await until(pilot, lambda: "[@click=app.quit]x" in page(app))
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in text)
        assert "\u202e" not in text


async def test_marks_are_decided_as_one_step_and_undone_as_one(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    before = states(folder, home)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("space", "j", "space", "j", "v", "j", "j")
        await until(pilot, lambda: "◆ 5 marked  range" in page(app))
        await pilot.press("space", "k", "space")  # the range stays, and one of it is let go
        await until(pilot, lambda: "◆ 4 marked" in page(app))
        await pilot.press("x")
        await until(pilot, lambda: any("Rejected 4." in note.message for note in app._notifications))
        assert [row.example.id for row in stored(folder, home) if row.decision and row.decision.source == "person"] == [
            1, 3, 5, 7,
        ]  # fmt: skip
        assert not reviewing(app).marks.any
        await pilot.press("u")
        await until(pilot, lambda: any("Undone: 4 rejected." in note.message for note in app._notifications))
        assert states(folder, home) == before
    app = DistillApp(home, folder)  # another day
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: states(folder, home)[:7] == "rararar")


async def test_escape_lets_go_of_marks_before_it_leaves(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("A")
        assert reviewing(app).marked == 20
        await pilot.press("escape")
        assert reviewing(app).marked == 0
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CurateScreen))


@pytest.mark.parametrize("size", SIZES)
async def test_the_key_that_leaves_the_program_goes_back_from_the_review(
    home: Home, folder: Path, size: tuple[int, int]
) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        assert footer(app) == "a accept   x reject   e edit   u undo   esc back   ? help"
        await pilot.press("A", "q")
        assert reviewing(app).marked == 0
        await pilot.press("slash", "q")
        await until(pilot, lambda: app.screen.query_one(Input).value == "q")
        await pilot.press("escape", "q")
        await until(pilot, lambda: not isinstance(app.screen, CurateScreen))
        await until(pilot, lambda: footer(app).endswith("q quit"))
        assert app.return_value is None
        await pilot.press("q")
        await until(pilot, lambda: app.return_value == 0)


async def test_everything_in_a_list_is_decided_at_once(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("t")
        await settled(pilot, app)
        await pilot.press("A", "a")
        await until(pilot, lambda: states(folder, home).endswith("aaaaa"))
        await until(pilot, lambda: "Nothing in this list" in page(app))
        assert any("Accepted 5." in note.message for note in app._notifications)


async def test_a_flag_is_put_up_listed_and_taken_down(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("j", "f")
        await until(pilot, lambda: "1 ⚑" in page(app) and "✓⚑" in page(app))
        assert reviewing(app).where.cursor == 1, "a flag decides nothing, so nothing goes on"
        await pilot.press("t", "t", "t", "t")
        await until(pilot, lambda: "flagged  1 of 1" in page(app))
        await pilot.press("f")
        await until(pilot, lambda: "Nothing in this list" in page(app))
        await pilot.press("u")
        await until(pilot, lambda: "flagged  1 of 1" in page(app))
        assert stored(folder, home)[1].flag is not None


async def test_a_note_is_typed_at_once_and_kept_with_the_flag(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        for key in ("m", *"am/xu", "enter"):
            app.post_message(Key("slash", "/") if key == "/" else Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: "⚑ am/xu" in page(app))
        await pilot.press("m", "backspace", "enter")
        await until(pilot, lambda: "⚑ am/x " in page(app))
        await pilot.press("m", *"never", "escape", "u")
        await until(pilot, lambda: "⚑ am/xu" in page(app))
        await pilot.press("u")
        await until(pilot, lambda: "⚑" not in page(app))


async def test_a_search_filters_and_escape_restores_the_place(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press(*"jjj", "slash", *"transfers", "enter")
        await until(pilot, lambda: 0 < reviewing(app).total < 20)
        await pilot.press("G", "slash", *"x", "enter")
        await until(pilot, lambda: "«x»" in page(app))
        await pilot.press("escape")
        await until(pilot, lambda: reviewing(app).total == 20 and reviewing(app).where.cursor == 3)


async def test_letters_that_come_at_once_are_typed_and_decide_nothing(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    before = states(folder, home)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        for key in ("slash", *"transfers", "slash", *"x", "enter"):
            app.post_message(Key(key, None if len(key) > 1 else key) if key != "slash" else Key("slash", "/"))
        await until(pilot, lambda: "«transfers/x»" in page(app))
    assert states(folder, home) == before


async def test_a_list_is_narrowed_to_a_rule_and_to_a_topic(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen))
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen) and "fails rule 3" in page(app))
        assert reviewing(app).total == 4
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen))
        options = app.screen.query_one(OptionList)
        assert options.highlighted == 3, "it begins at what is listed"
        await pilot.press("end", "enter")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen) and "topic transfers" in page(app))
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, NarrowScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, CurateScreen))
        assert reviewing(app).where.topic == "transfers"


async def test_open_answers_are_found_both_ways_and_only_in_this_list(home: Home, folder: Path) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("N")
        await until(pilot, lambda: reviewing(app).where.cursor == 19)
        await pilot.press("N")
        await until(pilot, lambda: reviewing(app).where.cursor == 18)
        await pilot.press("n", "n")
        await until(pilot, lambda: reviewing(app).where.cursor == 15)
        await pilot.press("slash", *"cards", "enter")
        await until(pilot, lambda: reviewing(app).total == 8)
        await pilot.press("n")
        await until(pilot, lambda: any("Nothing here is undecided." in note.message for note in app._notifications))


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[GenerateOptions]:
    """What was asked for; the job stands there as running, and no process is started."""
    asked: list[GenerateOptions] = []

    def start(project: Project, options: JobOptions) -> Job:
        assert isinstance(options, GenerateOptions)
        asked.append(options)
        job = project.jobs.add(options)
        project.jobs.update(job.id, state="running")
        return project.jobs.get(job.id)

    monkeypatch.setattr(Project, "start_job", start)
    monkeypatch.setattr("tui.services.reading.mark_lost_jobs", lambda _project: ())
    return asked


async def test_asking_again_keeps_the_old_answer_beside_the_new_one(
    home: Home, folder: Path, launched: list[GenerateOptions]
) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("r")
        await until(pilot, lambda: "1 asked again; job 1 running" in page(app) and "● asked again" in page(app))
        assert launched[0].asks == ((1, 1),)
        old = stored(folder, home)[0]
        assert (old.state, old.decision and old.decision.reason) == ("rejected", "asked again")
        with Project.open(folder, home) as project:
            add_attempt(project, 1, 1, "RISK SCORE: 1. The new one. Call us.")
            project.jobs.update(1, state="done")
        await until(pilot, lambda: any("1 new answer;" in note.message for note in app._notifications))
        await until(pilot, lambda: "[ ] attempt 1 of 2" in page(app))
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "The new one." in page(app) and "[ ] attempt 2 of 2" in page(app))
        await pilot.press("a")
        await until(pilot, lambda: stored(folder, home)[-1].state == "accepted")
        assert stored(folder, home)[0].state == "rejected"
        await pilot.press("u", "u")
        await until(pilot, lambda: stored(folder, home)[0].state == "accepted")


async def test_a_real_job_asks_the_projects_teacher_again(home: Home, folder: Path) -> None:
    with served(good("RISK SCORE: 2. ", "Another answer. Call us.")) as server:
        with Project.open(folder, home) as project:
            teacher = TeacherSpec("endpoint", "peer", server.url)
            project.settings.write(dataclasses.replace(project.settings.read(), teacher=teacher))
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("j", "r")
            await until(pilot, lambda: len(stored(folder, home)) == 21)
            await until(pilot, lambda: any("1 new answer;" in note.message for note in app._notifications))
            await until(pilot, lambda: "[ ] attempt 1 of 2" in page(app))
            await pilot.press("left_square_bracket")
            await until(pilot, lambda: "Another answer." in page(app))
        assert [request.question for request in server.requests] == ["Question 2 about cards, what should I do now?"]


@pytest.mark.parametrize("size", SIZES)
async def test_answers_that_come_are_listed_without_a_key(home: Home, size: tuple[int, int]) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "The teacher has not answered yet" in page(app))
        with Project.open(folder, home) as project:
            job = add_job(project, GenerateOptions(), "running", [StateChanged("running"), StageStarted("examples")])
            add_examples(project, 2, decided=False)
        await until(pilot, lambda: "2 ○" in page(app) and reviewing(app).listed is not None)
        await pilot.press("j")
        with Project.open(folder, home) as project:
            add_examples(project, 5, decided=False)
        await until(pilot, lambda: "5 ○" in page(app))
        assert reviewing(app).where.cursor == 1
        with Project.open(folder, home) as project:
            project.jobs.update(job.id, state="done")
        await until(pilot, lambda: reviewing(app).page is not None and not reviewing(app).page.grows)


async def test_many_are_asked_again_only_when_the_key_is_pressed_twice(
    home: Home, folder: Path, launched: list[GenerateOptions]
) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("A", "r")
        await until(pilot, lambda: any("for 20 answers?" in note.message for note in app._notifications))
        assert not launched
        await pilot.press("r")
        await until(pilot, lambda: states(folder, home) == "r" * 20)
        assert len(launched[0].asks) == 20


async def test_answers_that_did_not_come_are_told(home: Home, folder: Path, launched: list[GenerateOptions]) -> None:
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("r")
        await until(pilot, lambda: bool(launched) and "1 asked again" in page(app))
        with Project.open(folder, home) as project:
            project.jobs.update(1, state="failed")
        lost = "1 did not arrive: job 1 failed."
        await until(pilot, lambda: any(lost in note.message for note in app._notifications))


async def test_a_long_answer_scrolls_and_takes_the_whole_page(home: Home, folder: Path) -> None:
    with Project.open(folder, home) as project:
        project.decisions.decide([Decision(1, "edit", "person", edited_answer=LONG)])
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "lines below" in page(app))
        assert "Step 89:" not in page(app)
        for _ in range(30):
            await pilot.press("pagedown")
        await until(pilot, lambda: "Step 89:" in page(app) and "lines below" not in page(app))
        await pilot.press("pageup")
        await until(pilot, lambda: "lines below" in page(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Question 2 about" not in page(app))
        await pilot.press("escape", "j", "k")
        await until(pilot, lambda: "Step 1:" in page(app) and "lines above" not in page(app))


async def test_an_edit_is_compared_with_what_was_generated(home: Home, folder: Path) -> None:
    with Project.open(folder, home) as project:
        answer = project.examples.get(1).answer
        project.decisions.decide([Decision(1, "edit", "person", edited_answer=answer.replace("Please", "Do"))])
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("d")
        await until(pilot, lambda: "- RISK SCORE: 1. Please call" in page(app))
        assert "+ RISK SCORE: 1. Do call" in page(app)
        await pilot.press("j")
        await until(pilot, lambda: "- RISK" not in page(app))
        await pilot.press("k", "d")
        await until(pilot, lambda: "- RISK" not in page(app) and "Do call" in page(app))


async def test_the_shown_answer_is_copied(home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(DistillApp, "copy_to_clipboard", lambda _app, text: copied.append(text))
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("j", "y")
        assert copied == [stored(folder, home)[1].answer]


@pytest.mark.parametrize("size", SIZES)
async def test_an_attempt_that_is_gone_is_told_once_and_the_list_goes_on(
    home: Home, folder: Path, size: tuple[int, int]
) -> None:
    with Project.open(folder, home) as project:
        add_attempt(project, 1, 1, "RISK SCORE: 1. The new one. Call us.")
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        await settled(pilot, app)
        with Project.open(folder, home) as project:
            project.questions.take_out([1])
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: reviewing(app).total == 19)
        assert "attempt" not in page(app)
        await pilot.press("x", "j")
        await until(pilot, lambda: stored(folder, home)[0].state == "rejected" and reviewing(app).where.cursor == 2)
        await settled(pilot, app)
        assert [note.title for note in app._notifications] == ["There is no such example."]
