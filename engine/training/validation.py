"""What the student has learned so far, measured on validation rows while it trains. Knows nothing of steps or files.

Three measures: the divergence to the prompted teacher at the validation answers' tokens, the share of sampled answers
that keep each rule, and what the student says to a few watched questions. Rows and questions are chosen once a run
and their seeds stay the same, so the points of a curve are comparable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from engine.model.load import LocalModel
from engine.records.dataset import DatasetRow
from engine.records.question import Question
from engine.records.rule import Rule
from engine.records.run import CurvePoint, TrainingConfig
from engine.rules.checks import check_answer, passes_all
from engine.training.batches import make_batch
from engine.training.decode_shared import decode_shared
from engine.training.losses import cross_entropy, forward_kl_top_k
from engine.training.ranks import ALONE, Ranks
from engine.training.student import token_losses
from engine.training.teacher_cache import TeacherCache

WATCHED_QUESTIONS = 2
_QUESTIONS, _FEWEST_ROWS = 16, 16
_SHARE = 0.08  # of the run's own work that all validation passes together may cost
# Costs in trained tokens, measured on a CPU: of a token's forward pass, and of decoding one token of every question
# together, which takes as long for a few questions as for all of them.
_SCORED_COST, _DECODING_STEP_COST = 0.4, 20.0
BEYOND_LONGEST = 8  # tokens
_RATE_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class WatchedAnswer:
    """What the student answers to one of the watched questions."""

    question: str
    answer: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Measurement:
    """One validation pass. `validation_kl` is a mean a token in nats; rates are shares of sampled answers."""

    validation_kl: float
    rule_rates: tuple[tuple[int, float], ...]
    all_rules_rate: float
    watched: tuple[WatchedAnswer, ...]


class Validator:
    """Measures a student on a fixed sample of validation rows.

    Without any row that has a teacher distribution, `validation_kl` is the cross-entropy of the validation answers.
    """

    def __init__(
        self,
        rows: Sequence[DatasetRow],
        teacher: TeacherCache | None,
        questions: Mapping[int, Question],
        rules: Sequence[Rule],
        temperature: float,
        config: TrainingConfig,
        trained_tokens: int,
    ) -> None:
        """`trained_tokens`: tokens of all steps of the run, which decides how much validation it can afford."""
        shuffled = Random(config.seed).sample(list(rows), len(rows))  # noqa: S311 - nothing secret is drawn
        with_teacher = [row for row in shuffled if row.edited_from > 0] if teacher is not None else []
        self.has_teacher = bool(with_teacher)
        # A little longer than any accepted answer: enough to see that an answer does not end.
        self._most_tokens = max(len(row.completion_ids) for row in rows) + BEYOND_LONGEST
        self.asked = tuple({row.question_id: row for row in reversed(shuffled)}.values())[::-1][:_QUESTIONS]
        budget = _SHARE * trained_tokens / (config.evaluations + 1) - _DECODING_STEP_COST * self._most_tokens
        self.scored = _affordable(with_teacher or shuffled, budget)
        self._teacher = teacher
        self._questions = questions
        self._rules = rules
        self._temperature = temperature
        self._seed = config.seed

    def measure(
        self, student: LocalModel, micro_batch_rows: int, rest: Callable[[], None], ranks: Ranks = ALONE
    ) -> Measurement:
        """Run one validation pass, shared among the `ranks`; `rest` is called between its batches and may raise."""
        student.model.eval()
        try:
            with ranks.together():
                sums = self._divergence(student, micro_batch_rows, rest, ranks)
                rest()
            total, count = ranks.sum(sums)
            return self._sampled(student, total / count, ranks)
        finally:
            student.model.train()

    def _divergence(
        self, student: LocalModel, micro_batch_rows: int, rest: Callable[[], None], ranks: Ranks
    ) -> tuple[float, int]:
        """Summed over this rank's tokens, and their number."""
        longest_last = sorted(self.scored, key=lambda row: len(row.question_ids) + len(row.completion_ids))
        ordered = ranks.share(longest_last)
        total, count = 0.0, 0
        for start in range(0, len(ordered), micro_batch_rows):
            rest()
            part = ordered[start : start + micro_batch_rows]
            batch = make_batch(part)
            targets = batch.target_ids.to(student.device)
            if self._teacher is None or not self.has_teacher:
                losses = token_losses(student, batch, lambda logits, here: cross_entropy(logits, targets[here]))  # noqa: B023
            else:
                teacher = self._teacher.gather(part).to(student.device)
                losses = token_losses(
                    student,
                    batch,
                    lambda logits, here: forward_kl_top_k(
                        logits,
                        teacher.ids[here],  # noqa: B023
                        teacher.logprobs[here],  # noqa: B023
                        teacher.tail[here],  # noqa: B023
                    ),
                )
                losses = losses[batch.follows_teacher]
            total += float(losses.double().sum())
            count += len(losses)
        return total, count

    def _sampled(self, student: LocalModel, validation_kl: float, ranks: Ranks) -> Measurement:
        room = student.format.context_length - max(len(row.question_ids) for row in self.asked)
        decoded = decode_shared(
            ranks,
            student,
            [row.question_ids for row in self.asked],
            temperature=self._temperature,
            max_new_tokens=max(1, min(self._most_tokens, room)),
            seeds=[self._seed + row.question_id for row in self.asked],
        )
        passed_by_rule = dict.fromkeys((rule.id for rule in self._rules), 0)
        passed_all = 0
        watched: list[WatchedAnswer] = []
        for row, one in zip(self.asked, decoded, strict=True):
            question = self._questions[row.question_id]
            answer = student.format.decode(one.ids)
            results = check_answer(self._rules, answer, question)
            # An answer that had to be cut keeps no promise, whatever its beginning looks like.
            passed = passes_all(results) and one.finish_reason == "stop"
            passed_all += passed
            for result in results:
                passed_by_rule[result.rule_id] += result.passed
            if len(watched) < WATCHED_QUESTIONS:
                watched.append(WatchedAnswer(question.text, answer, passed))
        asked = len(self.asked)
        return Measurement(
            validation_kl,
            tuple((rule_id, count / asked) for rule_id, count in passed_by_rule.items()),
            passed_all / asked,
            tuple(watched),
        )


def best_point(points: Sequence[CurvePoint], asked: int) -> CurvePoint:
    """The point with the lowest validation KL among those whose all-rules rate is within 5 points of the best seen.

    With few `asked` questions a single answer is worth more than 5 points; one answer alone never rejects a point.
    Steps before the first are left out unless there are no others.
    """
    trained = [point for point in points if point.step > 0] or list(points)
    tolerance = max(_RATE_TOLERANCE, 1 / asked) + 1e-9
    best_rate = max(point.all_rules_rate for point in trained)
    close = [point for point in trained if point.all_rules_rate >= best_rate - tolerance]
    return min(close, key=lambda point: (point.validation_kl, point.step))


def _affordable(rows: Sequence[DatasetRow], budget: float) -> tuple[DatasetRow, ...]:
    """The first rows whose forward passes the budget pays for, but a few in any case."""
    chosen: list[DatasetRow] = []
    for row in rows:
        budget -= _SCORED_COST * (len(row.question_ids) + len(row.completion_ids))
        if budget < 0 and len(chosen) >= _FEWEST_ROWS:
            break
        chosen.append(row)
    return tuple(chosen)
