"""The questions pane by its keys: what is brought is shown first, and what was done can be taken back."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from engine.errors import StoreError
from engine.jobs.protocol import AnswerStarted, Progress, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.options import ProjectSettings, SynthesizeOptions, TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question, QuestionFilter, Split
from engine.store.questions import QuestionTable
from tests.engine.teachers.hostile_server import good, served
from tests.tui.piloting import footer, form_of, pane_of, reach, text_of, until
from tests.tui.seeds import PROMPT, TOPICS, add_examples, add_job, hostile, make_project, make_stage
from tui.app import DistillApp
from tui.panes.questions.drawing import draw
from tui.panes.questions.forms import format_words, import_words, split_words
from tui.panes.questions.pane import QuestionsPane
from tui.panes.questions.state import QuestionsState
from tui.panes.questions.views import draw_import, draw_split
from tui.panes.view import View
from tui.screens.workspace.screen import WorkspaceScreen
from tui.services.facts import Facts
from tui.services.questions import (
    WINDOW,
    ImportPreview,
    Pair,
    QuestionRow,
    QuestionsPage,
    RemovedQuestion,
    SplitPreview,
    Step,
    TopicCounts,
    Where,
)

SIZES = [(80, 24), (120, 40)]


pane = partial(pane_of, kind=QuestionsPane)
text = partial(text_of, kind=QuestionsPane)


def stored(folder: Path, home: Home) -> tuple[Question, ...]:
    with Project.open(folder, home) as project:
        return project.questions.all()


async def opened(pilot: Pilot[int], app: DistillApp, words: str = "Questions") -> None:
    await reach(pilot, 2, QuestionsPane, lambda: words in text(app))


async def type_in(pilot: Pilot[int], app: DistillApp, **values: str) -> None:
    """Fill a form's fields and go on."""
    form = await form_of(pilot)
    for name, value in values.items():
        form.query_one(f"#field-{name}").value = value
    await pilot.press("enter")


def notified(app: DistillApp, words: str) -> bool:
    return any(words in note.message for note in app._notifications)


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    """Three new questions, one that is there already, two that are none."""
    rows = [json.dumps({"text": f"How long does transfer {n} take?", "topic": "timing"}) for n in range(3)]
    file = tmp_path / "traffic.jsonl"
    file.write_text("\n".join([*rows, "{broken", '{"text": ""}', json.dumps({"text": "Question 1 about cards, what should I do now?"})]))  # fmt: skip  # noqa: E501
    return file


@pytest.mark.parametrize("size", SIZES)
async def test_an_import_is_shown_before_it_is_stored_and_can_be_taken_back(
    home: Home, traffic: Path, size: tuple[int, int]
) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "48")
        await pilot.press("i")
        await type_in(pilot, app, path=str(traffic))
        await until(pilot, lambda: "enter stores them" in text(app))
        assert "✓ 3 new   = 1 already stored   ✗ 2 refused" in text(app)
        assert "How long does transfer 0 take?" in text(app)
        assert "line 4" in text(app)
        assert len(stored(folder, home)) == 48
        await until(pilot, lambda: footer(app) == "enter store   esc back   ? help")
        await pilot.press("enter")
        await until(pilot, lambda: notified(app, "3 questions stored."))
        await until(pilot, lambda: footer(app).startswith("i import   s write   S split"))
        assert len(stored(folder, home)) == 51
        await until(pilot, lambda: "51" in text(app))
        await pilot.press("u")
        await until(pilot, lambda: notified(app, "Undid the import: 3 questions."))
        assert len(stored(folder, home)) == 48


async def test_a_file_that_cannot_be_read_is_told_under_its_field_and_what_was_typed_stays(
    home: Home, traffic: Path
) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "48")
        await pilot.press("i")
        await type_in(pilot, app, path="/nowhere/q.jsonl", limit="2")
        await until(pilot, lambda: any("not a file" in str(it.visual) for it in app.screen.query("#error-path")))
        assert app.screen.query_one("#field-limit").value == "2"
        await type_in(pilot, app, path=str(traffic))
        await until(pilot, lambda: "✓ 2 new" in text(app))
        await pilot.press("q")
        await until(pilot, lambda: "Questions   48" in text(app))
        await until(pilot, lambda: footer(app).endswith("q quit"))
        assert app.return_value is None
        assert len(stored(folder, home)) == 48


