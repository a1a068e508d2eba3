"""Draw the teacher's answers as lines: progress, cost, one answer in full, the others on one line each. Pure."""

from collections import Counter
from collections.abc import Sequence

from textual.content import Content

from engine.records.example import ExampleCounts
from engine.teachers.fault_kinds import counted_faults
from engine.wording import counted, percent
from tui.keys import key_of
from tui.panes.examples.state import WallState
from tui.panes.parts import older_answers_text, rests, stale, title, ways_from_older, working
from tui.panes.view import View
from tui.panes.wall import in_full, in_order, in_short
from tui.services.facts import Facts, Stream
from tui.services.job_view import JobView
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, WARN, dollars, duration, justify, shorten, wrap
from tui.widgets.listing import numbered
from tui.widgets.next_steps import next_steps
from tui.widgets.rows import window

_TALL_FROM, _SHORT_BELOW = 24, 17
_LEAST_OF_ERROR = 30  # cells in which an error is worth showing
_ENOUGH_TO_DOUBT, _DOUBTED_SHARE = 10, 0.2  # answers, and the share that passes every rule, at or below which to warn


def draw(view: View, state: WallState) -> list[Content]:
    """Draw the lines of this pane."""
    facts, width, height = view.facts, view.width, view.height
    job = working(view.job, "examples")
    if job is None and facts.examples.total == 0:
        return _empty(facts, width)
    streams = in_order(shown_streams(job, facts))
    if job is not None and job.live:
        lines = _busy(job, rests(view, job), width)
    else:
        last = view.job if job is None and view.job is not None and view.job.unanswered else job
        lines = [*_still(last, facts, width), *_doubts(streams, facts.examples, width)]
    if not streams:
        return lines
    more = f"… {key_of('workspace.curate')} shows the full answer"
    at = state.place(streams)
    lines += [
        Content(""),
        *in_full(streams[at], width, 8 if height >= _TALL_FROM else 5 if height >= _SHORT_BELOW else 3, more=more),
        Content(""),
    ]
    room = max(height - len(lines), 3)
    return lines + [
        numbered(in_short(streams[index], width, here=index == at), index) for index in window(at, room, len(streams))
    ]


def shown_streams(job: JobView | None, facts: Facts) -> list[Stream]:
    """Return the answers of a running or just ended job, without unfinished ones; else the last stored ones."""
    if job is None or not job.streams:
        return list(facts.latest_answers)
    return [stream for stream in job.streams.values() if job.live or stream.state != "writing"]


def _empty(facts: Facts, width: int) -> list[Content]:
    """Draw what is missing before a teacher can answer, and the key for it."""
    waiting = sum(count for split, count in facts.questions if split != "test")
    older = facts.older_answers
    text = older_answers_text(older) if older else "The teacher, which sees the prompt, has not answered yet"
    lines = [*title("Examples", "none yet", "", width), Content(f"{text}."), Content("")]
    if facts.prompt is None:
        first = ("workspace.prompt", "set a prompt first: the teacher sees it", "distill-tui prompt set FILE")
    elif not facts.topics:
        words = "add questions first: the teacher answers them"
        first = ("workspace.questions", words, "distill-tui questions import FILE")
    elif not waiting:
        words = "split the questions before any is answered"
        first = ("workspace.questions questions.split", words, "distill-tui questions split")
    elif older:
        return [*lines, *next_steps(*ways_from_older(updates=facts.update_brings))]
    else:
        words = f"let the teacher answer {counted(waiting, 'question')}; a form shows what it will take"
        return [*lines, *next_steps(("examples.generate", words, "distill-tui generate"))]
    return [*lines, *next_steps(first, ("examples.generate", "then generate answers", "distill-tui generate"))]


def _busy(job: JobView, rest: str, width: int) -> list[Content]:
    """Draw a running job: progress, pace, rule results, failures and cost. `rest`: why no answers arrive now."""
    progress = job.progress
    done, failed, total = (progress.done, progress.failed, progress.total) if progress is not None else (0, 0, 0)
    figure = f"{done:,} of {total:,}" if total else "preparing"
    if failed:
        figure += f" answered, {failed:,} failed"
    pace: list[str] = []
    if not rest:
        if job.answers_per_minute is not None:
            pace.append(f"{job.answers_per_minute:,.0f} per minute")
        if job.tokens_per_second is not None:
            pace.append(f"{counted(job.tokens_per_second, 'token', ',.0f')}/s")
        if job.seconds_left is not None:
            pace.append(f"{duration(job.seconds_left)} left")
    lines = [title("Examples", figure, "   ".join(pace), width)[0], _bar(done, failed, total, width)]
    if rest:
        lines.append(Content.styled(shorten(rest, width), WARN))
    elif not job.streams and progress is not None and progress.note:
        lines.append(Content.styled(shorten(progress.note, width), DIM))
    found = Content.assemble(
        (f"✓ {job.rules_kept:,} pass every rule", GOOD), "   ", (f"✗ {job.rules_broken:,} fail one", BAD)
    )
    money = _money(job, done, total)
    if found.cell_length + money.cell_length + 3 <= width or not money.cell_length:
        lines.append(justify(found, money, width))
    else:
        lines += [found, money]
    return lines + _faults(job, width)


