"""A sweep: short runs of a few configurations, compared on validation. Pure; no model library, starts nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.errors import UsageError
from engine.records.run import CurvePoint, Run, TrainingConfig, measure_of
from engine.training.best import best_point
from engine.training.schedule import Schedule
from engine.wording import duration, passed_of


@dataclass(frozen=True, slots=True)
class Tried:
    """One run of a sweep; `words` are the `train` options for its configuration in full length."""

    run: Run
    words: str

    @property
    def best(self) -> CurvePoint | None:
        """The point that the run is judged by; None if the run is not done."""
        return next((point for point in self.run.curve if point.best), None) if self.run.state == "done" else None

    @property
    def command(self) -> str:
        """The command that trains this configuration in full length."""
        return f"distill-tui train {self.words}".rstrip()


def within(config: TrainingConfig, rows: int, steps: int) -> TrainingConfig:
    """Return the same training of `rows` in at most `steps` steps: all stages shortened alike, rates still reach 0.

    Each stage keeps at least one step. Raises `UsageError` if there are more stages than `steps`.
    """
    first = Schedule((1,) * rows, config.batch_rows, config.epochs, config.seed)
    whole = first.steps + config.on_policy_steps
    if whole <= steps:
        return config
    stages = bool(first.steps) + bool(config.on_policy_steps)
    if steps < stages:
        raise UsageError(
            "The runs of this sweep have two stages.", "One step cannot be shared by both.", "Pass --steps 2 or more."
        )
    on_policy = round(steps * config.on_policy_steps / whole)
    if stages == 2:
        on_policy = min(max(on_policy, 1), steps - 1)
    return replace(
        config,
        epochs=(steps - on_policy) / first.steps_per_epoch,
        on_policy_steps=on_policy,
        evaluations=min(config.evaluations, steps),
    )


def winner(tried: Sequence[Tried]) -> Tried | None:
    """Return the run with the best of all best points, chosen as within a run; None if no run is done."""
    points = [one.best for one in tried]
    measured = [point for point in points if point is not None]
    if not measured:
        return None
    chosen = best_point(measured)
    return next(one for one, point in zip(tried, points, strict=True) if point is chosen)


def sweep_text(tried: Sequence[Tried], won: Tried | None) -> str:
    """Return one line per run, and the command that trains the winner in full length."""
    short = "KL" if measure_of(*(one.run for one in tried)) == "validation KL" else "loss"
    width = max(len("options"), *(len(one.words) for one in tried))
    lines = [f"  run  {'options':<{width}}  steps  best {short:<4} answers pass  time"]
    for one in tried:
        mark = "▸" if one is won else " "
        point = one.best
        passing = passed_of(point.all_rules_rate, point.asked) if point else ""
        figures = f"{point.validation_kl:>7.3f}  {passing:>13}" if point else f"{one.run.state_word:<22}"
        line = (
            f"{mark} {one.run.id:>3}  {one.words:<{width}}  {one.run.step:>5}  {figures}  {duration(one.run.train_s)}"
        )
        lines.append(line)
    if won is not None:
        lines += [f"Run {won.run.id} is the best. To train it in full:", won.command]
    return "\n".join(lines)


def sweep_json(tried: Sequence[Tried], won: Tried | None) -> dict[str, object]:
    """Return the sweep as JSON data."""
    return {
        "runs": [
            {
                "id": one.run.id,
                "options": one.words,
                "state": one.run.state,
                "step": one.run.step,
                "train_s": one.run.train_s,
                "validation_kl": one.best.validation_kl if one.best else None,
                "measure": one.run.short_measure,
                "all_rules_rate": one.best.all_rules_rate if one.best else None,
            }
            for one in tried
        ],
        "best": None if won is None else {"id": won.run.id, "command": won.command},
    }
