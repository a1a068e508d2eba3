"""The examples pane by its keys: reading answers while they arrive, hints, and how it looks."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.jobs.protocol import AnswerDelta, AnswerEnded, AnswerStarted, Event, Progress, Spent, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision
from engine.records.job import JobState
from engine.records.options import GenerateOptions
from engine.records.prompt import Message, Prompt
from engine.records.question import Split
from engine.records.rule import CheckResult
from tests.hostile import control_characters, hostile
from tests.tui.panes.examples_helpers import fill_in, form_showing, open_pane, pane, text
from tests.tui.panes.helpers import notified, show_whole_aside
from tests.tui.piloting import SIZES, go_to_pane, screen_text, until, workspace
from tests.tui.seeds import PROMPT, TOPICS, add_dataset, add_examples, add_job, make_project, make_stage
from tui.app import DistillApp
from tui.panes.examples.pane import ExamplesPane

pytestmark = pytest.mark.usefixtures("no_api_keys")


@pytest.mark.parametrize("size", SIZES)
async def test_answers_to_an_older_prompt_are_not_counted(home: Home, size: tuple[int, int]) -> None:
    with make_project(home) as project:
        add_examples(project, 30)
        older = project.examples.all()[0].example
        prompt = Prompt((Message("system", "Answer for another bank."),))
        project.prompts.set(prompt)
        now = dataclasses.replace(older.key, prompt_sha256=prompt.sha256)
        project.examples.add([dataclasses.replace(older, key=now, answer="An answer of today.")])
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size) as pilot:
        await go_to_pane(pilot, 3, ExamplesPane, lambda: "An answer of today." in text(app))
        shown = text(app)
        assert "Examples   1 " in shown
        assert "✓ 0 accepted   ✗ 0 rejected   ○ 1 undecided" in shown
        assert "RISK SCORE" not in shown


def make_outdated(home: Home, *, frozen: bool) -> Path:
    """A project with answers to an older version of the prompt only."""
    with make_project(home) as project:
        add_examples(project, 22)
        if frozen:
            add_dataset(project)
        project.prompts.set(Prompt((Message("system", "Answer for another bank."),)))
        return project.folder


@pytest.mark.parametrize("frozen", [False, True])
async def test_empty_pane_names_the_answers_to_an_older_prompt_and_the_ways_on(home: Home, *, frozen: bool) -> None:
    app = DistillApp(home, make_outdated(home, frozen=frozen))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "22 answers are to an older version of the prompt.")
        assert "enter   generate answers to this version" in text(app)
        assert "1 v     go back to that version: b makes it current" in text(app)
        assert ("B       keep what still applies" in text(app)) == frozen
        await pilot.press("1", "v", "j", "b", "3")
        await until(pilot, lambda: "Examples   22 " in text(app))


async def test_keys_select_which_answer_is_read(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "generating"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app, "57 of 480")
        writing = [stream.name for stream in pane(app)._streams[:3]]
        await pilot.press("right_square_bracket")
        assert pane(app).state.read == writing[1]
        await pilot.press("right_square_bracket", "right_square_bracket")
        assert pane(app).state.read == writing[0]
        await pilot.press("j", "j", "k")
        assert pane(app).state.read == writing[1]
        await pilot.press("G")
        assert pane(app).state.read == "0/0"
        await pilot.press("g", "escape")
        assert pane(app).state.read is None


async def test_escape_keeps_the_cursor_if_no_answer_is_streaming(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app)
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
async def test_empty_pane_names_the_next_key(home: Home, split: Split | None, key: str) -> None:
    with make_project(home) as project:
        project.questions.set_splits({question.id: split for question in project.questions.all()})
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, key)


async def test_generation_needs_a_prompt_and_questions(home: Home) -> None:
    with Project.create(home.projects / "bare", home=home) as project:
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "1       set a prompt first")
        await pilot.press("R", "right_square_bracket", "j", "G", "g", "escape", "enter")
        await until(pilot, lambda: notified(app, "needs a prompt first"))
        with Project.open(folder, home) as project:
            project.prompts.set(PROMPT)
        await until(pilot, lambda: "2       add questions first" in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: notified(app, "needs questions first"))


async def test_marks_follow_decisions_and_otherwise_the_rules(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project, 20, decided=False)
        first, _, _, _, broken, *_ = (row.example.id for row in project.examples.all())
        project.decisions.decide(
            [Decision(first, "reject", "person", reason="rude"), Decision(broken, "accept", "person")]
        )
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "1 accepted")
        shown = {stream.name: (stream.state, stream.note) for stream in pane(app)._streams}
        assert (shown[str(first)], shown[str(broken)]) == (("failed", "rude"), ("passed", ""))
        assert [state for state, _ in shown.values()].count("failed") == 4
        assert ("failed", "2 of 32 words too many") in shown.values()


async def test_results_of_a_removed_rule_are_not_shown(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project, 20, decided=False)
        broken = [row.example.id for row in project.examples.all() if not all(c.passed for c in row.example.checks)]
        project.decisions.decide([Decision(broken[0], "reject", "rules", reason="rule 3: 2 of 32 words too many")])
        project.rules.remove(3)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_pane(pilot, app, "1 rejected")
        shown = {stream.name: (stream.state, stream.note) for stream in pane(app)._streams}
        assert shown.pop(str(broken[0])) == ("failed", "decided under other rules; c c decides again")
        assert set(shown.values()) == {("passed", "")}


async def test_hostile_answers_and_errors_are_escaped_on_screen(home: Home) -> None:
    with make_project(home) as project:
        events: list[Event] = [
            StateChanged("running"),
            AnswerStarted("1.0", "teacher", hostile("question")),
            AnswerDelta("1.0", hostile("half\nan answer")),
            AnswerEnded("2.0", "", False, hostile("note"), hostile("fault")),
            AnswerEnded("3.0", "", False, hostile("note"), hostile("fault"), again=True),
            AnswerEnded("4.0", hostile("whole"), False, hostile("note")),
            Progress(1, 9, hostile("words"), 3.0),
        ]
        add_job(project, GenerateOptions(), "running", events)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_pane(pilot, app, "[@click=app.quit]half")
        await pilot.press("j", "j")
        await pilot.pause()
        assert not control_characters(screen_text(app))


def busy_events() -> list[Event]:
    """A running generation from an endpoint: finished answers, retries, a refusal, and spending."""
    events: list[Event] = [StateChanged("running")]
    for number in range(1, 25):
        topic, name = TOPICS[number % 6], f"{number}.0"
        question = f"Question {number} about {topic}, what should I do now?"
        answer = (
            f"RISK SCORE: {number % 9 + 1}. Please call the desk at once and have your {topic} ready. A person helps."
        )
        events.append(AnswerStarted(name, "teacher", question))
        if number < 15:
            passed = number % 5 != 4
            events.append(AnswerEnded(name, answer, passed, "" if passed else "rule 3: 2 of 32 words too many"))
        elif number < 18:
            events.append(AnswerEnded(name, "", False, "HTTP 429: Slow down.", "rate_limited", again=True))
            events.append(AnswerStarted(name, "teacher", question))
            events.append(AnswerDelta(name, answer[: 20 * (number - 14)]))
        elif number == 18:
            events.append(AnswerEnded(name, "", False, "The content filter refused the question.", "content_filter"))
        else:
            events.append(AnswerDelta(name, answer[: 3 * number]))
        if number in (5, 12, 20):
            events.append(Spent(0.02 * number, 2.0, 400 * number, 26 * number))
    return [*events, Spent(0.42, 2.0, 40_000, 900), Progress(57, 480, "57 answers stored, 1 question failed", 134.0, 1)]


def make_generated(home: Home, state: JobState) -> Path:
    with make_project(home) as project:
        add_examples(project, 20)
        note = "The endpoint refuses the key. Set a valid key for this host, then resume the job."
        more: list[Event] = [] if state == "running" else [StateChanged(state)]
        events = [*busy_events(), *more]
        add_job(project, GenerateOptions(max_cost_usd=2.0), state, events, note if state == "failed" else "")
        return project.folder


def make_rarely_passing(home: Home) -> Path:
    with make_project(home) as project:
        add_examples(project, 20, decided=False)
        failed = CheckResult(1, passed=False, note="no match")
        project.examples.set_checks({row.example.id: [failed] for row in project.examples.all()[1:]})
        return project.folder


SNAPSHOTS: list[tuple[str, Callable[[Home], Path], str, str]] = [
    ("empty", lambda home: make_stage(home, "new"), "", "let the teacher answer 40"),
    ("outdated", lambda home: make_outdated(home, frozen=True), "", "older version"),
    ("form", lambda home: make_stage(home, "new"), "enter", "form"),
    ("form-endpoint", lambda home: make_stage(home, "new"), "enter endpoint", "form"),
    ("busy", lambda home: make_generated(home, "running"), "", "57 of 480"),
    ("reading", lambda home: make_generated(home, "running"), "j j j", "57 of 480"),
    ("paused", lambda home: make_generated(home, "paused"), "", "paused"),
    ("failed", lambda home: make_generated(home, "failed"), "", "requests retried"),
    ("done", lambda home: make_generated(home, "done"), "", "R asks again"),
    ("doubted", make_rarely_passing, "", "stronger teacher"),
]


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize(("make", "keys", "expected"), [pytest.param(*look[1:], id=look[0]) for look in SNAPSHOTS])
@pytest.mark.usefixtures("fixed_meter")
def test_pane_matches_its_snapshot(
    snap_compare: Callable[..., bool],
    home: Home,
    size: tuple[int, int],
    make: Callable[[Home], Path],
    keys: str,
    expected: str,
) -> None:
    app = DistillApp(home, make(home))

    async def settle(pilot: Pilot[int]) -> None:
        await open_pane(pilot, app)
        for key in keys.split():
            if key == "endpoint":
                form = await form_showing(pilot, app, "40 questions")
                await pilot.press("right")
                fill_in(form, model="gpt-4o-mini", address="https://api.openai.com/v1", budget="2.50")
                await form_showing(pilot, app, "Type the key")
            else:
                await pilot.press(key)
        if expected == "form":
            await form_showing(pilot, app, "40 questions")
        else:
            await until(pilot, lambda: expected in text(app))
        if expected == "57 of 480":
            await until(pilot, lambda: workspace(app).state.load is not None)
        await show_whole_aside(pilot)
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=settle)
