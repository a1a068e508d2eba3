"""A person's decisions: which examples are meant, and accepting, rejecting or editing them as one undoable step.

Knows nothing of how decisions are stored or shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import NotFoundError, UsageError
from engine.project import Project
from engine.records.example import CuratedExample, Decision, ExampleState
from engine.records.rule import CheckResult
from engine.rules.checks import check_answer


@dataclass(frozen=True, slots=True)
class Selection:
    """Which examples are meant: all that fit every filter that is set. `ids` names some directly."""

    ids: tuple[int, ...] = ()
    state: ExampleState | None = None
    failing_rule: int | None = None
    contains: str = ""  # case-insensitive, in the answer

    @property
    def empty(self) -> bool:
        """No filter at all: what a slip of the hand would mean by "everything"."""
        return self == Selection()


def select(project: Project, selection: Selection) -> tuple[CuratedExample, ...]:
    """The examples of the current prompt that fit. Raises `NotFoundError` for an id that is not there."""
    if selection.ids and selection == Selection(ids=selection.ids):
        return tuple(project.examples.get(example_id) for example_id in dict.fromkeys(selection.ids))
    prompt = project.prompts.current()
    examples = project.examples.all(prompt.prompt.sha256) if prompt is not None else ()
    wanted = set(selection.ids)
    missing = wanted - {curated.example.id for curated in examples}
    if missing:
        raise NotFoundError("There is no such example.", f"Number {min(missing)}.", "See: distill-tui curate list")
    return tuple(
        curated
        for curated in examples
        if (not wanted or curated.example.id in wanted)
        and (selection.state is None or curated.state == selection.state)
        and (selection.failing_rule is None or _fails(curated, selection.failing_rule))
        and selection.contains.casefold() in curated.answer.casefold()
    )


def _fails(curated: CuratedExample, rule_id: int) -> bool:
    return any(check.rule_id == rule_id and not check.passed for check in curated.example.checks)


def accept(project: Project, examples: Sequence[CuratedExample], reason: str = "") -> int:
    """Accept all of them in one step and return how many.

    Raises `UsageError` for an answer that did not end by itself: training on it would teach to stop in mid-sentence.
    """
    for curated in examples:
        if curated.example.finish_reason != "stop":
            raise UsageError(
                "A cut answer cannot be accepted as it is.",
                f"Example {curated.example.id} ended by {curated.example.finish_reason.replace('_', ' ')}.",
                f"Edit it (distill-tui curate edit {curated.example.id}) or leave it out.",
            )
    return _decide(project, [Decision(c.example.id, "accept", "person", reason=reason) for c in examples])


def reject(project: Project, examples: Sequence[CuratedExample], reason: str = "") -> int:
    """Reject all of them in one step and return how many."""
    return _decide(project, [Decision(c.example.id, "reject", "person", reason=reason) for c in examples])


def edit(project: Project, example_id: int, answer: str, reason: str = "") -> tuple[CheckResult, ...]:
    """Accept one example with `answer` in place of the teacher's; returns what the rules find in it.

    Raises `NotFoundError`, and `UsageError` for an empty answer.
    """
    if not answer.strip():
        raise UsageError("The edited answer is empty.", f"Example {example_id}.", "Reject it instead.")
    curated = project.examples.get(example_id)
    question = project.questions.get(curated.example.key.question_id)
    _decide(project, [Decision(example_id, "edit", "person", edited_answer=answer, reason=reason)])
    return check_answer(project.rules.all(), answer, question)


def _decide(project: Project, decisions: Sequence[Decision]) -> int:
    project.decisions.decide(decisions)
    return len(decisions)
