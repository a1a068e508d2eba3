"""The run pane: training by keys, curves laid over each other, the cursor, the comparison, and how it looks."""

import dataclasses
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from engine.jobs.protocol import SampleAnswer, WorstTokens
from engine.jobs.wishes import read_wish
from engine.model.shapes import Shapes
from engine.paths import Home
from engine.project import Project
from engine.records.dataset import DatasetSummary
from engine.records.example import Decision
from engine.records.options import ExportOptions, SweepOptions, Trial
from engine.records.run import CurvePoint, Run, TrainingConfig, WorstToken
from engine.training.costs import RowTokens
from engine.training.facts import Basis, FreeMemory
from tests.tui.panes.measured import QUESTIONS, add_measured_run, make_compared, worst, write_log
from tests.tui.piloting import form_of, pane_of, reach, text_of, until, workspace
from tests.tui.seeds import CURVE, add_dataset, add_examples, hostile, make_project, make_stage
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.panes.job import Curve, JobView
from tui.panes.run.curves import Drawn, Look, charts, values
from tui.panes.run.pane import RunPane
from tui.panes.run.settings import config_of, device, fields, guide, outlook, trouble
from tui.panes.run.state import RunState, sample_at, value_at
from tui.panes.run.worst import worst_tokens
from tui.services.runs import RunRow, read_runs, trace_reader

SIZES = [pytest.param((80, 24), id="80"), pytest.param((120, 40), id="120")]
VALUES = {
    "preset": "",
    "objective": "forward KL",
    "lora_rank": "32",
    "learning_rate": "1e-3",
    "epochs": "2",
    "batch_rows": "4",
    "evaluations": "3",
    "device": "",
    "dtype": "bfloat16",
    **dict.fromkeys(
        (
            "on_policy_steps",
            "on_policy_batch_rows",
            "on_policy_learning_rate",
            "general_fraction",
            "prompt_back_weight",
        ),
        "",
    ),
}
DATASET = DatasetSummary("d" * 64, "p" * 64, "starter", 26, 6, "")


pane = partial(pane_of, kind=RunPane)
text = partial(text_of, kind=RunPane)


async def opened(pilot: Pilot[int], app: DistillApp, words: str) -> None:
    await reach(pilot, 5, RunPane, lambda: words in text(app))
    rows_wanted = workspace(app).state.facts.run is not None
    await until(pilot, lambda: not rows_wanted or bool(pane(app).state.rows))


def runs(*configs: TrainingConfig) -> RunState:
    state = RunState()
    state.take(
        tuple(RunRow(Run(number, "d", config, "done", "", step=40, steps=40), jobs=(number,)) for number, config in
              enumerate(configs, start=1))
    )  # fmt: skip
    return state


CONFIG = TrainingConfig(base="starter")


def test_overlays_go_through_the_earlier_runs_and_end_with_none() -> None:
    state = runs(CONFIG, CONFIG, CONFIG)
    seen = []
    for _ in range(4):
        state.turn_overlay(3)
        seen.append(state.overlays)
    assert seen == [(2,), (1,), (), (2,)]


def test_three_runs_can_be_laid_over_one_and_no_more() -> None:
    state = runs(*[CONFIG] * 5)
    state.row = 0
    assert not state.choose(5), "the shown run itself"
    for row in (1, 2, 3):
        state.row = row
        assert state.choose(5)
    assert [state.letter(number) for number in (4, 3, 2, 1)] == ["a", "b", "c", ""]
    state.row = 4
    assert not state.choose(5)
    state.row = 2
    assert state.choose(5)
    assert state.overlays == (4, 2)
    state.take(state.rows[2:])
    assert state.overlays == (4,), "a run that is gone lies over nothing"


