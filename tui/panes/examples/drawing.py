"""The examples pane: the teacher's answers as they are written, and what the rules made of them."""

from textual.content import Content

from tui.panes.job import JobView
from tui.panes.parts import answer_wall, empty, pace, title, working
from tui.panes.view import View
from tui.services.facts import ExampleCounts
from tui.widgets.lines import BAD, DIM, GOOD


def draw(view: View) -> list[Content]:
    """The lines of this pane."""
    facts, width, height = view.facts, view.width, view.height
    counts = facts.examples
    job = working(view, "examples")
    if job is None and counts.total == 0:
        return [
            *title("Examples", "none yet", "", width),
            *empty("The teacher, who sees the prompt, has not answered yet.", ["distill-tui generate"]),
        ]
    lines = title("Examples", f"{counts.total:,}", pace(job) if job else facts.settings.teacher.name, width)
    lines[1:] = [_findings(job) if job and job.live else _decisions(counts), Content("")]
    streams = list(job.streams.values()) if job and job.streams else list(facts.latest_answers)
    return lines + answer_wall(streams, width, height - len(lines))


def _findings(job: JobView) -> Content:
    """While answers come in: what the rules find in them. Nothing is decided yet."""
    return Content.assemble(
        (f"✓ {job.rules_kept:,} keep every rule", GOOD), "   ", (f"✗ {job.rules_broken:,} break one", BAD)
    )


def _decisions(counts: ExampleCounts) -> Content:
    return Content.assemble(
        (f"✓ {counts.accepted:,} accepted", GOOD),
        "   ",
        (f"✗ {counts.rejected:,} rejected", BAD),
        "   ",
        (f"○ {counts.undecided:,} undecided", DIM),
    )
