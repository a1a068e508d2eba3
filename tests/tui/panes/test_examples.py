"""The examples pane by its keys: the form that tells what it will take, the wall while answers come, what failed."""

import asyncio
import dataclasses
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Input, Static

from engine.jobs.protocol import (
    AnswerDelta,
    AnswerEnded,
    AnswerStarted,
    Event,
    Progress,
    Spent,
    StageStarted,
    StampedEvent,
    StateChanged,
)
from engine.paths import Home
from engine.project import Project
from engine.records.cost import Figure
from engine.records.example import Decision
from engine.records.job import JobState
from engine.records.options import GenerateOptions, ProjectSettings, TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.records.rule import CheckResult
from engine.records.station import Station, StationState
from engine.store.jobs import options_of_job
from engine.teachers import keys
from engine.teachers.job import questions_of
from engine.teachers.outlook import GenerationOutlook, KeyState, Money
from tests.engine.teachers.hostile_server import Request, error, good, served, status
from tests.tui.piloting import form_of, pane_of, reach, text_of, until
from tests.tui.seeds import PROMPT, TOPICS, add_examples, add_job, hostile, make_project, make_stage
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.forms.teacher import teacher_fields, teacher_of
from tui.panes.examples.drawing import draw, last_lines
from tui.panes.examples.forms import outlook_trouble, outlook_words, wanted
from tui.panes.examples.pane import ExamplesPane
from tui.panes.examples.state import WallState
from tui.panes.job import JobView
from tui.panes.view import View
from tui.screens.workspace.screen import WorkspaceScreen
from tui.services.facts import ExampleCounts, Facts, Stream
from tui.widgets.lines import wrap

SIZES = [(80, 24), (120, 40)]
CANARY = "sk-canary-9876543210zyxwvutsrq"


pane = partial(pane_of, kind=ExamplesPane)
text = partial(text_of, kind=ExamplesPane)


@pytest.mark.parametrize("size", SIZES)
async def test_answers_to_an_older_prompt_are_no_examples_of_now(home: Home, size: tuple[int, int]) -> None:
    with make_project(home) as project:
        add_examples(project, 30)
        older = project.examples.all()[0].example
        project.prompts.set(Prompt((Message("system", "Answer for another bank."),)))
        now = dataclasses.replace(older.key, prompt_sha256=project.prompts.current().prompt.sha256)
        project.examples.add([dataclasses.replace(older, key=now, answer="An answer of today.")])
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size) as pilot:
        await reach(pilot, 3, ExamplesPane, lambda: "An answer of today." in text(app))
        told = text(app)
        assert "Examples   1 " in told
        assert "✓ 0 accepted   ✗ 0 rejected   ○ 1 undecided" in told
        assert "RISK SCORE" not in told


async def opened(pilot: Pilot[int], app: DistillApp, words: str = "Examples") -> None:
    await reach(pilot, 3, ExamplesPane, lambda: words in text(app))


async def outlined(pilot: Pilot[int], app: DistillApp, words: str) -> FormScreen:
    """The form, once it tells these words."""
    form = await form_of(pilot)
    await until(pilot, lambda: words in aside(app))
    return form


def aside(app: DistillApp) -> str:
    return str(app.screen.query_one("#aside").visual) if isinstance(app.screen, FormScreen) else ""


def fill(form: FormScreen, **values: str) -> None:
    for name, value in values.items():
        form.query_one(f"#field-{name}").value = value


def jobs(folder: Path, home: Home) -> list[GenerateOptions]:
    with Project.open(folder, home) as project:
        found = [options_of_job(job) for job in project.jobs.all()]
    return [options for options in found if isinstance(options, GenerateOptions)]


@pytest.fixture(autouse=True)
def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(keys, "_from_keyring", lambda base_url: None)


@pytest.mark.parametrize("size", SIZES)
async def test_a_generation_is_asked_for_by_a_form_and_its_answers_arrive(home: Home, size: tuple[int, int]) -> None:
    with make_project(home) as project:
        folder = project.folder
    with served(good("RISK SCORE: 2. Call the desk.", " A person helps.")) as server:
        app = DistillApp(home, folder)
        async with app.run_test(size=size, notifications=True) as pilot:
            await opened(pilot, app, "let the teacher answer 40 questions")
            await pilot.press("enter")
            form = await outlined(pilot, app, "40 questions, 40 answers")
            await pilot.press("right")
            fill(form, model="peer", address=server.url, limit="3", samples="2", at_once="4")
            await outlined(pilot, app, "3 questions, 6 answers")
            assert "No cost: a server on this machine." in aside(app)
            assert "none is needed on this machine" in aside(app)
            await pilot.press("enter")
            await until(pilot, lambda: "○ 6 undecided" in text(app))
            await until(pilot, lambda: "c reviews them" in text(app))
            assert "RISK SCORE: 2. Call the desk. A person helps." in text(app)
    (options,) = jobs(folder, home)
    assert options == GenerateOptions(TeacherSpec("endpoint", "peer", server.url), limit=3, samples=2, concurrency=4)
    assert len(server.requests) == 6


