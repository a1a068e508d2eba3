"""What the student has learned so far, measured on validation rows while it trains. Knows nothing of steps or files.

Three measures: the divergence from the prompted teacher at the tokens of validation answers, with the worst of them;
the share of sampled answers that pass each rule; and the student's answers to a few watched questions. Rows and
questions are chosen once per run and their seeds stay the same, so the points of a curve are comparable.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from random import Random

import torch
from torch import Tensor

from engine.model.decode import Decoded, limits_within
from engine.model.local_model import LocalModel
from engine.model.memory import halve_until_it_fits, within_memory
from engine.records.dataset import DatasetPrompt, DatasetRow
from engine.records.rule import passes_all
from engine.records.run import Measure, WorstToken
from engine.rules.checks import check_answer
from engine.training.batches import make_batch
from engine.training.costs import BEYOND_LONGEST, row_tokens
from engine.training.decode_shared import decode_shared
from engine.training.losses import TeacherTopK, cross_entropy, forward_kl_top_k
from engine.training.prompted import by_prompt
from engine.training.ranks import ALONE, Ranks
from engine.training.student import ChunkLoss, token_losses
from engine.training.teacher_cache import TeacherCache
from engine.training.validation_plan import WATCHED_QUESTIONS, ValidationPlan
from engine.training.worst_tokens import worst, worst_of_batch

_SAMPLED_AT_ONCE = 32  # answers; halved if memory runs out. Independent of the rows of a training pass.


@dataclass(frozen=True, slots=True)
class WatchedAnswer:
    """The student's answer to one of the watched questions."""

    question: str
    answer: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Measurement:
    """One validation pass. `validation_kl` is a mean per token in nats; rates are shares of sampled answers.

    `all_rules_rate` covers the answers to all prompts, each checked by the rules of its own prompt; `rule_rates` cover
    the project's own rules and the answers to its own questions. Without sampled answers there are no rates.
    """

    validation_kl: float
    worst: tuple[WorstToken, ...] = ()
    rule_rates: tuple[tuple[int, float], ...] = ()
    all_rules_rate: float | None = None
    watched: tuple[WatchedAnswer, ...] = ()
    asked: int = 0
    asked_own: int = 0
    measure: Measure = "validation KL"
    decoding_step_s: float = 0.0  # mean time of a decoding step; 0 without answers


