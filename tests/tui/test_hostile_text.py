"""Hostile text from a project, a log or a server: every page draws it as plain visible characters.

Each page gets records in which every string is hostile; enumerated values and numbers are those of a real project.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content

from engine.curation.again import Asked
from engine.errors import StoreError
from engine.evaluation.lapses import Lapse
from engine.evaluation.preference import Standing
from engine.jobs.protocol import (
    AnswerDelta,
    AnswerEnded,
    AnswerStarted,
    Event,
    Metrics,
    Note,
    Progress,
    SampleAnswer,
    StampedEvent,
    StateChanged,
    WorstTokens,
)
from engine.paths import Home
from engine.project import Project
from engine.projects import ListedJob, ProjectSummary
from engine.prompts.compare import compare_texts
from engine.records.dataset import FreezePreview, OtherPrompt, Refusal, RefusalKind, TopicRows
from engine.records.evaluation import ArmAnswer
from engine.records.example import ExampleCounts
from engine.records.job import Job, JobState
from engine.records.options import OPTIONS_OF_KIND, JobKind
from engine.records.prompt import Message
from engine.records.question import Question, QuestionFilter
from engine.records.release import Release, ReleasedFile
from engine.records.rule import Check, CheckKind, CheckResult, Rule, Span
from engine.records.station import STATIONS, Station
from tests.hostile import assert_escaped, hostile_text, with_hostile_text
from tests.tui.panes.measured_projects import make_compared, worst
from tests.tui.seeds import AT
from tui.actions import PANES
from tui.panes.chat import drawing as chat
from tui.panes.chat.state import ChatState
from tui.panes.chat.turns import LaidOut
from tui.panes.dataset import drawing as dataset
from tui.panes.dataset.state import DatasetState
from tui.panes.evaluation import drawing as evaluation
from tui.panes.evaluation.marks import legend
from tui.panes.evaluation.state import EvaluationState
from tui.panes.examples import drawing as examples
from tui.panes.examples.state import WallState
from tui.panes.prompt import drawing as prompt
from tui.panes.prompt import other_drawing as prompt_faces
from tui.panes.prompt.state import OwnAnswerState, TrialState, VersionsState
from tui.panes.questions import drawing as questions
from tui.panes.questions import views as faces
from tui.panes.questions.state import QuestionsState
from tui.panes.release import drawing as release
from tui.panes.release.state import ReleaseState
from tui.panes.run import drawing as run
from tui.panes.run.state import RunState
from tui.panes.view import View
from tui.screens.curate import drawing as curate
from tui.screens.curate.state import ReviewState
from tui.screens.jobs import drawing as jobs
from tui.screens.jobs.state import JobsState
from tui.screens.start import drawing as start
from tui.screens.start.state import StartState
from tui.screens.workspace import header, rail, trouble
from tui.screens.workspace.state import WorkspaceState
from tui.services.dataset import Frozen
from tui.services.evaluation import EvaluationAnswers
from tui.services.facts import Facts
from tui.services.job_view import JobView
from tui.services.jobs import JobRow
from tui.services.prompt import Passage, VersionRow
from tui.services.questions import ImportPreview, Pair, QuestionRow, QuestionsPage, SplitPreview, TopicCounts
from tui.services.questions import Where as QuestionsWhere
from tui.services.reading import Reader
from tui.services.release import Exportable, Released, ReleasePage
from tui.services.review import ReviewPage, ReviewRow, Where
from tui.services.runs import RunRow, read_runs
from tui.services.trial import TriedAnswer, TriedRule

Lines = Iterable[Content]
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


class ProjectData:
    """The data read from a project; a class of its own keeps the messages of Hypothesis short."""

    def __init__(self, facts: Facts, rows: tuple[RunRow, ...]) -> None:
        self.facts, self.rows = facts, rows


@pytest.fixture(scope="module")
def project_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectData]:
    """The data of a real project with several runs and evaluations."""
    home = Home.locate(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tui.services.tokens.carry_out", lambda *_: {})
        reader = Reader(make_compared(home), home)
        facts = reader.read_new()
        assert facts is not None
        with Project.open(Path(facts.folder), home) as project:
            rows = read_runs(project)
        yield ProjectData(facts, rows)
        reader.close()


class Attack:
    """A project's facts and a job's log in which every string is `text`, and the size to draw in."""

    def __init__(self, data: ProjectData, text: str, width: int, height: int) -> None:
        self.text, self.width, self.height = text, width, height
        self.facts = dataclasses.replace(
            with_hostile_text(data.facts, text),
            prompt_tokens=data.facts.prompt_tokens,  # the program derives these two from numbers
            cost=data.facts.cost,
        )
        self.rows = with_hostile_text(data.rows, text, tuple[RunRow, ...])
        self.error = StoreError(text, text, text)
        self.question = Question((Message("user", text), Message("assistant", text), Message("user", text)), text, text,
                                 text, "test", 1)  # fmt: skip
        self.checks = (CheckResult(1, False, text, failing=(Span(0, 1),)), CheckResult(2, True, text))

    def job(self, kind: JobKind, *, state: JobState = "running") -> JobView:
        """Return a job whose log contains only the hostile text."""
        text, view = self.text, JobView(1, kind)
        view.station = OPTIONS_OF_KIND[kind].station
        tokens = tuple(with_hostile_text(token, text) for token in worst(1.0))
        events: list[Event] = [
            StateChanged("running", text), Note(text), AnswerStarted("1.0.1", text, text), AnswerDelta("1.0.1", text),
            AnswerStarted("2.0.1", text, text), AnswerEnded("2.0.1", text, False, text, text),
            AnswerStarted("3.0.1", text, text), AnswerEnded("3.0.1", text, True, text, text, True),
            Progress(1, 9, text, 3.0),
            Metrics(1, 0.1, {"loss": 1.0}), SampleAnswer(1, text, text, False), SampleAnswer(2, f"{text} ", text, True),
            WorstTokens(1, tokens), StateChanged(state, text),
        ]  # fmt: skip
        for at, event in enumerate(events):
            view.apply(StampedEvent(float(at), event))
        return view

    def view(self, job: JobView | None = None) -> View:
        return View(self.facts, job, self.width, self.height)


def prompt_pages(a: Attack) -> Iterator[Lines]:
    for draft in (False, True):
        yield prompt.draw_title(a.facts, draft=draft, width=a.width)
    assert a.facts.prompt is not None
    passages = [Passage(0, Span(1, 5)), Passage(1, Span(0, 9))]
    yield prompt.draw_text(a.facts.prompt, passages, a.width)[0]
    kinds: tuple[CheckKind, ...] = ("pattern", "starts_with", "forbidden", "length", "json", "language", "label")
    rules = [
        Rule(n, a.text, with_hostile_text(Check(kind, texts=("x",), labels=("x",)), a.text))
        for n, kind in enumerate(kinds)
    ]
    yield prompt.draw_rules(rules, 2, passages, a.width, focused=True)
    yield prompt.draw_words(a.text, "", a.width)
    yield prompt.draw_words("", a.text, a.width)
    versions = VersionsState()
    versions.take((VersionRow(2, AT, a.text, 9, 1, 2, True), VersionRow(1, a.text, a.text, 9, 1, 2, False)))
    yield prompt_faces.draw_versions(versions, a.width, a.height)
    yield prompt_faces.draw_difference(compare_texts(a.text, f"{a.text} x\n{a.text}"), a.width)
    trial = TrialState()
    trial.begin(1, 3, a.text, 1)
    trial.answer(1, TriedAnswer(a.text, a.text, (TriedRule(1, False, a.text), TriedRule(9, True, a.text))))
    trial.take_note(1, a.text)
    yield prompt_faces.draw_trial(trial, rules, 1, a.width)
    trial.end(1, a.error)
    yield prompt_faces.draw_trial(trial, rules, 2, a.width)
    yield prompt_faces.draw_own_answer(OwnAnswerState(a.text, tuple(rules), a.checks), a.width)


def questions_pages(a: Attack) -> Iterator[Lines]:
    where = QuestionsWhere(QuestionFilter(topic=a.text, search=a.text))
    page = QuestionsPage(where, (QuestionRow(a.question, 2),), 0, 1, {"test": 1, None: 1})
    state = QuestionsState(where=where, page=page)
    yield questions.draw(a.view(), state)
    yield questions.draw(a.view(a.job("synthesize")), state)
    state.busy = a.text
    yield questions.draw(a.view(), state)
    preview = ImportPreview(a.text, 3, 1, ((1, a.text),), (a.text,), ((a.text, a.text, 2),))
    topics = (TopicCounts(a.text, {"train": 1, None: 2}),)
    state.take_topics(topics)
    for busy in ("", a.text):
        yield faces.draw_import(preview, a.width, a.height, busy=busy)
        yield faces.draw_split(SplitPreview(3, topics, (a.text,)), a.width, a.height, busy=busy)
    yield faces.draw_topics(state, a.width, a.height)
    state.show_twins((Pair(a.question, a.question, 0.9),), 1)
    yield faces.draw_twins(state, a.width, a.height)


def examples_pages(a: Attack) -> Iterator[Lines]:
    yield examples.draw(a.view(), WallState())
    for state in ("running", "paused", "waiting", "failed"):
        yield examples.draw(a.view(a.job("generate", state=state)), WallState())


def review_pages(a: Attack) -> Iterator[Lines]:
    row = ReviewRow(1, a.text, a.text, a.text, f"{a.text} x", "rejected", True, a.text, a.checks, 4, (1, 2), a.text)
    where = Where(search=a.text, topic=a.text)
    job = a.facts.jobs[0]
    page = ReviewPage(
        where, (row,), 0, 1, ExampleCounts(3, 1, 1, 1), a.facts.rules, "p", 1, Asked(job, frozenset({4}), 0)
    )
    for comparing in (False, True):
        for whole in (False, True):
            yield curate.draw(ReviewState(where, page, comparing=comparing, whole=whole), a.width, a.height).lines
    yield curate.draw(ReviewState(where, ReviewPage(where)), a.width, a.height).lines


def dataset_pages(a: Attack) -> Iterator[Lines]:
    kinds: tuple[RefusalKind, ...] = ("message", "overlap", "too_long", "cut", "no_split", "system_message")
    refused = tuple(Refusal(n, n, kind, a.text) for n, kind in enumerate(kinds))
    preview = FreezePreview((TopicRows(a.text, "train", 3),), refused, 1, 1, 1, 1, False)
    assert a.facts.dataset is not None
    summary = with_hostile_text(a.facts.dataset, a.text)
    many = type(summary)(a.text, a.text, a.text, 3, 4, a.text, (OtherPrompt(a.text, a.text, 1, 1),))
    state = DatasetState(preview, dict.fromkeys(range(6), a.text), (Frozen(many, 1, (1,)), Frozen(many, 0, ())))
    for state.cursor in range(len(kinds)):
        yield dataset.draw(a.view(), state, 0.0)
    state.failure = a.error
    yield dataset.draw(a.view(), state, 0.0)
    state.freezing_since, state.note = 0.0, a.text
    yield dataset.draw(a.view(), state, 9.0)


def run_pages(a: Attack) -> Iterator[Lines]:
    state = RunState()
    state.take(a.rows)
    state.overlays = (a.rows[0].run.id,)
    for state.differing in (False, True):
        for state.cursor in (None, 36):
            yield run.draw(a.view(a.job("train")), state)
            yield run.draw(a.view(), state)
    state.comparing = True
    for state.row in range(len(a.rows)):
        yield run.draw(a.view(), state)
    yield run.draw(a.view(a.job("train")), RunState())


def evaluation_pages(a: Attack) -> Iterator[Lines]:
    shown = a.facts.evaluation
    assert shown is not None
    answers = tuple(ArmAnswer(name, 1, 0, a.text, a.text, a.checks, 9, 9) for name, _ in (*shown.arms, (a.text, None)))
    state = EvaluationState((shown,), asked_for=shown.id)
    state.take(EvaluationAnswers(shown.id, (Lapse(1, 2, (1, 2), 1, 0),), {1: a.question}, {(1, 0): answers}))
    for figures in (False, True):
        state.figures = figures
        yield evaluation.draw(a.view(), state)
    for compared in shown.comparisons:
        yield legend(compared, a.width)
    state.open()
    yield evaluation.draw(a.view(), state)
    state.turn_history()
    yield evaluation.draw(a.view(), state)
    yield evaluation.draw(a.view(a.job("evaluate")), EvaluationState())


def release_pages(a: Attack) -> Iterator[Lines]:
    made = Released(Release(1, "adapter", 1, a.text, a.text, a.text), a.text, (ReleasedFile(a.text, a.text, 9),))
    runs = (Exportable(1, a.text, 9, "pass", 1.0, False, {"adapter": 9, "merged": None}, {"adapter": a.text}),)
    state = ReleaseState()
    state.take(ReleasePage(runs, (made,)))
    yield release.draw(a.view(), state, 0.0)
    yield release.draw(a.view(a.job("export")), state, 9.0)
    state.card = made.release, a.text
    yield release.draw(a.view(), state, 9.0)


def chat_pages(a: Attack) -> Iterator[Lines]:
    state = ChatState((a.text, f"run-{a.text}"), note=a.text)
    for done, error in ((False, ""), (True, ""), (True, a.text)):
        turn = state.ask(a.text)
        for reply in turn.replies.values():
            reply.text, reply.done, reply.error, reply.checks = a.text, done, error, a.checks
        yield chat.draw(state, Standing(), a.facts.rules, a.width, LaidOut())


def jobs_pages(a: Attack) -> Iterator[Lines]:
    state = JobsState()
    job = Job(1, "train", "failed", "{}", "jobs/1", "run", note=a.text, created_at=a.text)
    state.take((JobRow(job, 1.0), JobRow(dataclasses.replace(job, id=2), 0.0, "stopping")), 0.0)
    yield jobs.draw(state, a.width)
    state.log = a.text
    yield jobs.draw(state, a.width)


def start_pages(a: Attack) -> Iterator[Lines]:
    jobs = (ListedJob(1, "train", "running", 1, 9, 3.0),)
    projects = (
        ProjectSummary(f"1{a.text}", Path("/p") / "x", NOW.isoformat(), station="run", note=a.text),
        ProjectSummary(f"2{a.text}", Path("/p") / "x", NOW.isoformat(), station="run", note=a.text, jobs=jobs),
        ProjectSummary(f"3{a.text}", Path("/p") / "x", NOW.isoformat(), trouble=a.text),
    )
    state = StartState()
    state.take(projects)
    yield [start.header(state, a.width)]
    for place in range(len(projects)):
        state.at = place
        yield start.body(state, a.width, a.height, NOW)
        yield start.about(state, a.width, 3)
    state.search, state.busy, state.trouble = a.text, a.text, a.text
    yield start.body(state, a.width, a.height, NOW)
    yield start.about(state, a.width, 3)


def frame_pages(a: Attack) -> Iterator[Lines]:
    for job in a.facts.jobs:
        yield [header.activity(job, a.job("train")), header.activity(job, None), header.activity(job, None, "stopping")]
    for pane in PANES:
        yield trouble._lines(WorkspaceState(a.facts, chosen=pane), None, a.width)
    yield trouble._lines(WorkspaceState(), a.error, a.width)
    for state in ("running", "stale"):
        stations = tuple(Station(name, state, 1, a.text) for name in STATIONS)
        yield [
            rail._rail_line(each, "run", "", a.width, ending=ending) for each in stations for ending in (False, True)
        ]


PAGES: list[Callable[[Attack], Iterator[Lines]]] = [
    prompt_pages, questions_pages, examples_pages, review_pages, dataset_pages, run_pages, evaluation_pages,
    release_pages, chat_pages, jobs_pages, start_pages, frame_pages,
]  # fmt: skip


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.__name__.removesuffix("_pages"))
@settings(max_examples=40)
@given(text=hostile_text.filter(bool), width=st.sampled_from([40, 56, 77, 117]), height=st.sampled_from([17, 36]))
def test_every_page_shows_hostile_text_as_plain_characters(
    project_data: ProjectData,
    pages: Callable[[Attack], Iterator[Lines]],
    text: str,
    width: int,
    height: int,
) -> None:
    for lines in pages(Attack(project_data, text, width, height)):
        assert_escaped(lines)
