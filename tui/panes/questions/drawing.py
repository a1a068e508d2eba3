"""The questions pane: how many there are, in which splits and topics."""

from textual.content import Content

from tui.panes.parts import empty, heading, title
from tui.panes.view import View
from tui.widgets.lines import ACCENT, DIM, fit, right


def draw(view: View) -> list[Content]:
    """The lines of this pane."""
    facts, width = view.facts, view.width
    total = sum(count for _, count in facts.questions)
    topic_total = sum(count for _, count in facts.topics)
    if not topic_total and not total:
        return [
            *title("Questions", "none yet", "", width),
            *empty(
                "Questions are what users will send: real traffic is best.",
                ["distill-tui questions import FILE", "distill-tui questions synthesize"],
            ),
        ]
    lines = title("Questions", f"{topic_total or total:,}", f"{len(facts.topics)} topics", width)
    lines.append(heading("splits, drawn by topic before anything was answered"))
    for split, count in facts.questions:
        bar = "━" * round(min(width - 28, 40) * count / max(total, 1))
        lines.append(Content.assemble(f"  {split:<12}{right(f'{count:,}', 6)}  ", (bar, ACCENT)))
    lines += [Content(""), heading("topics")]
    columns = max(width // 32, 1)
    cell = width // columns
    topics = sorted(facts.topics, key=lambda row: (-row[1], row[0]))
    rows = -(-len(topics) // columns)
    for row in range(rows):
        parts: list[Content | str | tuple[str, str]] = []
        for name, count in topics[row::rows]:
            parts += [f"  {fit(name or 'no topic', cell - 9)}", (right(f"{count:,}", 5), DIM), "  "]
        lines.append(Content.assemble(*parts))
    return lines
