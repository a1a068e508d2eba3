"""What public tasks say of a release beside its base, and the object that others read. Pure."""

import math

from engine.records.comparison import Outcome
from engine.records.harness import HarnessResult, TaskScore

_Z = 1.959964  # of a normal 95 % interval, as lm-eval's standard errors are meant


def harness_json(results: tuple[HarnessResult, ...]) -> list[dict[str, object]]:
    """Every result with its metrics."""
    return [
        {
            "run": result.run_id,
            "release": result.release_id,
            "lm_eval": result.version,
            "tasks": list(result.tasks),
            "limit": result.limit,
            "few_shot": result.few_shot,
            "chat_template": result.chat_template,
            "made_at": result.created_at,
            "seconds": round(result.seconds, 3),
            "scores": [_score_json(each) for each in result.scores],
        }
        for result in results
    ]


def outcome(score: TaskScore) -> Outcome:
    """Whether the release is shown to be better or worse than its base: at the 95 % level, each metric by itself.

    `undecided` where a standard error or the metric's direction is not known.
    """
    stderr = difference_stderr(score)
    if stderr is None or score.higher_is_better is None:
        return "undecided"
    difference = score.released.value - score.base.value
    if abs(difference) <= _Z * stderr:
        return "kept"
    return "better" if (difference > 0) is score.higher_is_better else "worse"


def difference_stderr(score: TaskScore) -> float | None:
    """The standard error of the difference, the two taken as unpaired; None where either is not known."""
    if score.base.stderr is None or score.released.stderr is None:
        return None
    return math.hypot(score.base.stderr, score.released.stderr)


def _score_json(score: TaskScore) -> dict[str, object]:
    return {
        "task": score.task,
        "metric": score.metric,
        "filter": score.filter,
        "questions": score.questions,
        "higher_is_better": score.higher_is_better,
        "base": {"value": score.base.value, "stderr": score.base.stderr},
        "released": {"value": score.released.value, "stderr": score.released.stderr},
        "difference": {"value": score.released.value - score.base.value, "stderr": difference_stderr(score)},
        "outcome": outcome(score),
        "asked": score.asked,
    }
