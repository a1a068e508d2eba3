"""The dataset pane: what would be frozen, what is refused and the ways out of it, freezing, and the datasets before."""

import dataclasses
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from engine.curation.freeze import freeze, preview
from engine.errors import DistillError, ModelError
from engine.jobs.protocol import StageStarted, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.dataset import DatasetSummary, FreezePreview, Refusal, TopicRows
from engine.records.example import Decision
from engine.records.options import GenerateOptions, ProjectSettings
from engine.records.prompt import Message, Prompt
from tests.tiny import make_tiny_base
from tests.tui.piloting import facts_of, form_of, pane_of, reach, text_of, until, workspace
from tests.tui.seeds import PROMPT, add_dataset, add_examples, add_job, add_run, hostile, make_project, make_stage
from tui.app import DistillApp
from tui.keys import key_of
from tui.panes.dataset.drawing import draw
from tui.panes.dataset.pane import DatasetPane
from tui.panes.dataset.state import ALLOW, REJECT, DatasetState
from tui.panes.view import View
from tui.services import program
from tui.services.dataset import Frozen
from tui.services.facts import ExampleCounts, Facts

SIZES = [(80, 24), (120, 40)]
OVERLAP = "You answer for Meridian, a bank. Begin with a risk score, then two"  # 13 words of the system message
AT = "2026-01-02T03:04:05+00:00"


class Letters:
    """A tokenizer that gives each character its code."""

    def question_ids(self, messages: Sequence[Message]) -> list[int]:
        return [ord(letter) for message in messages for letter in message.content]

    def prompted_ids(self, prompt: Prompt, messages: Sequence[Message]) -> list[int]:
        return self.question_ids((*prompt.messages, *messages))

    def completion_ids(self, answer: str) -> list[int]:
        return [ord(letter) for letter in answer]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def token_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        return [(place, place + 1) for place in range(len(ids))]

    def check_length(self, ids: Sequence[int], what: str) -> None:
        pass


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The program's commands without their processes: the same engine, here. What was asked for is kept."""
    asked: list[list[str]] = []

    def carry_out(words: list[str], folder: Path, home: Home, tell: Callable[[str], None]) -> program.Answer:
        asked.append(words)
        with Project.open(folder, home) as project:
            if "--dry-run" in words:
                return dataclasses.asdict(preview(project, Letters()))
            made = freeze(project, Letters(), allow_leaks="--allow-leaks" in words)
        rows = (len(made.split(split)) for split in ("train", "validation"))
        return dict(zip(("train", "validation"), rows, strict=True)) | {"sha256": made.sha256}

    monkeypatch.setattr(program, "carry_out", carry_out)
    monkeypatch.setattr("engine.curation.freeze.now_text", lambda: AT)
    return asked


pane = partial(pane_of, kind=DatasetPane)
text = partial(text_of, kind=DatasetPane)


async def opened(pilot: Pilot[int], app: DistillApp) -> None:
    await reach(pilot, 4, DatasetPane, lambda: text(app) != "")


def make_leaky(home: Home) -> Path:
    """Two accepted answers repeat words of the prompt, one a whole message of it."""
    with make_project(home) as project:
        add_examples(project)
        project.decisions.decide(
            [
                Decision(1, "edit", "person", f"RISK SCORE: 1. {OVERLAP}."),
                Decision(3, "edit", "person", f"RISK SCORE: 2. {OVERLAP}."),
                Decision(4, "edit", "person", f"I was told: {PROMPT.system}"),
            ]
        )
        return project.folder


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_accepted_is_shown_and_frozen_by_one_key(
    home: Home, size: tuple[int, int], at_hand: list[list[str]]
) -> None:
    with make_project(home) as project:
        add_examples(project)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "what would be frozen now" in text(app))
        assert "8 rejected" in text(app)
        looks = at_hand.count(["curate", "freeze", "--dry-run"])
        await pilot.press("R")
        await until(pilot, lambda: at_hand.count(["curate", "freeze", "--dry-run"]) == looks + 1)
        await until(pilot, lambda: "8 rejected" in text(app))
        await pilot.press("z")
        await until(pilot, lambda: "by topic and split" in text(app))
        assert any("26 train rows, 6 validation rows" in note.message for note in app._notifications)
        await until(pilot, lambda: "no run yet" in text(app))
    with Project.open(folder, home) as project:
        latest = project.datasets.latest()
    assert latest is not None
    assert (latest.train, latest.validation) == (26, 6)
    assert ["curate", "freeze"] in at_hand


