"""A person's decisions: accepting, rejecting, flagging or editing what a selection means, as one undoable step.

Knows nothing of how decisions are stored or shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.curation.meaning import meant, only_ids
from engine.errors import UsageError
from engine.project import Project
from engine.records.example import Decision, Verdict
from engine.records.rule import CheckResult
from engine.records.selection import Selection

_READ_TOGETHER = 1000


@dataclass(frozen=True, slots=True)
class Accepted:
    """How many answers were accepted, and how many were left as they stood because they were cut."""

    decided: int
    left_out: int = 0


def accept(project: Project, selection: Selection, reason: str = "") -> Accepted:
    """Accept what is selected as it stands, edited or not; ids mean examples of any prompt, filters the current one's.

    An answer that did not end by itself is left out: training on it would teach to stop in mid-sentence. Raises
    `UsageError` where such an answer is named by nothing but its id, or where only such are selected; then nothing is
    decided.
    """
    found = _found(project, selection)
    if found is None:
        return Accepted(0)
    cut = project.examples.cut(found)
    decided = 0 if cut and only_ids(selection) else project.decisions.decide_all("accept", found, reason)
    if cut and not decided:
        raise UsageError(
            "A cut answer cannot be accepted as it is.",
            f"Example {cut[0]} ended by {project.examples.get(cut[0]).example.finish_reason.replace('_', ' ')}.",
            f"Edit it (distill-tui curate edit {cut[0]}) or leave it out.",
        )
    return Accepted(decided, len(cut))


def reject(project: Project, selection: Selection, reason: str = "") -> int:
    """Reject what is selected and return how many that were."""
    return _decide(project, "reject", selection, reason)


def flag(project: Project, selection: Selection, note: str = "") -> int:
    """Put up a flag, with a note to oneself; the decisions stay as they are. Returns how many were flagged."""
    return _decide(project, "flag", selection, note)


def unflag(project: Project, selection: Selection) -> int:
    """Take the flags down where there are any, and return how many there were."""
    return _decide(project, "unflag", selection, "")


def edit(project: Project, example_id: int, answer: str) -> tuple[CheckResult, ...]:
    """Accept one example with `answer` in place of the teacher's; returns what the rules find in it.

    The teacher's own words, put back, are no edit any more. Raises `NotFoundError`, and `UsageError` for an empty
    answer.
    """
    from engine.rules.checks import check_answer  # most decisions do without its library of patterns

    if not answer.strip():
        raise UsageError("The edited answer is empty.", f"Example {example_id}.", "Reject it instead.")
    example = project.examples.get(example_id).example
    question = project.questions.get(example.key.question_id)
    own = answer == example.answer and example.finish_reason == "stop"
    project.decisions.decide(
        [
            Decision(example_id, "accept", "person")
            if own
            else Decision(example_id, "edit", "person", edited_answer=answer)
        ]
    )
    return check_answer(project.rules.all(), answer, question)


def _decide(project: Project, verdict: Verdict, selection: Selection, reason: str) -> int:
    found = _found(project, selection)
    return project.decisions.decide_all(verdict, found, reason) if found is not None else 0


def _found(project: Project, selection: Selection) -> Selection | None:
    """What is meant, in words that the store knows; None where it can mean nothing."""
    found = meant(project, selection)
    if found is None or not found.contains:
        return found
    ids = tuple(_containing(project, found))
    return Selection(ids=ids) if ids else None


def _containing(project: Project, selection: Selection) -> Sequence[int]:
    sought, found = selection.contains.casefold(), list[int]()
    for offset in range(0, project.examples.count(selection), _READ_TOGETHER):
        for curated in project.examples.window(offset, _READ_TOGETHER, selection):
            if sought in curated.answer.casefold():
                found.append(curated.example.id)
    return found
