"""Terms beside a stage's own: against forgetting, and for when the prompt is put back. Knows nothing of stages.

Both are forward KL to cached distributions of the frozen base: at the base's own answers to general questions, without
the prompt; and at the training answers, with the prompt in context for both student and base. Students distilled
on-policy get worse when the prompt is put back; the second term repairs that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from engine.model.local_model import LocalModel
from engine.model.prompt_cache import is_recurrent
from engine.records.dataset import DatasetRow
from engine.training.batches import Batch, make_batch, shared_length, shared_prompt_batch
from engine.training.costs import ROWS_PER_SHARED_PROMPT, general_rows_a_step, steps_between_prompts
from engine.training.losses import forward_kl_top_k
from engine.training.prompted import Prompted, by_prompt
from engine.training.schedule import drawn_at, planned_steps
from engine.training.stages import RowsLoss, Stage, StepWork, Term
from engine.training.student import ChunkLoss
from engine.training.teacher_cache import TeacherCache


@dataclass(frozen=True, slots=True)
class General:
    """General questions with the unprompted base's own answers; `fraction` of all rows of a step."""

    rows: Sequence[DatasetRow]
    base: TeacherCache
    fraction: float


@dataclass(frozen=True, slots=True)
class SharedPromptRows:
    """Training rows of one prompt, with prompt and question together as their question, up to any edit."""

    rows: Sequence[DatasetRow]
    prompt_tokens: int  # length of the prefix that all rows share


@dataclass(frozen=True, slots=True)
class PromptBack:
    """Training rows with their prompts in context, and the prompted base's distributions up to any edit.

    The student reads the prompt with gradients, so its keys and values cannot be cached: `ROWS_PER_SHARED_PROMPT` rows
    share one copy in one sequence. Recurrent layers cannot share one, so such a student reads one row at a time. Only
    every n-th step carries the term, n times as strongly, so that it weighs `weight` on average. It is the last of each
    n: before the first step, the student still is the base. Several prompts take turns.
    """

    parts: Sequence[SharedPromptRows]
    base: TeacherCache
    weight: float
    prompt_tokens: int  # of a prompt, on average

    @classmethod
    def make(cls, rows: Sequence[DatasetRow], prompted: Prompted, base: TeacherCache, weight: float) -> "PromptBack":
        """Make the term from training `rows`, at least one of which has a teacher distribution."""
        held = [row for row in rows if row.edited_from > 0]
        parts = [
            _shared_prompt_rows([held[place] for place in places], prompted) for places in by_prompt(held).values()
        ]
        prompt_tokens = round(sum(part.prompt_tokens for part in parts) / len(parts))
        return cls(parts, base, weight, prompt_tokens)

    def every(self, step_cost: float, steps: int) -> int:
        """Return n, so that the prompt adds at most a quarter to the cost; a stage of fewer `steps` carries it once."""
        return min(steps_between_prompts(self.prompt_tokens, step_cost), steps)

    def drawn(self, turn: int, seed: str, count: int) -> tuple[SharedPromptRows, list[DatasetRow]]:
        """Return the prompt whose turn it is, and at most `count` rows to read with it."""
        turn, index = divmod(turn, len(self.parts))
        part = self.parts[index]
        chosen = drawn_at(turn, count, len(part.rows), f"{seed} {index}" if index else seed)
        return part, [part.rows[place] for place in dict.fromkeys(chosen)]


def _shared_prompt_rows(rows: Sequence[DatasetRow], prompted: Prompted) -> SharedPromptRows:
    behind = [
        replace(row, question_ids=tuple(prompted.ids(row)), completion_ids=row.completion_ids[: row.edited_from])
        for row in rows
    ]
    return SharedPromptRows(behind, shared_length([row.question_ids for row in behind]))


class ExtraTerms:
    """What every step of a run carries beside its stage's own term; nothing by default."""

    def __init__(
        self, student: LocalModel, seed: int, general: General | None = None, prompt_back: PromptBack | None = None
    ) -> None:
        self._student = student
        self._seed = seed
        self._general = general
        self._prompt_back = prompt_back
        self._recurrent = is_recurrent(student)

    def step(
        self,
        stage: Stage,
        step: int,
        rows: Sequence[DatasetRow],
        rows_a_step: float,
        step_cost: float,
        tokens: int,
        loss: RowsLoss,
        figures: Mapping[str, float] | None = None,
        alarm: str = "",
    ) -> StepWork:
        """Return the work of one step whose own `rows` (`rows_a_step` on average) have `tokens` tokens with `loss`.

        `step_cost` is about what such a step costs without the terms beside it, in the unit of `costs`. Own and general
        tokens have the same weight: their losses are divided by the number of both.
        """
        general = self._general_rows(stage.name, step, rows_a_step)
        general_tokens = sum(len(row.completion_ids) for row in general)
        divisor = max(1, tokens + general_tokens)
        main = Term("loss", rows, tokens, divisor, loss)
        beside = []
        if general and self._general is not None:
            beside.append(Term("general_kl", general, general_tokens, divisor, self._kl_to(self._general.base)))
        back = self._prompt_back
        every = 1 if back is None else back.every(step_cost, planned_steps(stage.plans, step))
        if back is not None and step % every == every - 1:
            together = 1 if self._recurrent else ROWS_PER_SHARED_PROMPT
            behind, part = back.drawn(step // every, f"{self._seed} {stage.name} back", together)
            count = sum(len(row.completion_ids) for row in part)
            batch = make_batch if self._recurrent else partial(shared_prompt_batch, shared=behind.prompt_tokens)
            back_divisor = count / (back.weight * every)
            beside.append(Term("prompt_back_kl", part, count, back_divisor, self._kl_to(back.base), batch))
        return StepWork(main, tuple(beside), figures or {}, alarm)

    def _general_rows(self, stage: str, step: int, rows_a_step: float) -> list[DatasetRow]:
        if self._general is None:
            return []
        per_step = general_rows_a_step(rows_a_step, self._general.fraction)
        chosen = drawn_at(step, per_step, len(self._general.rows), f"{self._seed} {stage} general")
        return [self._general.rows[index] for index in dict.fromkeys(chosen)]

    def _kl_to(self, base: TeacherCache) -> RowsLoss:
        def loss(rows: Sequence[DatasetRow], _batch: Batch) -> ChunkLoss:
            known = base.gather(rows).to(self._student.device)
            return lambda logits, here: forward_kl_top_k(logits, known[here])

        return loss