@pytest.mark.parametrize("size", SIZES)
async def test_while_answers_come_or_are_reviewed_nobody_looks_unless_a_key_asks(
    home: Home, size: tuple[int, int], at_hand: list[list[str]]
) -> None:
    with make_project(home) as project:
        add_examples(project, 20)
        job = add_job(project, GenerateOptions(), "running", [StateChanged("running"), StageStarted("examples")])
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "Answers are still coming in" in text(app))
        assert at_hand == []
        await pilot.press(key_of("dataset.look"))
        await until(pilot, lambda: "what would be frozen now" in text(app) and not pane(app).state.looking)
        assert len(at_hand) == 1
        assert "Answers are still coming in" in text(app)
        with Project.open(folder, home) as project:
            project.jobs.update(job.id, state="done")
        await until(pilot, lambda: len(at_hand) == 2)
        await until(pilot, lambda: "Answers are still coming in" not in text(app) and not pane(app).state.looking)
        below = workspace(app)
        await pilot.press(key_of("workspace.curate"))
        await until(pilot, lambda: app.screen is not below)
        with Project.open(folder, home) as project:
            project.decisions.decide([Decision(1, "reject", "person")])
        await until(pilot, lambda: facts_of(app).examples.rejected == 5)
        below._draw()
        assert len(at_hand) == 2
        await pilot.press("escape")
        await until(pilot, lambda: len(at_hand) == 3)


async def test_what_is_refused_is_searched_and_esc_restores_the_place(home: Home, at_hand: list[list[str]]) -> None:
    app = DistillApp(home, make_leaky(home))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "✗ 3 refused" in text(app))
        state = pane(app).state
        found = [place for place, each in enumerate(state.refused) if each.kind == "overlap"]
        assert len(found) == 2
        await pilot.press("slash", *"overlap")
        await until(pilot, lambda: state.cursor == found[0])
        await pilot.press("enter", "n")
        await until(pilot, lambda: state.cursor == found[1])
        await pilot.press("N")
        await until(pilot, lambda: state.cursor == found[0])
        await pilot.press("n", "escape")
        await until(pilot, lambda: state.cursor == 0)
        assert ["curate", "freeze"] not in at_hand


async def test_going_to_the_row_under_the_cursor_scrolls_nothing(home: Home, at_hand: list[list[str]]) -> None:
    app = DistillApp(home, make_leaky(home))
    async with app.run_test(size=(80, 20)) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "✗ 3 refused" in text(app))
        await pilot.press("j", "j")
        await until(pilot, lambda: pane(app).scroll_y > 0)
        before = pane(app).scroll_y
        pane(app).go(2)
        await pilot.pause()
        assert (pane(app).state.cursor, pane(app).scroll_y) == (2, before)


async def test_keys_move_the_cursor_first_and_the_page_where_the_list_ends(
    home: Home, at_hand: list[list[str]]
) -> None:
    app = DistillApp(home, make_leaky(home))
    async with app.run_test(size=(80, 20)) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "✗ 3 refused" in text(app))
        state = pane(app).state
        await pilot.press("pagedown")
        assert state.cursor == 2
        await pilot.press("g")
        await until(pilot, lambda: (state.cursor, pane(app).scroll_y) == (0, 0))
        await pilot.press("G")
        assert state.cursor == 2
        await until(pilot, lambda: 0 < pane(app).scroll_y < pane(app).max_scroll_y)
        await pilot.press("j")
        await until(pilot, lambda: pane(app).scroll_y > 1)
        await pilot.press("G")
        await until(pilot, lambda: pane(app).scroll_y == pane(app).max_scroll_y)
        assert state.cursor == 2


async def test_what_is_refused_is_listed_with_its_words_and_one_key_rejects_it(
    home: Home, at_hand: list[list[str]]
) -> None:
    folder = make_leaky(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "✗ 3 refused" in text(app))
        assert "«You answer for Meridian, a bank." in text(app)
        await pilot.press("j", "j")
        assert "copies a prompt message" in text(app).split("▌")[1].split("\n")[0]
        await pilot.press("d")
        await until(pilot, lambda: "✗ 2 refused" in text(app))
    with Project.open(folder, home) as project:
        assert project.examples.get(4).state == "rejected"
        assert project.datasets.latest() is None


@pytest.mark.parametrize(("keys", "state", "rows"), [((), "rejected", 29), (("right",), "accepted", 31)])
async def test_freezing_asks_whether_the_student_may_repeat_overlaps(
    home: Home, at_hand: list[list[str]], keys: tuple[str, ...], state: str, rows: int
) -> None:
    folder = make_leaky(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "✗ 3 refused" in text(app))
        await pilot.press("z")
        await form_of(pilot)
        await pilot.press(*keys)
        aside = str(app.screen.query_one("#aside", Static).visual)
        assert ("will learn to repeat these words" in aside) == bool(keys)
        await pilot.press("enter")
        await until(pilot, lambda: f"{rows} rows" in text(app))
    with Project.open(folder, home) as project:
        assert project.examples.get(1).state == state
        assert project.examples.get(4).state == "rejected"  # a whole message is never trained on


