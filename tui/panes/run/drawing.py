"""The run pane: the curves of a training run, and sampled answers as they change step by step. Pure."""

from collections.abc import Sequence

from textual.content import Content

from engine.jobs.protocol import TRAINING
from engine.records.rule import Rule
from engine.records.run import CurvePoint, Run, measure_of
from engine.wording import counted, percent
from tui.keys import key_of
from tui.panes.parts import TO_FREEZE, first_steps, heading, is_ending, rests, stale, title
from tui.panes.run.curves import Drawn, Look, charts, values
from tui.panes.run.settings import configuration_text
from tui.panes.run.state import LETTERS, RunState, Watched, sample_at
from tui.panes.run.table import STATES, best, table
from tui.panes.run.worst import worst_tokens
from tui.panes.view import View
from tui.services.job_view import JobView
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, WARN, duration, fit, right, shorten, wrap
from tui.widgets.next_steps import next_steps

_FULL_ANSWER_LINES = 4
_WIDE = 88


def draw(view: View, state: RunState) -> list[Content]:
    """The lines of this pane."""
    run = state.shown(view.facts)
    job = view.job if view.job is not None and view.job.station == "run" and view.job.live else None
    if run is None and job is None:
        return _empty(view)
    if state.comparing:
        return _comparing(view, state, run)
    trace = state.trace(run, view.job) if run is not None else job
    live = trace if trace is not None and trace is job else None
    width, height = view.width, view.height
    name = _short(run, width) if run else "this run"
    drawn = [Drawn(name, state.curves(run, trace), _asked(run), measure=measure_of(run))]
    for number in state.overlays:
        row = state.found(number)
        if row is not None and (run is None or number != run.id):
            curves = state.curves(row.run, state.traces.get(number))
            drawn.append(Drawn(_short(row.run, width), curves, _asked(row.run), state.letter(number)))
    lines = [title(f"Run {run.id}" if run else "Run", *_figure(view, run, live), width)[0]]
    if run is not None:
        lines.append(Content.styled(shorten(configuration_text(run), width), DIM))
    aged = stale(view.facts, "run", width) if state.chosen is None and live is None else []
    lines += [*_stands(view, run, live, width), *aged, Content("")]
    rows = 9 if height >= 32 else 6 if height >= 24 else 4
    look = Look(state.log, state.smoothing, state.cursor)
    lines += [*charts(drawn, look, run.steps if run else 0, width, rows), Content("")]
    if len(drawn) > 1 or state.cursor is not None:
        lines += [*values(drawn, look, width), Content("")]
    if state.differing and trace is not None and trace.worst:
        lines += worst_tokens(trace.worst[sample_at(trace.worst, state.cursor)], width)
    else:
        lines += _samples(state.watched(trace), state.cursor, width)
    return lines + _rule_table(run.curve if run else (), view.facts.rules, state.cursor, width)


def _asked(run: Run | None) -> dict[float, int]:
    """How many answers were sampled at each step."""
    return {point.step: point.asked for point in run.curve} if run is not None else {}


def _empty(view: View) -> list[Content]:
    """What a run is, and the key that starts one."""
    lines = [
        *title("Run", "none yet", "", view.width),
        Content("An adapter is trained on question → answer, without the prompt."),
        Content(""),
    ]
    if view.facts.dataset is None:
        then = ("run.train", "then train on it", "distill-tui train")
        return [*lines, *next_steps(*first_steps(view.facts, TO_FREEZE, then))]
    words = f"train on the {view.facts.dataset.train:,} rows of the dataset"
    return [*lines, *next_steps(("run.train", words, "distill-tui train"))]


def _comparing(view: View, state: RunState, run: Run | None) -> list[Content]:
    count = len(state.rows)
    laid = ", ".join(f"{LETTERS[index]} run {number}" for index, number in enumerate(state.overlays))
    lines = title("Runs", f"{count} in all", f"overlaid: {laid}" if laid else "", view.width)
    lines += table(state, run.id if run else 0, view.width, view.height - 4)
    return [
        *lines,
        Content(""),
        Content.assemble(
            (key_of("run.choose"), ACCENT),
            (" overlay, or remove the overlay   ", DIM),
            (key_of("run.compare"), ACCENT),
            (" back to the curves", DIM),
        ),
    ]


def _figure(view: View, run: Run | None, live: JobView | None) -> tuple[str, str]:
    """The one number, and the detail beside it."""
    if live is not None:
        steps = run.steps if run else 0
        figure = f"step {live.step:,} of {steps:,}" if steps else "preparing"
        if live.step and live.progress is not None and live.progress.note not in ("", TRAINING):
            figure += f", {live.progress.note}"
        memory = live.curves.get("rss_mb")
        parts = [f"epoch {live.epoch:.1f}"]
        left = live.seconds_left if live.step else None
        if left is not None and not is_ending(view, live):
            parts.append(f"{duration(left)} left")
        if memory is not None and memory.last is not None:
            parts.append(f"{memory.last / 1000:.1f} GB")
        return figure, "   ".join(parts)
    if run is None:
        return "", ""
    point = best(run)
    figure = f"{point.measure} {point.validation_kl:.3f}" if point is not None and run.best_step else run.state_word
    parts = [
        f"{STATES[run.state_word][0]} {run.state_word}",
        f"step {run.best_step:,} of {run.steps:,} kept" if run.best_step else "",
        duration(run.train_s) if run.train_s else "",
        f"{run.peak_rss_mb / 1000:.1f} GB" if run.peak_rss_mb else "",
    ]
    shown = [part for part in parts if part]
    while len("   ".join(shown)) + len(figure) > view.width - 12 and len(shown) > 1:
        shown.pop()  # the least important one is last
    return figure, "   ".join(shown)