def test_the_cursor_begins_at_the_end_that_it_comes_from_and_stays_where_something_was_measured() -> None:
    run = Run(1, "d", CONFIG, "running", "", step=10, steps=400, curve=curve_of(0, 10))
    state = RunState()
    state.move_cursor(-1, run, None)
    assert state.cursor == 10
    state.move_cursor(-1, run, None)
    assert state.cursor == 0
    state.move_cursor(1, run, None)
    assert state.cursor == 10
    state.move_cursor(1, run, None)
    assert state.cursor == 10


def test_the_cursor_stops_at_every_evaluation_on_its_way() -> None:
    run = Run(1, "d", CONFIG, "done", "", step=200, steps=200, curve=curve_of(0, 12, 200))
    state = RunState(cursor=0)
    seen = []
    for by in (1, 1, 1, 1, -1, -1, -1):
        state.move_cursor(by, run, None)
        seen.append(state.cursor)
    assert seen == [5, 10, 12, 17, 12, 7, 2]


def curve_of(*steps: int) -> tuple[CurvePoint, ...]:
    return tuple(CurvePoint(step, step / 10, 1.0, 2.0, (), 0.5, 1e-3, 100.0, best=False) for step in steps)


def test_values_and_samples_are_those_at_or_before_a_step() -> None:
    curve = Curve([0.0, 36.0, 72.0], [3.0, 2.0, 1.0])
    assert value_at(curve, 40) == (36.0, 2.0)
    assert value_at(curve, None) == (72.0, 1.0)
    assert value_at(Curve([5.0], [1.0]), 4) is None
    samples = [SampleAnswer(step, "q", "a", True) for step in (0, 36, 72)]
    assert [sample_at(samples, step) for step in (0, 35, 36, 99, None)] == [0, 0, 1, 2, 2]


def test_what_logs_tell_of_a_run_is_taken_in_where_they_are_read(home: Home) -> None:
    with Project.open(make_compared(home), home) as project:
        read = trace_reader(1, partial(JobView, 0, "train"))(project)
    assert read.run.id == 1
    assert read.view.curves["loss"].steps


@pytest.mark.parametrize("width", [44, 57, 77, 117])
def test_every_line_of_the_worst_tokens_has_the_same_width(width: int) -> None:
    told = WorstTokens(3, tuple(worst(1.0)))
    lines = worst_tokens(told, width)
    assert {line.cell_length for line in lines[2:-1]} == {width}
    assert max(line.cell_length for line in lines) <= width
    assert "‹end›" in lines[-2].plain
    if width > 80:
        assert "a new PIN by post" in lines[3].plain, "what stands before a token keeps its end"


def test_smoothing_turns_through_its_strengths() -> None:
    state = RunState()
    seen = []
    for _ in range(3):
        state.turn_smoothing()
        seen.append(state.smoothing)
    assert seen == [0.6, 0.9, 0.0]


@pytest.mark.parametrize("width", [40, 77, 89, 117])
def test_every_line_of_the_charts_and_their_values_fits(width: int) -> None:
    curve = Curve([0.0, 36.0, 216.0], [1.9, 0.6, 0.0001])
    curves = {"validation_kl": curve, "all_rules": Curve([0.0, 216.0], [0.0, 1.0]), "loss": curve}
    asked = {0.0: 16, 216.0: 1000}
    drawn = [Drawn(f"run {n}", curves, asked, letter) for n, letter in ((3, ""), (2, "a"), (1, "b"))]
    for look in (Look(), Look(log=True, smoothing=0.9, cursor=216), Look(cursor=0)):
        lines = [*charts(drawn, look, 216, width, 6), *(values(drawn, look, width) if width > 60 else [])]
        assert max(line.cell_length for line in lines) <= width


def test_a_chart_names_both_ends_of_both_axes() -> None:
    curves = {name: Curve([0.0, 100.0], [2.0, 0.5]) for name in ("validation_kl", "all_rules", "loss")}
    drawn = [Drawn("run 1", curves, {100.0: 16})]
    lines = [line.plain for line in charts(drawn, Look(log=True, cursor=50), 200, 89, 6)]
    assert lines[1].count("2 ┤") == 2, "KL and loss begin at their greatest value"
    assert lines[1].count("100 % ┤") == 1
    assert lines[6].count("0.5 ┤") == 2
    assert lines[6].count("0 % ┤") == 1
    assert lines[7].split() == ["0", "50", "200"] * 3


