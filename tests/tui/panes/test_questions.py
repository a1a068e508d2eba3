"""The questions pane: previews of imports, splits and near-duplicates, and how it looks."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.jobs.protocol import AnswerStarted, Progress, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.options import SynthesizeOptions
from engine.records.prompt import Message
from engine.records.question import Question
from tests.tui.panes.helpers import notified, show_whole_aside
from tests.tui.panes.questions_helpers import fill_in, open_pane, pane, stored_questions, text
from tests.tui.piloting import SIZES, field_error, footer, form_aside, until, wait_for_form
from tests.tui.seeds import PROMPT, TOPICS, add_examples, add_job, make_project, make_stage
from tui.app import DistillApp
from tui.screens.workspace.screen import WorkspaceScreen


@pytest.fixture
def questions_file(tmp_path: Path) -> Path:
    """A file with three new questions, one that is stored already, and two invalid lines."""
    rows = [json.dumps({"text": f"How long does transfer {n} take?", "topic": "timing"}) for n in range(3)]
    path = tmp_path / "traffic.jsonl"
    repeated = json.dumps({"text": "Question 1 about cards, what should I do now?"})
    path.write_text("\n".join([*rows, "{broken", '{"text": ""}', repeated]))
    return path


@pytest.mark.parametrize("size", SIZES)
async def test_import_is_previewed_stored_and_undone(home: Home, questions_file: Path, size: tuple[int, int]) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "48")
        await pilot.press("m")
        await fill_in(pilot, app, path=str(questions_file))
        await until(pilot, lambda: "enter stores them" in text(app))
        assert "✓ 3 new   = 1 already stored   ✗ 2 refused" in text(app)
        assert "How long does transfer 0 take?" in text(app)
        assert "line 4" in text(app)
        assert len(stored_questions(folder, home)) == 48
        await until(pilot, lambda: footer(app) == "enter store   esc back   ? help")
        await pilot.press("enter")
        await until(pilot, lambda: notified(app, "3 questions stored. u undoes it."))
        await until(pilot, lambda: footer(app).startswith("m import   s write   S split"))
        assert len(stored_questions(folder, home)) == 51
        await until(pilot, lambda: "51" in text(app))
        await pilot.press("u")
        await until(pilot, lambda: notified(app, "Undone: importing 3 questions."))
        assert len(stored_questions(folder, home)) == 48


async def test_unreadable_file_is_reported_below_its_field_and_input_kept(home: Home, questions_file: Path) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "48")
        await pilot.press("m")
        await fill_in(pilot, app, path="/nowhere/q.jsonl", limit="2")
        await until(pilot, lambda: "not a file" in field_error(app, "path"))
        assert app.screen.query_one("#field-limit", Input).value == "2"
        await fill_in(pilot, app, path=str(questions_file))
        await until(pilot, lambda: "✓ 2 new" in text(app))
        await pilot.press("q")
        await until(pilot, lambda: "Questions   48" in text(app))
        await until(pilot, lambda: footer(app).endswith("q quit"))
        assert app.return_value is None
        assert len(stored_questions(folder, home)) == 48


async def test_split_is_previewed_stored_and_undone(home: Home) -> None:
    with make_project(home) as project:
        project.questions.set_splits({question.id: None for question in project.questions.all()[8:]})
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app, "S draws train, validation and test for 40 questions")
        await pilot.press("S")
        await fill_in(pilot, app, validation="20", test="20")
        await until(pilot, lambda: "40 questions to split" in text(app))
        assert all(topic in text(app) for topic in TOPICS)
        assert {question.split for question in stored_questions(folder, home)[8:]} == {None}
        await until(pilot, lambda: footer(app) == "enter store   esc back   ? help")
        await pilot.press("enter")
        await until(pilot, lambda: notified(app, "The questions are split."))
        assert None not in {question.split for question in stored_questions(folder, home)}
        await pilot.press("u")
        await until(pilot, lambda: notified(app, "Undone: splitting."))
        assert {question.split for question in stored_questions(folder, home)[8:]} == {None}
        assert {question.split for question in stored_questions(folder, home)[:8]} == {"train"}


@pytest.mark.parametrize("size", SIZES)
async def test_open_preview_disables_the_keys_of_the_list(
    home: Home, questions_file: Path, size: tuple[int, int]
) -> None:
    with make_project(home) as project:
        project.questions.set_splits({question.id: None for question in project.questions.all()})
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "S draws train, validation and test for 48 questions")
        await pilot.press("space", "S")
        await fill_in(pilot, app, validation="20", test="20")
        await until(pilot, lambda: "48 questions to split" in text(app))
        await pilot.press("m", "s", "S", "a", "t", "T", "d", "D", "asterisk", "u", "j", "k")
        assert isinstance(app.screen, WorkspaceScreen)
        assert "48 questions to split" in text(app)
        await pilot.press("escape")
        await until(pilot, lambda: "Questions   48" in text(app))
        assert pane(app).state.marks == {1}, "escape closes only the preview"
        await pilot.press("m")
        await fill_in(pilot, app, path=str(questions_file))
        await until(pilot, lambda: "enter stores them" in text(app))
        await pilot.press("S", "enter")
        await until(pilot, lambda: notified(app, "3 questions stored."))
    assert {question.split for question in stored_questions(folder, home)} == {None}


async def test_second_preview_is_refused_while_one_is_being_made(
    home: Home, questions_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "48")
        monkeypatch.setattr(pane(app)._program, "start", lambda *_: None)
        await pilot.press("m")
        await fill_in(pilot, app, path=str(questions_file))
        await until(pilot, lambda: "Reading" in text(app))
        for key in ("m", "S", "d"):
            app.clear_notifications()
            await pilot.press(key)
            await until(pilot, lambda: notified(app, "Not finished yet: Reading"))
            assert isinstance(app.screen, WorkspaceScreen)


@pytest.mark.parametrize("size", SIZES)
async def test_near_duplicates_are_compared_deleted_and_restored(home: Home, size: tuple[int, int]) -> None:
    long = "How do I send money to an account in another country with my new card"
    with Project.create(home.projects / "twins", home=home) as project:
        project.questions.add(
            Question((Message("user", each),)) for each in (f"{long}?", f"{long} please?", "Where?", f"{long} now")
        )  # fmt: skip
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app, "Where?")
        await pilot.press("d")
        await until(pilot, lambda: "2 pairs" in text(app))
        assert "stays" in text(app)
        assert "93\u00a0%" in text(app)
        await until(pilot, lambda: footer(app) == "D delete   space mark   * mark all   m import   esc back   ? help")
        await pilot.press("D")
        await until(pilot, lambda: "1 pair" in text(app))
        assert [question.id for question in stored_questions(folder, home)] == [1, 3, 4]
        await pilot.press("asterisk", "D")
        await until(pilot, lambda: "No question repeats another." in text(app))
        await pilot.press("q")
        await until(pilot, lambda: pane(app).state.mode == "list" and footer(app).startswith("m import"))
        await pilot.press("u", "u")
        await until(pilot, lambda: len(stored_questions(folder, home)) == 4)
        assert [question.id for question in stored_questions(folder, home)] == [1, 2, 3, 4]


REAL_QUESTIONS = (
    "Is my card blocked after three wrong PINs?",
    "Can I cancel a payment that is pending?",
    "Why was my transfer sent back?",
    "What happens if I miss one instalment of my loan, and will it be reported to anyone?",
    "How do I send money to an account in another country with my new card?",
    "How do I send money to an account in another country with my new card please?",
    "Which fees do I pay when I take out cash abroad on a weekend?",
    "Somebody called me and asked for my code. What now?",
)


def make_listed(home: Home) -> Path:
    """Eight questions on each of six topics, some answered; a chat; and some without a split."""
    with make_project(home) as project:
        add_examples(project, 5)
        project.questions.add(
            Question((Message("user", each),), topic="traffic", source="traffic.jsonl") for each in REAL_QUESTIONS
        )
        chat = (
            Message("user", "My card was swallowed."),
            Message("assistant", "I am sorry to hear that. Where did it happen?"),
            Message("user", "At the airport in Lisbon, and I fly in two hours. Can you send the new one to my hotel?"),
        )
        project.questions.add([Question(chat, topic="cards", source="chats.jsonl", label="urgent", split="train")])
        return project.folder


def make_writing(home: Home) -> Path:
    """A project whose teacher is writing questions."""
    with Project.create(home.projects / "meridian-desk", home=home) as project:
        project.prompts.set(PROMPT)
        project.questions.add(
            Question((Message("user", each),), topic="cards", source="synthesis") for each in REAL_QUESTIONS
        )
        about = AnswerStarted("a", "teacher", "lost and stolen cards")
        add_job(project, SynthesizeOptions(), "running", [StateChanged("running"), Progress(2, 20, "", 140.0), about])
        return project.folder


def make_empty(home: Home) -> Path:
    with Project.create(home.projects / "meridian-desk", home=home) as project:
        project.prompts.set(PROMPT)
        return project.folder


SNAPSHOTS: list[tuple[str, Callable[[Home], Path], str, str]] = [
    ("empty", make_empty, "", "none yet"),
    ("list", make_listed, "j space j space j j", "2 marked"),
    ("chat", make_listed, "G", "label urgent"),
    ("topics", make_listed, "T j", "Topics"),
    ("writing", make_writing, "", "writing about lost and stolen cards"),
    ("twins", make_listed, "d", "stays"),
    ("split", make_listed, "S enter", "to split"),
    ("import", make_listed, "m path enter", "stores them"),
    ("synthesize", make_empty, "s", "form"),
]


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize(("make", "keys", "expected"), [pytest.param(*look[1:], id=look[0]) for look in SNAPSHOTS])
@pytest.mark.usefixtures("fixed_meter")
def test_pane_matches_its_snapshot(
    snap_compare: Callable[..., bool],
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    make: Callable[[Home], Path],
    keys: str,
    expected: str,
) -> None:
    rows = [json.dumps({"text": f"How long does transfer {n} take on a Friday?", "topic": "timing"}) for n in range(40)]
    (tmp_path / "traffic.jsonl").write_text("\n".join([*rows[:9], "{broken", *rows[9:], '{"text": ""}']))
    monkeypatch.chdir(tmp_path)
    app = DistillApp(home, make(home))

    async def settle(pilot: Pilot[int]) -> None:
        await open_pane(pilot, app)
        await until(pilot, lambda: pane(app).state.page is not None)
        for key in keys.split():
            if key == "path":
                form = await wait_for_form(pilot)
                form.query_one("#field-path", Input).value = "traffic.jsonl"
            else:
                await pilot.press(key)
                await until(pilot, lambda: pane(app).state.mode != "topics" or pane(app).state.topics is not None)
        if expected == "form":
            await wait_for_form(pilot)
            await until(pilot, lambda: "requests" in form_aside(app))
        else:
            await until(pilot, lambda: expected in text(app))
        await show_whole_aside(pilot)
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=settle)
