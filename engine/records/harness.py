"""Public tasks: what lm-evaluation-harness measured of a release and of its base. Knows nothing of how it is run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one model, with its standard error where the task has one."""

    value: float
    stderr: float | None = None


@dataclass(frozen=True, slots=True)
class TaskScore:
    """One metric of one task, of both models. Metrics are the task's own: most are shares, not all."""

    task: str
    metric: str
    filter: str  # how the answer was read from what the model said; "none" for most
    base: Score
    released: Score
    higher_is_better: bool | None = None  # None: the task does not say
    questions: int | None = None
    asked: bool = True  # by name; else it is a part of a group that was


@dataclass(frozen=True, slots=True)
class HarnessResult:
    """One measurement of one release."""

    id: int
    run_id: int
    release_id: int
    release_sha256: str
    tasks: tuple[str, ...]
    limit: int | None
    few_shot: int | None
    chat_template: bool
    scores: tuple[TaskScore, ...]
    version: str  # of lm-eval
    seconds: float
    created_at: str = ""

    @property
    def settings(self) -> tuple[object, ...]:
        """What was asked of what: a later measurement of the same stands in this one's place."""
        return self.release_sha256, self.tasks, self.limit, self.few_shot, self.chat_template