def test_a_configuration_is_what_was_typed_and_keeps_the_rest() -> None:
    basis = Basis(
        DATASET,
        scored_train=520,
        runs=(Run(1, "d", dataclasses.replace(CONFIG, base="old", seed=7, replanned=((5, 2.0),)), "done", ""),),
    )
    config = config_of(VALUES, basis)
    assert config == dataclasses.replace(
        CONFIG, objective="forward_kl", lora_rank=32, lora_alpha=64, learning_rate=1e-3, epochs=2.0, batch_rows=4,
        micro_batch_rows=4, evaluations=3, dtype="bfloat16", seed=7,
    )  # fmt: skip


def test_an_outlook_says_where_its_figures_are_from_and_what_is_not_known() -> None:
    unknown = outlook(VALUES, Basis(DATASET))
    assert "14 steps: 26 rows, 4 per step, 2 epochs" in unknown
    assert unknown.count("not known") == 3
    config = dataclasses.replace(CONFIG, dtype="bfloat16", micro_batch_rows=4, lora_rank=32)
    like = Run(2, "d", config, "done", "", step=10, train_s=40.0,
               peak_rss_mb=2100.0, device="cpu", dtype="bfloat16")  # fmt: skip
    known = outlook(VALUES, Basis(DATASET, runs=(like,), tokens=RowTokens(10.0, 20.0, 40, 30, 100)))
    assert ": at the pace of run 2 on cpu bfloat16" in known
    assert "≈ 2.1 GB: the peak of run 2" in known
    assert outlook({**VALUES, "epochs": "x"}, Basis(DATASET)) == ""
    assert outlook({**VALUES, "batch_rows": "0"}, Basis(DATASET)) == ""


def test_a_preset_stands_for_what_is_left_empty_and_gives_its_reasons() -> None:
    basis = Basis(DATASET, tokens=RowTokens(10.0, 20.0, 40, 30, 100), own_rows=26, scored_train=520)
    assert fields(basis)[0].value == "balanced"
    values = {field.id: field.value for field in fields(basis)} | {"preset": "best", "epochs": "3"}
    config, told = config_of(values, basis), guide(values, basis)
    assert (config.epochs, config.lora_rank, config.on_policy_steps, config.on_policy_batch_rows) == (3.0, 64, 50, 26)
    assert (told["lora_rank"].instead, told["on_policy_steps"].instead) == ("64", "50")
    assert told["epochs"].why == "as you said"
    assert all(told[name].why for name in told)
    assert told["on_policy_batch_rows"].shown
    none = guide({**values, "on_policy_steps": "0"}, basis)
    assert not none["on_policy_batch_rows"].shown
    assert none["on_policy_steps"].why == "as you said"
    assert guide({**values, "lora_rank": "x"}, basis)["lora_rank"].instead == "64", "what is no number is not taken"
    assert config_of({**values, "objective": "cross-entropy"}, basis).objective == "cross_entropy"
    short = guide({**values, "epochs": "1", "on_policy_steps": "9"}, basis)
    assert "most of the student's answers are cut off" in short["on_policy_steps"].why


def test_only_what_the_dataset_can_be_trained_by_is_offered_and_said() -> None:
    last = Run(1, "d", dataclasses.replace(CONFIG, objective="mix"), "done", "")
    for basis in (Basis(DATASET), Basis(DATASET, runs=(last,))):
        objective = next(field for field in fields(basis) if field.id == "objective")
        assert (objective.value, objective.choices) == ("cross-entropy", ("cross-entropy",))
        values = {field.id: field.value for field in fields(basis)}
        assert config_of(values, basis).objective == "cross_entropy"
    told = guide({**values, "preset": "balanced"}, basis)["objective"]
    assert "no training answer comes from the prompted base" in told.why
    mixed = Basis(DATASET, scored_train=1)
    assert next(field for field in fields(mixed) if field.id == "objective").value == "KL + cross-entropy"