async def test_splits_are_shown_before_they_are_drawn_and_can_be_taken_back(home: Home) -> None:
    with make_project(home) as project:
        project.questions.set_splits({question.id: None for question in project.questions.all()[8:]})
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app, "S draws train, validation and test for 40 questions")
        await pilot.press("S")
        await type_in(pilot, app, validation="20", test="20")
        await until(pilot, lambda: "40 questions to split" in text(app))
        assert all(topic in text(app) for topic in TOPICS)
        assert {question.split for question in stored(folder, home)[8:]} == {None}
        await until(pilot, lambda: footer(app) == "enter store   esc back   ? help")
        await pilot.press("enter")
        await until(pilot, lambda: notified(app, "The questions are split."))
        assert None not in {question.split for question in stored(folder, home)}
        await pilot.press("u")
        await until(pilot, lambda: notified(app, "Undid the splits."))
        assert {question.split for question in stored(folder, home)[8:]} == {None}
        assert {question.split for question in stored(folder, home)[:8]} == {"train"}


@pytest.mark.parametrize("size", SIZES)
async def test_a_preview_is_taken_or_left_and_no_other_key_of_the_questions_holds_until_then(
    home: Home, traffic: Path, size: tuple[int, int]
) -> None:
    with make_project(home) as project:
        project.questions.set_splits({question.id: None for question in project.questions.all()})
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "S draws train, validation and test for 48 questions")
        await pilot.press("space", "S")
        await type_in(pilot, app, validation="20", test="20")
        await until(pilot, lambda: "48 questions to split" in text(app))
        await pilot.press("i", "s", "S", "a", "t", "T", "d", "D", "asterisk", "u", "j", "k")
        assert isinstance(app.screen, WorkspaceScreen)
        assert "48 questions to split" in text(app)
        await pilot.press("escape")
        await until(pilot, lambda: "Questions   48" in text(app))
        assert pane(app).state.marks == {1}, "one step back is the preview"
        await pilot.press("i")
        await type_in(pilot, app, path=str(traffic))
        await until(pilot, lambda: "enter stores them" in text(app))
        await pilot.press("S", "enter")
        await until(pilot, lambda: notified(app, "3 questions stored."))
    assert {question.split for question in stored(folder, home)} == {None}


async def test_one_preview_is_made_at_a_time(home: Home, traffic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "48")
        monkeypatch.setattr(pane(app)._service, "look_at_file", lambda _words: None)
        await pilot.press("i")
        await type_in(pilot, app, path=str(traffic))
        await until(pilot, lambda: "Reading" in text(app))
        for key in ("i", "S", "d"):
            app.clear_notifications()
            await pilot.press(key)
            await until(pilot, lambda: notified(app, "Not finished yet: Reading"))
            assert isinstance(app.screen, WorkspaceScreen)


@pytest.mark.parametrize("size", SIZES)
async def test_near_twins_stand_side_by_side_and_the_later_ones_go_and_come_back(
    home: Home, size: tuple[int, int]
) -> None:
    long = "How do I send money to an account in another country with my new card"
    with Project.create(home.projects / "twins", home=home) as project:
        project.questions.add(
            Question((Message("user", words),)) for words in (f"{long}?", f"{long} please?", "Where?", f"{long} now")
        )  # fmt: skip
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "Where?")
        await pilot.press("d")
        await until(pilot, lambda: "2 pairs" in text(app))
        assert "stays" in text(app)
        assert "93 %" in text(app)
        await until(pilot, lambda: footer(app).startswith("D delete   space mark   * mark all   esc back"))
        await pilot.press("D")
        await until(pilot, lambda: "1 pair" in text(app))
        assert [question.id for question in stored(folder, home)] == [1, 3, 4]
        await pilot.press("asterisk", "D")
        await until(pilot, lambda: "No question repeats another." in text(app))
        await pilot.press("q")
        await until(pilot, lambda: pane(app).state.mode == "list" and footer(app).startswith("i import"))
        await pilot.press("u", "u")
        await until(pilot, lambda: len(stored(folder, home)) == 4)
        assert [question.id for question in stored(folder, home)] == [1, 2, 3, 4]