async def test_leaving_the_question_changes_nothing(home: Home, at_hand: list[list[str]]) -> None:
    folder = make_leaky(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "✗ 3 refused" in text(app))
        await pilot.press("z")
        await form_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "✗ 3 refused" in text(app))
    assert all("--dry-run" in words for words in at_hand)


async def test_a_freeze_that_fails_says_why_and_can_be_tried_again(
    home: Home, at_hand: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = program.carry_out

    def fails(words: list[str], *rest: object) -> program.Answer:
        if "--dry-run" not in words:
            raise ModelError("The model cannot be downloaded.", hostile("owner/name"), "Check the network.")
        return works(words, *rest)

    monkeypatch.setattr(program, "carry_out", fails)
    with make_project(home) as project:
        add_examples(project)
    app = DistillApp(home, home.projects / "meridian-desk")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "what would be frozen now" in text(app))
        await pilot.press("z")
        await until(pilot, lambda: "✗ The model cannot be downloaded." in text(app))
        assert "\x1b" not in text(app)
        monkeypatch.setattr(program, "carry_out", works)
        await pilot.press("z")
        await until(pilot, lambda: "32 rows" in text(app))
        assert "✗" not in text(app)


async def test_the_clock_of_a_freeze_goes_on_while_nothing_is_told(
    home: Home, at_hand: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    works, loaded = program.carry_out, threading.Event()

    def loads(words: list[str], *rest: object) -> program.Answer:
        assert "--dry-run" in words or loaded.wait(30)
        return works(words, *rest)

    monkeypatch.setattr(program, "carry_out", loads)
    with make_project(home) as project:
        add_examples(project)
    app = DistillApp(home, home.projects / "meridian-desk")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "what would be frozen now" in text(app))
        await pilot.press("z")
        await until(pilot, lambda: "freezing   1 s" in text(app))
        await until(pilot, lambda: "freezing   2 s" in text(app))
        loaded.set()
        await until(pilot, lambda: "32 rows" in text(app))


async def test_a_look_that_fails_says_so_and_nothing_else_until_one_succeeds(
    home: Home, at_hand: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = program.carry_out

    def fails(words: list[str], *rest: object) -> program.Answer:
        raise ModelError("The tokenizer cannot be read.", "owner/name", "Check the network.")

    monkeypatch.setattr(program, "carry_out", fails)
    with make_project(home) as project:
        add_examples(project)
    app = DistillApp(home, home.projects / "meridian-desk")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "The tokenizer cannot be read." in text(app))
        assert "Looking" not in text(app)
        assert f"{key_of('dataset.look')} checks again" in text(app)
        monkeypatch.setattr(program, "carry_out", works)
        with Project.open(home.projects / "meridian-desk", home) as project:
            project.decisions.decide([Decision(1, "reject", "person")])
        await until(pilot, lambda: "9 rejected" in text(app))
        assert "cannot be read" not in text(app)


async def test_a_stale_dataset_is_said_and_the_older_ones_are_listed(home: Home, at_hand: list[list[str]]) -> None:
    with make_project(home) as project:
        add_examples(project)
        add_run(project, add_dataset(project), done=True)
        project.decisions.decide([Decision(1, "reject", "person")])
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "◐ stale: other examples are accepted now; z freezes again" in text(app))
        await pilot.press("z")
        await until(pilot, lambda: "31 rows" in text(app) and "earlier datasets" in text(app))
        assert "run 1" in text(app).split("earlier datasets")[1]
        assert "stale" not in text(app)


@pytest.mark.parametrize(("stage", "words"), [("new", "3   generate answers"), ("rejected", "c   review them")])
async def test_where_nothing_can_be_frozen_the_key_that_helps_is_named(home: Home, stage: str, words: str) -> None:
    folder = make_stage(home, "new")
    if stage == "rejected":
        with Project.open(folder, home) as project:
            add_examples(project, 3)
            project.decisions.decide([Decision(id, "reject", "person") for id in (1, 2, 3)])
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: words in text(app))
        await pilot.press("z", "d")
        await until(pilot, lambda: len(app._notifications) == 2)


async def test_the_real_program_looks_and_freezes_in_processes_of_its_own(home: Home, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "tiny")
    with make_project(home) as project:
        add_examples(project)
        project.settings.write(ProjectSettings(student_base=str(base)))
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app)
        await in_time(pilot, lambda: pane(app).state.preview is not None)
        found = pane(app).state.preview
        assert found is not None
        assert found.lengths_checked
        await pilot.press("z")
        assert "freezing" in text(app)
        await in_time(pilot, lambda: "by topic and split" in text(app))