def test_a_preset_that_does_not_fit_the_memory_is_not_trained_with() -> None:
    shapes = Shapes(((4_096, 4_096),) * 200, 32_000, 4_000_000_000, 0)
    basis = Basis(DATASET, shapes=shapes, tokens=RowTokens(10.0, 20.0, 40, 30, 100), free=FreeMemory(4_000.0))
    values = {field.id: field.value for field in fields(basis)}
    assert "does not fit" in trouble(values, basis)
    assert trouble({**values, "preset": ""}, basis) == ""


def test_a_device_is_named_as_torch_names_it() -> None:
    assert not any(device(name) for name in ("auto", "cpu", "cuda", "cuda:1", "mps"))
    assert device("gpu")
    assert device("")


@pytest.mark.parametrize("size", SIZES)
async def test_a_training_is_started_by_keys(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr("engine.jobs.launch.launch", lambda folder, job, home: job)
    with make_project(home) as project:
        add_examples(project)
        add_dataset(project)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "train on the 26 rows")
        await pilot.press("t")
        await form_of(pilot)
        assert "6 steps: 26 rows, 16 per step, 3 epochs" in str(app.screen.query_one("#aside", Static).visual)
        await pilot.press("down", "down", "8", "enter")
        await until(pilot, lambda: jobs_of(folder, home) == 1)
        with Project.open(folder, home) as project:
            run = project.runs.latest()
            assert run is not None
            assert (run.config.lora_rank, run.config.lora_alpha) == (8, 16)
            assert run.config.base == "starter"
            assert '"run_id": 1' in project.jobs.all()[0].options


async def test_a_training_on_a_stale_dataset_is_told_before_it_starts(home: Home) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.decisions.decide([Decision(1, "reject", "person")])
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "loss")
        await pilot.press("t")
        await form_of(pilot)
        aside = str(app.screen.query_one("#aside", Static).visual)
        assert aside.startswith("The dataset is stale: other examples are accepted now.\n16 steps: 26 rows")


def jobs_of(folder: Path, home: Home) -> int:
    with Project.open(folder, home) as project:
        return len(project.jobs.all())


async def test_without_a_dataset_the_keys_say_what_comes_first(home: Home) -> None:
    app = DistillApp(home, make_stage(home, "new"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "freeze a dataset first")
        await pilot.press("t", "b", "v")
        await pilot.pause()
        assert not isinstance(app.screen, FormScreen)
        said = [notification.message for notification in app._notifications]
        assert said[0].startswith("There is no dataset to train on.")
        assert said[1] == "No training is running."


async def test_a_training_is_paused_and_ended_with_its_best(home: Home) -> None:
    folder = make_stage(home, "training")
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "step 88 of 216")
        with Project.open(folder, home) as project:
            job = project.jobs.all()[0]
            project.jobs.update(job.id, stage="run")
        await pilot.press("p")
        await until(pilot, lambda: read_wish(folder / job.folder) == "pause")
        await pilot.press("b")
        await until(pilot, lambda: any("Press b again to confirm" in note.message for note in app._notifications))
        assert read_wish(folder / job.folder) == "pause"
        await pilot.press("b")
        await until(pilot, lambda: read_wish(folder / job.folder) == "keep")