async def test_answered_questions_are_deleted_only_when_a_person_says_so(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project, 2)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app, "48")
        await pilot.press("space", "space", "space")
        await until(pilot, lambda: "3 marked" in text(app))
        await pilot.press("D")
        form = await form_of(pilot)
        await until(pilot, lambda: "3 questions with 2 answers" in str(form.query_one("#aside").visual))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
        assert len(stored(folder, home)) == 48
        await pilot.press("D")
        await form_of(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: len(stored(folder, home)) == 45)
        await until(pilot, lambda: notified(app, "without 2 answers"))
        await pilot.press("u")
        await until(pilot, lambda: len(stored(folder, home)) == 48)
        assert "marked" not in text(app)


async def test_words_are_looked_for_while_they_are_typed_and_escape_restores_the_place(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "48")
        await pilot.press("j", "j", "j", "slash", *"fraud")
        await until(pilot, lambda: "8 questions listed" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: pane(app).state.where == Where(cursor=3) and pane(app).state.total == 48)
        await pilot.press("n")
        await until(pilot, lambda: notified(app, "No search is active"))
        await pilot.press("slash", *"loans", "enter", "j", "n", "n", "N")
        await until(pilot, lambda: "«loans»" in text(app) and pane(app).state.where.cursor == 2)
        await pilot.press("escape")
        await until(pilot, lambda: pane(app).state.where == Where(cursor=3) and pane(app).state.total == 48)


async def test_the_list_is_narrowed_by_split_and_topic(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app, "48")
        await pilot.press("t")
        await until(pilot, lambda: "32 questions listed   train" in text(app))
        await pilot.press("T")
        await until(pilot, lambda: "Topics   6" in text(app))
        await pilot.press("j", "enter")
        await until(pilot, lambda: "8 questions listed   train   cards" in text(app))
        await pilot.press("t", "t", "t")
        await until(pilot, lambda: "No questions in this list." in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: pane(app).state.total == 48)


async def test_a_range_and_all_that_is_listed_are_marked(home: Home) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "48")
        await pilot.press("j", "v", "j", "j", "v")
        await until(pilot, lambda: pane(app).state.marks == {2, 3, 4})
        await pilot.press("asterisk")
        await until(pilot, lambda: len(pane(app).state.marks) == 48)
        await pilot.press("escape")
        assert not pane(app).state.marks
        await pilot.press("v", "escape")
        assert pane(app).state.range_from is None


async def test_an_open_range_is_deleted_whole_with_what_is_marked_beside_it(home: Home) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "48")
        await pilot.press("space", "j", "v", "j", "j", "D")
        await until(pilot, lambda: len(stored(folder, home)) == 44)
        assert [question.id for question in stored(folder, home)][:3] == [2, 6, 7]
        await until(pilot, lambda: "44" in text(app))
        assert "marking a range" not in text(app)
        assert "marked" not in text(app)
        await pilot.press("u")
        await until(pilot, lambda: len(stored(folder, home)) == 48)


async def test_one_question_is_typed_and_not_twice(home: Home) -> None:
    folder = make_stage(home, "new")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "48")
        await pilot.press("a", "enter")
        await until(pilot, lambda: "Type a question" in str(app.screen.query_one("#error-text").visual))
        await type_in(pilot, app, text="Is it open on Sundays?", topic="hours")
        await until(pilot, lambda: len(stored(folder, home)) == 49)
        assert (stored(folder, home)[-1].topic, stored(folder, home)[-1].split) == ("hours", None)
        await pilot.press("a")
        await type_in(pilot, app, text="is it OPEN on sundays?")
        await until(pilot, lambda: notified(app, "already exists"))
        await pilot.press("u")
        await until(pilot, lambda: len(stored(folder, home)) == 48)


async def test_the_last_import_of_another_day_goes_only_when_a_person_says_so(home: Home) -> None:
    with make_project(home) as project:
        project.questions.add([Question((Message("user", f"late {n}"),), source="late.txt") for n in range(3)])
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "51")
        await pilot.press("u")
        form = await form_of(pilot)
        words = "The newest 3 questions from late.txt"
        await until(pilot, lambda: words in str(form.query_one("#aside").visual))
        await pilot.press("right", "enter")
        await until(pilot, lambda: len(stored(folder, home)) == 48)


