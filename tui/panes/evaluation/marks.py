"""How the student differs from its reference, as a mark a rule and one line that tells the marks. Pure."""

from textual.content import Content

from engine.records.comparison import Comparison, Outcome, Paired
from tui.widgets.lines import BAD, DIM, GOOD, WARN, shorten, wrap

_MARKS: dict[Outcome, tuple[str, str]] = {
    "better": ("▲", GOOD),
    "worse": ("▼", BAD),
    "undecided": ("◐", WARN),
    "kept": (" ", ""),
}
_LINES = 2  # for what the marks mean


def mark_of(paired: Paired | None) -> tuple[str, str]:
    """One cell with its style; empty for what is kept, or was not compared."""
    return _MARKS[paired.outcome] if paired is not None else _MARKS["kept"]


def marks_told(found: Comparison, width: int) -> list[Content]:
    """What the marks mean that stand above, and how many more questions would decide; nothing where all is kept."""
    named = [*((f"rule {each.id}", each.paired) for each in found.rules), ("all together", found.all_rules)]
    outcomes = {paired.outcome for _, paired in named}
    parts = [
        f"{_MARKS[outcome][0]} {words}"
        for outcome, words in (("better", f"better than {found.against}"), ("worse", f"worse than {found.against}"))
        if outcome in outcomes
    ]
    if parts:
        parts[-1] += " (McNemar, Holm-corrected)"
    undecided = [_missing(name, paired) for name, paired in named if paired.outcome == "undecided"]
    if undecided:
        parts.append(f"◐ undecided: {', '.join(undecided)}")
    if not parts:
        return []
    lines = wrap("   ".join(parts), width)
    if len(lines) > _LINES:
        lines[_LINES - 1 :] = [shorten(" ".join(lines[_LINES - 1 :]), width)]
    return [Content.styled(line, DIM) for line in lines]


def _missing(name: str, paired: Paired) -> str:
    if paired.more_questions is None:
        return name
    return f"{name} ({paired.more_questions:,} more question{'s' if paired.more_questions != 1 else ''} would decide)"


def arm_title(name: str) -> str:
    """An arm's name as a column has room for: an extra one's in short."""
    kind, _, rest = name.partition(":")
    if kind == "run":
        return f"run {rest}"
    if kind == "checkpoint":
        return rest.replace(":", "@")
    return "+ prompt" if name == "prompt_back" else name
