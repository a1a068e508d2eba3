"""Draw the questions as lines: the list around the cursor, the full question below, or how to add the first. Pure."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from engine.records.question import Question, QuestionFilter, Split
from engine.wording import counted, percent
from tui.keys import key_of
from tui.panes.parts import rests, title, unread, working
from tui.panes.questions.state import QuestionsState
from tui.panes.questions.views import draw_import, draw_split, draw_topics, draw_twins
from tui.panes.view import View
from tui.services.job_view import JobView
from tui.services.questions import QuestionRow
from tui.widgets.lines import ACCENT, DIM, GOOD, STRONG, WARN, duration, fit, justify, shorten, wrap
from tui.widgets.listing import numbered
from tui.widgets.next_steps import next_steps
from tui.widgets.rows import window

_NARROW_BELOW, _TALL_FROM = 70, 26
_SPLIT_WORDS: dict[Split | None, str] = {"train": "train", "validation": "validation", "test": "test", None: "–"}


def draw(view: View, state: QuestionsState) -> list[Content]:
    """Draw the lines of this pane."""
    width, height = view.width, view.height
    job = working(view.job, "questions")
    above = _writing(job, rests(view, job), width) if job is not None and job.live else []
    if state.busy:
        above = [*above, Content.styled(f"● {shorten(state.busy, width - 2)}", ACCENT)]
    if state.mode == "import" and state.preview is not None:
        return draw_import(state.preview, width, height, busy=state.busy)
    if state.mode == "split" and state.drawn is not None:
        return draw_split(state.drawn, width, height, busy=state.busy)
    if state.mode == "twins":
        return draw_twins(state, width, height)
    if state.mode == "topics":
        return draw_topics(state, width, height)
    page = state.page
    if page is None:
        return [
            *title("Questions", "", "", width),
            *unread("the questions", state.failure, width, "workspace.questions"),
        ]
    if not state.all:
        return _empty(above, width, has_prompt=view.facts.prompt is not None)
    spread_words = "   ".join(
        f"{name} {page.splits[name]:,}" for name in _SPLIT_WORDS if name and page.splits.get(name)
    )
    lines = [title("Questions", f"{state.all:,}", spread_words, width)[0], *above]
    lines += [_narrowed(state, width) or _next(state, view, width), Content("")]
    if not page.total:
        return [
            *lines,
            Content("No questions in this list."),
            Content.assemble((key_of("questions.back"), ACCENT), (" lists all again", DIM)),
        ]
    row = state.row
    if state.mode == "question" and row is not None:
        return _whole(row, state, width)
    about = _about(row, width, 8 if height >= _TALL_FROM else 5) if row is not None else []
    room = max(height - len(lines) - len(about), 3)
    return [*lines, *_list(state, width, min(room, page.total)), *about]


def _writing(job: JobView, rest: str, width: int) -> list[Content]:
    """Draw the progress of a teacher that writes questions. `rest`: why it is not writing now."""
    progress = job.progress
    share = progress.done / progress.total if progress is not None and progress.total else 0.0
    topic = next((stream.question for stream in reversed(job.streams.values()) if stream.state == "writing"), "")
    words = (
        f"writing about {topic}" if topic else progress.note if progress is not None and progress.note else "preparing"
    )
    words = rest or words
    left = job.seconds_left if not rest else None
    figures = f"{percent(share)}{f'   {duration(left)} left' if left else ''}"
    bar = max(width // 6, 8)
    full = round(bar * share)
    words = shorten(words, width - bar - len(figures) - 3)
    return [
        justify(
            Content.assemble(("━" * full, ACCENT), ("─" * (bar - full), DIM), f" {words}"),
            Content.styled(figures, DIM),
            width,
        )
    ]


def _empty(above: Sequence[Content], width: int, *, has_prompt: bool) -> list[Content]:
    """Draw the ways to add the first questions."""
    once = "" if has_prompt else f", once there is a prompt ({key_of('workspace.prompt')})"
    kinds = "text, JSONL, CSV, Parquet, stored chats"
    return [
        *title("Questions", "none yet", "", width),
        *above,
        Content("Questions are what users will send. Real traffic works best."),
        Content(""),
        *next_steps(
            ("questions.bring", f"import them: {kinds}", "distill-tui questions import FILE"),
            ("questions.synthesize", f"let the teacher write some{once}", "distill-tui questions synthesize"),
            ("questions.add", "type one", ""),
        ),
    ]


def _narrowed(state: QuestionsState, width: int) -> Content | None:
    """Draw the active filter and what is marked; None if there is neither."""
    listed = state.where.listed
    parts: list[str] = []
    if listed != QuestionFilter():
        parts.append(f"{counted(state.total, 'question')} listed")
    if listed.split is not None:
        parts.append("not split yet" if listed.split == "unsplit" else listed.split)
    if listed.topic is not None:
        parts.append(shorten(listed.topic, 24) or "no topic")
    if listed.search:
        parts.append(f"“{shorten(listed.search, 24)}”")
    marked = f"{len(state.marks):,} marked   {key_of('questions.remove')} deletes them" if state.marks else ""
    if state.range_from is not None:
        marked = f"marking a range   {key_of('questions.range')} ends it"
    if not parts and not marked:
        return None
    rest = marked or f"{key_of('questions.back')} lists all"
    room = max(width - cell_len(rest) - 2, 8)  # the key hint takes precedence over the search text
    return justify(Content.styled(shorten("   ".join(parts), room), ACCENT), Content.styled(rest, DIM), width)


def _next(state: QuestionsState, view: View, width: int) -> Content:
    """Draw the next step for these questions."""
    splits = state.page.splits if state.page is not None else {}
    if unsplit := splits.get(None, 0):
        words = f"draws train, validation and test for {counted(unsplit, 'question')} without a split"
        return Content.assemble((key_of("questions.split"), ACCENT), (f" {shorten(words, width - 2)}", DIM))
    if not view.facts.examples.total:
        place, words = "workspace.examples", "the examples are next: the teacher answers"
        if view.facts.prompt is None:
            place, words = "workspace.prompt", "the prompt is next: the teacher answers with it"
        return Content.assemble((key_of(place), ACCENT), (f" {words}", DIM))
    topics = counted(sum(bool(topic) for topic, _ in view.facts.topics), "topic")
    return Content.styled(shorten(f"{topics}   {key_of('questions.topics')} shows them", width), DIM)


def _list(state: QuestionsState, width: int, count: int) -> list[Content]:
    page, cursor = state.page, state.where.cursor
    if page is None:
        return []
    ranged = state.range
    lines: list[Content] = []
    for position in window(cursor, count, page.total):
        index = position - page.offset
        if not 0 <= index < len(page.rows):
            lines.append(Content.styled("  …", DIM))
            continue
        row = page.rows[index]
        marked = row.question.id in state.marks or (ranged is not None and position in ranged)
        lines.append(numbered(_listed(row, width, here=position == cursor, marked=marked), position))
    return lines


def _listed(row: QuestionRow, width: int, *, here: bool, marked: bool) -> Content:
    question = row.question
    narrow = width < _NARROW_BELOW
    split_width, topic_width = (6, 10) if narrow else (11, 14)
    split = _SPLIT_WORDS[question.split][:5] if narrow else _SPLIT_WORDS[question.split]
    turns = f"↳{len(question.messages)} " if len(question.messages) > 1 else ""
    room = max(width - 6 - split_width - topic_width - 2 - len(turns), 8)
    return Content.assemble(
        ("▌" if here else " ", ACCENT),
        ("◆ " if marked else "  ", ACCENT),
        ("✓ " if row.answers else "○ ", GOOD if row.answers else DIM),
        (f"{split:<{split_width}}", WARN if question.split is None else DIM),
        (fit(question.topic[:200], topic_width), DIM),
        "  ",
        (turns, DIM),
        (fit(question.text[: width * 4], room), STRONG if here else ""),
    )


def _whole(row: QuestionRow, state: QuestionsState, width: int) -> list[Content]:
    """Draw nothing but the question, in full; the page scrolls."""
    place = f"{state.where.cursor + 1:,} of {state.total:,}"
    back = Content.assemble((key_of("questions.back"), ACCENT), (" back", DIM))
    head = title("Question", place, "", width)[0]
    return [justify(head.rstrip(), back, width), _facts(row, width), Content(""), *_turns(row.question, width)]


def _facts(row: QuestionRow, width: int) -> Content:
    question = row.question
    answers = counted(row.answers, "answer") if row.answers else "not answered yet"
    facts = [f"question {question.id}", shorten(question.source, 30), answers]
    if question.label:
        facts.insert(2, f"label {shorten(question.label, 20)}")
    return Content.styled(shorten("   ".join(fact for fact in facts if fact), width), DIM)


def _about(row: QuestionRow, width: int, height: int) -> list[Content]:
    """Draw the full question under the list, as far as it fits; chats turn by turn."""
    question = row.question
    body = _turns(question, width)
    room, chat = height - 2, len(question.messages) > 1
    if len(body) > room:
        # The end of a chat is the actual question.
        words = f"… {len(body) - room + 1} {'earlier' if chat else 'more'} lines   "
        more = Content.assemble((words, DIM), (key_of("questions.take"), ACCENT), (" shows all", DIM))
        body = [more, *body[-(room - 1) :]] if chat else [*body[: room - 1], more]
    rest = [Content("")] * (room - len(body))
    return [Content.styled("─" * width, DIM), _facts(row, width), *body, *rest]


def _turns(question: Question, width: int) -> list[Content]:
    if len(question.messages) == 1:
        return [Content(line) for line in wrap(question.text[:20_000], width)]
    lines: list[Content] = []
    for message in question.messages:
        for number, line in enumerate(wrap(message.content[:20_000], width - 11)):
            role = message.role if number == 0 else ""
            lines.append(Content.assemble((f"{role:<11}", DIM), (line, "" if message.role == "user" else DIM)))
    return lines