async def test_what_is_wrong_is_told_under_its_field_and_nothing_starts(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("enter")
        form = await outlined(pilot, app, "40 questions")
        fill(form, samples="99", temperature="hot", budget="much")
        await outlined(pilot, app, "once every field is valid")
        await pilot.press("enter")
        for name, words in (("samples", "1 to 64"), ("temperature", "0 to 2"), ("budget", "A number, 0 or more.")):
            assert words in str(form.query_one(f"#error-{name}").visual)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, WorkspaceScreen))
    assert not jobs(folder, home)


async def test_a_missing_key_is_told_and_a_typed_one_is_kept_outside_of_the_project(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[GenerateOptions] = []
    monkeypatch.setattr("tui.services.store.StoreService.start", lambda self, options: started.append(options))
    with make_project(home) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("enter")
        form = await outlined(pilot, app, "40 questions")
        await pilot.press("right")
        fill(form, model="gpt-4o-mini", address="https://api.openai.com/v1", budget="2")
        await outlined(pilot, app, "! Type the key, or set DISTILL_TUI_API_KEY_API_OPENAI_COM and restart.")
        assert "at list prices" in aside(app)
        await pilot.press("enter")
        assert "This endpoint needs a key." in str(form.query_one("#error--together").visual)
        fill(form, key=CANARY)
        await outlined(pilot, app, "in a file that only you can read")
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert CANARY not in shown
        await pilot.press("enter")
        await until(pilot, lambda: bool(started))
    assert started[0].max_cost_usd == 2.0
    (kept,) = (home.config / "keys").iterdir()
    assert (kept.name, kept.read_text().strip(), stat.S_IMODE(kept.stat().st_mode)) == ("api.openai.com", CANARY, 0o600)
    assert all(CANARY.encode() not in file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def test_a_budget_without_a_price_is_refused_in_the_form(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("enter")
        form = await outlined(pilot, app, "40 questions")
        await pilot.press("right")
        fill(form, model="peer", address="https://peer.example/v1", budget="2", key="sk-something-long-enough")
        await outlined(pilot, app, "no price is listed")
        await pilot.press("enter")
        await until(pilot, lambda: "No price is known for peer" in str(form.query_one("#error--together").visual))


async def test_only_what_nobody_answered_is_asked_again(home: Home) -> None:
    refused = status("400 Bad Request", error("blocked", "content_filter"))
    lenient = False

    async def server_says(request: Request, writer: asyncio.StreamWriter) -> None:
        await (refused if request.question == wrong.text and not lenient else good("RISK SCORE: 1. So."))(
            request, writer
        )

    with make_project(home) as project:
        folder = project.folder
    with served(server_says) as server:
        with Project.open(folder, home) as project:
            spec = TeacherSpec("endpoint", "peer", server.url)
            project.settings.write(ProjectSettings(teacher=spec))
            wrong = questions_of(project, GenerateOptions(spec, limit=4))[2]
        app = DistillApp(home, folder)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await opened(pilot, app)
            await pilot.press("enter")
            form = await outlined(pilot, app, "40 questions")
            fill(form, limit="4")
            await outlined(pilot, app, "4 questions")
            await pilot.press("enter")
            await until(pilot, lambda: "✗ content filter 1: no answer" in text(app))
            await until(pilot, lambda: "R asks again only what got no answer (1)" in text(app))
            lenient = True
            await pilot.press("R")
            await until(pilot, lambda: "○ 4 undecided" in text(app) and "no answer" not in text(app))
            await pilot.press("R")
            await until(pilot, lambda: any("has an answer" in note.message for note in app._notifications))
    assert jobs(folder, home)[1].asks == ((wrong.id, 0),)
    assert len(server.requests) == 5


async def test_the_answer_that_is_read_is_chosen_and_stays(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "generating"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app, "57 of 480")
        writing = [stream.name for stream in pane(app)._streams[:3]]
        await pilot.press("tab")
        assert pane(app).state.read == writing[1]
        await pilot.press("tab", "tab")
        assert pane(app).state.read == writing[0]
        await pilot.press("j", "j", "k")
        assert pane(app).state.read == writing[1]
        await pilot.press("G")
        assert pane(app).state.read == "0/0"
        await pilot.press("g", "escape")
        assert pane(app).state.read is None


async def test_where_nothing_is_written_no_place_is_lost(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("G")
        read = pane(app).state.read
        assert read is not None
        await pilot.press("escape")
        assert pane(app).state.read == read


@pytest.mark.parametrize(
    ("split", "key"),
    [
        ("train", "enter   let the teacher answer 48"),
        ("test", "2 S     split the questions"),
        (None, "2 S     split the questions"),
    ],
)
async def test_an_empty_pane_names_the_key_that_comes_next(home: Home, split: str | None, key: str) -> None:
    with make_project(home) as project:
        project.questions.set_splits({question.id: split for question in project.questions.all()})
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, key)


async def test_without_prompt_or_questions_nothing_is_asked(home: Home) -> None:
    with Project.create(home.projects / "bare", home=home) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "1       set a prompt first")
        await pilot.press("enter", "R", "tab", "j", "G", "g", "escape")
        await until(pilot, lambda: any("needs a prompt first" in note.message for note in app._notifications))
        with Project.open(folder, home) as project:
            project.prompts.set(PROMPT)
        await until(pilot, lambda: "2       add questions first" in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: any("needs questions first" in note.message for note in app._notifications))


async def test_hostile_answers_and_faults_are_shown_and_never_obeyed(home: Home) -> None:
    with make_project(home) as project:
        events: list[Event] = [
            StateChanged("running"),
            AnswerStarted("1.0.1", "teacher", hostile("question")),
            AnswerDelta("1.0.1", hostile("half\nan answer")),
            AnswerEnded("2.0.1", "", False, hostile("note"), hostile("fault")),
            AnswerEnded("3.0.1", "", False, hostile("note"), hostile("fault"), again=True),
            AnswerEnded("4.0.1", hostile("whole"), False, hostile("note")),
            Progress(1, 9, hostile("words"), 3.0),
        ]
        add_job(project, GenerateOptions(), "running", events)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app, "[@click=app.quit]half")
        await pilot.press("j", "j")
        await pilot.pause()
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in shown)
        assert "\u202e" not in shown