async def in_time(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    """As `until`, for a process that may need seconds to start on a busy machine."""
    for _ in range(1000):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError("the process never came to an end")


def test_a_look_that_is_asked_for_during_another_follows_it() -> None:
    state = DatasetState()
    assert state.begin_look()
    assert not state.begin_look()
    assert state.end_look()
    assert state.begin_look()
    assert not state.end_look()


def state_with(*refused: Refusal) -> DatasetState:
    state = DatasetState()
    topics = (TopicRows("cards", "train", 7), TopicRows("fees", "validation", 3))
    state.take((), FreezePreview(topics, refused, 1, 2, 3, 4, lengths_checked=False), {})
    return state


def test_only_overlaps_can_be_allowed() -> None:
    overlap, message = Refusal(1, 1, "overlap", "words"), Refusal(2, 2, "message", "words")
    assert state_with(message).ways_out() == (REJECT,)
    both = state_with(overlap, message)
    assert both.ways_out() == (REJECT, ALLOW)
    assert (both.to_reject(REJECT), both.to_reject(ALLOW)) == ((1, 2), (2,))


def test_the_cursor_stays_on_the_list() -> None:
    state = state_with(*(Refusal(number, number, "cut", "cut") for number in range(1, 30)))
    state.move(99)
    assert state.cursor == 28
    state.take((), state_with(Refusal(1, 1, "cut", "cut")).preview, {})
    assert state.under_cursor == Refusal(1, 1, "cut", "cut")
    state.take((), state_with().preview, {})
    assert state.under_cursor is None


def view_of(width: int) -> View:
    from engine.records.station import STATIONS, Station

    stations = tuple(Station(name, "done", 1, "") for name in STATIONS)
    summary = DatasetSummary("ab" * 32, "cd" * 32, hostile("/models/tiny"), 26, 6, AT)
    facts = Facts("p", "/p", ProjectSettings(), stations, examples=ExampleCounts(10, 9, 1, 0), dataset=summary)
    return View(facts, None, width, 24)


@pytest.mark.parametrize("width", [50, 76, 88])
def test_no_line_is_wider_than_the_page_and_none_is_obeyed(width: int) -> None:
    state = state_with(*(Refusal(number, number, "overlap", hostile("word " * 200)) for number in range(1, 30)))
    state.questions = dict.fromkeys(range(1, 30), hostile("a question"))
    frozen = Frozen(DatasetSummary("ab" * 32, "cd" * 32, hostile("/models/tiny"), 26, 6, AT), 1, (1, 2))
    state.history = (frozen, frozen)
    state.failure = DistillError(hostile("title"), hostile("message " * 80), hostile("next"))
    for line in draw(view_of(width), state, 0.0):
        assert line.cell_length <= width, line.plain
        assert not set(line.plain) & {"\x1b", "\x07", "\u202e", "\n"}


@pytest.mark.parametrize("size", SIZES, ids=["80", "120"])
@pytest.mark.parametrize("name", ["empty", "would-be", "refused", "asks", "busy", "failed", "stale", "done"])
@pytest.mark.usefixtures("still_meter", "at_hand")
def test_the_pane_looks_as_it_did(
    snap_compare: Callable[..., bool],
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    size: tuple[int, int],
) -> None:
    if name in ("refused", "asks"):
        folder = make_leaky(home)
    else:
        with make_project(home) as project:
            if name != "empty":
                add_examples(project)
            if name in ("stale", "done"):
                add_run(project, add_dataset(project), done=True)
            if name == "stale":
                project.decisions.decide([Decision(1, "reject", "person")])
            folder = project.folder
    app = DistillApp(home, folder)

    async def settle(pilot: Pilot[int]) -> None:
        await opened(pilot, app)
        state = pane(app).state
        await until(pilot, lambda: name == "empty" or (state.preview is not None and not state.looking))
        if name == "asks":
            await pilot.press("z", "right")
        if name == "busy":
            monkeypatch.setattr(pane(app)._service, "freeze", lambda *, allow_overlaps: None)
            monkeypatch.setattr("tui.panes.dataset.pane.monotonic", lambda: 60.0)
            await pilot.press("z")
            pane(app).state.freezing_since = 56.0
            pane(app).redraw()
        if name == "failed":
            pane(app).state.failure = ModelError(
                "The model cannot be downloaded.",
                "owner/name: the network is unreachable.",
                "Check the network, or use `starter` or a local folder.",
            )
            pane(app).redraw()
        await pilot.pause(0.5)

    assert snap_compare(app, terminal_size=size, run_before=settle)
