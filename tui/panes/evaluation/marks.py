"""How the student differs from its reference: one mark per rule, a legend, and what would decide. Pure."""

from textual.content import Content

from engine.records.comparison import Comparison, Outcome, Paired
from engine.wording import counted
from tui.widgets.lines import BAD, DIM, GOOD, WARN, shorten, wrap

_MARKS: dict[Outcome, tuple[str, str]] = {
    "better": ("▲", GOOD),
    "worse": ("▼", BAD),
    "undecided": ("○", WARN),
    "kept": (" ", ""),
}
_EVERY_RULE = "“every rule”"  # the table's row of all rules together


def mark_of(paired: Paired | None) -> tuple[str, str]:
    """One cell with its style; empty if the rule is kept or was not compared."""
    return _MARKS[paired.outcome] if paired is not None else _MARKS["kept"]


def legend(found: Comparison, width: int) -> list[Content]:
    """The legend of the marks used above, on one line; empty if every rule is kept."""
    outcomes = {paired.outcome for _, paired in _named(found)}
    parts = [
        f"{_MARKS[outcome][0]} {words}"
        for outcome, words in (("better", f"better than {found.against}"), ("worse", f"worse than {found.against}"))
        if outcome in outcomes
    ]
    if parts:
        parts[-1] += " (McNemar, Holm-corrected)"
    if "undecided" in outcomes:
        parts.append("○ undecided")
    return [Content.styled(shorten("   ".join(parts), width), DIM)] if parts else []


def deciding(found: Comparison, width: int) -> list[Content]:
    """How many more questions would decide each undecided rule, fewest first; empty if no number would."""
    rows: dict[int, list[str]] = {}
    for name, paired in _named(found):
        if paired.outcome == "undecided" and paired.more_questions is not None:
            rows.setdefault(paired.more_questions, []).append(name)
    if not rows:
        return []
    (fewest, first), *others = sorted(rows.items())
    words = f"○ {counted(fewest, 'more question')} would decide {_together(first, found)}"
    words += "".join(f"; {number:,} {_together(names, found)}" for number, names in others)
    return [Content.styled(line, DIM) for line in wrap(f"{words}.", width)]


def _together(names: list[str], found: Comparison) -> str:
    """Rows of the table in a sentence: “rule 4”, “rules 1, 2 and 3”, or “every rule” if these are all of them."""
    if len(names) == len(_named(found)):
        return "every rule"
    *before, last = names
    rules = "" if names[0] == _EVERY_RULE else "rules " if len(names) > 1 + (last == _EVERY_RULE) else "rule "
    return f"{rules}{', '.join(before)} and {last}" if before else f"{rules}{last}"


def _named(found: Comparison) -> list[tuple[str, Paired]]:
    return [*((str(each.id), each.paired) for each in found.rules), (_EVERY_RULE, found.all_rules)]


def arm_title(name: str) -> str:
    """An arm's name, shortened for a column if it is an extra arm."""
    kind, _, rest = name.partition(":")
    if kind == "run":
        return f"run {rest}"
    if kind == "checkpoint":
        return rest.replace(":", "@")
    return "+ prompt" if name == "prompt_back" else name
