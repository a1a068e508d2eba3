"""The evaluation pane: the arms side by side, rule by rule, the verdict in words, and the worst answers. Pure."""

from collections.abc import Callable, Sequence
from operator import attrgetter

from textual.content import Content

from engine.evaluation.lapses import Lapse
from engine.evaluation.streams import answering_note
from engine.evaluation.verdict import cut_off, left_out, reason, reference_text
from engine.records.evaluation import ArmName, ArmScore, Divergence, Evaluation, Rate
from engine.wording import percent
from tui.keys import key_of
from tui.panes.evaluation.bars import MIDDLE, interval_bar
from tui.panes.evaluation.differing import held_out_tokens
from tui.panes.evaluation.marks import arm_title, deciding, legend, mark_of
from tui.panes.evaluation.reading import reading
from tui.panes.evaluation.state import EvaluationState, tokens_of
from tui.panes.parts import (
    TO_TRAIN,
    VERDICTS,
    first_steps,
    heading,
    is_ending,
    pace,
    rests,
    stale,
    title,
    working,
)
from tui.panes.view import View
from tui.panes.wall import in_full, in_order, in_short
from tui.services.job_view import JobView
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, fit, flow, format_time, right, shorten, wrap
from tui.widgets.listing import numbered
from tui.widgets.next_steps import next_steps
from tui.widgets.rows import window, within

_ALL_TOKENS: Callable[[Divergence], float] = attrgetter("mean")
_FREE_TOKENS: Callable[[Divergence], float] = attrgetter("mean_free_tokens")
_LEAST_LISTED = 5
_TALL_FROM = 24  # lines for the answers
_NO_WORSE = "="  # the student fails only rules that the reference fails too
_WIDE_FROM = 85  # cells, for three arms' counts in words
_NARROWEST_CELL, _WITH_BOUNDS = 9, 13  # width of an arm's column: the rate alone, and with its bounds


def draw(view: View, state: EvaluationState) -> list[Content]:
    """The lines of this pane."""
    evaluation, job = state.shown(view.facts), measuring(view.job, state)
    page = state.page(view.facts, measuring=job is not None)
    if page == "history":
        return _history(view, state, evaluation)
    if job is not None:
        return _measuring(view, job)
    if evaluation is None:
        return _empty(view)
    if page == "answers":
        return reading(view, state, evaluation)
    aged = stale(view.facts, "evaluation", view.width) if state.chosen is None else []
    title_line, *rest = _table(evaluation, state, view.width)
    lines = [title_line, *aged, *rest]
    if page == "questions":
        return _with_questions(lines, state, evaluation, view)
    if page == "table":
        return lines
    differences = held_out_tokens(tokens_of(evaluation), view.width)
    # If there is no room for both, keep the tokens: they are what the user asked for.
    fits = len(lines) + 1 + len(differences) <= view.height
    return [*lines, Content(""), *differences] if fits else [*_head(evaluation, view.width), *differences]


def measuring(job: JobView | None, state: EvaluationState) -> JobView | None:
    """The running evaluation, unless the user is looking at an older one."""
    job = working(job, "evaluation")
    return job if job is not None and job.live and state.chosen is None else None


def _empty(view: View) -> list[Content]:
    """What an evaluation is, and the key that starts one."""
    lines = [
        *title("Evaluation", "none yet", "", view.width),
        Content("Every rule is measured on held-out questions, arm by arm."),
        Content(""),
    ]
    made = any(station.name == "evaluation" and station.state != "empty" for station in view.facts.stations)
    if made:
        return [*lines, *next_steps(("evaluation.evaluate", "evaluate the newest run", "distill-tui evaluate"))]
    training = (job := working(view.job, "run")) is not None and job.live
    then = ("evaluation.evaluate", "then evaluate it", "distill-tui evaluate")
    watch = ("workspace.run", "watch the training", "")
    return [*lines, *next_steps(*((watch, then) if training else first_steps(view.facts, TO_TRAIN, then)))]


def _measuring(view: View, job: JobView) -> list[Content]:
    """The answers as they arrive, how many of each arm pass every rule so far, and the current step.

    Most of the time after the last answer goes into work that produces no visible output.
    """
    lines = title("Evaluation", "measuring", pace(job, ending=is_ending(view, job)), view.width)
    of = " of " if view.width >= _WIDE_FROM else "/"
    counts = [
        Content.assemble((f"{shorten(arm, 24)} ", DIM), f"{job.kept_by_arm.get(arm, 0):,}", (f"{of}{ended:,}", DIM))
        for arm, ended in job.ended_by_arm.items()
    ]
    lines[1:] = [
        heading(shorten("the same held-out questions for every arm; the student never sees the prompt", view.width)),
        *_joined("pass every rule:  ", counts, view.width),
        _now(view, job),
        Content(""),
    ]
    if not (streams := in_order(job.streams.values())):
        return lines
    height = view.height - len(lines)
    lines += [*in_full(streams[0], view.width, 6 if height >= _TALL_FROM else 4, arm=True), Content("")]
    others = streams[1 : 1 + max(view.height - len(lines), 1)]
    return lines + [in_short(stream, view.width, arm=True) for stream in others]


