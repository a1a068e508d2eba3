"""All runs side by side: first what differs in their configurations, then their results. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.content import Content

from engine.records.run import CurvePoint, Run, measure_of
from engine.training.outlook import error_text
from engine.wording import passed_of
from tui.panes.parts import VERDICTS
from tui.panes.run.settings import OBJECTIVES
from tui.panes.run.state import RunState
from tui.services.runs import RunRow
from tui.widgets.lines import (
    ACCENT,
    DIM,
    JOB_MARKS,
    MARKS,
    STRONG,
    duration,
    fit,
    format_time,
    right,
    shorten,
    wrap,
)
from tui.widgets.listing import numbered
from tui.widgets.rows import window

STATES = {str(state): mark for state, mark in JOB_MARKS.items()} | {"done": MARKS["done"], "killed": JOB_MARKS["lost"]}
_MOMENT = 18  # width of a timestamp with its gap, in cells
_RESULTS = (("best KL", 10), ("answers pass", 14), ("time", 13), ("verdict", 13))


@dataclass(frozen=True, slots=True)
class _Setting:
    label: str
    value: Callable[[RunRow], str]
    width: int


_SETTINGS = (
    _Setting("rank", lambda row: "whole" if row.run.config.adapter == "full" else str(row.run.config.lora_rank), 6),
    _Setting("rate", lambda row: f"{row.run.config.learning_rate:g}", 8),
    _Setting("epochs", lambda row: f"{row.run.config.last_epochs:g}", 8),
    _Setting("rows", lambda row: f"{row.rows:,}", 7),
    _Setting("batch", lambda row: str(row.run.config.batch_rows), 8),
    _Setting("objective", lambda row: OBJECTIVES[row.run.config.objective], 20),
    _Setting("CE weight", lambda row: f"{row.run.config.cross_entropy_weight:g}", 11),
    _Setting("top k", lambda row: str(row.run.config.top_k), 7),
    _Setting("seed", lambda row: str(row.run.config.seed), 6),
    _Setting("dtype", lambda row: row.run.dtype or row.run.config.dtype, 10),
    _Setting("device", lambda row: row.run.device or row.run.config.device, 9),
    _Setting("base", lambda row: row.run.config.loaded_base, 20),
    _Setting("prompt's data", lambda row: row.run.dataset_sha256[:8], 15),
)


def best(run: Run) -> CurvePoint | None:
    """The point of the curve whose checkpoint was kept."""
    return next((point for point in run.curve if point.best), None)


def table(state: RunState, shown: int, width: int, height: int) -> list[Content]:
    """The runs around the cursor, and how the one under it differs, in at most `height` lines."""
    rows = state.table
    differing = [setting for setting in _SETTINGS if len({setting.value(row) for row in rows}) > 1]
    room = width - 12 - sum(cells for _, cells in _RESULTS)
    columns: list[_Setting] = []
    for setting in differing:
        if sum(each.width for each in columns) + setting.width <= room:
            columns.append(setting)
    spare = max(room - sum(setting.width for setting in columns), 0)
    made = right("made", spare) if spare >= _MOMENT else " " * spare
    head = fit("   run", 12) + made + "".join(right(setting.label, setting.width) for setting in columns)
    head += "".join(right(label, cells) for label, cells in _RESULTS)
    if measure_of(*(row.run for row in rows)) != "validation KL":
        head = head.replace("  best KL", "best loss")
    lines = [Content.styled(head, DIM)]
    lines += [
        numbered(_line(rows[index], columns, state, shown, spare, here=index == state.row), index)
        for index in window(state.row, max(height - 8, 3), len(rows))
    ]
    if rows:
        lines += [Content(""), *_detail(rows[state.row], rows, differing, shown, width)]
    return lines


def _line(row: RunRow, columns: Sequence[_Setting], state: RunState, shown: int, spare: int, *, here: bool) -> Content:
    run, point = row.run, best(row.run)
    mark, style = STATES[run.state_word]
    letter = "─" if run.id == shown else state.letter(run.id) or " "
    verdict, verdict_style = VERDICTS[row.evaluation.verdict] if row.evaluation else ("–", DIM)
    results = [
        right(f"{point.validation_kl:.3f}" if point else "–", _RESULTS[0][1]),
        right(_passing(point), _RESULTS[1][1]),
        right(duration(run.train_s) if run.train_s else "–", _RESULTS[2][1]),
    ]
    return Content.assemble(
        ("▌" if here else " ", ACCENT),
        (f"{letter} ", ACCENT),
        (f"{run.id:>3} ", STRONG if here else ""),
        (mark, style),
        "    ",
        (right(format_time(run.created_at) if spare >= _MOMENT else "", spare), DIM),
        *(right(shorten(setting.value(row), setting.width - 1), setting.width) for setting in columns),
        *results,
        (right(verdict, _RESULTS[3][1]), verdict_style),
    )


def _passing(point: CurvePoint | None) -> str:
    return "–" if point is None else passed_of(point.all_rules_rate, point.asked)


def _detail(
    row: RunRow, rows: Sequence[RunRow], differing: Sequence[_Setting], shown: int, width: int
) -> list[Content]:
    """How the run under the cursor compares with the one that the page shows."""
    run = row.run
    mine = next((other for other in rows if other.run.id == shown), None)
    parts = [
        f"{setting.label} {setting.value(row)} (run {shown}: {setting.value(mine)})"
        for setting in differing
        if mine is not None and setting.value(mine) != setting.value(row)
    ]
    if run.id == shown:
        words = f"Run {run.id} is the one whose curves are shown."
    elif parts:
        words = f"Run {run.id} differs: {', '.join(parts)}."
    else:
        words = f"Run {run.id} has the same configuration and dataset as run {shown}."
    stands = f"{run.state_word} at step {run.step:,} of {run.steps:,}, best at {run.best_step:,}"
    if run.reason:
        stands += f": {run.reason}"
    return [
        *(Content(line) for line in wrap(words, width)[:3]),
        Content.styled(shorten(stands, width), DIM),
        *(Content.styled(line, DIM) for line in wrap(error_text(run), width)[:2]),
    ]
