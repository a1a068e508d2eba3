"""The answers that a finished evaluation is based on, with their questions. Reads the store, measures nothing."""

from dataclasses import dataclass

from engine.project import Project
from engine.records.evaluation import ArmAnswer, Evaluation
from engine.records.question import Question


@dataclass(frozen=True, slots=True)
class Answered:
    """What every arm answered, by arm, question and sample, and the questions by their number."""

    questions: dict[int, Question]
    answers: tuple[ArmAnswer, ...]


def answers_of(project: Project, evaluation: Evaluation) -> Answered:
    """Return the stored answers of `evaluation`; empty if it did not record which answers are its own.

    The store keeps all answers of one key together. Those of another split or a wider limit are left out, as are those
    to a question that was restored after the evaluation had continued without it.
    """
    with project.snapshot():
        stored = _stored(project, evaluation)
        held_out = project.questions.by_id(evaluation.split)
    there = ({answer.question_id for answer in stored} & held_out.keys()) - set(evaluation.removed)
    asked = there & set(evaluation.asked) if evaluation.asked else sorted(there)[: evaluation.questions]
    questions = {number: held_out[number] for number in sorted(asked)}
    return Answered(questions, tuple(answer for answer in stored if answer.question_id in questions))


def _stored(project: Project, evaluation: Evaluation) -> tuple[ArmAnswer, ...]:
    """The answers of the evaluation's arms: one key may also hold arms of another evaluation."""
    if not evaluation.answers_key:
        return ()
    keys = dict(evaluation.extra_keys)
    arms = {name: keys.get(name, evaluation.answers_key) for name, _ in evaluation.arms}
    return tuple(
        answer
        for key in dict.fromkeys(arms.values())
        for answer in project.evaluations.answers(key, evaluation.judge)
        if arms.get(answer.arm) == key
    )