def _faults(job: JobView, width: int) -> list[Content]:
    """Draw what failed, by kind: what was retried, with the last error, and what got no answer."""
    lines: list[Content] = []
    if job.asked_again:
        total = counted(job.asked_again.total(), "request")
        words = f"! {total} retried: {counted_faults(job.asked_again)}"
        last = f"   last: {job.last_retried}" if job.last_retried and len(words) + _LEAST_OF_ERROR <= width else ""
        lines.append(Content.styled(shorten(f"{words}{last}", width), WARN))
    if job.unanswered:
        words = f"✗ {len(job.unanswered):,} without an answer: {counted_faults(Counter(job.unanswered.values()))}"
        lines.append(Content.styled(shorten(words, width), BAD))
    return lines


def _money(job: JobView, done: int, total: int) -> Content:
    """Draw what is spent of the budget, and the projected total."""
    spent = job.spent
    if spent is None or (spent.usd == 0 and spent.limit_usd is None):
        return Content("")
    parts = [f"{dollars(spent.usd)} spent"]
    if spent.limit_usd is not None:
        parts[0] = f"{dollars(spent.usd)} of {dollars(spent.limit_usd)} spent"
    if 0 < done < total and spent.usd > 0:
        parts.append(f"≈ {dollars(spent.usd / done * total)} in total")
    near = spent.limit_usd is not None and spent.usd > 0.9 * spent.limit_usd
    return Content.styled(("! " if near else "") + "   ".join(parts), WARN if near else "")


def _bar(done: int, failed: int, total: int, width: int) -> Content:
    """Draw the progress bar across the page: what is answered, what failed, what is left."""
    words = f" {percent(done / max(total, 1))}"
    room = width - len(words)
    answered = round(room * min(done / max(total, 1), 1.0))
    lost = min(round(room * failed / max(total, 1)), room - answered)
    rest = room - answered - lost
    return Content.assemble(("━" * answered, ACCENT), ("━" * lost, BAD), ("─" * rest, DIM), (words, DIM))


def _still(job: JobView | None, facts: Facts, width: int) -> list[Content]:
    """Draw the state when no job is running: what was decided, and what comes next."""
    counts = facts.examples
    spent = f"{dollars(job.spent.usd)} spent" if job is not None and job.spent is not None and job.spent.usd > 0 else ""
    decided = Content.assemble(
        (f"✓ {counts.accepted:,} accepted", GOOD),
        "   ",
        (f"✗ {counts.rejected:,} rejected", BAD),
        "   ",
        (f"○ {counts.undecided:,} undecided", ""),
    )
    return [
        title("Examples", f"{counts.total:,}", facts.settings.teacher.name, width)[0],
        justify(decided, Content.styled(spent, DIM), width),
        *(_faults(job, width) if job is not None else ()),
        *_next(job, facts, width),
    ]


def _next(job: JobView | None, facts: Facts, width: int) -> list[Content]:
    counts, aged = facts.examples, stale(facts, "examples", width)
    dataset = next((station.state for station in facts.stations if station.name == "dataset"), "ready")
    if job is not None and job.unanswered and job.kind == "generate" and not job.live and job.state != "done":
        step = ("workspace.resume", "resumes the job: it asks for everything that has no answer")
    elif job is not None and job.unanswered:
        step = ("examples.retry", f"asks again only what got no answer ({len(job.unanswered):,})")
    elif counts.undecided:
        there = key_of("curate.check")
        step = ("workspace.curate", f"reviews them, one key per decision; {there} there lets the rules decide")
    elif aged:
        return aged
    elif counts.accepted and dataset in ("done", "running"):
        step = ("workspace.dataset", "shows the dataset, where the accepted answers are frozen")
    elif counts.accepted and dataset == "stale":
        step = ("workspace.dataset", "the dataset is next: it is stale and needs freezing again")
    elif counts.accepted:
        step = ("workspace.dataset", "the dataset is next: freeze the accepted answers")
    else:
        step = ("examples.generate", "asks again; nothing was accepted")
    key = key_of(step[0])
    return [*aged, Content.assemble((key, ACCENT), (f" {shorten(step[1], width - len(key) - 1)}", DIM))]


def _doubts(streams: Sequence[Stream], counts: ExampleCounts, width: int) -> list[Content]:
    """Draw a warning about a teacher that seldom passes the rules, before the user has read all its answers."""
    answers = [stream for stream in streams if stream.text]  # failed questions are reported separately
    kept = sum(stream.state == "passed" for stream in answers)
    if counts.accepted or len(answers) < _ENOUGH_TO_DOUBT or kept > len(answers) * _DOUBTED_SHARE:
        return []
    words = (
        f"! {kept or 'None'} of these {len(answers)} answers pass{'es' if kept < 2 else ''} every rule. Consider a "
        "lower temperature, example turns in the prompt, or a stronger teacher: "
        f"{key_of('workspace.prompt', 'prompt.trial')} tries a few questions."
    )
    return [Content.styled(line, WARN) for line in wrap(words, width)]
