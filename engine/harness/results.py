"""Reads the results that lm-eval writes, defensively: another version may have left out or renamed anything.

Pure except for reading the file.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import JobError
from engine.records.harness import Score, TaskScore

_LARGEST_BYTES = 256 << 20
_STDERR = "_stderr"
Metric = tuple[str, str, str]  # task, metric, filter


@dataclass(frozen=True, slots=True)
class ModelResults:
    """The scores of one model, with what the tasks say about their metrics."""

    scores: Mapping[Metric, Score]
    higher_is_better: Mapping[tuple[str, str], bool]  # by task and metric
    questions: Mapping[str, int]
    parts: frozenset[str]  # subtasks of a group that has its own score
    version: str = ""


def find_results(folder: Path) -> Path | None:
    """Return the newest results file under `folder`, or None."""
    return max(folder.rglob("results*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)


def read_results(path: Path) -> ModelResults:
    """Read a results file. Raises `JobError` if it contains no scores."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise _unreadable(path, "It is too large.")
        data: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error
    whole = _mapping(data)
    rows = {task: _mapping(row) for task, row in _mapping(whole.get("results")).items()}
    scores = {(task, *key): score for task, row in rows.items() for key, score in _scores(row).items()}
    if not scores:
        raise _unreadable(path, "It contains no scores.")
    version = whole.get("lm_eval_version")
    return ModelResults(
        scores=scores,
        higher_is_better={
            (task, metric): better
            for task, metrics in _mapping(whole.get("higher_is_better")).items()
            for metric, better in _mapping(metrics).items()
            if isinstance(better, bool)
        },
        questions={
            task: count
            for task, counts in _mapping(whole.get("n-samples")).items()
            if type(count := _mapping(counts).get("effective")) is int
        },
        parts=frozenset(
            part
            for group, parts in _mapping(whole.get("group_subtasks")).items()
            if group in {task for task, _, _ in scores} and isinstance(parts, list)
            for part in parts
            if isinstance(part, str)
        ),
        version=version if isinstance(version, str) else "",
    )


def side_by_side(base: ModelResults, released: ModelResults) -> tuple[TaskScore, ...]:
    """Return every metric that both have, in the order of the base. Raises `JobError` if they share none."""
    found = tuple(
        TaskScore(
            task=task,
            metric=metric,
            filter=filter,
            base=score,
            released=released.scores[task, metric, filter],
            higher_is_better=base.higher_is_better.get((task, metric)),
            questions=base.questions.get(task),
            asked=task not in base.parts,
        )
        for (task, metric, filter), score in base.scores.items()
        if (task, metric, filter) in released.scores
    )
    if not found:
        raise JobError("The results of the base and the release have no metric in common.", "", "See the job's log.")
    return found


def _scores(row: Mapping[str, object]) -> dict[tuple[str, str], Score]:
    """Scores by metric and filter: `acc,none` is `acc` through the filter `none`, `acc_stderr,none` the error."""
    found = {}
    for key, value in row.items():
        metric, comma, filter = key.partition(",")
        number = _number(value)
        if comma and number is not None and not metric.endswith(_STDERR):
            found[metric, filter] = Score(number, _number(row.get(f"{metric}{_STDERR},{filter}")))
    return found


def _number(value: object) -> float | None:
    """Return a finite number, else None: a standard error that was not computed is "N/A"."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _unreadable(path: Path, why: str) -> JobError:
    return JobError("Cannot read the results of lm-eval.", f"{path}: {why}", "Try another version of lm-eval.")
