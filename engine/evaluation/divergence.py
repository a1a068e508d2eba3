"""How far the prompt-free arms are from the prompted base, token by token, along its own held-out answers."""

from collections.abc import Callable, Sequence
from itertools import compress
from typing import TYPE_CHECKING

from engine.evaluation.arms import LocalArm
from engine.evaluation.statistics import mean_by_question
from engine.records.evaluation import ArmAnswer, ArmName, Divergence
from engine.records.question import Question

if TYPE_CHECKING:
    from engine.model.load import LocalModel


def kl_to_prompted(
    local: "LocalModel",
    prompted: LocalArm,
    arms: Sequence[LocalArm],
    questions: Sequence[Question],
    answers: Sequence[ArmAnswer],
    *,
    seed: int,
    on_rows: Callable[[int], None],
) -> dict[ArmName, Divergence | None]:
    """KL(prompted ‖ arm) in nats of each arm, exact over the vocabulary, mean over the answers' tokens.

    `prompted` may be any arm that leaves the adapter off: the bare base, where answers of its own are to be kept. All
    `arms` see the same before an answer: none the prompt, or, where it is put back, all of them. The distributions are
    the models' own, at temperature 1. None where every answer is empty.

    `answers` are the prompted arm's; each question's first sample is read, tokenised with its stop token unless it
    was cut. The interval is a bootstrap over questions within topics. Free tokens are those that no rule fixes: they
    touch no span that a check of this answer calls fixed. `on_rows` is told how many answers are done.
    """
    from engine.model.score import DivergenceRow, divergence

    first = {answer.question_id: answer for answer in answers if answer.sample == 0}
    completions = {question.id: _completion_ids(local, first[question.id]) for question in questions}
    chosen = [question for question in questions if completions[question.id]]
    if not chosen:
        return {arm.name: None for arm in arms}
    rows = [
        DivergenceRow(
            prompted.context_ids(question),
            arms[0].context_ids(question),
            completions[question.id],
        )
        for question in chosen
    ]
    free = [_free(local, first[question.id], completions[question.id]) for question in chosen]
    topics = [question.topic for question in chosen]
    found = divergence(
        local,
        rows,
        prompted.prefix(),
        student_adapters=[arm.adapter for arm in arms],
        student_prefix=arms[0].prefix(),
        on_rows=on_rows,
    )
    divergences: dict[ArmName, Divergence | None] = {}
    for arm, tensors in zip(arms, found, strict=True):
        tokens = [[float(value) for value in row] for row in tensors]
        whole = mean_by_question(topics, [sum(row) for row in tokens], [len(row) for row in tokens], seed=seed)
        free_tokens = [value for row, mask in zip(tokens, free, strict=True) for value in compress(row, mask)]
        mean_free = sum(free_tokens) / len(free_tokens) if free_tokens else 0.0
        divergences[arm.name] = Divergence(whole.value, whole.low, whole.high, mean_free)
    return divergences


def _completion_ids(local: "LocalModel", answer: ArmAnswer) -> list[int]:
    ids = local.format.completion_ids(answer.answer)
    return ids[:-1] if answer.finish_reason == "length" else ids


def _free(local: "LocalModel", answer: ArmAnswer, ids: Sequence[int]) -> list[bool]:
    fixed = [span for check in answer.checks for span in check.fixed]
    return [
        not any(start < span.end and span.start < end for span in fixed) for start, end in local.format.token_spans(ids)
    ]
