"""How far an arm is from the prompted base, token by token, along the prompted base's own held-out answers."""

from collections.abc import Callable, Sequence
from itertools import compress
from typing import TYPE_CHECKING

from engine.evaluation.arms import LocalArm
from engine.evaluation.statistics import mean_by_question
from engine.records.evaluation import ArmAnswer, Divergence
from engine.records.question import Question

if TYPE_CHECKING:
    from engine.model.load import LocalModel


def kl_to_prompted(
    local: "LocalModel",
    prompted: LocalArm,
    arm: LocalArm,
    questions: Sequence[Question],
    answers: Sequence[ArmAnswer],
    *,
    seed: int,
    on_rows: Callable[[int], None],
) -> Divergence | None:
    """KL(prompted ‖ arm) in nats, exact over the vocabulary, mean over the tokens of one prompted answer a question.

    The distributions are the models' own, at temperature 1. None where every answer is empty.

    `answers` are the prompted arm's; each question's first sample is read, tokenised with its stop token unless it
    was cut. The interval is a bootstrap over questions within topics. Free tokens are those that no rule fixes: they
    touch no span that a check of this answer calls fixed. `on_rows` is told how many answers are done.
    """
    from engine.model.score import DivergenceRow, divergence

    first = {answer.question_id: answer for answer in answers if answer.sample == 0}
    completions = {question.id: _completion_ids(local, first[question.id]) for question in questions}
    chosen = [question for question in questions if completions[question.id]]
    if not chosen:
        return None
    rows = [
        DivergenceRow(prompted.context_ids(question), arm.context_ids(question), completions[question.id])
        for question in chosen
    ]
    found = divergence(local, rows, prompted.prefix(), student_adapter=arm.adapter, on_rows=on_rows)
    tokens = [[float(value) for value in row] for row in found]
    topics = [question.topic for question in chosen]
    whole = mean_by_question(topics, [sum(row) for row in tokens], [len(row) for row in tokens], seed=seed)
    free: list[float] = []
    for question, row in zip(chosen, tokens, strict=True):
        free.extend(compress(row, _free(local, first[question.id], completions[question.id])))
    return Divergence(whole.value, whole.low, whole.high, sum(free) / len(free) if free else 0.0)


def _completion_ids(local: "LocalModel", answer: ArmAnswer) -> list[int]:
    ids = local.format.completion_ids(answer.answer)
    return ids[:-1] if answer.finish_reason == "length" else ids


def _free(local: "LocalModel", answer: ArmAnswer, ids: Sequence[int]) -> list[bool]:
    fixed = [span for check in answer.checks for span in check.fixed]
    return [
        not any(start < span.end and span.start < end for span in fixed) for start, end in local.format.token_spans(ids)
    ]