def _now(view: View, job: JobView) -> Content:
    """What the job is doing now, or why it is doing nothing."""
    if rest := rests(view, job):
        return Content.styled(shorten(rest, view.width), WARN)
    note = job.progress.note if job.progress is not None else ""
    writes = next((answering_note(stream.arm) for stream in job.streams.values() if stream.state == "writing"), "")
    if not note.startswith(writes) and note.startswith(tuple(map(answering_note, job.ended_by_arm))):
        note = writes  # the note is about an answer that has ended; another arm has started
    return Content.assemble(("● ", ACCENT), (shorten(f"now: {note or 'preparing'}", view.width - 2), DIM))


def _joined(head: str, counts: Sequence[Content], width: int) -> list[Content]:
    """The counts after their heading; a blank line while there are none."""
    if not counts:
        return [Content("")]
    return flow([Content.assemble((head, DIM), counts[0]), *counts[1:]], "    ", width)


def _head(evaluation: Evaluation, width: int) -> list[Content]:
    """The verdict with its reason."""
    word, style = VERDICTS[evaluation.verdict]
    asked = (
        f"{evaluation.questions:,} {evaluation.split} questions × {evaluation.samples}, T = {evaluation.temperature:g}"
    )
    lines = title("Evaluation", word, f"run {evaluation.run_id}   {asked}", width)
    start = len("Evaluation   ")
    lines[0] = lines[0].stylize(style, start, start + len(word))
    return [lines[0], *(Content(line) for line in wrap(reason(evaluation), width)[:3]), Content("")]


