"""The dataset pane: what was frozen, from what, and its name."""

from textual.content import Content

from tui.panes.parts import empty, heading, title
from tui.panes.view import View
from tui.widgets.lines import DIM, moment, right, wrap


def draw(view: View) -> list[Content]:
    """The lines of this pane."""
    facts, width = view.facts, view.width
    dataset = facts.dataset
    if dataset is None:
        return [
            *title("Dataset", "not frozen", "", width),
            *empty(
                f"{facts.examples.accepted:,} accepted answers would be frozen; the prompt stays out.",
                ["distill-tui curate list", "distill-tui curate freeze"],
            ),
        ]
    lines = title(
        "Dataset", f"{dataset.train + dataset.validation:,} rows", f"frozen {moment(dataset.created_at)}", width
    )
    for name, count in (("train", dataset.train), ("validation", dataset.validation)):
        lines.append(Content.assemble(f"  {name:<14}{right(f'{count:,}', 7)}"))
    lines.append(Content(""))
    for name, value in (
        ("sha256", dataset.sha256),
        ("prompt", dataset.prompt_sha256),
        ("tokenizer", dataset.base),
    ):
        lines.append(Content.assemble("  ", (f"{name:<14}", DIM), value[: max(width - 18, 8)]))
    promise = (
        "Tokenised once. No message of the prompt stands in any row, and no thirteen words of its system text "
        "that the rules do not demand: the student learns to obey without ever reading it."
    )
    return [*lines, Content(""), heading("\n".join(wrap(promise, min(width, 76))))]