# The state and the lines, without a terminal.


def told(*events: Event, state: JobState = "running") -> JobView:
    job = JobView(1, "generate")
    for at, event in enumerate((StateChanged(state), *events)):
        job.apply(StampedEvent(float(at), event))
    return job


def lines(job: JobView | None, width: int = 88, height: int = 36, counts: ExampleCounts | None = None) -> list[str]:
    facts = Facts("p", "/p", ProjectSettings(), (), prompt=PROMPT, examples=counts or ExampleCounts())
    drawn = draw(View(facts, job, width, height), WallState())
    assert max(line.cell_length for line in drawn) <= width
    return [line.plain for line in drawn]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("ready", "4 the dataset is next: freeze the accepted answers"),
        ("stale", "4 the dataset is next: it is stale and needs freezing again"),
        ("done", "4 shows the dataset, where the accepted answers are frozen"),
        ("running", "4 shows the dataset, where the accepted answers are frozen"),
    ],
)
def test_what_is_frozen_already_is_not_next(state: StationState, words: str) -> None:
    stations = (Station("dataset", state, 1, ""),)
    facts = Facts("p", "/p", ProjectSettings(), stations, prompt=PROMPT, examples=ExampleCounts(9, 9))
    assert words in [line.plain for line in draw(View(facts, None, 88, 36), WallState())]


def test_failures_are_counted_by_kind_and_a_retry_is_no_answer() -> None:
    job = told(
        AnswerStarted("1.0.1", "teacher", "q"),
        AnswerEnded("1.0.1", "", False, "slow", "stalled", again=True),
        AnswerStarted("1.0.2", "teacher", "q"),
        AnswerEnded("2.0.1", "", False, "no", "content_filter"),
        AnswerEnded("3.0.1", "", False, "no", "content_filter"),
        Progress(3, 9),
    )
    assert job.asked_again == {"stalled": 1}
    assert job.unanswered == {(2, 0): "content_filter", (3, 0): "content_filter"}
    assert list(job.streams) == ["1.0.2", "2.0.1", "3.0.1"]
    assert "! stalled 1: asked again   ✗ content filter 2: no answer" in lines(job)
    job.apply(StampedEvent(9.0, AnswerEnded("2.0.1", "so", True)))
    assert list(job.unanswered) == [(3, 0)]
    assert job.answers_per_minute is None