class Validator:
    """Measures a student on a fixed sample of validation rows.

    If no row has a teacher distribution, `validation_kl` is the cross-entropy of the validation answers.
    """

    def __init__(
        self,
        rows: Sequence[DatasetRow],
        teacher: TeacherCache | None,
        dataset_prompts: Sequence[DatasetPrompt],
        temperature: float,
        seed: int,
        plan: ValidationPlan,
    ) -> None:
        """`dataset_prompts`: each prompt's questions and rules, the project's own first. `plan`: how large it is."""
        shuffled = Random(seed).sample(list(rows), len(rows))  # noqa: S311 - nothing secret is drawn
        with_teacher = [row for row in shuffled if row.edited_from > 0] if teacher is not None else []
        self.has_teacher = bool(with_teacher)
        questions = tuple({row.question_key: row for row in reversed(shuffled)}.values())[::-1]
        in_turns = chain.from_iterable(zip_longest(*by_prompt(questions).values()))  # prompts take turns
        self.asked = tuple(questions[place] for place in in_turns if place is not None)[: plan.most_asked]
        self.tokens = row_tokens(self.asked, 0)
        self.scored = tuple(with_teacher or shuffled)[: plan.scored]
        self.plan = plan
        self._teacher = teacher
        self._questions = [{question.id: question for question in each.questions} for each in dataset_prompts]
        self._rules = [each.rules for each in dataset_prompts]
        self._temperature = temperature
        self._seed = seed

    def measure(
        self,
        student: LocalModel,
        micro_batch_rows: int,
        rest: Callable[[], None],
        ranks: Ranks = ALONE,
        *,
        answers: int | None = None,
    ) -> Measurement:
        """Run one validation pass, shared among the `ranks`; `rest` is called between batches and may raise.

        `answers` limits how many are sampled; by default, one for each question. If the student has diverged,
        `validation_kl` is not finite. Raises `ModelError` if one answer at a time does not fit into memory; if a pass
        of `micro_batch_rows` rows does not, torch's own error passes through.
        """
        student.model.eval()
        try:
            with ranks.together():
                sums, found = self._divergence(student, micro_batch_rows, rest, ranks)
                rest()
            total, count = ranks.sum(sums)
            measure: Measure = "validation KL" if self.has_teacher else "cross-entropy"
            measured = Measurement(total / count, worst(ranks.gather(WorstToken, found)), measure=measure)
            # A student whose divergence is not finite has no distribution to sample from.
            asked = self.asked if answers is None else self.asked[:answers]
            return self._with_answers(measured, asked, student, ranks) if asked and math.isfinite(total) else measured
        finally:
            student.model.train()

    def _divergence(
        self, student: LocalModel, micro_batch_rows: int, rest: Callable[[], None], ranks: Ranks
    ) -> tuple[tuple[float, int], tuple[WorstToken, ...]]:
        """Return the sum over this rank's tokens, their number, and the worst of them."""
        longest_last = sorted(self.scored, key=lambda row: len(row.question_ids) + len(row.completion_ids))
        ordered = ranks.share(longest_last)
        total, count, found = 0.0, 0, list[WorstToken]()
        for start in range(0, len(ordered), micro_batch_rows):
            rest()
            part = ordered[start : start + micro_batch_rows]
            batch = make_batch(part)
            teacher, counted, teacher_ids = None, torch.ones_like(batch.follows_teacher), batch.target_ids
            if self._teacher is not None and self.has_teacher:
                teacher, counted = self._teacher.gather(part), batch.follows_teacher
                teacher_ids = teacher.ids[:, 0]
            likeliest: list[Tensor] = []
            losses = token_losses(student, batch, _loss(student, batch.target_ids, teacher, likeliest))
            counted_losses = losses.masked_fill(~counted, float("-inf"))
            found += worst_of_batch(part, counted_losses, teacher_ids, torch.cat(likeliest).cpu(), student.format)
            losses = losses[counted]
            total += float(losses.double().sum())
            count += len(losses)
        return (total, count), worst(found)

    def _with_answers(
        self, measured: Measurement, asked: Sequence[DatasetRow], student: LocalModel, ranks: Ranks
    ) -> Measurement:
        rows = [row.question_ids for row in asked]
        # A little longer than any accepted answer to them: enough to see that an answer does not end.
        most_tokens = max(len(row.completion_ids) for row in asked) + BEYOND_LONGEST

        def sample(at_once: int) -> list[Decoded]:
            return decode_shared(
                ranks,
                student,
                rows,
                temperature=self._temperature,
                max_new_tokens=limits_within(student, rows, most_tokens),
                seeds=[self._seed + row.question_id for row in asked],
                batch_rows=at_once,
            )

        with within_memory(
            "Close other programs, or choose a smaller base model.", "The answers sampled for validation"
        ):
            started = time.monotonic()
            decoded = halve_until_it_fits(sample, _SAMPLED_AT_ONCE)
            seconds = time.monotonic() - started
        passed_by_rule = dict.fromkeys((rule.id for rule in self._rules[0] if not rule.needs_judge), 0)
        passed_all = asked_own = 0
        watched: list[WatchedAnswer] = []
        for row, one in zip(asked, decoded, strict=True):
            question = self._questions[row.prompt_index][row.question_id]
            answer = student.format.decode(one.ids)
            results = check_answer(self._rules[row.prompt_index], answer, question)
            # An answer that was cut off does not pass, whatever its beginning looks like.
            passed = passes_all(results) and one.finish_reason == "stop"
            passed_all += passed
            if row.prompt_index == 0:
                asked_own += 1
                for result in results:
                    passed_by_rule[result.rule_id] += result.passed
            if len(watched) < WATCHED_QUESTIONS:
                watched.append(WatchedAnswer(question.text, answer, passed))
        rates = tuple((rule_id, count / asked_own) for rule_id, count in passed_by_rule.items()) if asked_own else ()
        return replace(
            measured,
            rule_rates=rates,
            all_rules_rate=passed_all / len(asked),
            watched=tuple(watched),
            asked=len(asked),
            asked_own=asked_own,
            decoding_step_s=seconds / max(len(one.ids) for one in decoded),
        )


def _loss(student: LocalModel, target_ids: Tensor, teacher: TeacherTopK | None, likeliest: list[Tensor]) -> ChunkLoss:
    """Return the divergence from `teacher`, or the cross-entropy without one; appends to `likeliest` as it runs."""
    targets = target_ids.to(student.device)
    known = None if teacher is None else teacher.to(student.device)

    def loss(logits: Tensor, here: slice) -> Tensor:
        likeliest.append(logits.argmax(-1))
        if known is None:
            return cross_entropy(logits, targets[here])
        return forward_kl_top_k(logits, known[here])

    return loss
