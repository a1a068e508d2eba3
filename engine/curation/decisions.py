"""A person's decisions: accept, reject, flag or edit the selected examples, as one undoable step.

Knows nothing of how decisions are stored or shown.
"""

from dataclasses import dataclass

from engine.curation.meaning import meant, only_ids
from engine.errors import UsageError
from engine.project import Project
from engine.records.example import Decision, Verdict
from engine.records.rule import CheckResult
from engine.records.selection import Selection


@dataclass(frozen=True, slots=True)
class Accepted:
    """How many answers were accepted, and how many were skipped because they were cut."""

    decided: int
    left_out: int = 0


def accept(project: Project, selection: Selection, reason: str = "") -> Accepted:
    """Accept the selected answers in their current form, edited or not.

    Ids may be of any prompt; filters apply to the current one. Answers that were cut are skipped, because training on
    them would teach the student to stop in mid-sentence. Raises `UsageError`, and decides nothing, if such an answer
    is selected by id alone, or if only such answers are selected.
    """
    found = meant(project, selection)
    if found is None:
        return Accepted(0)
    cut = project.examples.cut(found)
    decided = 0 if cut and only_ids(selection) else project.decisions.decide_all("accept", found, reason)
    if cut and not decided:
        raise UsageError(
            "A cut answer cannot be accepted as it is.",
            f"Example {cut[0]} ended by {project.examples.get(cut[0]).example.ending}.",
            f"Edit it (distill-tui curate edit {cut[0]}), or do not select it.",
        )
    return Accepted(decided, len(cut))


def reject(project: Project, selection: Selection, reason: str = "") -> int:
    """Reject the selected examples. Returns how many were decided."""
    return _decide(project, "reject", selection, reason)


def flag(project: Project, selection: Selection, note: str = "") -> int:
    """Flag the selected examples, with a note. Decisions stay unchanged. Returns how many were flagged."""
    return _decide(project, "flag", selection, note)


def unflag(project: Project, selection: Selection) -> int:
    """Remove the flags of the selected examples. Returns how many there were."""
    return _decide(project, "unflag", selection, "")


def edit(project: Project, example_id: int, answer: str) -> tuple[CheckResult, ...]:
    """Accept one example with `answer` in place of the teacher's; returns its check results.

    Restoring the teacher's text counts as a plain accept. Raises `NotFoundError`, and `UsageError` for an empty answer.
    """
    from engine.rules.checks import check_answer  # imported here because most decisions do not need its pattern library

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
    found = meant(project, selection)
    return project.decisions.decide_all(verdict, found, reason) if found is not None else 0