def test_what_an_update_could_not_ask_is_shown_while_it_trains_and_after_it() -> None:
    job = told(
        StageStarted("examples"),
        AnswerEnded("2.0.1", "", False, "no", "content_filter"),
        StageStarted("run"),
        AnswerEnded("distilled/2/0", "", False, "no", "refused"),
    )
    assert job.unanswered == {(2, 0): "content_filter"}
    for state in ("running", "done"):
        job.apply(StampedEvent(9.0, StateChanged(state)))
        shown = lines(job, counts=ExampleCounts(5, 5))
        assert "✗ content filter 1: no answer" in shown
        assert "R asks again only what got no answer (1)" in shown
    job.apply(StampedEvent(9.0, StageStarted("examples")))
    assert not job.unanswered


def test_tokens_a_second_are_of_the_last_half_minute_and_of_this_process() -> None:
    job = told()
    for at, tokens in ((0.0, 0), (100.0, 1_000), (110.0, 1_500), (120.0, 2_000)):
        job.apply(StampedEvent(at, Spent(0.0, None, 0, tokens)))
    assert job.tokens_per_second == pytest.approx(50.0)
    job.apply(StampedEvent(200.0, Spent(0.0, None, 0, 10)))
    assert job.tokens_per_second is None


def test_spending_is_told_against_the_budget_with_what_all_will_cost() -> None:
    words = "\n".join(lines(told(Progress(10, 40), Spent(0.5, 2.0, 10, 10))))
    assert "$0.50 of $2.00 spent   ≈ $2.00 in total" in words
    assert "! $1.90 of $2.00 spent" in "\n".join(lines(told(Progress(10, 40), Spent(1.9, 2.0, 10, 10)), 120))
    assert "spent" not in "\n".join(lines(told(Progress(10, 40), Spent(0.0, None, 10, 10))))


def test_a_paused_job_says_which_key_goes_on() -> None:
    assert "‖ paused   r resumes it, x stops it" in lines(told(Progress(1, 2), state="paused"))


def test_an_answer_that_broke_off_with_its_job_is_not_shown_as_being_written() -> None:
    job = told(AnswerStarted("1.0.1", "teacher", "broken"), AnswerEnded("2.0.1", "whole", True))
    assert any("broken" in line for line in lines(job))
    job.apply(StampedEvent(9.0, StateChanged("failed")))
    shown = lines(job, counts=ExampleCounts(1, 0, 0, 1))
    assert not any("broken" in line for line in shown)
    assert any("whole" in line for line in shown)


async def test_what_nobody_decided_is_marked_by_the_rules_and_what_somebody_did_by_that(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project, 20, decided=False)
        first, _, _, _, broken, *_ = (row.example.id for row in project.examples.all())
        project.decisions.decide(
            [Decision(first, "reject", "person", reason="rude"), Decision(broken, "accept", "person")]
        )
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "1 accepted")
        shown = {stream.name: (stream.state, stream.note) for stream in pane(app)._streams}
        assert (shown[str(first)], shown[str(broken)]) == (("failed", "rude"), ("passed", ""))
        assert [state for state, _ in shown.values()].count("failed") == 4
        assert ("failed", "2 of 32 words too many") in shown.values()


@pytest.mark.parametrize(("kept", "count", "doubted"), [(0, 10, True), (2, 10, True), (3, 10, False), (0, 9, False)])
def test_a_teacher_that_seldom_keeps_the_rules_is_doubted(kept: int, count: int, doubted: bool) -> None:
    answers = tuple(Stream(f"{n}", "teacher", "q", "a", "passed" if n < kept else "failed", "") for n in range(count))
    facts = Facts(
        "p", "/p", ProjectSettings(), (), prompt=PROMPT, latest_answers=answers,
        examples=ExampleCounts(count, undecided=count),
    )  # fmt: skip
    for width in (50, 90):
        drawn = draw(View(facts, None, width, 36), WallState())
        assert max(line.cell_length for line in drawn) <= width
        words = " ".join(line.plain.strip() for line in drawn)
        assert ("1 T tries a few questions." in words) is doubted
    assert ("None of these 10 answers passes every rule." in words) is (doubted and not kept)
    unanswered = dataclasses.replace(facts, latest_answers=tuple(dataclasses.replace(a, text="") for a in answers))
    assert not any("every rule" in line.plain for line in draw(View(unanswered, None, 90, 36), WallState()))
    once = dataclasses.replace(facts, examples=ExampleCounts(count, 1, undecided=count - 1))
    assert not any("every rule" in line.plain for line in draw(View(once, None, 90, 36), WallState()))


