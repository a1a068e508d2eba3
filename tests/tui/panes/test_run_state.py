"""The run pane without a screen: its state, charts and tables, and the settings form."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.jobs.protocol import SampleAnswer, WorstTokens
from engine.model.shapes import Shapes
from engine.paths import Home
from engine.project import Project
from engine.records.dataset import DatasetSummary
from engine.records.options import ProjectSettings, SweepOptions, Trial
from engine.records.run import CurvePoint, Run, TrainingConfig
from engine.records.station import Station
from engine.training.costs import RowTokens
from engine.training.facts import Basis, FreeMemory
from engine.training.outlook import outlook_text
from tests.tui.panes.measured_projects import make_compared, worst
from tests.tui.seeds import add_dataset, add_examples, make_project
from tui.panes.run.curves import Drawn, Look, charts, values
from tui.panes.run.drawing import draw
from tui.panes.run.settings import config_of, configuration_text, device, fields, guide, trouble
from tui.panes.run.state import RunState, sample_at, value_at
from tui.panes.run.worst import worst_tokens
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.job_view import Curve, JobView
from tui.services.runs import RunRow, read_runs, trace_of

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
CONFIG = TrainingConfig(base="starter")


def state_of_runs(*configs: TrainingConfig) -> RunState:
    state = RunState()
    state.take(
        tuple(RunRow(Run(number, "d", config, "done", "", step=40, steps=40), jobs=(number,)) for number, config in
              enumerate(configs, start=1))
    )  # fmt: skip
    return state


def test_overlay_key_cycles_through_earlier_runs_and_none() -> None:
    state = state_of_runs(CONFIG, CONFIG, CONFIG)
    seen = []
    for _ in range(4):
        state.turn_overlay(3)
        seen.append(state.overlays)
    assert seen == [(2,), (1,), (), (2,)]


def test_only_the_newest_run_is_shown_as_stale() -> None:
    state = state_of_runs(CONFIG, CONFIG)
    newest = next(row.run for row in state.rows if row.run.id == 2)
    stations = (Station("run", "stale", 2, "trained on an older dataset"),)
    facts = Facts("p", "/p", ProjectSettings(), stations, run=newest)

    def shown() -> str:
        return "\n".join(line.plain for line in draw(View(facts, None, 80, 24), state))

    assert "◐ stale: trained on an older dataset   next: t train again" in shown()
    state.open(1)
    assert "stale" not in shown()


def test_at_most_three_runs_are_overlaid() -> None:
    state = state_of_runs(*[CONFIG] * 5)
    state.row = 0
    assert not state.choose(5), "the shown run is not overlaid on itself"
    for row in (1, 2, 3):
        state.row = row
        assert state.choose(5)
    assert [state.letter(number) for number in (4, 3, 2, 1)] == ["a", "b", "c", ""]
    state.row = 4
    assert not state.choose(5)
    state.row = 2
    assert state.choose(5)
    assert list(state.overlays) == [4, 2]
    state.take(state.rows[2:])
    assert list(state.overlays) == [4], "a deleted run is no longer overlaid"


def test_cursor_starts_at_the_last_step_and_stays_within_measured_ones() -> None:
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


def test_cursor_stops_at_every_evaluation() -> None:
    run = Run(1, "d", CONFIG, "done", "", step=200, steps=200, curve=curve_of(0, 12, 200))
    state = RunState(cursor=0)
    seen = []
    for by in (1, 1, 1, 1, -1, -1, -1):
        state.move_cursor(by, run, None)
        seen.append(state.cursor)
    assert seen == [5, 10, 12, 17, 12, 7, 2]


def curve_of(*steps: int) -> tuple[CurvePoint, ...]:
    return tuple(CurvePoint(step, step / 10, 1.0, 2.0, (), 0.5, 1e-3, 100.0, best=False) for step in steps)


def test_value_and_sample_are_the_latest_at_or_before_a_step() -> None:
    curve = Curve([0.0, 36.0, 72.0], [3.0, 2.0, 1.0])
    assert value_at(curve, 40) == (36.0, 2.0)
    assert value_at(curve, None) == (72.0, 1.0)
    assert value_at(Curve([5.0], [1.0]), 4) is None
    samples = [SampleAnswer(step, "q", "a", True) for step in (0, 36, 72)]
    assert [sample_at(samples, step) for step in (0, 35, 36, 99, None)] == [0, 0, 1, 2, 2]


def test_trace_that_did_not_arrive_is_requested_again_only_when_asked() -> None:
    state = state_of_runs(CONFIG, CONFIG)
    facts = Facts("desk", "/desk", ProjectSettings(), (), run=state.rows[1].run)
    state.overlays = (1,)
    assert state.missing_traces(facts, None) == (2, 1)
    state.take_trace(1, JobView(1, "train"))
    assert state.missing_traces(facts, None) == ()
    state.ask_again()
    assert state.missing_traces(facts, None) == (2,)


def test_smoothing_cycles_through_its_levels() -> None:
    state = RunState()
    seen = []
    for _ in range(3):
        state.turn_smoothing()
        seen.append(state.smoothing)
    assert seen == [0.6, 0.9, 0.0]


def test_trace_of_a_run_has_the_curves_in_its_log(home: Home) -> None:
    with Project.open(make_compared(home), home) as project:
        assert trace_of(project, 1).curves["loss"].steps


def test_sweep_log_belongs_to_the_run_in_training(home: Home) -> None:
    with make_project(home) as project:
        add_examples(project)
        sha256 = add_dataset(project)
        first, second = (project.runs.add(sha256, CONFIG).id for _ in range(2))
        job = project.jobs.add(SweepOptions((Trial(first, ""), Trial(second, ""))))
        for number in (first, second):
            project.runs.add_job(number, job.id)
        project.runs.update(first, state="done")
        project.runs.update(second, state="running")
        assert [row.jobs for row in read_runs(project)] == [(), (job.id,)]


@pytest.mark.parametrize("width", [44, 57, 77, 117])
def test_rows_of_worst_tokens_have_equal_widths(width: int) -> None:
    tokens = WorstTokens(3, tuple(worst(1.0)))
    lines = worst_tokens(tokens, width)
    assert {line.cell_length for line in lines[2:-1]} == {width}
    assert max(line.cell_length for line in lines) <= width
    assert "‹end›" in lines[-2].plain
    if width > 80:
        assert "a new PIN by post" in lines[3].plain, "the text before a token keeps its end"


@pytest.mark.parametrize("width", [40, 77, 89, 117])
def test_charts_and_their_values_fit_the_width(width: int) -> None:
    curve = Curve([0.0, 36.0, 216.0], [1.9, 0.6, 0.0001])
    curves = {"validation_kl": curve, "all_rules": Curve([0.0, 216.0], [0.0, 1.0]), "loss": curve}
    asked = {0.0: 16, 216.0: 1000}
    drawn = [Drawn(f"run {n}", curves, asked, letter) for n, letter in ((3, ""), (2, "a"), (1, "b"))]
    for look in (Look(), Look(log=True, smoothing=0.9, cursor=216), Look(cursor=0)):
        lines = [*charts(drawn, look, 216, width, 6), *(values(drawn, look, width) if width > 60 else [])]
        assert max(line.cell_length for line in lines) <= width


def test_charts_label_both_ends_of_each_axis() -> None:
    curves = {name: Curve([0.0, 100.0], [2.0, 0.5]) for name in ("validation_kl", "all_rules", "loss")}
    drawn = [Drawn("run 1", curves, {100.0: 16})]
    lines = [line.plain for line in charts(drawn, Look(log=True, cursor=50), 200, 89, 6)]
    assert lines[1].count("2 ┤") == 2, "KL and loss start at their greatest value"
    assert lines[1].count("100\u00a0% ┤") == 1
    assert lines[6].count("0.5 ┤") == 2
    assert lines[6].count("0\u00a0% ┤") == 1
    assert lines[7].split() == ["0", "50", "200"] * 3


def test_configuration_takes_typed_values_and_the_previous_seed() -> None:
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


def test_outlook_names_the_source_of_its_figures_or_not_known() -> None:
    bare = Basis(DATASET)
    unknown = outlook_text(config_of(VALUES, bare), bare)
    assert "14 steps: 26 rows, 4 per step, 2 epochs" in unknown
    assert unknown.count("not known") == 3
    config = dataclasses.replace(CONFIG, dtype="bfloat16", micro_batch_rows=4, lora_rank=32)
    like = Run(2, "d", config, "done", "", step=10, train_s=40.0,
               peak_rss_mb=2100.0, device="cpu", dtype="bfloat16")  # fmt: skip
    basis = Basis(DATASET, runs=(like,), tokens=RowTokens(10.0, 20.0, 40, 30, 100))
    known = outlook_text(config_of(VALUES, basis), basis)
    assert ": at the pace of run 2 on cpu bfloat16" in known
    assert "≈ 2.1 GB: the peak of run 2" in known


def test_preset_fills_empty_fields_and_gives_reasons() -> None:
    basis = Basis(DATASET, tokens=RowTokens(10.0, 20.0, 40, 30, 100), own_rows=26, scored_train=520)
    assert fields(basis)[0].value == "balanced"
    values = {field.id: field.value for field in fields(basis)} | {"preset": "best", "epochs": "3"}
    config, guidance = config_of(values, basis), guide(values, basis)
    assert (config.epochs, config.lora_rank, config.on_policy_steps, config.on_policy_batch_rows) == (3.0, 64, 50, 26)
    assert (guidance["lora_rank"].instead, guidance["on_policy_steps"].instead) == ("64", "50")
    assert guidance["epochs"].why == "your value"
    assert all(guidance[name].why for name in guidance)
    assert guidance["on_policy_batch_rows"].shown
    without_on_policy = guide({**values, "on_policy_steps": "0"}, basis)
    assert not without_on_policy["on_policy_batch_rows"].shown
    assert without_on_policy["on_policy_steps"].why == "your value"
    assert guide({**values, "lora_rank": "x"}, basis)["lora_rank"].instead == "64", "invalid numbers are ignored"
    assert config_of({**values, "objective": "cross-entropy"}, basis).objective == "cross_entropy"
    short = guide({**values, "epochs": "1", "on_policy_steps": "9"}, basis)
    assert "most of the student's answers are cut off" in short["on_policy_steps"].why


TYPED = st.one_of(
    st.integers(0, 10**5).map(str), st.floats(1e-7, 1e3).map("{:g}".format), st.text("019.e-nai", max_size=6)
)


@given(st.dictionaries(st.sampled_from([field.id for field in fields(Basis(DATASET)) if not field.choices]), TYPED))
def test_whatever_is_typed_has_notes_and_what_is_valid_has_an_estimate(typed: dict[str, str]) -> None:
    basis = Basis(DATASET, tokens=RowTokens(10.0, 20.0, 40, 30, 100), own_rows=26, scored_train=520)
    values = {field.id: field.value for field in fields(basis)} | typed
    assert guide(values, basis)
    if not any(field.check(values[field.id]) for field in fields(basis)):
        assert outlook_text(config_of(values, basis), basis)


def test_only_objectives_that_the_dataset_supports_are_offered() -> None:
    last_run = Run(1, "d", dataclasses.replace(CONFIG, objective="mix"), "done", "")
    for basis in (Basis(DATASET), Basis(DATASET, runs=(last_run,))):
        objective = next(field for field in fields(basis) if field.id == "objective")
        assert (objective.value, objective.choices) == ("cross-entropy", ("cross-entropy",))
        values = {field.id: field.value for field in fields(basis)}
        assert config_of(values, basis).objective == "cross_entropy"
        guidance = guide({**values, "preset": "balanced"}, basis)["objective"]
        assert "no training answer comes from the prompted base" in guidance.why
    mixed = Basis(DATASET, scored_train=1)
    assert next(field for field in fields(mixed) if field.id == "objective").value == "KL + cross-entropy"


def test_preset_that_does_not_fit_in_memory_is_refused() -> None:
    shapes = Shapes(((4_096, 4_096),) * 200, 32_000, 4_000_000_000, 0)
    basis = Basis(DATASET, shapes=shapes, tokens=RowTokens(10.0, 20.0, 40, 30, 100), free=FreeMemory(4_000.0))
    values = {field.id: field.value for field in fields(basis)}
    assert "does not fit" in trouble(values, basis)
    assert trouble({**values, "preset": ""}, basis) == ""


def test_device_is_named_as_in_torch() -> None:
    assert not any(device(name) for name in ("auto", "cpu", "cuda", "cuda:1", "mps"))
    assert device("gpu")
    assert device("")


@pytest.mark.parametrize(("epochs", "said"), [(1.0, "· 1 epoch"), (1.5, "· 1.5 epochs"), (2.0, "· 2 epochs")])
def test_configuration_counts_its_epochs(epochs: float, said: str) -> None:
    run = Run(1, "d", dataclasses.replace(CONFIG, epochs=epochs), "done", "")
    assert configuration_text(run).endswith(said)
