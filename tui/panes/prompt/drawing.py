"""The prompt pane: the system message, the example turns, and the rules."""

from textual.content import Content

from engine.records.rule import Check
from tui.panes.parts import empty, heading, title
from tui.panes.view import View
from tui.widgets.lines import DIM, shorten, wrap


def draw(view: View) -> list[Content]:
    """The lines of this pane."""
    facts, width = view.facts, view.width
    if facts.prompt is None:
        return [
            *title("Prompt", "none yet", "", width),
            *empty("The prompt is what will be distilled.", ["distill-tui prompt set FILE"]),
        ]
    lines = title("Prompt", f"{facts.prompt_tokens} tokens", f"version {facts.prompt_version}", width)
    if facts.prompt.system:
        lines += [
            heading("system"),
            *(Content(f"  {line}") for line in wrap(facts.prompt.system, width - 2)),
            Content(""),
        ]
    lines.append(heading(f"rules  {len(facts.rules)}"))
    for rule in facts.rules:
        text = f"{rule.id:>2} {shorten(rule.text, width - 4)}"
        detail = shorten(f" {check_words(rule.check)}", max(width - len(text) - 3, 0))
        lines.append(Content.assemble(f" {text} ", (detail, DIM)))
    if facts.prompt.example_turns:
        lines += [Content(""), heading(f"example turns  {len(facts.prompt.example_turns) // 2}")]
        for message in facts.prompt.example_turns:
            mark, style = ("›", DIM) if message.role == "user" else (" ", "")
            for index, line in enumerate(wrap(message.content, width - 4)):
                lines.append(Content.assemble((f" {mark if index == 0 else ' '} ", DIM), (line, style)))
    return lines


def check_words(check: Check) -> str:
    """A rule's check in a few words."""
    match check.kind:
        case "length":
            low = f"{check.min} to " if check.min is not None else "at most "
            return f"{low}{check.max} {check.unit}" if check.max is not None else f"at least {check.min} {check.unit}"
        case "label":
            return "label, checked against the question" if check.gold else "one of the labels"
        case "forbidden":
            return "forbidden text"
        case _:
            return check.kind.replace("_", " ")