@given(st.text(st.sampled_from("ab \n\tü漢\u202e\x1b\r"), max_size=300), st.integers(5, 40), st.integers(1, 9))
def test_the_last_lines_are_those_of_the_whole(words: str, width: int, room: int) -> None:
    whole = wrap(words.replace("\r\n", "\n"), width)
    assert last_lines(words, width, room)[-1:] == whole[-1:]
    if "\r" not in words:
        assert last_lines(words, width, room) == whole[-room:]


def test_of_an_endless_line_only_its_end_is_looked_at() -> None:
    shown = last_lines("word " * 2_000_000 + "end", 40, 5)
    assert len(shown) == 5
    assert shown[-1].endswith("end")


def test_the_wall_shows_sixty_four_streams_around_the_one_that_is_read() -> None:
    events: list[Event] = [AnswerStarted(f"{n}.0.1", "teacher", f"What about {n}?") for n in range(64)]
    job = told(*events, Progress(0, 64))
    state = WallState()
    streams = state.order(job.streams.values())
    state.move(streams, 50)
    facts = Facts("p", "/p", ProjectSettings(), (), prompt=PROMPT)
    shown = [line.plain for line in draw(View(facts, job, 78, 21), state)]
    assert len(shown) <= 21
    assert any(line.startswith("▌") and "What about 50?" in line for line in shown)


def test_the_cursor_stays_with_its_answer_while_others_come_and_go() -> None:
    state = WallState()
    streams = [Stream(name, "teacher", name) for name in "abc"]
    state.move(streams, 1)
    streams[0].state = "passed"
    ordered = state.order(streams)
    assert [stream.name for stream in ordered] == ["b", "c", "a"]
    assert ordered[state.place(ordered)].name == "b"
    assert state.place([streams[2]]) == 0
    assert state.read is None


# What the eye meets.


def busy_events() -> list[Event]:
    """A generation from an endpoint in its middle: whole answers, retries, a refusal, money."""
    events: list[Event] = [StateChanged("running")]
    for number in range(1, 25):
        topic, name = TOPICS[number % 6], f"{number}.0.1"
        asked_for = f"Question {number} about {topic}, what should I do now?"
        answer = (
            f"RISK SCORE: {number % 9 + 1}. Please call the desk at once and have your {topic} ready. A person helps."
        )
        events.append(AnswerStarted(name, "teacher", asked_for))
        if number < 15:
            passed = number % 5 != 4
            events.append(AnswerEnded(name, answer, passed, "" if passed else "rule 3: 2 of 32 words too many"))
        elif number < 18:
            events.append(AnswerEnded(name, "", False, "", "rate_limited", again=True))
            events.append(AnswerStarted(f"{number}.0.2", "teacher", asked_for))
            events.append(AnswerDelta(f"{number}.0.2", answer[: 20 * (number - 14)]))
        elif number == 18:
            events.append(AnswerEnded(name, "", False, "The content filter refused the question.", "content_filter"))
        else:
            events.append(AnswerDelta(name, answer[: 3 * number]))
        if number in (5, 12, 20):
            events.append(Spent(0.02 * number, 2.0, 400 * number, 26 * number))
    return [*events, Spent(0.42, 2.0, 40_000, 900), Progress(57, 480, "54 answers stored", 134.0)]


def make_generated(home: Home, state: JobState) -> Path:
    with make_project(home) as project:
        add_examples(project, 20)
        note = "The endpoint refuses the key. Set a valid key for this host, then resume the job."
        more: list[Event] = [] if state == "running" else [StateChanged(state)]
        events = [*busy_events(), *more]
        add_job(project, GenerateOptions(max_cost_usd=2.0), state, events, note if state == "failed" else "")
        return project.folder


def make_doubted(home: Home) -> Path:
    with make_project(home) as project:
        add_examples(project, 20, decided=False)
        unlike = CheckResult(1, passed=False, note="no match")
        project.examples.set_checks({row.example.id: [unlike] for row in project.examples.all()[1:]})
        return project.folder


