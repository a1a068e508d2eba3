"""Draw the dataset as lines: what is frozen, what would be now, what is refused and why, earlier datasets. Pure."""

from collections import Counter
from pathlib import PurePath

from textual.content import Content

from engine.records.dataset import DatasetSummary, FreezePreview, RefusalKind
from engine.wording import counted
from tui.keys import key_of
from tui.panes.dataset.state import DatasetState
from tui.panes.parts import TO_UPDATE, failure, heading, older_answers_text, stale, title
from tui.panes.view import View
from tui.services.facts import Facts
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, duration, fit, format_time, right, shorten, wrap
from tui.widgets.listing import numbered
from tui.widgets.next_steps import next_steps
from tui.widgets.rows import window

_KINDS: dict[RefusalKind, str] = {
    "message": "copies a prompt message",
    "overlap": "quotes the prompt",
    "too_long": "too long",
    "cut": "truncated answer",
    "no_split": "no split",
    "system_message": "a system message",
}
_TOPICS_SHOWN = 10
_REFUSED_SHOWN = 8


def draw(view: View, state: DatasetState, now: float) -> list[Content]:
    """Draw the lines of this pane. `now`: the clock that `freezing_since` was read from, in seconds."""
    facts, width = view.facts, view.width
    station = next(each for each in facts.stations if each.name == "dataset")
    lines = _title(facts, width)
    if state.freezing_since is not None:
        lines += _busy(state, now - state.freezing_since, width)
    elif station.state == "running":
        lines += [Content.assemble(("● ", ACCENT), shorten(station.note, width - 2)), Content("")]
    elif state.failure is not None:
        lines += failure(state.failure, width)
    if state.check_error is not None and not state.looking:
        again = Content.assemble((key_of("dataset.look"), ACCENT), (" checks again", DIM))
        lines += [*failure(state.check_error, width), again, Content("")]
    if facts.dataset is not None:
        lines += _frozen(facts.dataset, state, width)
    if not facts.examples.accepted:
        lines += _nothing(view)
    elif state.preview is None:
        looking = f"Checking {facts.examples.accepted:,} accepted answers …"
        if state.looking or not (state.waits or state.check_error):
            lines += [Content.styled(looking, DIM)]
        elif state.waits:
            lines += _waiting(width)
    else:
        lines += _would_be(state.preview, state, width, done=station.state == "done")
        lines += _refused(state, width)
    lines += _history(state, width)
    return lines


def _title(facts: Facts, width: int) -> list[Content]:
    dataset = facts.dataset
    if dataset is None:
        return title("Dataset", "not frozen", "", width)
    rows = f"{dataset.train + dataset.validation:,} rows"
    first, blank = title("Dataset", rows, f"frozen {format_time(dataset.created_at)}", width)
    return [first, *stale(facts, "dataset", width), blank]


def _busy(state: DatasetState, seconds: float, width: int) -> list[Content]:
    words = state.note or "reading the tokenizer and every accepted answer"
    return [
        Content.assemble(("● ", ACCENT), ("freezing", STRONG), f"   {duration(seconds)}   ",
                         (shorten(words, max(width - 24, 8)), DIM)),
        Content(""),
    ]  # fmt: skip


def _frozen(dataset: DatasetSummary, state: DatasetState, width: int) -> list[Content]:
    newest = state.history[0] if state.history and state.history[0].summary.sha256 == dataset.sha256 else None
    version = f"version {newest.prompt_version}  " if newest is not None and newest.prompt_version else ""
    trained = ", ".join(f"run {run}" for run in newest.runs) if newest is not None else ""
    rows = (
        ("sha256", dataset.sha256),
        ("prompt", f"{version}{dataset.prompt_sha256[:12]}"),
        *((("prompts", _prompts(dataset)),) if dataset.others else ()),
        ("tokenizer", dataset.base),
        ("used by", trained or ("…" if newest is None else "no run yet")),
    )
    lines = [Content.assemble((f"{name:<15}", DIM), shorten(value, width - 15)) for name, value in rows]
    if newest is not None and not newest.runs:
        lines[-1] = Content.assemble(
            (f"{'used by':<15}", DIM), "no run yet   ", (key_of("workspace.run"), ACCENT), (" trains one", DIM)
        )
    return [*lines, Content("")]


def _prompts(dataset: DatasetSummary) -> str:
    """Return how many prompts the dataset covers, and how many rows belong to each."""
    train = dataset.train - sum(other.train for other in dataset.others)
    validation = dataset.validation - sum(other.validation for other in dataset.others)
    parts = [("this one", train, validation)]
    parts += [(PurePath(other.project).name, other.train, other.validation) for other in dataset.others]
    listed = ", ".join(f"{name} {train:,} + {validation:,}" for name, train, validation in parts)
    return f"{dataset.prompts}: {listed}"


def _nothing(view: View) -> list[Content]:
    examples = view.facts.examples
    then = ("dataset.freeze", "then freeze the accepted ones", "distill-tui curate freeze")
    if not examples.total and view.facts.update_brings:
        text = f"{older_answers_text(view.facts.older_answers)}."
        return [Content(text), Content(""), *next_steps(TO_UPDATE)]
    if not examples.total:
        text = "There are no answers to freeze yet."
        first = ("workspace.examples", "generate answers", "distill-tui generate")
    else:
        text = f"None of the {examples.total:,} answers is accepted."
        first = ("workspace.curate", "review them, one key each", "distill-tui curate check")
    return [Content(text), Content(""), *next_steps(first, then)]


