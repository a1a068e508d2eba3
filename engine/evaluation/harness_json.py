"""The results of a release and its base on public tasks, as JSON. Pure."""

from dataclasses import asdict

from engine.evaluation.statistics import difference_stderr, task_outcome
from engine.records.harness import HarnessResult, TaskScore


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


def _score_json(score: TaskScore) -> dict[str, object]:
    return {
        "task": score.task,
        "metric": score.metric,
        "filter": score.filter,
        "questions": score.questions,
        "higher_is_better": score.higher_is_better,
        "base": asdict(score.base),
        "released": asdict(score.released),
        "difference": {"value": score.released.value - score.base.value, "stderr": difference_stderr(score)},
        "outcome": task_outcome(score),
        "asked": score.asked,
    }
