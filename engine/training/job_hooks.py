"""What the training loop reports, passed on to the job's events, the store and the mirrors; and what the user requests.

Knows nothing of losses or checkpoints.
"""

import math
import time

from engine.jobs.context import JobContext
from engine.jobs.protocol import TRAINING, Metrics, Note, Progress, SampleAnswer, WorstTokens
from engine.records.run import CurvePoint, Run
from engine.training.hooks import StepMetrics
from engine.training.memory import peak_rss_mb
from engine.training.mirrors import Mirrors
from engine.training.on_policy import CUT_ANSWERS, MANY_CUT
from engine.training.trainer import Trainer
from engine.training.validation import Measurement
from engine.wording import percent


class JobHooks:
    """The hooks of a run that is trained in a job. `most_s`: how long it may train, in seconds."""

    def __init__(self, context: JobContext, run: Run, teacher_s: float, most_s: float, mirrors: Mirrors) -> None:
        self._context = context
        self._run = run
        self._teacher_s = teacher_s
        self._mirrors = mirrors
        self._warned_of_cuts = False
        self._steps, self._expected_end = run.steps, -math.inf
        self._ends_at = time.monotonic() + most_s - run.train_s

    def on_step(self, metrics: StepMetrics) -> None:
        if metrics.figures.get(CUT_ANSWERS, 0.0) > MANY_CUT and not self._warned_of_cuts:
            self._warned_of_cuts = True
            self.on_note(
                f"{percent(metrics.figures[CUT_ANSWERS])} of the student's own answers at step {metrics.step} were cut "
                "off: they do not end, or need more tokens than the longest training answer."
            )
        values = {
            "loss": metrics.loss,
            "learning_rate": metrics.learning_rate,
            "gradient_norm": metrics.gradient_norm,
            "tokens_per_second": metrics.tokens_per_second,
            "rss_mb": metrics.rss_mb,
            **metrics.figures,
        }
        self._tell(metrics.step, metrics.epoch, values)
        self._steps, self._expected_end = metrics.steps, time.monotonic() + metrics.seconds_left
        self._tell_progress(metrics.step, TRAINING)

    def on_validation(self, step: int, steps: int) -> None:
        self._steps = steps
        self._tell_progress(step, "validating" if step else "measuring the untrained student")

    def on_point(self, point: CurvePoint, measured: Measurement | None) -> None:
        self._context.project.runs.add_curve_point(self._run.id, point)
        if measured is None:
            return
        rates = {f"rule_{rule_id}": rate for rule_id, rate in point.rule_rates}
        values = {"validation_kl": point.validation_kl, **rates}
        if point.all_rules_rate is not None:
            values |= {"all_rules": point.all_rules_rate, "asked": point.asked}
        self._tell(point.step, point.epoch, values, point.measure)
        for watched in measured.watched:
            self._context.emit(SampleAnswer(point.step, watched.question, watched.answer, watched.passed))
        self._context.emit(WorstTokens(point.step, measured.worst))
        if point.step < self._steps:
            self._tell_progress(point.step, TRAINING)

    def _tell_progress(self, step: int, note: str) -> None:
        left = self._expected_end - time.monotonic()
        self._context.emit(Progress(step, self._steps, note, left if left > 0 else None))

    def _tell(self, step: int, epoch: float, values: dict[str, float], measure: str = "") -> None:
        self._context.emit(Metrics(step, epoch, values, measure))
        self._mirrors.log(step, values)

    def on_saved(self, step: int) -> None:
        self._context.project.runs.update(self._run.id, step=step)

    def on_note(self, text: str) -> None:
        self._context.emit(Note(text))

    def save_first(self) -> bool:
        return self._context.stop_requested or self._context.pause_requested

    def end_early(self) -> bool:
        return self._context.keep_requested or time.monotonic() > self._ends_at

    def rest(self) -> None:
        paused = self._context.pause_requested
        if paused:
            self._context.project.runs.update(self._run.id, state="paused")
        since = time.monotonic()
        self._context.checkpoint()
        if paused:
            rested = time.monotonic() - since
            self._expected_end += rested
            self._ends_at += rested
            self._context.project.runs.update(self._run.id, state="running")

    def keep_progress(self, trainer: Trainer) -> None:
        """Record how far the run got, however it ended."""
        state = trainer.state
        train_s = state.train_s + self._teacher_s
        project = self._context.project
        project.runs.update(
            self._run.id, step=state.step, best_step=state.best_step, train_s=train_s, peak_rss_mb=peak_rss_mb()
        )
        project.settings.write_timing("train", train_s)
