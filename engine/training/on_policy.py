"""The second stage: the student's own answers, scored by the prompted base. Knows nothing of optimizers.

Off-policy, the student only ever sees the teacher's text, and never what to do after a mistake of its own. Here it
answers a question without the prompt, the frozen base scores the same answer with the prompt in context, and the loss
is the reverse KL at each token (GKD, arXiv 2306.13649; for prompts OPCD, arXiv 2602.12275). No gradient goes through
the sampling. If several prompts are taught, each answer is scored with the prompt of its question.

Answers that were cut off carry loss like the others: each token has its own target, and where an answer should have
ended, that target teaches it to. The danger is that long loops outweigh everything else (StableOPD, arXiv 2604.08527),
so answers are sampled only a little beyond the longest training answer. The share of cut answers is reported, and if
it stays over a half the stage ends: after a first stage that was too short, 75 to 88 % are cut off.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from engine.errors import TrainingError
from engine.model.decode import NoProbabilities, limits_within
from engine.model.load import adapter_off
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.model.score import ScoreRow, hidden_states
from engine.records.dataset import DatasetPrompt, DatasetRow
from engine.records.run import TrainingConfig
from engine.seeds import answer_seed
from engine.training.batches import Batch, shared_length
from engine.training.costs import BEYOND_LONGEST, DECODING_STEP_COST, row_tokens, second_step_cost
from engine.training.decode_shared import decode_shared
from engine.training.extra_terms import ExtraTerms
from engine.training.losses import reverse_kl_top_k
from engine.training.precision import scoring_precision
from engine.training.prompted import Prompted, by_prompt
from engine.training.ranks import ALONE, Ranks
from engine.training.schedule import drawn_at
from engine.training.stages import StepWork, Term
from engine.training.student import ChunkLoss, eval_mode
from engine.wording import percent

CUT_ANSWERS = "cut_answers"  # the share of a step's answers that were cut off, among its figures
MANY_CUT = 0.5  # of a step's answers
_DECODED_A_TRAINED_ROW = 8  # rows decoded in the memory of one trained row: decoding keeps only keys and values


class OnPolicy:
    """Steps over the questions of the training rows, one sampled answer per question.

    Questions whose answer was edited, or not written by the prompted base, are left out: the base would undo them.
    """

    name = "on-policy"

    def __init__(
        self,
        student: LocalModel,
        config: TrainingConfig,
        rows: Sequence[DatasetRow],
        dataset_prompts: Sequence[DatasetPrompt],
        extra_terms: ExtraTerms,
        ranks: Ranks = ALONE,
    ) -> None:
        """`dataset_prompts` holds the prompts and their questions; the `ranks` share the sampling.

        Raises `TrainingError` if no answer is entirely the prompted base's.
        """
        own = [row for row in rows if row.edited_from == len(row.completion_ids)]
        if not own:
            raise TrainingError(
                "The second stage has nothing to ask.",
                "It trains towards the prompted base, and no training answer is entirely that model's.",
                "Train without on-policy steps, or generate answers with the local teacher.",
            )
        self.plans, self.steps = ((0, config.on_policy_steps),), config.on_policy_steps
        self.learning_rate = config.on_policy_learning_rate
        self.rows = tuple({row.question_key: row for row in own}.values())
        self._student = student
        self._config = config
        self._extra_terms = extra_terms
        self._ranks = ranks
        # The same on every device: which steps carry a term follows from the configuration alone.
        self._step_cost = second_step_cost(config, len(self.rows), row_tokens(own, 0), DECODING_STEP_COST)
        self._sampled, self._sampled_for = StepWork(Term("loss", (), 0, 1.0, self._loss)), (-1, 0)
        prompted = Prompted(student.format, dataset_prompts)
        self._prompted = {row.question_key: prompted.ids(row) for row in self.rows}
        longest = max(len(row.completion_ids) for row in own) + BEYOND_LONGEST
        self.answer_tokens = min(config.on_policy_answer_tokens, longest)
        with ranks.together(), eval_mode(student), adapter_off(student):
            self._prefixes = {
                index: self._prefix([self._prompted[self.rows[place].question_key] for place in places])
                for index, places in by_prompt(self.rows).items()
            }

    def _prefix(self, whole: Sequence[Sequence[int]]) -> PromptCache:
        """The keys and values of what all questions with one prompt start with."""
        return PromptCache.build(self._student, whole[0][: shared_length(whole)])

    @property
    def rows_a_step(self) -> int:
        return min(self._config.on_policy_batch_rows, len(self.rows))

    def epoch_at(self, step: int) -> float:
        return step * self.rows_a_step / len(self.rows)

    def work(self, step: int, micro_batch_rows: int) -> StepWork:
        """Sample the step's answers, once: the loss at a run's first point is measured on those of its first step."""
        if self._sampled_for != (step, micro_batch_rows):
            self._sampled, self._sampled_for = self._sample(step, micro_batch_rows), (step, micro_batch_rows)
        return self._sampled

    def _sample(self, step: int, micro_batch_rows: int) -> StepWork:
        seed = f"{self._config.seed} {self.name}"
        asked = [self.rows[index] for index in drawn_at(step, self.rows_a_step, len(self.rows), seed)]
        try:
            with eval_mode(self._student):
                decoded = decode_shared(
                    self._ranks,
                    self._student,
                    [row.question_ids for row in asked],
                    temperature=1.0,
                    # The teacher reads the answer behind its prompt, which takes more of the context.
                    max_new_tokens=limits_within(
                        self._student, [self._prompted[row.question_key] for row in asked], self.answer_tokens
                    ),
                    seeds=[answer_seed(self._config.seed, step, place) for place in range(len(asked))],
                    batch_rows=_DECODED_A_TRAINED_ROW * micro_batch_rows,
                )
        except NoProbabilities:  # training may have diverged: the trainer counts such steps and goes back
            return StepWork(Term("loss", (), 0, 1.0, self._loss), fault="the student has no valid probabilities")
        answers = [
            replace(row, completion_ids=one.ids, edited_from=len(one.ids), fixed=(False,) * len(one.ids))
            for row, one in zip(asked, decoded, strict=True)
        ]
        answers.sort(key=lambda row: -len(row.question_ids) - len(row.completion_ids))  # to keep padding low
        skipped = self._config.on_policy_skipped_tokens
        figures = {
            CUT_ANSWERS: sum(one.finish_reason == "length" for one in decoded) / len(decoded),
            "answer_tokens": sum(len(one.ids) for one in decoded) / len(decoded),
        }
        tokens = sum(max(0, len(row.completion_ids) - skipped) for row in answers)
        share = figures[CUT_ANSWERS]
        alarm = f"over half of the student's own answers were cut off ({percent(share)})" if share > MANY_CUT else ""
        return self._extra_terms.step(
            self, step, answers, self.rows_a_step, self._step_cost, tokens, self._loss, figures, alarm
        )

    def _loss(self, rows: Sequence[DatasetRow], _batch: Batch) -> ChunkLoss:
        """Return the reverse KL at every token of the student's answers except the first few."""
        student, config = self._student, self._config
        with torch.no_grad(), eval_mode(student), adapter_off(student), scoring_precision():
            teacher = self._read_behind_the_prompts(rows)
        places = torch.cat([torch.arange(len(row.completion_ids)) for row in rows])
        carries = (places >= config.on_policy_skipped_tokens).to(student.device, torch.float32)

        def loss(logits: torch.Tensor, here: slice) -> torch.Tensor:
            with torch.no_grad(), scoring_precision():
                expected = student.logits(teacher[here])
            kl = reverse_kl_top_k(logits, expected, config.on_policy_top_k, config.on_policy_ratio_clip)
            return carries[here] * kl

        return loss

    def _read_behind_the_prompts(self, rows: Sequence[DatasetRow]) -> torch.Tensor:
        """Return hidden states (N, H) at all answers in the rows' order, one pass per prompt."""
        found: dict[int, torch.Tensor] = {}
        for index, places in by_prompt(rows).items():
            asked = [ScoreRow(self._prompted[rows[place].question_key], rows[place].completion_ids) for place in places]
            hidden = hidden_states(self._student, asked, self._prefixes[index])
            found.update(zip(places, hidden.split([len(row.completion_ids) for row in asked]), strict=True))
        return torch.cat([found[place] for place in range(len(rows))])
