"""Draw the other views of the questions as lines: an import preview, near-duplicates, splits, topics. Pure."""

from collections.abc import Mapping, Sequence

from textual.content import Content

from engine.records.question import Question, Split
from engine.wording import counted, percent
from tui.keys import key_of
from tui.panes.parts import heading, title
from tui.panes.questions.state import QuestionsState
from tui.services.questions import ImportPreview, SplitPreview, TopicCounts
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, fit, right, shorten, wrap
from tui.widgets.listing import numbered
from tui.widgets.rows import window

_SIDE_BY_SIDE_FROM = 70
_COLUMN = 12
_NOTE_LINES = 3
_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def draw_import(preview: ImportPreview, width: int, height: int, *, busy: str) -> list[Content]:
    """Draw what an import would store."""
    lines = [
        *title("Import", shorten(preview.source, max(width - 12, 10)), "", width),
        Content.assemble(
            (f"✓ {preview.added:,} new", GOOD),
            "   ",
            (f"= {preview.duplicates:,} already stored", DIM),
            "   ",
            (f"✗ {len(preview.refused):,} refused", BAD if preview.refused else DIM),
        ),
        *(Content.styled(f"! {shorten(note, width - 2)}", WARN) for note in preview.notes),
        Content(""),
        _keys(
            busy,
            *((("preview.take", "stores them"),) if preview.added else ()),
            ("preview.leave_preview", "stores nothing"),
            width=width,
        ),
        Content(""),
    ]
    room = max(height - len(lines), 6)
    refused_room = min(len(preview.refused), max(room // 3, 2)) + 2 if preview.refused else 0
    if preview.first:
        lines.append(heading("first questions"))
        shown = preview.first[: max(room - refused_room - 2, 3)]
        lines += [_brought(topic, text, turns, width) for topic, text, turns in shown]
        if preview.added > len(shown):
            lines.append(Content.styled(f"  and {preview.added - len(shown):,} more", DIM))
    if preview.refused:
        lines += [Content(""), heading("refused")]
        shown_refused = preview.refused[: max(height - len(lines) - 1, 2)]
        lines += [
            Content.assemble(("✗ ", BAD), (f"line {line:<6,} ", DIM), shorten(reason, width - 16))
            for line, reason in shown_refused
        ]
        if len(preview.refused) > len(shown_refused):
            lines.append(Content.styled(f"  and {len(preview.refused) - len(shown_refused):,} more", DIM))
    return lines


def draw_twins(state: QuestionsState, width: int, height: int) -> list[Content]:
    """Draw pairs of near-duplicates: the list, and the pair under the cursor side by side."""
    pairs = state.pairs
    if not pairs:
        return [
            *title("Near-duplicates", "none", "", width),
            Content("✓ No question repeats another."),
            Content(""),
            _keys(state.busy, ("twins.leave_twins", "goes back"), width=width),
        ]
    more = f"the first {len(pairs):,} of {state.pairs_total:,}" if state.pairs_total > len(pairs) else ""
    deletes = f"deletes the {len(state.marks):,} marked" if state.marks else "deletes the later one"
    lines = [
        title("Near-duplicates", counted(state.pairs_total, "pair"), more, width)[0],
        _keys(
            state.busy,
            ("twins.remove", deletes),
            ("twins.mark", "marks"),
            ("twins.mark_all", "all"),
            ("twins.leave_twins", "goes back"),
            width=width,
        ),
        Content(""),
    ]
    compared = _compared(state, width, max(height // 2 - 1, 6))
    room = max(height - len(lines) - len(compared), 3)
    for place in window(state.pair_at, room, len(pairs)):
        pair = pairs[place]
        here, is_marked = place == state.pair_at, pair.dropped.id in state.marks
        line = Content.assemble(
            ("▌" if here else " ", ACCENT),
            ("◆ " if is_marked else "  ", ACCENT),
            (f"{percent(pair.likeness):>5}  ", DIM),
            (fit(pair.dropped.text[: width * 4], width - 11), STRONG if here else ""),
        )
        lines.append(numbered(line, place))
    return lines + compared


def draw_split(drawn: SplitPreview, width: int, height: int, *, busy: str) -> list[Content]:
    """Draw the splits that each topic would get."""
    counts = {name: sum(topic.splits.get(name, 0) for topic in drawn.topics) for name in _SPLITS}
    total = max(sum(counts.values()), 1)
    lines = [
        *title("Split", counted(drawn.drawn, "question") + " to split", "", width),
        Content(shorten("   ".join(f"{name} {n:,} ({percent(n / total)})" for name, n in counts.items()), width)),
        *(Content.styled(line, WARN) for note in drawn.notes for line in wrap(f"! {note}", width)[:_NOTE_LINES]),
        Content(""),
        _keys(
            busy,
            *((("preview.take", "stores this split"),) if drawn.drawn else ()),
            ("preview.leave_preview", "stores nothing"),
            width=width,
        ),
    ]
    ordered = sorted(drawn.topics, key=lambda topic: (-topic.total, topic.topic))
    return [*lines, Content(""), *_table(ordered, width, max(height - len(lines) - 2, 4), None)]


def draw_topics(state: QuestionsState, width: int, height: int) -> list[Content]:
    """Draw topics by split, with a cursor."""
    topics = state.topics
    if topics is None:
        return [*title("Topics", "", "", width), Content.styled("Counting the topics …", DIM)]
    lines = [
        title("Topics", f"{sum(bool(each.topic) for each in topics):,}", f"{state.all:,} questions", width)[0],
        _keys("", ("questions.take", "lists its questions"), ("questions.back", "goes back"), width=width),
        Content(""),
    ]
    return lines + _table(topics, width, max(height - len(lines), 4), state.topic_at)


def _table(topics: Sequence[TopicCounts], width: int, height: int, at: int | None) -> list[Content]:
    """Draw topics by splits in at most `height` lines; without a cursor, a last line counts the rest."""
    columns: list[tuple[str, Split | None]] = [("train", "train"), ("validation", "validation"), ("test", "test")]
    if any(topic.splits.get(None) for topic in topics):
        columns.append(("none yet", None))
    cell = min(_COLUMN, max((width - 22) // (len(columns) + 1), 7))
    if cell < _COLUMN:
        columns[1] = ("valid.", "validation")
    name_width = max(width - cell * (len(columns) + 1) - 2, 8)
    head = f"  {fit('topic', name_width)}" + "".join(right(name[:cell], cell) for name, _ in columns)
    lines = [heading(head + right("all", cell))]
    room = height - 1
    shown = window(at or 0, room - 1 if at is None and len(topics) > room else room, len(topics))
    for place in shown:
        line = _topic_line(topics[place], [key for _, key in columns], name_width, cell, here=place == at)
        lines.append(line if at is None else numbered(line, place))
    if at is None and len(topics) > len(shown):
        lines.append(Content.styled(f"  and {len(topics) - len(shown):,} more topics", DIM))
    return lines


def _topic_line(topic: TopicCounts, keys: Sequence[Split | None], name_width: int, cell: int, *, here: bool) -> Content:
    splits: Mapping[Split | None, int] = topic.splits
    figures = "".join(right(f"{splits[key]:,}" if splits.get(key) else "·", cell) for key in keys)
    return Content.assemble(
        ("▌ " if here else "  ", ACCENT),
        (fit(topic.topic[:300] or "no topic", name_width), STRONG if here else ""),
        (figures, DIM),
        right(f"{topic.total:,}", cell),
    )


def _brought(topic: str, text: str, turns: int, width: int) -> Content:
    chat = f"↳{turns} " if turns > 1 else ""
    topic_width = 14 if width >= _SIDE_BY_SIDE_FROM else 10
    return Content.assemble(
        "  ",
        (fit(topic[:200], topic_width), DIM),
        "  ",
        (chat, DIM),
        shorten(text[: width * 4], width - topic_width - 5 - len(chat)),
    )


def _compared(state: QuestionsState, width: int, height: int) -> list[Content]:
    """Draw the two questions of the pair under the cursor, each as far as it fits."""
    pair = state.pairs[state.pair_at]
    rule = Content.styled("─" * width, DIM)
    if width < _SIDE_BY_SIDE_FROM:
        half = max((height - 1) // 2, 3)
        return [rule, *_block("stays", pair.kept, width, half), *_block("repeats it", pair.dropped, width, half)]
    cell = (width - 3) // 2
    left, right_side = (
        _block(word, question, cell, height - 1)
        for word, question in (("stays", pair.kept), ("repeats it", pair.dropped))
    )
    return [
        rule,
        *(
            Content.assemble(one.pad_right(max(cell - one.cell_length, 0)), (" │ ", DIM), other)
            for one, other in zip(left, right_side, strict=True)
        ),
    ]


def _block(word: str, question: Question, width: int, height: int) -> list[Content]:
    facts = "  ".join(part for part in (f"question {question.id}", question.split or "", question.topic[:200]) if part)
    text = "\n".join(message.content for message in question.messages)
    body = wrap(text[:20_000], width)
    if len(body) > height - 1:
        body = [*body[: height - 2], "…"]
    lines = [Content.styled(shorten(f"{word}  {facts}", width), DIM), *map(Content, body)]
    return [*lines, *([Content("")] * (height - len(lines)))]


def _keys(busy: str, *keys: tuple[str, str], width: int) -> Content:
    """Draw the keys of a view, given as actions with what they do; while busy, what is being done."""
    if busy:
        return Content.styled(f"● {shorten(busy, width - 2)}", ACCENT)
    parts: list[Content] = [Content.assemble((key_of(action), ACCENT), (f" {words}", DIM)) for action, words in keys]
    return Content("   ").join(parts).truncate(width, ellipsis=True)
