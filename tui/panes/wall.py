"""Answers as they arrive: one in full under its question, the others on one line each. Pure."""

from collections.abc import Iterable

from textual.content import Content

from tui.services.facts import Stream
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, fit, justify, shorten, wrap

_MARKS = {"writing": ("●", ACCENT), "passed": ("✓", GOOD), "failed": ("✗", BAD)}
_ARM = 11  # cells of the column that says which arm answers
# At most this much of an answer without line breaks is wrapped, from a start that seldom moves.
_WRAPPED_CHARACTERS = 8_000


def in_order(streams: Iterable[Stream]) -> list[Stream]:
    """Return the answers being written, oldest first, then the others, newest first."""
    all_streams = list(streams)
    writing = [stream for stream in all_streams if stream.state == "writing"]
    return writing + [stream for stream in reversed(all_streams) if stream.state != "writing"]


def in_full(stream: Stream, width: int, height: int, *, arm: bool = False, more: str = "") -> list[Content]:
    """Draw one answer under its question in exactly `height` lines; its end while it is being written.

    Args:
        stream: the answer.
        width: in cells.
        height: in lines.
        arm: whether to say which arm answers.
        more: the last line of a complete answer that is longer than that.
    """
    mark, style = _MARKS[stream.state]
    note = stream.note if stream.text else ""
    beside = shorten(f"{stream.arm}  {note}".strip() if arm else note, width // 2)
    head = justify(
        Content.assemble(
            (mark, style), " ", (shorten(stream.question, width - 2 - (len(beside) + 3 if beside else 0)), STRONG)
        ),
        Content.styled(beside, BAD if stream.state == "failed" else DIM),
        width,
    )
    if stream.state == "writing":
        body = last_lines(stream.text, width - 2, height - 1)
    else:
        body = wrap(stream.text[: width * height * 2], width - 2)
        if more and len(body) > height - 1:
            body = [*body[: height - 2], more]
    lines = [Content(f"  {line}") for line in body[: height - 1]]
    if not stream.text:
        lines = [Content.styled(f"  {line}", BAD) for line in wrap(stream.note, width - 2)[: height - 1]]
    return [head, *lines, *([Content("")] * (height - 1 - len(lines)))]


def in_short(stream: Stream, width: int, *, here: bool | None = None, arm: bool = False) -> Content:
    """Draw one answer as a line: mark, question, and its start, or its end while it is being written.

    Args:
        stream: the answer.
        width: in cells.
        here: whether the cursor is on it; None if the list has no cursor.
        arm: whether to say which arm answers.
    """
    mark, style = _MARKS[stream.state]
    cursor = "" if here is None else "▌ " if here else "  "
    name = fit(stream.arm, _ARM) if arm else ""
    question_width = max(min(38, width // 3), 12)
    return Content.assemble(
        (cursor, ACCENT),
        (mark, style),
        " ",
        (name, DIM),
        (fit(stream.question[:400], question_width), STRONG if here else DIM),
        "  ",
        _answer(stream, width - question_width - len(cursor) - len(name) - 4),
    )


def last_lines(text: str, width: int, room: int) -> list[str]:
    """Return the last `room` lines of a text as `wrap` breaks it, without reading what comes before."""
    lines: list[str] = []
    rest = text.replace("\r\n", "\n")
    while len(lines) < room:
        rest, newline, paragraph = rest.rpartition("\n")
        beyond = max(len(paragraph) - _WRAPPED_CHARACTERS, 0)
        step = _WRAPPED_CHARACTERS // 2
        lines = wrap(paragraph[-(-beyond // step) * step :], width) + lines
        if not newline:
            break
    return lines[-room:]


def _answer(stream: Stream, room: int) -> Content:
    if not stream.text:
        return Content.styled(shorten(stream.note or "…", room), DIM)
    if stream.state != "writing":
        return Content.styled(shorten(" ".join(stream.text[: room * 4].split()), room), DIM)
    words = " ".join(stream.text[-room * 4 :].split())
    return Content(shorten(words, room) if len(words) < room else f"…{shorten(words[-(room - 1) :], room - 1)}")