async def test_the_teacher_writes_questions_in_a_job_and_they_arrive(home: Home) -> None:
    replies = "1. hours\n2. loans", "1. Is it open?\n2. When?", "1. Can I lend?"
    with served(*map(good, replies)) as server:
        spec = TeacherSpec("endpoint", "peer", server.url)
        with Project.create(home.projects / "desk", ProjectSettings(teacher=spec), home) as project:
            project.prompts.set(PROMPT)
            folder = project.folder
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app, "none yet")
            await pilot.press("s")
            form = await form_of(pilot)
            await until(pilot, lambda: "21 requests for up to 200" in str(form.query_one("#aside").visual))
            await type_in(pilot, app, topics="2", per_topic="2")
            await until(pilot, lambda: "Can I lend?" in text(app))
            await until(pilot, lambda: "loans" in text(app))
    assert [question.source for question in stored(folder, home)] == ["synthesis"] * 3


async def test_without_a_prompt_the_teacher_cannot_write(home: Home) -> None:
    with Project.create(home.projects / "bare", home=home) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "once there is a prompt")
        await pilot.press("s", "S", "T", "d", "D", "space", "asterisk", "G", "u")
        await until(pilot, lambda: notified(app, "The teacher needs a prompt first"))
        await until(pilot, lambda: notified(app, "Nothing to undo."))


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_questions_are_shown_and_never_obeyed(home: Home, size: tuple[int, int], tmp_path: Path) -> None:
    folder = make_stage(home, "hostile")
    with Project.open(folder, home) as project:
        turns = tuple(Message(role, hostile(role)) for role in ("user", "assistant", "user"))
        project.questions.add(
            [Question(turns, topic=hostile("topic"), source=hostile("source"), label=hostile("label"))]
        )
    (tmp_path / "q.jsonl").write_text(json.dumps({"text": hostile("brought"), "topic": hostile("topic")}) + "\n{x\n")
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "50")
        for keys in (("G",), ("T",), ("escape", "i")):
            await pilot.press(*keys)
        await type_in(pilot, app, path=str(tmp_path / "q.jsonl"))
        await until(pilot, lambda: "brought" in text(app))
        for keys in ((), ("enter",), ("escape",)):
            await pilot.press(*keys)
            await pilot.pause()
            shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
            assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in shown)
            assert "\u202e" not in shown


# The state and the lines, without a terminal.


def question(number: int, words: str = "q", split: Split | None = "train") -> Question:
    return Question((Message("user", f"{words} {number}"),), topic="t", split=split, id=number)


def page(total: int, offset: int = 0, rows: int = WINDOW, where: Where | None = None) -> QuestionsPage:
    shown = tuple(QuestionRow(question(n)) for n in range(offset, min(offset + rows, total)))
    return QuestionsPage(where or Where(), shown, offset, total, {"train": total})


def over(total: int) -> QuestionsState:
    state = QuestionsState()
    state.take(page(total), state.ask())
    return state


def view(width: int = 80, height: int = 24) -> View:
    return View(Facts("p", "/p", ProjectSettings(), (), prompt=PROMPT), None, width, height)


def test_of_a_hundred_thousand_questions_only_a_window_is_held() -> None:
    state = over(100_000)
    assert not state.move(199)
    assert state.row is not None
    assert state.move(50_000)
    assert state.row is None
    lines = [line.plain for line in draw(view(), state)]
    assert len(lines) <= 24
    assert "100,000" in lines[0]
    assert any(line.strip() == "…" for line in lines)


def test_in_a_narrowed_list_a_range_says_how_it_ends() -> None:
    listed = QuestionFilter("train", "cards that were lost on a long way", "how do I get another one")
    state = QuestionsState(where=Where(listed))
    state.take(page(12, where=Where(listed)), state.ask())
    state.range_from = 0
    told = draw(view(76), state)[1]
    assert told.plain.endswith("marking a range   v ends it")
    assert told.plain.startswith("12 questions listed   train   ")
    assert told.cell_length <= 76


