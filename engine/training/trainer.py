"""The training loop: optimizer steps, evaluations, checkpoints, and what happens when one of them goes wrong.

Testable without jobs: it reports to, and is interrupted by, the hooks of its caller. What a step consists of is up to
its stage. Knows nothing of the store, of processes or of how rows were made.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

import torch
from peft import PeftModel
from torch import Tensor

from engine.errors import TrainingError
from engine.model.local_model import LocalModel
from engine.model.memory import is_out_of_memory, within_memory
from engine.records.dataset import DatasetRow
from engine.records.run import TrainingConfig
from engine.training.checkpoints import CHECKPOINTS, steps_in
from engine.training.curve import reason_to_end, steps_to_keep, with_point
from engine.training.divergence import Recent
from engine.training.hooks import Hooks, StepMetrics
from engine.training.memory import device_memory, kernel_oom_kills, peak_rss_mb, trimmed_rss_mb
from engine.training.precision import step_precision
from engine.training.ranks import ALONE, Ranks
from engine.training.recovery import best_or_last, go_back, resume
from engine.training.sampling_pace import answers_due
from engine.training.saving import Saving
from engine.training.stages import Course, StepWork, Term
from engine.training.state import TrainingState, spread_state, write_state
from engine.training.student import add_gradients, recompute_layers, sum_dtype, token_losses, trained_parameters
from engine.training.validation import Validator

_BAD_AT_MOST = 3  # steps in a row without a finite loss, or whose loss or gradient blew up
_SMALLER = "Close other programs, or start a run with a smaller LoRA rank or a smaller base model."
_OPTIMIZER = "The adapter's optimizer and its state"
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Trained:
    """How a run ended: the last step, the best one, and the checkpoint that holds the best adapter."""

    state: TrainingState
    best_checkpoint: Path
    peak_rss_mb: float
    ended_early: str = ""  # why it ended itself before its last step


class Trainer:
    """One run of one adapter. `student` has a fresh adapter made from the run's seed."""

    def __init__(
        self,
        student: LocalModel,
        course: Course,
        dataset_sha256: str,
        validator: Validator,
        folder: Path,
        hooks: Hooks,
        *,
        held_out: bool = True,
        ranks: Ranks = ALONE,
    ) -> None:
        """`held_out` False: the validator measures training rows, so the last step is kept instead of the best.

        With several `ranks` only the first one reads and writes `folder`.
        """
        self.student = student
        self.model = cast("PeftModel", student.model)
        self.course = course
        self.config: TrainingConfig = course.config
        self.validator = validator
        self.checkpoints = folder / CHECKPOINTS
        self.hooks = hooks
        self.held_out = held_out
        self.ranks = ranks
        self.steps = course.steps
        self.parameters = trained_parameters(student)
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=course.learning_rate_at(0), weight_decay=self.config.weight_decay, fused=True
        )
        self.state = TrainingState(
            self.config, dataset_sha256, micro_batch_rows=min(self.config.micro_batch_rows, self.config.batch_rows)
        )
        self.saving = Saving(self.checkpoints, self.config.checkpoint_every_s)
        self._tried = ""
        self._paced_from = (-1, 0.0)  # the first step of this stage made by this process, and `train_s` before it

    def run(self) -> Trained:
        """Train to the last step, from the newest intact checkpoint if there is one.

        The run ends early if the hooks ask for it, if a stage raised an alarm for ten steps in a row, or if `patience`
        evaluations in a row found nothing better; its last steps are then measured too, if they were not already.
        Raises `TrainingError` after three steps in a row whose loss is not finite or blew up, if the validation KL is
        not finite, and if a single row does not fit into memory; `ModelError` if the optimizer or one sampled answer
        does not. Whatever the hooks raise passes through. The newest checkpoint then holds the last good state.
        """
        self._begin()
        self.model.train()
        measured_at = self.course.evaluation_steps() | {0}
        while True:
            ends = self.state.step >= self.steps or (
                self.state.step > 0
                and self.ranks.first_decides(lambda: bool(self._ended_early) or self.hooks.end_early())
            )
            due = ends or self.state.step in measured_at
            if due and self.state.step not in {point.step for point in self.state.points}:
                self._evaluate()
                self._save(measured=True)
            # The best point needs a checkpoint, which only the first rank's disk has to hold: so the first one decides.
            if ends or self.ranks.first_decides(lambda: bool(self._ended_early)):
                break
            with self.ranks.together():
                self._rest()
            self._step()
            if self.saving.due:
                self._save()
        best = best_or_last(self.checkpoints, self.state, self.hooks.on_note)
        return Trained(self.state, best, peak_rss_mb(), self._ended_early if self.state.step < self.steps else "")

    @property
    def _ended_early(self) -> str:
        """Why the run should end; derived from the state, so that a resumed run ends at the same step."""
        return reason_to_end(self.state, self.course, held_out=self.held_out)

    def _begin(self) -> None:
        """Bring all ranks to the newest checkpoint of the first one."""
        with self.ranks.together(), within_memory(_SMALLER, _OPTIMIZER):
            if self.ranks.leads:
                self._resume()
        self.state = self.ranks.broadcast(TrainingState, self.state)
        if self.state.recomputed:
            recompute_layers(self.student)
        with within_memory(_SMALLER, _OPTIMIZER):
            spread_state(self.ranks, self.parameters, self.optimizer)

    def _resume(self) -> None:
        if (found := resume(self.checkpoints, self.state, self.model, self.optimizer, self.hooks.on_note)) is None:
            return
        self.state, self.saving.step = found, found.step
        self.hooks.on_note(f"Resuming from the checkpoint at step {found.step} of {self.steps}.")
        less = found.with_less_memory(may_recompute=self.student.base.supports_gradient_checkpointing)
        if 0 <= found.oom_kills < kernel_oom_kills() and less is not None:
            self._go_on_as(less, "The kernel killed a process because memory ran out")

    def _rest(self) -> None:
        if self.hooks.save_first():
            self._save(killable=False)
        self.hooks.rest()

    def _step(self) -> None:
        """Make one optimizer step: gradients of all micro-batches, clipped and applied, or skipped if not finite."""
        started = time.monotonic()
        step = self.state.step
        if self.course.begins_at(step):
            self.optimizer.state.clear()  # the gradients of another loss have another scale
            self.state = replace(self.state, recent=Recent())
        if self.course.begins_at(step) or self._paced_from[0] < 0:
            self._paced_from = step, self.state.train_s  # a step of another stage takes a different time
        work, sums, tokens = self._within_memory(lambda size: self._gradients(step, size))
        means = {term.name: sums[term.name] / max(1, term.tokens) for term in work.terms}
        loss, loss_tokens = means.pop(work.main.name), work.main.tokens
        rate = self.course.learning_rate_at(step)
        with self.ranks.together(), within_memory(_SMALLER, _OPTIMIZER):  # the first step allocates its moments
            norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, self.config.max_gradient_norm))
            good = not work.fault and all(map(math.isfinite, (loss, norm, *means.values())))
            if good:
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
                self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        seconds = time.monotonic() - started
        state = self.state
        fault = f"{work.fault or 'its loss or gradient is not finite'}; it was skipped"
        if good:
            fault = state.recent.fault(loss, norm, self.config.max_gradient_norm)
        epoch, total = self.course.epoch_at(step + 1), sums[work.main.name]
        self.state = replace(
            state.after_step(epoch, loss, norm, total, loss_tokens, good=good, fault=fault),
            alarms_in_row=state.alarms_in_row + 1 if work.alarm else 0,
            alarm=work.alarm,
            tokens=state.tokens + tokens,
            train_s=state.train_s + seconds,
        )
        if good:
            self.hooks.on_step(
                StepMetrics(
                    step=step + 1,
                    epoch=self.state.epoch,
                    loss=loss,
                    learning_rate=rate,
                    gradient_norm=norm,
                    tokens_per_second=tokens / seconds,
                    rss_mb=trimmed_rss_mb(),
                    steps=self.steps,
                    seconds_left=self._seconds_left(),
                    figures={**means, **work.figures, **device_memory(self.student.device)},
                )
            )
        if fault:
            self._bad_step(fault, finite=good)

    def _seconds_left(self) -> float:
        """At the pace of this stage so far, evaluations included; scaled by cost for the steps of another stage."""
        (first, before), step = self._paced_from, self.state.step
        pace = (self.state.train_s - before) / self.course.cost(first, step)
        return pace * self.course.cost(step, self.steps)

    def _gradients(self, step: int, micro_batch_rows: int) -> tuple[StepWork, dict[str, float], int]:
        """Add the step's gradients; return its work, the summed losses of its terms and the tokens that were read."""
        self.optimizer.zero_grad(set_to_none=True)
        stage, own = self.course.at(step)
        work = stage.work(own, micro_batch_rows)
        with self.ranks.together(), step_precision(self.student):
            made = [self._add_gradients(term, self.ranks.share(term.rows), micro_batch_rows) for term in work.terms]
            flat = self.ranks.flat_gradients(self.parameters)
            summed: list[float] = torch.stack([loss for loss, _ in made]).tolist()  # waits for a GPU once per step
        self.ranks.sum_gradients(self.parameters, flat)
        *losses, tokens = self.ranks.sum([*summed, sum(read for _, read in made)])
        return work, dict(zip((term.name for term in work.terms), losses, strict=True)), int(tokens)

    def _add_gradients(self, term: Term, rows: Sequence[DatasetRow], micro_batch_rows: int) -> tuple[Tensor, int]:
        device = self.student.device
        loss, read = torch.zeros((), dtype=sum_dtype(device), device=device), 0
        for start in range(0, len(rows), micro_batch_rows):
            part = rows[start : start + micro_batch_rows]
            self._tried = part[0].name
            batch = term.batch(part)
            loss += add_gradients(self.student, batch, term.loss(part, batch), term.divisor)
            read += batch.real_tokens
        return loss, read

    def _within_memory(self, attempt: Callable[[int], Found]) -> Found:
        """Return what `attempt` makes in passes of the given number of rows, in smaller passes if memory runs out."""
        while True:
            size = self.state.micro_batch_rows
            self._tried = "An answer or an evaluation"
            try:
                return attempt(size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error).splitlines()[0]
            # Outside the handler, because the exception holds on to the tensors of the failed pass.
            self.optimizer.zero_grad(set_to_none=True)
            if self.student.device.type == "cuda":
                torch.cuda.empty_cache()
            less = self.state.with_less_memory(may_recompute=self.student.base.supports_gradient_checkpointing)
            if less is None:
                raise TrainingError(
                    "A single row does not fit into memory.",
                    f"{self._tried}: {reason}",
                    "Close other programs, choose a smaller base model, or shorten the longest answers.",
                )
            self._go_on_as(less, "Not enough memory")

    def _go_on_as(self, state: TrainingState, why: str) -> None:
        if state.recomputed:
            recompute_layers(self.student)
        self.state = state
        self.hooks.on_note(f"{why}: from now on {state.passes}.")

    def _bad_step(self, fault: str, *, finite: bool) -> None:
        step, in_row = self.state.step, self.state.skipped_in_row
        self.hooks.on_note(f"Step {step} is bad: {fault}.")
        if in_row < _BAD_AT_MOST:
            return
        first = step - in_row + 1
        # The weights before the first bad step are suspect, unless measured: a single row can make a loss infinite.
        measured = not finite and any(point.step == first - 1 for point in self.state.points)
        back = self._go_back(first if measured else first - 1)
        raise TrainingError(
            f"Training stopped: {in_row} bad steps in a row.",
            f"Steps {first} to {step} of {self.steps}; the last one: {fault}. {back}",
            "Start a new run with a lower learning rate.",
        )

    def _go_back(self, suspect: int) -> str:
        """Go back to the newest weights from before step `suspect`; return a sentence about it."""
        left = self.state
        if self.ranks.leads:
            found = go_back(self.checkpoints, left, suspect, self.model, self.optimizer, self.hooks.on_note)
            if found is not None:
                self.state, self.saving.step = found, found.step
                gone = (replace(point, best=False) for point in left.points[len(found.points) :])
                for point in (*gone, *found.points):
                    self.hooks.on_point(point, None)
                return f"The run is back at the checkpoint of step {found.step}."
        return "There is no checkpoint to go back to."

    def _evaluate(self) -> None:
        started, validator = time.monotonic(), self.validator
        self.hooks.on_validation(self.state.step, self.steps)
        answers = self.ranks.broadcast_count(answers_due(validator.plan, validator.tokens, self.state, self.course))
        if self.state.step:
            self.state = replace(self.state, answers=answers)
        measured = self._within_memory(
            lambda size: validator.measure(self.student, size, self._rest, self.ranks, answers=answers)
        )
        state = self.state
        if not math.isfinite(measured.validation_kl):
            back = self._go_back(state.step)
            raise TrainingError(
                "Training stopped: the student's divergence is not a finite number.",
                f"One of the steps up to step {state.step} of {self.steps} moved its weights too far. {back}",
                "Start a new run with a lower learning rate.",
            )
        if state.loss_tokens:
            train_loss = state.loss_sum / state.loss_tokens
        else:
            train_loss = self._within_memory(self._loss_of_next_rows)
        rate = self.course.learning_rate_at(max(0, state.step - 1))
        seconds, kept = time.monotonic() - started, steps_in(self.checkpoints)
        if state.step == 0:
            self.state = replace(self.state, decoding_step_s=measured.decoding_step_s)
        self.state = with_point(self.state, measured, train_loss, rate, seconds, kept, held_out=self.held_out)
        for before, now in zip(state.points, self.state.points, strict=False):
            if before.best != now.best:
                self.hooks.on_point(now, None)
        self.hooks.on_point(self.state.points[-1], measured)
        self.saving.step = -1

    def _loss_of_next_rows(self, micro_batch_rows: int) -> float:
        """Return the training loss on some rows of the next step: no step was made since the last point."""
        stage, own = self.course.at(min(self.state.step, self.steps - 1))
        main = stage.work(own, micro_batch_rows).main
        if not (rows := main.rows[:micro_batch_rows]):  # nothing to learn from in this step
            return self.state.points[-1].train_loss if self.state.points else 0.0
        batch = main.batch(rows)
        with self.ranks.together():
            return float(token_losses(self.student, batch, main.loss(rows, batch)).mean())

    def _save(self, *, measured: bool = False, killable: bool = True) -> None:
        """Save a checkpoint. After a bad step only if it was measured, and then no other checkpoint is removed.

        `killable`: whether work goes on, so that only the kernel may have ended it if it is resumed from here.
        """
        suspect, again = self.state.skipped_in_row > 0, self.saving.step == self.state.step and killable
        if again or not self.ranks.leads or (suspect and not measured):
            return
        state = replace(self.state, oom_kills=kernel_oom_kills() if killable else -1)
        self.saving.save(state.step, lambda folder: write_state(folder, self.model, self.optimizer, state))
        self.hooks.on_saved(state.step)
        if not suspect:
            self.saving.prune(steps_to_keep(state, held_out=self.held_out))