def _would_be(preview: FreezePreview, state: DatasetState, width: int, *, done: bool) -> list[Content]:
    train, validation = preview.rows("train"), preview.rows("validation")
    head = "by topic and split" if done else "what would be frozen now"
    name_width = max(min(width - 30, 36), 12)
    lines = [heading(fit(head, name_width) + "".join(right(name, 12) for name in ("train", "validation")))]
    by_topic: dict[str, Counter[str]] = {}
    for each in preview.topics:
        by_topic.setdefault(each.topic, Counter())[each.split] += each.rows
    topics = sorted(by_topic.items(), key=lambda item: -item[1].total())
    lines += [_row(topic or "no topic", counts, name_width) for topic, counts in topics[:_TOPICS_SHOWN]]
    if rest := topics[_TOPICS_SHOWN:]:
        together = sum((counts for _, counts in rest), Counter[str]())
        lines.append(_row(counted(len(rest), "more topic"), together, name_width))
    lines.append(
        Content.assemble((fit("total", name_width), STRONG), (right(f"{train:,}", 12), ACCENT),
                         (right(f"{validation:,}", 12), ACCENT))
    )  # fmt: skip
    out = (
        (preview.undecided, "undecided"),
        (preview.rejected, "rejected"),
        (preview.test, "in the test split"),
        (preview.repeated, "exact duplicates"),
    )
    left_out = "   ".join(f"{count:,} {why}" for count, why in out if count) or "nothing"
    text = [f"left out: {left_out}"]
    if not preview.lengths_checked:
        text.append("Lengths are checked once the student's tokenizer is available.")
    lines += [Content(""), *(Content.styled(line, DIM) for each in text for line in wrap(each, width))]
    if state.looking:
        lines += [Content.styled("checking again …", DIM)]
    elif state.waits:
        lines += _waiting(width)
    return [*lines, Content("")]


def _waiting(width: int) -> list[Content]:
    """Draw why nothing is checked now, and the key that checks."""
    text = f"Answers are still coming in; {key_of('dataset.look')} checks what would be frozen so far."
    return [Content.styled(line, DIM) for line in wrap(text, width)]


def _row(topic: str, counts: Counter[str], name_width: int) -> Content:
    figures = (f"{counts[split]:,}" if counts[split] else "–" for split in ("train", "validation"))
    return Content.assemble(fit(topic, name_width), "".join(right(figure, 12) for figure in figures))


def _refused(state: DatasetState, width: int) -> list[Content]:
    if not state.refused:
        return [Content.assemble(("✓ ", GOOD), "nothing is refused: no row repeats the prompt"), Content("")]
    count = len(state.refused)
    lines = [
        Content.assemble((f"✗ {count:,} refused", f"{STRONG} {BAD}"), "   ", (key_of("dataset.reject"), ACCENT),
                         (" rejects one   ", DIM), (key_of("dataset.freeze"), ACCENT), (" asks about all", DIM))
    ]  # fmt: skip
    shown = window(state.cursor, _REFUSED_SHOWN, count)
    for index in shown:
        refusal = state.refused[index]
        here = index == state.cursor
        question = state.questions.get(refusal.question_id, f"question {refusal.question_id}")
        lines.append(
            numbered(Content.assemble(
                ("▌ " if here else "  ", ACCENT), (right(f"{refusal.example_id}", 6), DIM), "  ",
                (fit(_KINDS[refusal.kind], 24), BAD), (fit(question, max(width - 36, 8)), STRONG if here else ""),
            ), index)
        )  # fmt: skip
        if here:
            words = refusal.words if refusal.kind not in ("message", "overlap") else f"“{refusal.words}”"
            text = wrap(words, width - 10)
            lines += [Content.styled(f"{' ' * 10}{line}", "") for line in text[:4]]
            lines += [Content.styled(f"{' ' * 10}… {len(text) - 4} more lines", DIM)] if len(text) > 4 else []
    if more := count - shown.stop:
        lines.append(Content.styled(f"  and {more:,} more", DIM))
    return [*lines, Content("")]


def _history(state: DatasetState, width: int) -> list[Content]:
    if len(state.history) < 2:
        return []
    lines = [heading("earlier datasets")]
    for frozen in state.history[1:]:
        summary = frozen.summary
        runs = ", ".join(f"run {run}" for run in frozen.runs) or "no run"
        version = f"prompt v{frozen.prompt_version}" if frozen.prompt_version else "prompt gone"
        counts = f"{summary.train:,} + {summary.validation:,}"
        version += f", {summary.prompts} prompts" if summary.others else ""
        line = Content.assemble(
            fit(summary.sha256[:12], 12),
            (f"  {format_time(summary.created_at)}", DIM),
            right(counts, 16),
            (f"   {version}   {runs}", DIM),
        )
        lines.append(line.truncate(width, ellipsis=True))
    return lines
