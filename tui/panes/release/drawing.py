"""The release pane: what left the machine, where it lies, and how to check it."""

from textual.content import Content

from tui.panes.parts import empty, title
from tui.panes.view import View
from tui.widgets.lines import ACCENT, DIM, STRONG, moment, shorten


def draw(view: View) -> list[Content]:
    """The lines of this pane."""
    facts, width = view.facts, view.width
    if not facts.releases:
        return [
            *title("Release", "none yet", "", width),
            *empty(
                "The adapter, or base and adapter merged, with tokenizer, card and checksums.",
                ["distill-tui export", "distill-tui export --form merged"],
            ),
        ]
    lines = title("Release", f"{len(facts.releases)}", "", width)
    for release in reversed(facts.releases):
        lines += [
            Content.assemble(
                (f"{release.kind} of run {release.run_id}", STRONG), "  ", (moment(release.created_at), DIM)
            ),
            Content.assemble("  ", (shorten(release.folder, width - 2), ACCENT)),
            Content.assemble("  ", (f"sha256 {release.sha256}"[: width - 2], DIM)),
            Content("  verify: sha256sum -c SHA256SUMS"),
            Content(""),
        ]
    return lines