def _table(evaluation: Evaluation, state: EvaluationState, width: int) -> list[Content]:
    """The verdict, then the arms as columns, rule by rule, then their costs and what would decide open questions."""
    lines = _head(evaluation, width)
    arms = evaluation.arms
    cell = max(_NARROWEST_CELL, min((width - max(24, width // 3)) // max(len(arms), 1), 26))
    label = width - cell * len(arms)
    titles = [right(shorten(arm_title(name), cell - 1), cell) for name, _ in arms]
    lines.append(heading(fit("rule", label) + "".join(titles)))
    found = evaluation.comparison("distilled", evaluation.reference)
    together = [_rate(score.all_rules, cell, name, state) for name, score in arms]
    mark = mark_of(found.all_rules if found is not None else None)
    lines.append(Content.assemble((fit("   every rule", label - 2), STRONG), mark, " ", *together))
    paired = {each.id: each.paired for each in found.rules} if found is not None else {}
    for index, rule in enumerate(arms[0][1].rules if arms else ()):
        rates = [_rate(score.rules[index].rate, cell, name, state) for name, score in arms]
        mark = mark_of(paired.get(rule.id))
        lines.append(Content.assemble(f"{rule.id:>2} {fit(rule.text, label - 6)} ", mark, " ", *rates))
    if found is not None:
        lines += legend(found, width)
    for words, style in ((left_out(evaluation), BAD), (cut_off(evaluation), WARN)):
        lines += [Content.styled(line, style) for line in wrap(words, width)] if words else []
    lines += [Content(""), *_measures(arms, label, cell)]
    return [*lines, *deciding(found, width)] if found is not None else lines


def _rate(rate: Rate, width: int, arm: ArmName, state: EvaluationState) -> Content:
    """A rate with its interval, as a bar or in figures."""
    style = ACCENT if arm == "distilled" else ""
    if not rate.total:  # the judge decided none of this arm's answers
        return Content.styled(right("–", width), DIM)
    room = width - 8
    if width < _WITH_BOUNDS:
        return Content.styled(right(percent(rate.rate), width), style)
    if state.figures or room < 5:
        bounds = f"{100 * rate.low:.0f}–{100 * rate.high:.0f}"
        return Content.assemble((right(percent(rate.rate), width - 8), style), (right(bounds, 8), DIM))
    bar = interval_bar(rate, room)
    dot = bar.index(MIDDLE)
    return Content.assemble(
        (right(percent(rate.rate), 7), style), " ", (bar[:dot], DIM), (bar[dot], style), (bar[dot + 1 :], DIM)
    )


def _measures(arms: Sequence[tuple[ArmName, ArmScore]], label: int, cell: int) -> list[Content]:
    base = next((score.kl_to_prompted for name, score in arms if name == "unprompted"), None)
    rows: list[tuple[str, list[str]]] = [
        ("KL to prompted", [_divergence(name, score, base, _ALL_TOKENS, cell) for name, score in arms]),
        ("  on free tokens", [_divergence(name, score, base, _FREE_TOKENS, cell) for name, score in arms]),
        ("prompt tokens", [f"{score.prompt_tokens_mean:,.0f}" for _, score in arms]),
        ("answer tokens", [f"{score.completion_tokens_mean:,.0f}" for _, score in arms]),
        ("time to first token", [f"{score.ttft_ms_p50:,.0f} ms" if score.ttft_ms_p50 else "–" for _, score in arms]),
        ("tokens per second", [_known(score.tokens_per_second_p50) for _, score in arms]),
    ]
    return [
        Content(f"   {fit(name, label - 3)}" + "".join(right(text, cell) for text in values)) for name, values in rows
    ]


def _known(value: float | None) -> str:
    return f"{value:,.0f}" if value else "–"


def _divergence(
    arm: ArmName, score: ArmScore, base: Divergence | None, part: Callable[[Divergence], float], cell: int
) -> str:
    """An arm's KL; for the student also the change from the unprompted model's, if there is room."""
    if score.kl_to_prompted is None:
        return "–"
    value = part(score.kl_to_prompted)
    if arm != "distilled" or base is None or part(base) <= 0 or cell < 15:
        return f"{value:.3f}"
    change = round(100 * (value / part(base) - 1))
    sign = "−" if change < 0 else "+" if change > 0 else ""
    return f"{sign}{percent(abs(change) / 100)}  {value:.3f}"


def _with_questions(lines: list[Content], state: EvaluationState, evaluation: Evaluation, view: View) -> list[Content]:
    """The table with the questions under it, worst first: a window around the cursor."""
    lapses = state.answers.lapses
    behind = sum(lapse.broken > 0 for lapse in lapses)
    who = reference_text(evaluation.reference)
    text = f"{behind:,} of {len(lapses):,} questions where the student fails rules that {who} passes"
    lines += [Content(""), heading(fit(text, view.width))]
    if behind and evaluation.split == "validation":
        lines.append(
            Content.assemble((key_of("evaluation.improve"), ACCENT), (" writes training questions like them", DIM))
        )
    if any(_mark(lapse) == _NO_WORSE for lapse in lapses):
        words = f"✓ passes every rule   {_NO_WORSE} no worse than {who}"
        lines.append(Content.styled(shorten(words, view.width), DIM))
    for index in window(state.row, max(view.height - len(lines), _LEAST_LISTED), len(lapses)):
        lapse = lapses[index]
        question = state.answers.questions[lapse.question_id]
        lines.append(numbered(_question_line(lapse, question.text, view.width, here=index == state.row), index))
    return lines


def _mark(lapse: Lapse) -> str:
    """How many rules the student fails that the reference passes; without any, whether it passes every rule."""
    return f"✗ {lapse.broken}" if lapse.broken else "✓" if lapse.passes else _NO_WORSE


def _question_line(lapse: Lapse, question: str, width: int, *, here: bool) -> Content:
    mark = _mark(lapse)
    rules = f"rule{'s' if len(lapse.rules) > 1 else ''} {' '.join(map(str, lapse.rules))}" if lapse.rules else ""
    return Content.assemble(
        ("▌" if here else " ", ACCENT),
        (fit(mark, 6), BAD if lapse.broken else DIM if mark == _NO_WORSE else GOOD),
        (f"{fit(rules, 15)} ", DIM),
        (shorten(question, width - 23), STRONG if here else ""),
    )


def _history(view: View, state: EvaluationState, shown: Evaluation | None) -> list[Content]:
    """All evaluations, newest first; as many as there is room for, around the cursor."""
    lines = title("Evaluations", f"{len(state.evaluations)} in all", "", view.width)
    wide = view.width >= 84
    columns = (("verdict", 13), ("recovered", 17), ("every rule", 11), ("KL", 8), ("asked", 11))
    lines.append(
        heading(fit("     run", 9) + "".join(right(name, cells) for name, cells in columns) + right("when", 18) * wide)
    )
    rows = state.listed
    row = within(state.history_row, len(rows))
    for index in window(row, max(view.height - len(lines) - 2, _LEAST_LISTED), len(rows)):
        each = rows[index]
        here, mine = index == row, shown is not None and each.id == shown.id
        lines.append(numbered(_past(each, [cells for _, cells in columns], here=here, mine=mine, wide=wide), index))
    keys = Content.assemble(
        (key_of("history.open"), ACCENT), (" show   ", DIM), (key_of("evaluation.history"), ACCENT), (" back", DIM)
    )
    return [*lines, Content(""), keys]


def _past(each: Evaluation, cells: Sequence[int], *, here: bool, mine: bool, wide: bool) -> Content:
    word, style = VERDICTS[each.verdict]
    student, recovered = each.arm("distilled"), each.recovered
    kept = f"{percent(recovered.value)} {100 * recovered.low:.0f}–{100 * recovered.high:.0f}" if recovered else "–"
    divergence = student.kl_to_prompted if student is not None else None
    figures = (
        kept,
        percent(student.all_rules.rate) if student is not None and student.all_rules.total else "–",
        f"{divergence.mean:.3f}" if divergence is not None else "–",
        f"{each.questions:,} × {each.samples}",
    )
    return Content.assemble(
        ("▌" if here else " ", ACCENT),
        ("─ " if mine else "  ", ACCENT),
        (f"{each.run_id:>5} ", STRONG if here else ""),
        (right(word, cells[0]), style),
        *(right(text, width) for text, width in zip(figures, cells[1:], strict=True)),
        (right(format_time(each.created_at), 18) if wide else "", DIM),
    )
