"""The run pane: the loss and validation curves, and answers that change as the prompt sinks in."""

from collections.abc import Sequence

from textual.content import Content

from engine.records.rule import Rule
from engine.records.run import CurvePoint, Run
from tui.panes.job import Curve, JobView
from tui.panes.parts import empty, heading, title, working
from tui.panes.view import View
from tui.widgets.chart import chart
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, duration, fit, percent, right, shorten

_OBJECTIVES = {"mix": "KL + cross-entropy", "forward_kl": "forward KL", "cross_entropy": "cross-entropy"}
_AXIS = 7  # cells left of a chart: its label and its edge


def draw(view: View) -> list[Content]:
    """The lines of this pane."""
    facts, width, height = view.facts, view.width, view.height
    job = working(view, "run")
    run = facts.run
    if run is None and job is None:
        return [
            *title("Run", "none yet", "", width),
            *empty("An adapter is trained on question → answer, without the prompt.", ["distill-tui train"]),
        ]
    curves = _curves(run, job)
    lines = title(f"Run {run.id}" if run else "Run", *_figure(run, job), width)
    if run is not None:
        lines[1:] = [Content.styled(shorten(_configuration(run), width), DIM), Content("")]
    if job is not None and job.notes and not curves["validation_kl"].steps:
        lines += [Content.styled(shorten(job.notes[-1], width), DIM), Content("")]
    chart_rows = 9 if height >= 32 else 6 if height >= 24 else 4
    lines += _charts(curves, width, chart_rows, steps=max(run.steps if run else 0, 1))
    lines += _samples(job, width, max(3, min(8, height - len(lines) - len(facts.rules) - 4)))
    lines += _rule_table(run.curve if run else (), facts.rules, width)
    return lines


def _figure(run: Run | None, job: JobView | None) -> tuple[str, str]:
    if run is not None and job is None:
        best = next((point for point in run.curve if point.best), None)
        figure = f"validation KL {best.validation_kl:.3f}" if best else run.state
        return figure, f"{run.state}   step {run.best_step} of {run.steps} kept   {duration(run.train_s)}"
    step, steps = (job.step, run.steps if run else 0) if job else (0, 0)
    figure = f"step {step} of {steps}" if steps else "preparing"
    left = job.progress.seconds_left if job and job.progress else None
    parts = [f"epoch {job.epoch:.1f}" if job else "", f"{duration(left)} left" if left is not None else ""]
    return figure, "   ".join(part for part in parts if part)


def _configuration(run: Run) -> str:
    config = run.config
    parts = [
        _OBJECTIVES[config.objective],
        f"rank {config.lora_rank}",
        f"learning rate {config.learning_rate:g}",
        f"{config.batch_rows} rows a step",
        f"{config.epochs:g} epochs",
        f"{run.device} {run.dtype}".strip(),
    ]
    return "  ·  ".join(part for part in parts if part)


def _curves(run: Run | None, job: JobView | None) -> dict[str, Curve]:
    """Each quantity's points: from the events where they are, else from the run's stored curve."""
    curves = {name: Curve() for name in ("loss", "validation_kl", "all_rules")}
    for point in run.curve if run else ():
        curves["validation_kl"].add(point.step, point.validation_kl)
        curves["all_rules"].add(point.step, point.all_rules_rate)
        if point.step:
            curves["loss"].add(point.step, point.train_loss)
    for name, live in job.curves.items() if job else ():
        if name in curves and len(live.steps) >= len(curves[name].steps):
            curves[name] = live
    return curves


def _charts(curves: dict[str, Curve], width: int, rows: int, steps: int) -> list[Content]:
    """Three charts side by side, or two where there is no room: what is learnt, what is obeyed, what is minimised."""
    specs = [("validation KL", "validation_kl", None), ("rules kept", "all_rules", 1.0)]
    if width >= 78:
        specs.append(("training loss", "loss", None))
    cell = (width - 2 * (len(specs) - 1)) // len(specs)
    blocks = [_chart_block(label, curves[name], top, cell, rows, steps) for label, name, top in specs]
    lines = [Content("  ").join(parts) for parts in zip(*blocks, strict=True)]
    return [*lines, Content("")]


def _chart_block(label: str, curve: Curve, top: float | None, width: int, rows: int, steps: int) -> list[Content]:
    value = curve.last
    figure = "" if value is None else percent(value) if top is not None else f"{value:.3f}"
    highest = top if top is not None else max(curve.values, default=1.0)
    drawn = chart(
        curve.steps,
        curve.values,
        columns=max(width - _AXIS, 4),
        rows=rows,
        x_range=(0.0, max(float(steps), *curve.steps) if curve.steps else float(steps)),
        y_range=(0.0, highest or 1.0),
    )
    lines = [Content.assemble((fit(label, max(width - len(figure) - 1, 4)), DIM), " ", (figure, ACCENT))]
    for index, row in enumerate(drawn):
        mark = (
            (_axis(highest, top) if index == 0 else _axis(0.0, top) if index == rows - 1 else "")
            if value is not None
            else ""
        )
        lines.append(Content.assemble((f"{right(mark, _AXIS - 2)} ┤", DIM), (row, ACCENT)))
    return lines


def _axis(value: float, top: float | None) -> str:
    return percent(value) if top is not None else f"{value:.1f}"


def _samples(job: JobView | None, width: int, height: int) -> list[Content]:
    """What the student answers to a watched question, step after step."""
    if job is None or not job.samples:
        return []
    question, samples = next(iter(job.samples.items()))
    lines = [Content.assemble(("watching  ", DIM), shorten(f"«{question}»", width - 10))]
    room = max(height - 2, 2)
    shown = samples if len(samples) <= room else [samples[0], *samples[-(room - 1) :]]
    for sample in shown:
        mark, style = ("✓", GOOD) if sample.passed else ("✗", BAD)
        lines.append(
            Content.assemble((f"step {sample.step:>4} ", DIM), (mark, style), " ", shorten(sample.answer, width - 13))
        )
    return [*lines, Content("")]


def _rule_table(curve: Sequence[CurvePoint], rules: Sequence[Rule], width: int) -> list[Content]:
    """Each rule's pass rate at the first, the best and the newest evaluation."""
    if not curve or not any(point.rule_rates for point in curve):
        return []
    best = next((point for point in curve if point.best), curve[-1])
    shown = [point for index, point in enumerate(curve) if point is best or index in (0, len(curve) - 1)]
    columns = [f"step {point.step}{' best' if point is best else ''}" for point in shown]
    text_width = max(min(width - 16 * len(columns) - 4, 50), 10)
    lines = [heading(fit("rule", text_width + 3) + "".join(right(column, 16) for column in columns))]
    for rule in rules:
        rates = [dict(point.rule_rates).get(rule.id) for point in shown]
        figures = "".join(right("–" if rate is None else percent(rate), 16) for rate in rates)
        lines.append(Content(f"{rule.id:>2} {fit(rule.text, text_width)}{figures}"))
    return lines
