"""Public tasks: lm-evaluation-harness scores of a release and its base. Knows nothing of how it is run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one model, with its standard error if the task reports one."""

    value: float
    stderr: float | None = None


@dataclass(frozen=True, slots=True)
class TaskScore:
    """One metric of one task for both models. Metrics are defined by the task; most, but not all, are fractions."""

    task: str
    metric: str
    filter: str  # how the answer was extracted from the model's output; mostly "none"
    base: Score
    released: Score
    higher_is_better: bool | None = None  # None: the task does not declare it
    questions: int | None = None
    asked: bool = True  # requested by name; False: a part of a requested group


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
        """What was measured and how. A later result with the same settings replaces this one."""
        return self.release_sha256, self.tasks, self.limit, self.few_shot, self.chat_template