@pytest.mark.parametrize("size", SIZES)
async def test_curves_are_looked_at_by_keys(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "watching 1 of 2")
        assert QUESTIONS[0] in text(app)
        await pilot.press("right_square_bracket")
        assert QUESTIONS[1] in text(app)
        await pilot.press("left_square_bracket", "left")
        assert "at step 216" in text(app)
        await pilot.press("left")
        assert "at step 211" in text(app)
        assert "(180) 0.130" in text(app)
        await pilot.press(*["left"] * 7)
        assert "at step 180" in text(app), "an evaluation is not passed over"
        await pilot.press("d")
        assert "differs most  step 180" in text(app), "where the cursor stands"
        await pilot.press("escape")
        assert "at step" not in text(app)
        assert "differs most  step 216" in text(app)
        await pilot.press("d")
        assert "watching 1 of 2" in text(app)
        await pilot.press("l", "s")
        assert "validation KL, log" in text(app)
        assert "loss, smooth 0.6" in text(app)
        await pilot.press("v")
        await until(pilot, lambda: "╌╌ a  run 2" in text(app))
        await until(pilot, lambda: 2 in pane(app).state.traces)
        await pilot.press("v")
        await until(pilot, lambda: "╌╌ a  run 1" in text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_a_rate_is_never_told_without_how_many_answers_it_is_of(home: Home, size: tuple[int, int]) -> None:
    with make_project(home) as project:
        add_examples(project)
        run_id = add_measured_run(project, add_dataset(project), CONFIG)
        few = dataclasses.replace(CURVE[-1], all_rules_rate=1.0, rule_rates=((1, 1.0),), asked=2, asked_own=1)
        project.runs.add_curve_point(run_id, few)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "watching 1 of 2")
        table = re.compile(r"pass rate, of +16 answers +1 answer\n 1 .+ 0 % +100 %\n")
        assert re.search(r"rules kept +100 % of 2 ", text(app))
        assert table.search(text(app)), "the rules are of the project's own questions alone"
        await pilot.press("left", "left")
        assert re.search(r"── +run 1.+\(180\) 94 % of 16 ", text(app))
        await pilot.press("equals_sign")
        assert re.search(r"0\.120 +100 % of 2 ", text(app))


async def test_a_loss_that_is_no_divergence_is_not_called_one(home: Home) -> None:
    folder = make_compared(home)
    with Project.open(folder, home) as project:
        for run in project.runs.all():
            for point in run.curve:
                project.runs.add_curve_point(run.id, dataclasses.replace(point, measure="cross-entropy"))
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app, "watching")
        assert text(app).count("cross-entropy") >= 2, "over the page and over its chart"
        assert "validation KL" not in text(app)
        await pilot.press("equals_sign")
        assert "best loss" in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_runs_are_compared_and_laid_over_each_other(home: Home, size: tuple[int, int]) -> None:
    app = DistillApp(home, make_compared(home))
    async with app.run_test(size=size, notifications=True) as pilot:
        await opened(pilot, app, "watching")
        await pilot.press("equals_sign")
        shown = text(app)
        assert all(word in shown for word in ("rank", "rate", "best KL", "✓ pass", "✗ fail", "3 in all"))
        assert "epochs" not in shown, "only what differs has a column"
        await pilot.press("j")
        assert "Run 2 differs: rank 32 (run 3: 16)." in text(app)
        await pilot.press("enter", "G", "enter")
        assert "a run 2, b run 1" in text(app)
        await pilot.press("g", "enter")
        await pilot.press("escape")
        assert "╌╌ a  run 2" in text(app)
        assert "┄┄ b  run 1" in text(app)


async def test_a_run_is_deleted_from_the_table_once_that_is_meant(home: Home) -> None:
    folder = make_compared(home)
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "watching")
        await pilot.press("D")
        await until(pilot, lambda: any("Press = to list them all" in note.message for note in app._notifications))
        await pilot.press("equals_sign", "j", "D")
        await form_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, FormScreen))
        with Project.open(folder, home) as project:
            assert len(project.runs.all()) == 3
        await pilot.press("D")
        await form_of(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: "2 in all" in text(app))
        assert any("Deleted run 2" in note.message for note in app._notifications)
    with Project.open(folder, home) as project:
        assert [run.id for run in project.runs.all()] == [1, 3]