LOOKS: list[tuple[str, Callable[[Home], Path], str, str]] = [
    ("empty", lambda home: make_stage(home, "new"), "", "let the teacher answer 40"),
    ("form", lambda home: make_stage(home, "new"), "enter", "form"),
    ("form-endpoint", lambda home: make_stage(home, "new"), "enter endpoint", "form"),
    ("busy", lambda home: make_generated(home, "running"), "", "57 of 480"),
    ("reading", lambda home: make_generated(home, "running"), "j j j", "57 of 480"),
    ("paused", lambda home: make_generated(home, "paused"), "", "paused"),
    ("failed", lambda home: make_generated(home, "failed"), "", "asked again"),
    ("done", lambda home: make_generated(home, "done"), "", "R asks again"),
    ("doubted", make_doubted, "", "stronger teacher"),
]


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize(("make", "pressed", "words"), [pytest.param(*look[1:], id=look[0]) for look in LOOKS])
@pytest.mark.usefixtures("still_meter")
def test_the_pane_looks_as_it_did(
    snap_compare: Callable[..., bool],
    home: Home,
    size: tuple[int, int],
    make: Callable[[Home], Path],
    pressed: str,
    words: str,
) -> None:
    app = DistillApp(home, make(home))

    async def settle(pilot: Pilot[int]) -> None:
        await opened(pilot, app)
        for key in pressed.split():
            if key == "endpoint":
                form = await outlined(pilot, app, "40 questions")
                await pilot.press("right")
                fill(form, model="gpt-4o-mini", address="https://api.openai.com/v1", budget="2.50")
                await outlined(pilot, app, "Type the key")
            else:
                await pilot.press(key)
        if words == "form":
            await outlined(pilot, app, "40 questions")
        else:
            await until(pilot, lambda: words in text(app))
        meters = app.screen.state.load if isinstance(app.screen, WorkspaceScreen) else True
        if words == "57 of 480" and meters is None:
            await until(pilot, lambda: app.screen.state.load is not None)
        for field in app.screen.query(Input):
            field.cursor_blink = False
        for words_beside in app.screen.query("#aside").results(Static):  # they have the room that they need
            rows = str(words_beside.visual).count("\n") + 1
            await until(pilot, lambda: words_beside.size.height >= rows)  # noqa: B023
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=settle)


def test_a_local_teacher_is_a_model_of_this_machine_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    values = {"teacher": "this machine", "address": "", "key": ""}
    assert teacher_of(values | {"model": "./base"}) == TeacherSpec("local", str(tmp_path / "base"))
    assert teacher_of(values | {"model": "gpt-5"}) is None
    fields = {field.id: field for field in teacher_fields(TeacherSpec(), lambda: values)}
    assert "neither a folder" in fields["model"].check("gpt-5")
    assert fields["model"].check("starter") == ""


def test_the_form_says_what_will_be_asked_and_what_stands_in_the_way() -> None:
    values = {
        "teacher": "an endpoint", "model": "m", "address": "https://h/v1", "key": "", "splits": "train", "samples": "2",
        "temperature": "0.7", "tokens": "64", "limit": "", "at_once": "8", "budget": "",
    }  # fmt: skip
    options = wanted(values, GenerateOptions())
    assert options is not None
    assert (options.splits, options.samples, options.concurrency, options.batch_rows) == (("train",), 2, 8, 128)
    assert wanted(values | {"address": "ftp://h"}, GenerateOptions()) is None
    local = wanted(values | {"teacher": "this machine", "model": "starter", "budget": "3"}, GenerateOptions())
    assert local is not None
    assert (local.batch_rows, local.max_cost_usd, local.teacher.kind) == (8, None, "local")
    figure = Figure(20.0, "measured", "")
    outlook = GenerationOutlook(5, 10, 4, 900, figure, Money(0.1, 0.2, "list"), 90.0, "job 3", KeyState("X", "Y"), 7)
    told_words = outlook_words(outlook, values)
    assert "5 questions, 10 answers, 4 already stored: 6 to ask; ≈ 1 min 30 s at the pace of job 3." in told_words
    assert "≈ $0.10, at most $0.20" in told_words
    assert outlook_trouble(outlook, values) == ""
    assert "nothing left to ask" in outlook_trouble(
        GenerationOutlook(5, 4, 4, 0, figure, outlook.money, None, "", None, 0), values
    )
    assert "7 questions are in no split yet" in outlook_words(
        GenerationOutlook(0, 0, 0, 0, figure, outlook.money, None, "", None, 7), values
    )