def _stands(view: View, run: Run | None, live: JobView | None, width: int) -> list[Content]:
    """What the figures do not show: what the run is doing, why it ended, what comes next."""
    if live is not None:
        if rest := rests(view, live):
            return [Content.styled(shorten(rest, width), WARN)]
        note = live.progress.note if live.progress is not None and not live.step else ""
        shown = note or (live.notes[-1] if live.notes and not live.step else "")
        return [Content.styled(shorten(shown, width), DIM)] if shown else []
    if run is None:
        return []
    if run.state == "failed":
        lines = wrap(f"✗ {run.reason}", width)[:4]
        return [
            *(Content.styled(line, BAD) for line in lines),
            Content.styled(f"{key_of('workspace.resume')} resumes it   {key_of('run.train')} trains another", DIM),
        ]
    if run.state == "stopped":
        rest = f"; {key_of('workspace.evaluation')} evaluates its best checkpoint" if run.best_step else ""
        stands = f"{STATES[run.state_word][0]} {run.state_word} at step {run.step:,}"
        words = f"{stands}; {key_of('workspace.resume')} resumes it{rest}"
        return [Content.styled(shorten(words, width), DIM)]
    return [Content.styled(shorten(run.reason, width), DIM)] if run.reason else []


def _short(run: Run, width: int) -> str:
    config = run.config
    more = f", {counted(config.last_epochs, 'epoch', 'g')}" if width >= _WIDE else ""
    return f"run {run.id}   {config.adapter_text}, rate {config.learning_rate:g}{more}"


def _samples(watched: Watched | None, cursor: int | None, width: int) -> list[Content]:
    """The student's answers to the watched question, step by step; the one at the cursor in full."""
    if watched is None:
        return []
    where = f"{watched.place} of {watched.total}  " if watched.total > 1 else ""
    turn = key_of("run.previous_question", "run.next_question")
    keys = Content.assemble((turn, ACCENT), (" question", DIM)) if watched.total > 1 else Content("")
    head = f"watching {where}"
    room = width - len(head) - keys.cell_length - 3
    lines = [
        Content.assemble((head, DIM), fit(f"“{' '.join(watched.question.split())}”", room), "   ", keys)
        if watched.total > 1
        else Content.assemble((f"{head} ", DIM), shorten(f"“{' '.join(watched.question.split())}”", width - 10))
    ]
    whole = sample_at(watched.samples, cursor)
    for index, sample in enumerate(watched.samples):
        mark, style = ("✓", GOOD) if sample.passed else ("✗", BAD)
        label = f"step {sample.step:>5} "
        indent = len(label) + 2
        if index != whole:
            text = shorten(sample.answer, width - indent)
            lines.append(Content.assemble((label, DIM), (mark, style), " ", (text, DIM)))
            continue
        body = wrap(sample.answer, width - indent) or [""]
        if len(body) > _FULL_ANSWER_LINES:
            body = [*body[: _FULL_ANSWER_LINES - 1], f"… {len(body) - _FULL_ANSWER_LINES + 1} more lines"]
        lines.append(Content.assemble((label, ACCENT), (mark, style), " ", body[0]))
        lines += [Content(" " * indent + line) for line in body[1:]]
    return [*lines, Content("")]


def _rule_table(curve: Sequence[CurvePoint], rules: Sequence[Rule], cursor: int | None, width: int) -> list[Content]:
    """Each rule's pass rate at the first, the best and the newest evaluation, and at the last one before the cursor.

    The heading shows how many sampled answers the rates are based on.
    """
    curve = [point for point in curve if point.rule_rates]
    if not curve:
        return []
    kept = next((point for point in curve if point.best), curve[-1])
    before = [point for point in curve if cursor is not None and point.step <= cursor][-1:]
    shown = [
        point for index, point in enumerate(curve) if point is kept or point in before or index in (0, len(curve) - 1)
    ]
    columns = [f"step {point.step:,}{' best' if point.best else ''}" for point in shown]
    counts = [counted(point.rules_asked, "answer") for point in shown]
    cell = max(11, *(len(head) + 3 for head in (*columns, *counts)))
    text_width = max(min(width - cell * len(columns) - 4, 50), 10)
    lines = [
        heading(fit(first, text_width + 3) + "".join(right(column, cell) for column in others))
        for first, others in (("rule", columns), ("  pass rate, of", counts))
    ]
    for rule in rules:
        rates = [dict(point.rule_rates).get(rule.id) for point in shown]
        figures = "".join(right("–" if rate is None else percent(rate), cell) for rate in rates)
        lines.append(Content(f"{rule.id:>2} {fit(rule.text, text_width)}{figures}"))
    return lines
