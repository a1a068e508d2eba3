"""The examples pane: the teacher's answers as they are written, and what the rules made of them."""

from textual.content import Content

from tui.screens.workspace.panes.parts import View, answer_wall, empty, pace, title, working
from tui.screens.workspace.state import JobView
from tui.services.facts import ExampleCounts
from tui.widgets.lines import BAD, DIM, GOOD


def draw(view: View) -> list[Content]:
    """The lines of this pane."""
    state, facts, width, height = view.state, view.facts, view.width, view.height
    counts = facts.examples
    job = working(state, "examples")
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