def test_questions_without_a_topic_are_no_topic() -> None:
    state = over(3)
    state.mode = "topics"
    state.take_topics((TopicCounts("cards", {"train": 2}), TopicCounts("", {"train": 1})))
    told = [line.plain for line in draw(view(), state)]
    assert told[0].startswith("Topics   1 ")
    assert any("no topic" in line for line in told)


def test_of_several_windows_only_the_last_is_taken() -> None:
    state = QuestionsState()
    first, second = state.ask(), state.ask()
    state.take(page(3), first)
    assert state.page is None
    state.take(page(5), second)
    assert state.total == 5


def test_marks_are_what_an_action_is_for_and_else_the_cursor() -> None:
    state = over(10)
    assert state.chosen == (0,)
    state.move(4)
    state.mark()
    state.move(2)
    state.mark()
    assert state.chosen == (4, 7)
    state.did(Step("the deletion", removed=(RemovedQuestion(question(4), ""),)))
    assert state.chosen == (7,)
    state.mark_all((7, 8))
    assert state.chosen == (7, 8)
    state.mark_all((8, 7))
    assert not state.marks


def test_escape_goes_back_one_thing_at_a_time() -> None:
    state = over(10)
    state.look_for("words")
    state.mode, state.range_from, state.marks = "topics", 2, {1}
    assert [state.back() for _ in range(3)] == [False] * 3
    assert (state.range_from, state.marks, state.mode) == (None, set(), "list")
    assert state.back()
    assert state.where == Where()


def test_pairs_whose_questions_are_gone_are_listed_no_more() -> None:
    state = over(10)
    pairs = tuple(Pair(question(kept), question(dropped), 0.9) for kept, dropped in ((1, 2), (3, 4), (2, 5)))
    state.show_twins(pairs, 7)
    state.move(2)
    state.forget_pairs([2])
    assert (state.pairs, state.pairs_total, state.pair_at) == (pairs[1:2], 5, 0)


@pytest.mark.parametrize(("width", "height"), [(78, 21), (88, 37), (58, 18)])
def test_every_face_keeps_to_its_width(width: int, height: int) -> None:
    long = "word " * 400
    preview = ImportPreview(long, 900, 3, ((7, long), (1_000_000, "x")), (long,), ((long, long, 3),) * 20)
    topics = tuple(TopicCounts(f"{long} {n}", {"train": 99_999, None: 3}) for n in range(60))
    state = over(30)
    state.show_twins((Pair(question(1, long), question(2, long), 0.7),), 1)
    faces = [
        draw_import(preview, width, height, busy=""),
        draw_split(SplitPreview(60, topics), width, height, busy=""),
        draw(view(width, height), state),
    ]
    for lines in faces:
        assert max(line.cell_length for line in lines) <= width, lines


def test_the_words_of_a_form_are_those_of_the_command() -> None:
    values = {"path": "a.csv", "text": "what", "topic": "", "label": "gold", "limit": "5"}
    assert import_words(values) == ["a.csv", "--text-column", "what", "--label-column", "gold", "--limit", "5"]
    assert split_words({"validation": "15", "test": "5", "seed": "3"}) == [
        "--validation", "0.15", "--test", "0.05", "--seed", "3",
    ]  # fmt: skip
    assert format_words("x.CSV").startswith("CSV")
    assert "cannot be read" in format_words("x.xlsx")
    assert "hub" in format_words("owner/name")


# What the eye meets.

