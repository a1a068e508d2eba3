"""The first stage: the dataset's answers, with the teacher's cached distributions. Knows nothing of optimizers.

Forward KL, cross-entropy or their mix at every completion token (`losses.mixed_loss`).
"""

from collections.abc import Sequence

import torch

from engine.model.local_model import LocalModel
from engine.model.transfer import to_device
from engine.records.dataset import DatasetRow
from engine.records.run import TrainingConfig
from engine.training.batches import Batch
from engine.training.costs import first_step_cost, row_tokens
from engine.training.extra_terms import ExtraTerms
from engine.training.losses import kl_weights, mixed_loss
from engine.training.schedule import schedule_of
from engine.training.stages import StepWork
from engine.training.student import ChunkLoss
from engine.training.teacher_cache import TeacherCache


class OffPolicy:
    """Steps over the training rows, epoch after epoch."""

    name = "off-policy"

    def __init__(
        self,
        student: LocalModel,
        config: TrainingConfig,
        rows: Sequence[DatasetRow],
        teacher: TeacherCache | None,
        extra_terms: ExtraTerms,
    ) -> None:
        """Without `teacher`, every token carries cross-entropy."""
        self.learning_rate = config.learning_rate
        self.schedule = schedule_of(rows, config)
        self.plans, self.steps = self.schedule.plans, self.schedule.steps
        self._student = student
        self._config = config
        self._rows = rows
        self._teacher = teacher
        self._extra_terms = extra_terms
        self._step_cost = first_step_cost(config, row_tokens(rows, 0))

    @property
    def rows_a_step(self) -> float:
        """Mean number of rows per step."""
        return len(self._rows) / self.schedule.steps_per_epoch

    def epoch_at(self, step: int) -> float:
        return self.schedule.epoch_at(step)

    def work(self, step: int, micro_batch_rows: int) -> StepWork:
        rows = [self._rows[index] for index in self.schedule.rows_at(step)]
        tokens = sum(len(row.completion_ids) for row in rows)
        return self._extra_terms.step(self, step, rows, self.rows_a_step, self._step_cost, tokens, self._loss)

    def _loss(self, rows: Sequence[DatasetRow], batch: Batch) -> ChunkLoss:
        """Return the objective at the completion tokens of one batch."""
        device = self._student.device
        targets = to_device(batch.target_ids, device)
        teacher = self._teacher.gather(rows).to(device) if self._teacher is not None else None
        follows = batch.follows_teacher if teacher is not None else torch.zeros_like(batch.follows_teacher)
        weights = kl_weights(self._config.objective, self._config.cross_entropy_weight, follows)
        held, weights = weights > 0, to_device(weights, device)
        return lambda logits, here: mixed_loss(
            logits, targets[here], None if teacher is None else teacher[here], weights[here], held[here]
        )