async def test_a_run_that_something_needs_stays_and_says_what(home: Home) -> None:
    folder = make_compared(home)
    with Project.open(folder, home) as project:
        job = project.jobs.add(ExportOptions(2))
        project.jobs.update(job.id, state="stopped")
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app, "watching")
        await pilot.press("equals_sign", "j", "D")
        await form_of(pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: any("needs it to resume" in note.message for note in app._notifications))
    with Project.open(folder, home) as project:
        assert len(project.runs.all()) == 3


async def test_a_run_that_ended_badly_says_why_and_what_can_be_done(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        run_id = add_measured_run(project, add_dataset(project), CONFIG)
        project.runs.update(run_id, state="failed", reason="The machine ran out of memory.")
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app, "✗ The machine ran out of memory.")
        assert "r resumes it" in text(app)
        with Project.open(folder, home) as project:
            project.runs.update(run_id, state="stopped", step=100, best_step=72)
        await until(pilot, lambda: "■ stopped at step 100; r resumes it; 6 evaluates its best checkpoint" in text(app))


async def test_hostile_words_stay_words(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        run_id = add_measured_run(project, add_dataset(project), dataclasses.replace(CONFIG, base=hostile("base")))
        project.runs.update(run_id, state="failed", reason=hostile("reason"))
        token = WorstToken(1.0, 1, *(hostile(word) for word in ("the", "one", "two", "six")))
        told = [SampleAnswer(1, hostile("why?"), hostile("so"), False), WorstTokens(1, (token,))]
        write_log(project, project.jobs.all()[0].folder, told)
        folder = project.folder
    app = DistillApp(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, app, "‹U+202E›evil")
        await until(pilot, lambda: "watching 1 of 3" in text(app))
        await pilot.press("left_square_bracket")
        assert "why?" in text(app)
        await pilot.press("d")
        assert "differs most  step 1" in text(app)
        assert all(told in text(app) for told in ("[@click=app.quit]", "differs most"))
        assert not any(character in text(app) for character in "\x1b\x07\x9b\u202e")
        await pilot.press("equals_sign")
        await pilot.pause()
        assert "[@click=app.quit]" in text(app)
        assert not any(character in text(app) for character in "\x1b\x07\x9b\u202e")


def stage(home: Home, name: str) -> Path:
    return make_compared(home) if name == "compared" else make_stage(home, name)


LOOKS = [
    ("compared", "t", "form"),
    ("compared", "t left down down down down 3 up up up", "preset"),
    ("compared", "v s l right right right right right right right right", "overlay"),
    ("compared", "v equals_sign j", "compare"),
    ("compared", "d left left left left left left left left left left left left", "differing"),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "keys", "look"), [pytest.param(*look, id=look[2]) for look in LOOKS])
@pytest.mark.usefixtures("still_meter")
def test_the_pane_looks_as_it_did(
    snap_compare: Callable[..., bool],
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    name: str,
    keys: str,
    look: str,
) -> None:
    monkeypatch.setattr("engine.store.runs.now_text", lambda: "2026-01-02T03:04:05+00:00")
    monkeypatch.setattr("engine.training.facts.free_memory", lambda _: FreeMemory(8_000.0))
    folder = stage(home, name)
    app = DistillApp(home, folder)

    async def settle(pilot: Pilot[int]) -> None:
        await opened(pilot, app, "watching 1 of 2")
        for key in keys.split():
            await pilot.press(key)
            if key == "t":
                await form_of(pilot)
            await until(pilot, lambda: set(pane(app).state.overlays) <= pane(app).state.traces.keys())
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=settle)


def test_the_log_of_a_sweep_is_that_of_the_run_that_trains(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        sha256 = add_dataset(project)
        first, second = (project.runs.add(sha256, CONFIG).id for _ in range(2))
        job = project.jobs.add(SweepOptions((Trial(first, ""), Trial(second, ""))))
        for number in (first, second):
            project.runs.keep_job(number, job.id)
        project.runs.update(first, state="done")
        project.runs.update(second, state="running")
        assert [row.jobs for row in read_runs(project).rows] == [(), (job.id,)]