REAL = (
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
    """Eight questions of each of six topics with answers to some, a chat, and some without a split."""
    with make_project(home) as project:
        add_examples(project, 5)
        project.questions.add(
            Question((Message("user", words),), topic="traffic", source="traffic.jsonl") for words in REAL
        )
        chat = (
            Message("user", "My card was swallowed."),
            Message("assistant", "I am sorry to hear that. Where did it happen?"),
            Message("user", "At the airport in Lisbon, and I fly in two hours. Can you send the new one to my hotel?"),
        )
        project.questions.add([Question(chat, topic="cards", source="chats.jsonl", label="urgent", split="train")])
        return project.folder


def make_written(home: Home) -> Path:
    """A teacher is writing questions."""
    with Project.create(home.projects / "meridian-desk", home=home) as project:
        project.prompts.set(PROMPT)
        project.questions.add(Question((Message("user", words),), topic="cards", source="synthesis") for words in REAL)
        about = AnswerStarted("a", "teacher", "lost and stolen cards")
        add_job(project, SynthesizeOptions(), "running", [StateChanged("running"), Progress(2, 20, "", 140.0), about])
        return project.folder


def make_empty(home: Home) -> Path:
    with Project.create(home.projects / "meridian-desk", home=home) as project:
        project.prompts.set(PROMPT)
        return project.folder


LOOKS: list[tuple[str, Callable[[Home], Path], str, str]] = [
    ("empty", make_empty, "", "none yet"),
    ("list", make_listed, "j space j space j j", "2 marked"),
    ("chat", make_listed, "G", "label urgent"),
    ("topics", make_listed, "T j", "Topics"),
    ("writing", make_written, "", "writing about lost and stolen cards"),
    ("twins", make_listed, "d", "stays"),
    ("split", make_listed, "S enter", "to split"),
    ("import", make_listed, "i path enter", "stores them"),
    ("synthesize", make_empty, "s", "form"),
]


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize(("make", "keys", "words"), [pytest.param(*look[1:], id=look[0]) for look in LOOKS])
@pytest.mark.usefixtures("still_meter")
def test_the_pane_looks_as_it_did(
    snap_compare: Callable[..., bool],
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    make: Callable[[Home], Path],
    keys: str,
    words: str,
) -> None:
    rows = [json.dumps({"text": f"How long does transfer {n} take on a Friday?", "topic": "timing"}) for n in range(40)]
    (tmp_path / "traffic.jsonl").write_text("\n".join([*rows[:9], "{broken", *rows[9:], '{"text": ""}']))
    monkeypatch.chdir(tmp_path)
    app = DistillApp(home, make(home))

    async def settle(pilot: Pilot[int]) -> None:
        await opened(pilot, app)
        await until(pilot, lambda: pane(app).state.page is not None)
        for key in keys.split():
            if key == "path":
                form = await form_of(pilot)
                form.query_one("#field-path").value = "traffic.jsonl"
            else:
                await pilot.press(key)
                await until(pilot, lambda: pane(app).state.mode != "topics" or pane(app).state.topics is not None)
        if words == "form":
            form = await form_of(pilot)
            await until(pilot, lambda: "requests" in str(form.query_one("#aside").visual))
        else:
            await until(pilot, lambda: words in text(app))
        for field in app.screen.query(Input):
            field.cursor_blink = False
        for words_beside in app.screen.query("#aside").results(Static):  # they have the room that they need
            rows = str(words_beside.visual).count("\n") + 1
            await until(pilot, lambda: words_beside.size.height >= rows)  # noqa: B023
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=settle)


def test_a_filter_of_nothing_lists_everything() -> None:
    state = over(4)
    for split in ("train", "validation", "test", "unsplit", None):
        state.turn_filter()
        assert state.where.listed == QuestionFilter(split=split)


async def test_what_could_not_be_taken_back_still_can_be(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_project(home) as project:
        folder, count = project.folder, len(project.questions.ids())

    def left() -> int:
        with Project.open(folder, home) as project:
            return len(project.questions.ids())

    def busy(table: QuestionTable, removed: object) -> int:
        raise StoreError("The project is busy.", "Another process writes.", "Wait.")

    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await reach(pilot, 2, QuestionsPane, lambda: True)
        await until(pilot, lambda: pane_of(app, QuestionsPane).state.row is not None)
        await pilot.press("D")
        await until(pilot, lambda: left() == count - 1 and bool(pane_of(app, QuestionsPane).state.steps))
        with monkeypatch.context() as patch:
            patch.setattr(QuestionTable, "put_back", busy)
            await pilot.press("u")
            await until(pilot, lambda: "The project is busy." in [note.title for note in app._notifications])
        app.simulate_key("u")
        app.simulate_key("u")
        await until(pilot, lambda: left() == count)
        await until(pilot, lambda: any("Nothing to undo" in note.message for note in app._notifications))
