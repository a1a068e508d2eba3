"""How far the arms diverge from the prompted base, token by token, along the base's own held-out answers."""

from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING

from engine.evaluation.arms import LocalArm, out_of_memory_names
from engine.evaluation.held_out import broken_by_question, rules_at, worst_answers, worst_places
from engine.evaluation.statistics import mean_by_question
from engine.records.evaluation import ArmAnswer, ArmName, Divergence, HeldOutToken
from engine.records.question import Question
from engine.records.run import BEFORE_CHARACTERS

if TYPE_CHECKING:
    from engine.model.local_model import LocalModel
    from engine.model.prompt_cache import PromptCache
    from engine.model.score import DivergenceRow, ScoreRow


def kl_to_prompted(
    local: "LocalModel",
    prompted: LocalArm,
    arms: Sequence[LocalArm],
    questions: Sequence[Question],
    answers: Mapping[ArmName, Sequence[ArmAnswer]],
    *,
    seed: int,
    on_rows: Callable[[int], None],
) -> dict[ArmName, Divergence | None]:
    """KL(prompted ‖ arm) in nats of each arm, exact over the vocabulary, mean over the answers' tokens.

    `prompted` may be any arm with the adapter off, including the unprompted base. All `arms` must have the same context
    before an answer: either none sees the prompt, or all do. The distributions are the models' own, at temperature 1.
    None if every answer is empty.

    From the prompted arm's `answers`, the first sample of each question is read, tokenised with its stop token unless
    it was cut; the answers of the other arms show which rules they fail themselves. The interval is a bootstrap over
    questions within topics. Free tokens do not overlap any span that a check of the answer reports as fixed. `on_rows`
    receives the number of finished answers. Raises `ModelError` if there is not enough memory.
    """
    from engine.model.score import DivergenceRow, divergence

    first = {answer.question_id: answer for answer in answers[prompted.name] if answer.sample == 0}
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
    divergences: dict[ArmName, Divergence | None] = {}
    with out_of_memory_names(prompted.name, *(arm.name for arm in arms)):
        found = divergence(
            local,
            rows,
            prompted.prefix(),
            students=[arm.switched for arm in arms],
            student_prefix=arms[0].prefix(),
            on_rows=on_rows,
        )
        for arm, tensors in zip(arms, found, strict=True):
            tokens = [[float(value) for value in row] for row in tensors]
            whole = mean_by_question(topics, [sum(row) for row in tokens], [len(row) for row in tokens], seed=seed)
            free_tokens = [value for row, mask in zip(tokens, free, strict=True) for value in compress(row, mask)]
            mean_free = sum(free_tokens) / len(free_tokens) if free_tokens else 0.0
            divergences[arm.name] = Divergence(
                whole.value,
                whole.low,
                whole.high,
                mean_free,
                _worst_tokens(local, prompted, arm, rows, chosen, tokens, answers) if arm.adapter else (),
                worst_answers(chosen, tokens, answers[arm.name]) if arm.adapter else (),
            )
    return divergences


def _worst_tokens(
    local: "LocalModel",
    prompted: LocalArm,
    arm: LocalArm,
    rows: Sequence["DivergenceRow"],
    questions: Sequence[Question],
    tokens: Sequence[Sequence[float]],
    answers: Mapping[ArmName, Sequence[ArmAnswer]],
) -> tuple[HeldOutToken, ...]:
    """The worst `tokens`. Only their answers are read again, to find the token that each model finds most likely."""
    from engine.model.score import ScoreRow

    places = worst_places(tokens)
    read = sorted({row for _, row, _ in places})
    sides = [
        _likeliest(local, one, [ScoreRow(context, rows[row].completion_ids) for row, context in contexts], one.prefix())
        for one, contexts in (
            (prompted, [(row, rows[row].prompted_ids) for row in read]),
            (arm, [(row, rows[row].question_ids) for row in read]),
        )
    ]
    expected, found = (dict(zip(read, side, strict=True)) for side in sides)
    first = {answer.question_id: answer for answer in answers[prompted.name] if answer.sample == 0}
    broken = broken_by_question(answers[arm.name])
    worst = []
    for kl, row, place in places:
        ids, question = rows[row].completion_ids, questions[row].id
        fixed, failed = rules_at(first[question].checks, *local.format.token_spans(ids)[place])
        before = ids[:place]
        worst.append(
            HeldOutToken(
                kl=kl,
                question_id=question,
                before=local.format.decode(before)[-BEFORE_CHARACTERS:],
                token=local.format.text_after(before, ids[place]),
                prompted=local.format.text_after(before, expected[row][place]),
                arm=local.format.text_after(before, found[row][place]),
                fixed_by=fixed,
                failed_by=failed,
                broken=broken.get(question, ()),
            )
        )
    return tuple(worst)


def _likeliest(
    local: "LocalModel", arm: LocalArm, rows: Sequence["ScoreRow"], prefix: "PromptCache | None"
) -> list[list[int]]:
    """The arm's most likely token at each position of each row."""
    from engine.model.score import score

    if not rows:
        return []
    with arm.switched():
        return [[int(id) for id in top.ids[:, 0]] for top in score(local, rows, prefix=prefix, k=1)]


def _completion_ids(local: "LocalModel", answer: ArmAnswer) -> list[int]:
    ids = local.format.completion_ids(answer.answer)
    return ids[:-1] if answer.finish_reason == "length" else ids


def _free(local: "LocalModel", answer: ArmAnswer, ids: Sequence[int]) -> list[bool]:
    fixed = [span for check in answer.checks for span in check.fixed]
    return [not any(span.overlaps(*token) for span in fixed) for token in local.format.token_spans(ids)]
